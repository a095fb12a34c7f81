//! `refs.log`: the journal of every publish, so that refs survive the loss of the index.
//!
//! Written by the local backend inside the publishing transaction, before its commit; read when a store is
//! opened and by repair. Records are chained: each checksum covers its predecessor's, so that a record
//! stands only where it was written. Layout in `docs/format.md`.

#![warn(clippy::indexing_slicing)]

use crate::checksum::strip;
use crate::error::{Error, Result};
use crate::ids::RefVersion;
use crate::state::refs::{NewRef, Ref, RefChange, decode_new, encode_new};
use crate::superblock::reserved;
use std::collections::BTreeMap;
use std::path::Path;
use tidemark_base::StoreId;
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};
use tidemark_base::limits::{MAX_PUBLISH_CHANGES, MAX_REF_NAME_BYTES, MAX_REFS_LOG_RECORD_BYTES};

const MAGIC: [u8; 8] = *b"TIDEREFS";
const VERSION: u32 = 1;
const RECORD_MAGIC: u32 = u32::from_le_bytes(*b"TMRL");
/// Length of the file's header, in bytes.
pub(crate) const HEADER_LEN: usize = 48;

const PUBLISH: u8 = 1;
const CHECKPOINT: u8 = 2;

/// All refs, by name.
pub(crate) type Refs = BTreeMap<String, Ref>;

/// The header of a log: which store's, and which rewriting of it.
pub(crate) fn encode_header(store: StoreId, generation: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN);
    bytes.extend_from_slice(&MAGIC);
    bytes.put_u32(VERSION);
    bytes.put_u32(0);
    bytes.extend_from_slice(store.as_bytes());
    bytes.put_u64(generation);
    let sum = crate::checksum::checksum(&bytes);
    bytes.put_u64(sum);
    bytes
}

/// Reads a log's header: its generation, and the seed of the chain.
pub(crate) fn decode_header(bytes: &[u8], store: StoreId, path: &Path) -> Result<(u64, u64)> {
    let bad = |problem: &str| Error::BadRow { place: path.display().to_string(), problem: problem.into() };
    let header = bytes.get(..HEADER_LEN).ok_or_else(|| bad("shorter than its header"))?;
    let mut reader = Reader::new(header);
    if reader.array("magic").ok() != Some(MAGIC) {
        return Err(bad("does not start with TIDEREFS"));
    }
    let version = reader.u32("version").map_err(|e| bad(&e.to_string()))?;
    if strip(header).is_none() {
        return Err(bad("its header's checksum is wrong"));
    }
    if version != VERSION {
        return Err(Error::NewerFormat { path: path.into(), found: version, supported: VERSION });
    }
    let rest = (|| {
        reserved(&mut reader)?;
        Ok::<_, CodecError>((reader.array("store id")?, reader.u64("generation")?, reader.u64("sum")?))
    })();
    let (found, generation, seed) = rest.map_err(|e| bad(&e.to_string()))?;
    let found = StoreId::from_bytes(found);
    if found != store {
        return Err(Error::Foreign { path: path.into(), found, expected: store });
    }
    Ok((generation, seed))
}

/// The body of a publish.
pub(crate) fn encode_publish(version: RefVersion, changes: &[RefChange]) -> Vec<u8> {
    let mut body = Vec::new();
    body.put_u8(PUBLISH);
    body.put_u64(version.0);
    body.put_u32(u32::try_from(changes.len()).expect("checked against MAX_PUBLISH_CHANGES"));
    for change in changes {
        body.put_prefixed(change.name.as_bytes());
        match &change.set {
            None => body.put_u8(0),
            Some(new) => {
                body.put_u8(1);
                encode_new(&mut body, &new.roots, &new.value);
            }
        }
    }
    body
}

/// The body of a checkpoint of all refs as the publish `version` left them.
pub(crate) fn encode_checkpoint<'a>(
    version: RefVersion,
    refs: impl ExactSizeIterator<Item = (&'a str, &'a Ref)>,
) -> Vec<u8> {
    let mut body = Vec::new();
    body.put_u8(CHECKPOINT);
    body.put_u64(version.0);
    body.put_u32(u32::try_from(refs.len()).expect("fewer refs than 4 billion"));
    for (name, found) in refs {
        body.put_prefixed(name.as_bytes());
        body.put_u64(found.version.0);
        encode_new(&mut body, &found.roots, &found.value);
    }
    body
}

/// Wraps a body into a record that follows the one whose checksum is `previous`. Returns the record and its
/// own checksum.
pub(crate) fn frame(previous: u64, body: &[u8]) -> (Vec<u8>, u64) {
    let mut bytes = Vec::with_capacity(16 + body.len());
    bytes.put_u32(RECORD_MAGIC);
    bytes.put_prefixed(body);
    let sum = chained_sum(previous, &bytes);
    bytes.put_u64(sum);
    (bytes, sum)
}

fn chained_sum(previous: u64, bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(bytes, previous)
}

/// What a record changes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Publish { version: RefVersion, changes: Vec<(String, Option<NewRef>)> },
    Checkpoint { version: RefVersion, refs: Refs },
}

/// A position between two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) generation: u64,
    /// Where the next record goes, in bytes from the start of the file.
    pub(crate) len_bytes: u64,
    /// Checksum of the record before, or of the header.
    pub(crate) chain: u64,
    /// Where the checkpoint that begins the file ends, in bytes.
    pub(crate) checkpoint_len_bytes: u64,
}

/// A log read from its start.
#[derive(Debug)]
pub(crate) struct Log {
    steps: Vec<(Position, Entry)>,
    start: Position,
    /// Why reading ended before the end of the file, if it did.
    pub(crate) tail: Option<CodecError>,
    /// Whether what looks like further records follows there: then a record in the middle is damaged, not
    /// the last one cut short.
    pub(crate) goes_on_behind_tail: bool,
}

impl Log {
    /// Reads all whole records; stops at the first that is cut, damaged or not chained.
    pub(crate) fn parse(bytes: &[u8], store: StoreId, path: &Path) -> Result<Self> {
        let (generation, seed) = decode_header(bytes, store, path)?;
        let len_bytes = HEADER_LEN as u64;
        let start = Position { generation, len_bytes, chain: seed, checkpoint_len_bytes: len_bytes };
        let mut log = Self { steps: Vec::new(), start, tail: None, goes_on_behind_tail: false };
        let mut position = start;
        let mut reader = Reader::new(bytes);
        reader.bytes("header", HEADER_LEN).map_err(|e| corrupt(path, &e))?;
        while !reader.rest().is_empty() {
            let from = reader.offset();
            match decode_record(&mut reader, position.chain) {
                Ok((entry, sum)) => {
                    position.chain = sum;
                    position.len_bytes = reader.offset() as u64;
                    if matches!(entry, Entry::Checkpoint { .. }) && from == HEADER_LEN {
                        position.checkpoint_len_bytes = position.len_bytes;
                    }
                    log.steps.push((position, entry));
                }
                Err(e) => {
                    log.tail = Some(CodecError { offset: from, ..e });
                    let behind = bytes.get(from + 1..).unwrap_or_default();
                    let magic = RECORD_MAGIC.to_le_bytes();
                    log.goes_on_behind_tail = behind.windows(magic.len()).any(|window| window == magic);
                    break;
                }
            }
        }
        Ok(log)
    }

    /// The position after the last whole record.
    pub(crate) fn end(&self) -> Position {
        self.steps.last().map_or(self.start, |(position, _)| *position)
    }

    /// Whether the checkpoint that begins every log can be read.
    pub(crate) fn has_checkpoint(&self) -> bool {
        matches!(self.steps.first(), Some((_, Entry::Checkpoint { .. })))
    }

    /// The position after the checkpoint that begins the log.
    pub(crate) fn after_checkpoint(&self) -> Position {
        match self.steps.first() {
            Some((position, Entry::Checkpoint { .. })) => *position,
            _ => self.start,
        }
    }

    /// The header and the whole records as they would be written now.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn encode_again(&self, store: StoreId) -> Vec<u8> {
        let mut bytes = encode_header(store, self.start.generation);
        let mut chain = self.start.chain;
        for (_, entry) in &self.steps {
            let body = match entry {
                Entry::Checkpoint { version, refs } => {
                    encode_checkpoint(*version, refs.iter().map(|(name, found)| (name.as_str(), found)))
                }
                Entry::Publish { version, changes } => {
                    let change = |(name, set): &(String, Option<NewRef>)| RefChange {
                        name: name.clone(),
                        expect: crate::Expect::Any,
                        set: set.clone(),
                    };
                    encode_publish(*version, &changes.iter().map(change).collect::<Vec<_>>())
                }
            };
            let (record, sum) = frame(chain, &body);
            bytes.extend(record);
            chain = sum;
        }
        bytes
    }

    /// How many whole records lie beyond a position.
    pub(crate) fn records_beyond(&self, len_bytes: u64) -> usize {
        self.steps.iter().filter(|(position, _)| position.len_bytes > len_bytes).count()
    }

    /// Whether the log has a border between records at this position.
    pub(crate) fn has_position(&self, wanted: &Position) -> bool {
        *wanted == self.start || self.steps.iter().any(|(position, _)| position == wanted)
    }

    /// The position before the last whole record.
    pub(crate) fn before_last(&self) -> Position {
        self.steps.iter().rev().nth(1).map_or(self.start, |(position, _)| *position)
    }

    /// Refs, and the last publish, after all records that end at or before `len_bytes`.
    pub(crate) fn refs_at(&self, len_bytes: u64) -> (Refs, RefVersion) {
        let mut refs = Refs::new();
        let mut last = RefVersion(0);
        for (position, entry) in &self.steps {
            if position.len_bytes > len_bytes {
                break;
            }
            match entry {
                Entry::Checkpoint { version, refs: all } => {
                    refs.clone_from(all);
                    last = *version;
                }
                Entry::Publish { version, changes } => {
                    for (name, set) in changes {
                        match set {
                            None => drop(refs.remove(name)),
                            Some(NewRef { roots, value }) => {
                                let (roots, value) = (roots.clone(), value.clone());
                                refs.insert(name.clone(), Ref { version: *version, roots, value });
                            }
                        }
                    }
                    last = *version;
                }
            }
        }
        (refs, last)
    }
}

fn corrupt(path: &Path, error: &CodecError) -> Error {
    Error::BadRow { place: path.display().to_string(), problem: error.to_string() }
}

fn decode_record(reader: &mut Reader<'_>, previous: u64) -> Result<(Entry, u64), CodecError> {
    let whole = reader.rest();
    let from = reader.offset();
    let magic = reader.u32("record magic")?;
    if magic != RECORD_MAGIC {
        return Err(reader.error("record magic", CodecProblem::Unknown { value: u64::from(magic) }));
    }
    let body = reader.prefixed("record", MAX_REFS_LOG_RECORD_BYTES)?;
    let framed = whole.get(..reader.offset() - from).unwrap_or_default();
    let sum = reader.u64("record checksum")?;
    if chained_sum(previous, framed) != sum {
        return Err(reader.error("record checksum", CodecProblem::Unknown { value: sum }));
    }
    Ok((decode_body(body)?, sum))
}

fn decode_body(body: &[u8]) -> Result<Entry, CodecError> {
    let mut reader = Reader::new(body);
    let kind = reader.u8("record kind")?;
    let version = RefVersion(reader.u64("version")?);
    let at_most = if kind == PUBLISH { MAX_PUBLISH_CHANGES } else { MAX_REFS_LOG_RECORD_BYTES };
    let count = reader.len_u32("changes", at_most)?;
    let entry = match kind {
        PUBLISH => {
            let mut changes = Vec::new();
            for _ in 0..count {
                let name = reader.text("ref name", MAX_REF_NAME_BYTES)?.to_owned();
                let set = match reader.u8("change")? {
                    0 => None,
                    1 => Some(decode_new(&mut reader)?),
                    other => {
                        return Err(reader.error("change", CodecProblem::Unknown { value: u64::from(other) }));
                    }
                };
                changes.push((name, set));
            }
            Entry::Publish { version, changes }
        }
        CHECKPOINT => {
            let mut refs = Refs::new();
            for _ in 0..count {
                let name = reader.text("ref name", MAX_REF_NAME_BYTES)?.to_owned();
                if refs.last_key_value().is_some_and(|(last, _)| *last >= name) {
                    return Err(reader.error("order of refs", CodecProblem::Unknown { value: 0 }));
                }
                let version = RefVersion(reader.u64("version")?);
                let NewRef { roots, value } = decode_new(&mut reader)?;
                refs.insert(name, Ref { version, roots, value });
            }
            Entry::Checkpoint { version, refs }
        }
        other => return Err(reader.error("record kind", CodecProblem::Unknown { value: u64::from(other) })),
    };
    reader.finish("record")?;
    Ok(entry)
}
