//! Refs: small named records, the only thing that keeps blocks for ever, changed by compare-and-set.

use super::{blocks, meta, row, sessions};
use crate::backend::Txn;
use crate::error::{Error, Result};
use crate::ids::{RefVersion, SessionId};
use crate::refs_log;
use std::fmt;
use tidemark_base::BlockId;
use tidemark_base::codec::{Put, Reader};
use tidemark_base::limits::{MAX_PUBLISH_CHANGES, MAX_REF_NAME_BYTES, MAX_REF_ROOTS, MAX_REF_VALUE_BYTES};

/// A ref as it stands in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ref {
    /// The publish that set it.
    pub version: RefVersion,
    /// The blocks it keeps, with all they reach.
    pub roots: Vec<BlockId>,
    /// The caller's small record.
    pub value: Vec<u8>,
}

/// What a change expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Anything or nothing.
    Any,
    /// No such ref.
    Absent,
    /// The ref as this publish set it.
    Version(RefVersion),
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("anything"),
            Self::Absent => f.write_str("nothing"),
            Self::Version(version) => write!(f, "version {version}"),
        }
    }
}

/// One change of a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefChange {
    /// The ref's name: 1 to 512 bytes, no control characters.
    pub name: String,
    /// What must be there for the publish to happen.
    pub expect: Expect,
    /// The new roots and value, or `None` to delete the ref.
    pub set: Option<NewRef>,
}

/// What a ref is set to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRef {
    /// The blocks it keeps, with all they reach. Each must be durable and protected by the session.
    pub roots: Vec<BlockId>,
    /// The caller's small record.
    pub value: Vec<u8>,
}

pub(crate) fn key(name: &str) -> Vec<u8> {
    [b"r", name.as_bytes()].concat()
}

/// Reads roots and value, as rows and `refs.log` hold them.
pub(crate) fn decode_new(reader: &mut Reader<'_>) -> Result<NewRef, tidemark_base::codec::CodecError> {
    let count = reader.len_u32("roots", MAX_REF_ROOTS)?;
    let roots =
        (0..count).map(|_| reader.array("root").map(BlockId::from_bytes)).collect::<Result<_, _>>()?;
    let value = reader.prefixed("ref value", MAX_REF_VALUE_BYTES)?.to_vec();
    Ok(NewRef { roots, value })
}

/// Writes roots and value.
pub(crate) fn encode_new(bytes: &mut Vec<u8>, roots: &[BlockId], value: &[u8]) {
    bytes.put_u32(u32::try_from(roots.len()).expect("checked against MAX_REF_ROOTS"));
    for root in roots {
        bytes.extend_from_slice(root.as_bytes());
    }
    bytes.put_prefixed(value);
}

fn decode(reader: &mut Reader<'_>) -> Result<Ref, tidemark_base::codec::CodecError> {
    let version = RefVersion(reader.u64("version")?);
    let NewRef { roots, value } = decode_new(reader)?;
    Ok(Ref { version, roots, value })
}

/// A ref, if it exists.
pub(crate) fn load(txn: &mut dyn Txn, name: &str) -> Result<Option<Ref>> {
    row::get(txn, &key(name), decode)
}

/// Writes a ref's row as it is, without any check: for repair.
pub(crate) fn store(txn: &mut dyn Txn, name: &str, found: &Ref) -> Result<()> {
    let key = key(name);
    let mut body = Vec::with_capacity(24 + BlockId::LEN * found.roots.len() + found.value.len());
    body.put_u64(found.version.0);
    encode_new(&mut body, &found.roots, &found.value);
    txn.put(&key, &row::seal(&key, body))
}

/// The refs whose names start with `prefix`, by name.
pub(crate) fn list(txn: &mut dyn Txn, prefix: &str) -> Result<Vec<(String, Ref)>> {
    let mut refs = Vec::new();
    row::scan(txn, &key(prefix), |key, value| {
        let name = key.split_first().and_then(|(_, name)| std::str::from_utf8(name).ok());
        let name = name.ok_or_else(|| Error::BadRow {
            place: row::describe(key),
            problem: "its name is not UTF-8".into(),
        })?;
        refs.push((name.to_owned(), row::open(key, value, decode)?));
        Ok(())
    })?;
    Ok(refs)
}

/// Checks what can be checked without the store.
pub(crate) fn check(changes: &[RefChange]) -> Result<()> {
    if changes.is_empty() || changes.len() > MAX_PUBLISH_CHANGES {
        return Err(Error::invalid(format!(
            "a publish changes 1 to {MAX_PUBLISH_CHANGES} refs, not {}",
            changes.len()
        )));
    }
    let mut names = std::collections::HashSet::new();
    for change in changes {
        let name = &change.name;
        if name.is_empty() || name.len() > MAX_REF_NAME_BYTES || name.chars().any(char::is_control) {
            return Err(Error::invalid(format!(
                "ref name '{}' must have 1 to {MAX_REF_NAME_BYTES} bytes and no control characters",
                name.chars().take(80).collect::<String>().escape_debug()
            )));
        }
        if !names.insert(name) {
            return Err(Error::invalid(format!("ref '{name}' occurs twice in one publish")));
        }
        if let Some(new) = &change.set
            && (new.roots.len() > MAX_REF_ROOTS || new.value.len() > MAX_REF_VALUE_BYTES)
        {
            return Err(Error::invalid(format!(
                "ref '{name}' has {} roots and a value of {} bytes: at most {MAX_REF_ROOTS} and \
                 {MAX_REF_VALUE_BYTES}",
                new.roots.len(),
                new.value.len()
            )));
        }
    }
    Ok(())
}

/// Changes refs, all or none: checks that the session still exists and that everything expected is there,
/// and hands the record to the journal. Returns the version all set refs now have.
pub(crate) fn publish(txn: &mut dyn Txn, session: SessionId, changes: &[RefChange]) -> Result<RefVersion> {
    check(changes)?;
    sessions::require(txn, session)?;
    for change in changes {
        let found = load(txn, &change.name)?.map(|found| found.version);
        let fits = match change.expect {
            Expect::Any => true,
            Expect::Absent => found.is_none(),
            Expect::Version(version) => found == Some(version),
        };
        if !fits {
            return Err(Error::RefConflict {
                name: change.name.clone(),
                expected: change.expect.to_string(),
                found: found.map_or_else(|| "nothing".into(), |version| format!("version {version}")),
            });
        }
        for root in change.set.iter().flat_map(|new| &new.roots) {
            blocks::require_kept(txn, *root)?;
        }
    }
    let mut meta = meta::load(txn)?;
    let version = RefVersion(row::next(meta.last_version.0, "the counter of publishes")?);
    // Before the rows change: where the journal goes on is judged by the rows as they were.
    txn.journal(&refs_log::encode_publish(version, changes))?;
    meta.last_version = version;
    meta::store(txn, &meta)?;
    for change in changes {
        match &change.set {
            None => txn.delete(&key(&change.name))?,
            Some(new) => {
                let found = Ref { version, roots: new.roots.clone(), value: new.value.clone() };
                store(txn, &change.name, &found)?;
            }
        }
    }
    Ok(version)
}
