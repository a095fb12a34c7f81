//! The catalog as a run: what a root keeps of each collection, by UUID.
//!
//! Written whole by flush (leaves that did not change are in the store already), read whole when a state is
//! opened. What a collection is, and how commands change that, is `tidemark_oplog::catalog`'s; here it gets
//! its documents: a stack of runs.

mod record;

pub(crate) use record::check;
pub use record::{Entry, RunStack};

use crate::error::{HeadError, Result};
use crate::run::{KeyRange, Run, RunKind, RunReader, RunWriter, Source};
use std::collections::BTreeMap;
use tidemark_base::CollectionUuid;
use tidemark_base::codec::{CodecError, CodecProblem};
use tidemark_blockstore::Session;

/// All collections of a root.
pub type Entries = BTreeMap<CollectionUuid, Entry>;

/// Writes the catalog's run; none if there are no collections.
///
/// # Errors
/// [`HeadError::Unstorable`]; failures of the store.
pub fn write<'e>(
    session: &Session,
    entries: impl IntoIterator<Item = (CollectionUuid, &'e Entry)>,
) -> Result<Option<Run>> {
    let mut writer = RunWriter::new(session, RunKind::Catalog);
    let mut bytes = Vec::new();
    for (uuid, entry) in entries {
        bytes.clear();
        let encoded = entry.encode(&mut bytes);
        encoded.map_err(|problem| HeadError::unstorable(&entry.collection, problem))?;
        writer.push(uuid.as_bytes(), &bytes, &entry.tops())?;
    }
    Ok(writer.finish()?)
}

/// Reads the catalog's run.
///
/// # Errors
/// [`HeadError::BadRecord`]; damage of the run; failures of the store.
pub fn read(source: &dyn Source, run: Option<&Run>) -> Result<Entries> {
    let mut entries = Entries::new();
    let Some(run) = run else { return Ok(entries) };
    let mut cursor = RunReader::open(source, run).cursor(KeyRange::ALL);
    while let Some(item) = cursor.next()? {
        let bad = |problem| HeadError::BadRecord { key: hex::encode(item.key), problem };
        let not = |what, value: usize| CodecError {
            what,
            offset: 0,
            problem: CodecProblem::Unknown { value: value as u64 },
        };
        let uuid =
            <[u8; 16]>::try_from(item.key).map_err(|_| bad(not("length of a UUID", item.key.len())))?;
        let entry = Entry::decode(item.bytes).map_err(bad)?;
        if !item.children().eq(entry.tops()) {
            return Err(bad(not("children of a record", item.children().count())));
        }
        entries.insert(CollectionUuid::from_bytes(uuid), entry);
    }
    Ok(entries)
}

/// A record that any bytes make up, encoded again; for the fuzz targets.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
#[must_use]
pub fn record_again(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    Entry::decode(bytes).ok()?.encode(&mut out).expect("it was read");
    Some(out)
}

/// The bytes of a record; for the seeds of the fuzz targets.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
#[must_use]
pub fn record(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    entry.encode(&mut out).expect("a seed is small");
    out
}
