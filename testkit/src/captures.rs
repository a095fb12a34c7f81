//! The captures: what a real mongod 6.0.5 held, the oplog it wrote, and what it held then.
//!
//! The truth for the applier: `initial`, with `entries` applied in the capture's mode, must give `final_`, byte
//! for byte. Used by the tests of `oplog` and `head`. Each capture is unpacked on first use and kept until the
//! process ends; the large ones take 100 MB. Provenance and contents: `testkit/data/README.md`.

use crate::archive::{self, Frame};
use crate::data_error::DataError;
use crate::state::{Bytes, State};
use manifest::{Folder, Meta};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use tidemark_base::Timestamp;

mod manifest;

const ARCHIVE: &str = "captures.tar.zst";
/// The one capture where primary and secondary of the real server end up different.
const DIVERGENT: &str = "duplicate_field_names";

/// How a capture's initial state came about, and so how its entries are to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The initial state is a true state: every update and delete finds its document, every insert is new.
    Exact,
    /// The initial state was copied while the workload ran; tolerance rules of initial sync apply.
    InitialSync,
}

/// One scenario.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Name of the scenario.
    pub name: String,
    /// One line about what happens in it.
    pub title: String,
    /// How to apply the entries.
    pub mode: Mode,
    /// The slice holds the entries with `ts` greater than this.
    pub fetch_after: Timestamp,
    /// Only entries with `ts` greater than this are to be applied; earlier ones only feed open transactions.
    pub apply_after: Timestamp,
    /// The last entry.
    pub stop: Timestamp,
    /// Initial-sync only: after this entry the state is a true state of the server.
    pub consistent_from: Option<Timestamp>,
    /// The raw entries, byte for byte as the server stored them.
    pub entries: Vec<&'static [u8]>,
    /// How many entries the capturing tool counted, by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Errors of the server that the workload provoked on purpose.
    pub notes: Vec<String>,
    /// The state to start from.
    pub initial: State,
    /// The state to end in.
    pub final_: State,
}

struct Packed {
    name: String,
    frame: Frame,
    loaded: OnceLock<Result<Capture, DataError>>,
}

/// The names of all captures but the divergent one, sorted.
///
/// # Errors
/// [`DataError::Archive`] if the archive is damaged.
pub fn names() -> Result<Vec<&'static str>, DataError> {
    Ok(packed()?.iter().map(|p| p.name.as_str()).filter(|&name| name != DIVERGENT).collect())
}

/// One capture by name, the divergent one included.
///
/// # Errors
/// [`DataError::UnknownName`], or what is wrong with the data.
pub fn get(name: &str) -> Result<&'static Capture, DataError> {
    let Some(packed) = packed()?.iter().find(|p| p.name == name) else {
        let known = names()?.join(", ");
        return Err(DataError::UnknownName { what: "capture", name: name.to_owned(), known });
    };
    let loaded = packed.loaded.get_or_init(|| load(&packed.name, packed.frame));
    loaded.as_ref().map_err(Clone::clone)
}

/// All captures but the divergent one, sorted by name: 220 MB. To use them one by one, take [`names`].
///
/// # Errors
/// What is wrong with the data.
pub fn all() -> Result<Vec<&'static Capture>, DataError> {
    names()?.into_iter().map(get).collect()
}

/// The capture whose right result is a choice: the stored documents repeat field names, and after updates of
/// those primary and secondary of the real server differ. Its `final_` is the primary's.
///
/// # Errors
/// What is wrong with the data.
pub fn divergent() -> Result<&'static Capture, DataError> {
    get(DIVERGENT)
}

fn packed() -> Result<&'static [Packed], DataError> {
    static PACKED: OnceLock<Result<Vec<Packed>, DataError>> = OnceLock::new();
    let packed = PACKED.get_or_init(|| {
        let frames = archive::frames(ARCHIVE, include_bytes!("../data/captures.tar.zst"))?;
        let packed = frames
            .into_iter()
            .map(|frame| Ok(Packed { name: frame.top_name()?, frame, loaded: OnceLock::new() }));
        packed.collect()
    });
    packed.as_deref().map_err(Clone::clone)
}

fn load(name: &str, frame: Frame) -> Result<Capture, DataError> {
    let files = frame.unpack()?;
    let folder = Folder { files: &files, path: name.to_owned() };
    let meta: Meta = folder.json("meta.json")?;
    let entries = folder.documents(&meta.oplog_file, "meta.json")?;
    Ok(Capture {
        name: meta.name,
        title: meta.title,
        mode: meta.mode.into(),
        fetch_after: meta.fetch_after_ts.into(),
        apply_after: meta.apply_after_ts.into(),
        stop: meta.stop_ts.into(),
        consistent_from: meta.consistent_from_ts.map(Into::into),
        entries: folder.counted(entries, Some(meta.oplog_entries), &meta.oplog_file)?,
        kinds: meta.kinds,
        notes: meta.notes,
        initial: folder.below("initial").state()?,
        final_: folder.below("final").state()?,
    })
}

/// Borrowed bytes as a state holds them.
fn borrowed(documents: Vec<&'static [u8]>) -> Vec<Bytes> {
    documents.into_iter().map(Bytes::Borrowed).collect()
}

#[cfg(test)]
mod tests;
