//! Snapshots: roots that are kept, each by a ref of its own.
//!
//! Taken by a head ([`crate::head::Head::snapshot`]), listed and deleted by anyone. A snapshot is *stored* when its
//! ref is set, *proven* when all of it has been read and folded once ([`prove`]), and *damaged* when that failed: then
//! nothing goes on from it, until a later proof finds it sound. Deleting one deletes
//! the ref; its blocks are garbage then, unless others share them. Retention is not decided here.

mod covered;
mod prove;
mod record;

pub use covered::{Covered, covered};
pub(crate) use covered::{covering, uncover};
pub use prove::{Proof, prove, prove_and_tell};
pub use record::{Proven, Snapshot};

use crate::catalog::{self, Entries, Entry};
use crate::error::{HeadError, Result};
use crate::head::HeadName;
use crate::root::Root;
use crate::run::{Run, Source, bytes_not_in};
use std::collections::BTreeSet;
use tidemark_base::codec::{CodecError, CodecProblem};
use tidemark_base::{BlockId, ErrorKind, UnixMillis};
use tidemark_blockstore::{Expect, Ref, RefChange, RefVersion, Store};

impl Snapshot {
    /// What is known of a root at once, from its catalog. `previous` is the root of the snapshot before.
    pub(crate) fn stored(
        source: &dyn Source,
        id: BlockId,
        previous: Option<BlockId>,
        now: UnixMillis,
    ) -> Result<Self> {
        let (root, entries) = open(source, id)?;
        let before = previous.map_or(Ok(Entries::new()), |previous| Ok(open(source, previous)?.1));
        let new_run_bytes = match before.and_then(|before| new_bytes(source, &entries, &before)) {
            // Nothing pins the snapshot before: it may be deleted any time, and was only to be compared with.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                new_bytes(source, &entries, &Entries::new())?
            }
            found => found?,
        };
        let runs = entries.values().flat_map(|entry| entry.documents.runs().chain(entry.order.runs()));
        Ok(Self {
            root: id,
            version: RefVersion(0),
            at: root.at,
            taken: now,
            took_ms: 0,
            is_dead_branch: false,
            is_damaged: false,
            collections: entries.len() as u64,
            run_bytes: bytes_of(runs),
            new_run_bytes,
            diverged: root.diverged,
            proven: None,
        })
    }
}

/// The length of runs together, by what the catalog says: that can be anything until they are read.
fn bytes_of<'r>(runs: impl Iterator<Item = &'r Run>) -> u64 {
    runs.fold(0, |bytes, run| bytes.saturating_add(run.plain_bytes))
}

/// Bytes of items in leaves that the snapshot before does not have. Bases are compared with the one before, and patch
/// runs with the one of the same operations, of which compaction may have left a part; others are new as a whole.
fn new_bytes(source: &dyn Source, entries: &Entries, before: &Entries) -> Result<u64> {
    let known: BTreeSet<BlockId> = before.values().flat_map(Entry::tops).collect();
    let mut bytes = 0_u64;
    for (uuid, entry) in entries {
        let old = before.get(uuid);
        let old = [old.map(|old| &old.documents), old.map(|old| &old.order)];
        for (stack, old) in [&entry.documents, &entry.order].into_iter().zip(old) {
            for run in stack.patches.iter().filter(|run| !known.contains(&run.top)) {
                let mut same = old.into_iter().flat_map(|old| &old.patches);
                let same =
                    same.find(|old| (old.first, old.last) == (run.first, run.last) && run.first.is_some());
                bytes = bytes.saturating_add(match same {
                    Some(old) => bytes_not_in(source, run, old)?,
                    None => run.plain_bytes,
                });
            }
            let base = stack.base.as_ref().filter(|run| !known.contains(&run.top));
            bytes = bytes.saturating_add(match (base, old.and_then(|old| old.base.as_ref())) {
                (None, _) => 0,
                (Some(base), None) => base.plain_bytes,
                (Some(base), Some(old)) => bytes_not_in(source, base, old)?,
            });
        }
    }
    Ok(bytes)
}

fn open(source: &dyn Source, id: BlockId) -> Result<(Root, Entries)> {
    let root = Root::read(source, id)?;
    let entries = catalog::read(source, root.catalog.as_ref())?;
    Ok((root, entries))
}

/// All snapshots of a head, by number, which is the order in which they were taken.
///
/// # Errors
/// [`HeadError::BadRef`]; failures of the store.
pub fn list(store: &Store, name: &HeadName) -> Result<Vec<(u64, Snapshot)>> {
    let prefix = name.snapshots();
    let refs = store.list_refs(&prefix)?;
    let read = refs.into_iter().map(|(full, found)| {
        let id = full.strip_prefix(&prefix).and_then(|id| u64::from_str_radix(id, 16).ok());
        let id = id.filter(|id| name.snapshot(*id) == full);
        let id = id.ok_or_else(|| bad(&full, "number of a snapshot", 0))?;
        Ok((id, read(&full, &found)?))
    });
    read.collect()
}

/// A snapshot by its number.
///
/// # Errors
/// [`HeadError::NoSnapshot`]; [`HeadError::BadRef`]; failures of the store.
pub fn get(store: &Store, name: &HeadName, id: u64) -> Result<Snapshot> {
    let full = name.snapshot(id);
    let found = store.get_ref(&full)?;
    let found = found.ok_or_else(|| HeadError::NoSnapshot { name: name.head(), id })?;
    read(&full, &found)
}

/// So many snapshots are looked at by their numbers before all are listed.
const LOOKED_AT: usize = 4;

/// The newest snapshot below a number that something may go on from, and its number. Nearly always it is the last one: what taking a
/// snapshot costs is not to grow with how many there are.
///
/// # Errors
/// [`HeadError::BadRef`]; failures of the store.
pub(crate) fn newest(store: &Store, name: &HeadName, below: u64) -> Result<Option<(u64, Snapshot)>> {
    for id in (0..below).rev().take(LOOKED_AT) {
        match get(store, name, id) {
            Ok(found) if found.is_live() => return Ok(Some((id, found))),
            Ok(_) | Err(HeadError::NoSnapshot { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(list(store, name)?.into_iter().rfind(|(_, found)| found.is_live()))
}

/// Deletes a snapshot.
///
/// # Errors
/// [`HeadError::NoSnapshot`]; failures of the store.
pub fn delete(store: &Store, name: &HeadName, id: u64) -> Result<()> {
    let snapshot = get(store, name, id)?;
    let session = store.session(&[])?;
    let expect = Expect::Version(snapshot.version);
    session.publish(&[RefChange { name: name.snapshot(id), expect, set: None }])?;
    Ok(())
}

fn read(name: &str, found: &Ref) -> Result<Snapshot> {
    let [root] = found.roots.as_slice() else {
        return Err(bad(name, "number of roots of a snapshot", found.roots.len() as u64));
    };
    let decoded = Snapshot::decode(&found.value, *root, found.version);
    decoded.map_err(|problem| HeadError::BadRef { name: name.to_owned(), problem })
}

fn bad(name: &str, what: &'static str, value: u64) -> HeadError {
    let problem = CodecError { what, offset: 0, problem: CodecProblem::Unknown { value } };
    HeadError::BadRef { name: name.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Import;
    use std::sync::Arc;
    use tidemark_base::bson::Doc;
    use tidemark_base::{BlockKind, CollectionUuid, OpTime, SeededEntropy};
    use tidemark_blockstore::MemoryBackend;
    use tidemark_oplog::catalog::Collection;
    use tidemark_oplog::filter::Filter;

    #[test]
    fn a_snapshot_before_that_was_just_deleted_and_collected_is_none() {
        let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1))));
        let mut import = Import::begin(&store, OpTime::NULL, Filter::default(), 1 << 20).unwrap();
        let (database, name, options) = ("app".to_owned(), "a".to_owned(), Doc::EMPTY.as_bytes().to_vec());
        let uuid = CollectionUuid::from_bytes([1; 16]);
        import.collection(uuid, Collection { database, name, options, indexes: Vec::new() }).unwrap();
        let document = [14, 0, 0, 0, 16, b'_', b'i', b'd', 0, 7, 0, 0, 0, 0];
        import.documents(uuid, &[Doc::new(&document).unwrap()]).unwrap();
        let head = import.finish(&HeadName::new("local", "rs0").unwrap(), None).unwrap();
        let (root, gone) = (head.root(), BlockId::of(BlockKind::Node, b"gone"));
        let stored =
            |previous| Snapshot::stored(&store, root, previous, UnixMillis(0)).unwrap().new_run_bytes;
        let new = [None, Some(gone), Some(root)].map(stored);
        assert_eq!(new, [14, 14, 0]);
    }
}
