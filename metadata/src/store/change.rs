//! What a batch says: for each document, what is expected of it and what becomes of it.
//!
//! There is no unconditional write. The rules for batches are here once, for all implementations.

use super::{Collection, Document, Version, check_id};
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::fmt;
use tidemark_base::limits::{MAX_BATCH_CHANGES, MAX_RECORD_BYTES};

/// One change of a batch.
#[derive(Clone, Debug)]
pub struct Change {
    /// Where the document lives.
    pub collection: Collection,
    /// Its id.
    pub id: String,
    /// What must be there for the batch to happen.
    pub expect: Expect,
    /// What becomes of it.
    pub write: Write,
}

/// What must be there for a batch to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Absent,
    /// The document in this version.
    At(Version),
}

/// What becomes of a document.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// It is made or replaced.
    Put {
        /// The new secondary key.
        key: Option<String>,
        /// The new contents.
        body: String,
    },
    /// It is removed.
    Delete,
    /// It stays: the batch only depends on it. An implementation must let no other batch change it in between (on
    /// MongoDB: by writing it as it is).
    Keep,
}

impl fmt::Debug for Write {
    /// Without the contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, body } => write!(f, "Put(key {key:?}, {} bytes)", body.len()),
            Self::Delete => f.write_str("Delete"),
            Self::Keep => f.write_str("Keep"),
        }
    }
}

/// Refuses a batch that breaks a rule, whatever is stored.
///
/// # Errors
/// `Invalid`, with the rule.
pub(crate) fn judge(changes: &[Change]) -> Result<Judged<'_>> {
    if changes.is_empty() || changes.len() > MAX_BATCH_CHANGES {
        let problem = format!("{} changes, where 1 to {MAX_BATCH_CHANGES} are allowed", changes.len());
        return Err(Error::invalid("batch", problem));
    }
    let mut seen = BTreeSet::new();
    for change in changes {
        check_id("id", &change.id)?;
        if !seen.insert((change.collection, change.id.as_str())) {
            let problem = format!("{} '{}' stands in it twice", change.collection, change.id);
            return Err(Error::invalid("batch", problem));
        }
        match &change.write {
            Write::Put { key, body } => {
                key.as_deref().map_or(Ok(()), |key| check_id("secondary key", key))?;
                if body.len() > MAX_RECORD_BYTES {
                    let problem = format!(
                        "{} '{}' has {} bytes, at most {MAX_RECORD_BYTES} are allowed: shorten its lists",
                        change.collection,
                        change.id,
                        body.len()
                    );
                    return Err(Error::invalid("record", problem));
                }
            }
            Write::Delete if change.expect == Expect::Absent => {
                return Err(Error::invalid("batch", "a document that must be absent cannot be deleted"));
            }
            Write::Delete | Write::Keep => {}
        }
    }
    Ok(Judged(changes))
}

/// A batch that breaks no rule.
pub(crate) struct Judged<'a>(pub(crate) &'a [Change]);

impl Change {
    /// Compares what is expected with what is there.
    ///
    /// # Errors
    /// `Conflict`.
    pub(crate) fn compare(&self, found: Option<&Document>) -> Result<()> {
        let found = found.map(|it| it.version);
        let expected = match self.expect {
            Expect::Absent => None,
            Expect::At(version) => Some(version),
        };
        if expected == found {
            return Ok(());
        }
        Err(Error::Conflict { collection: self.collection, id: self.id.clone(), expected, found })
    }
}
