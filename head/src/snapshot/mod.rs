//! Snapshots: roots that are kept, each by a ref of its own.
//!
//! Taken by a head ([`crate::head::Head::snapshot`]), listed and deleted by anyone. A snapshot is *stored* when its
//! ref is set, and *proven* when all of it has been read and folded once ([`prove`]). Deleting one deletes
//! the ref; its blocks are garbage then, unless others share them. Retention is not decided here.

mod prove;
mod record;

pub use prove::{Proof, prove};
pub use record::{Proven, Snapshot};

use crate::catalog::{self, Entries, Entry};
use crate::error::{HeadError, Result};
use crate::head::HeadName;
use crate::root::Root;
use crate::run::Source;
use std::collections::BTreeSet;
use tidemark_base::codec::{CodecError, CodecProblem};
use tidemark_base::{BlockId, UnixMillis};
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
        let before = match previous {
            Some(previous) => open(source, previous)?.1,
            None => Entries::new(),
        };
        let known: BTreeSet<BlockId> = before.values().flat_map(Entry::tops).collect();
        let runs = || entries.values().flat_map(|entry| entry.documents.runs().chain(entry.order.runs()));
        Ok(Self {
            root: id,
            version: RefVersion(0),
            at: root.at,
            taken: now,
            is_dead_branch: false,
            collections: entries.len() as u64,
            run_bytes: runs().map(|run| run.plain_bytes).sum(),
            new_run_bytes: runs().filter(|run| !known.contains(&run.top)).map(|run| run.plain_bytes).sum(),
            proven: None,
        })
    }
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
