//! Records: typed contents of documents, written as JSON with the number of their schema.
//!
//! `{"schema":1,"record":{…}}`, fields in the order of the type, none unknown. A golden test (`tests/golden.rs`)
//! freezes the text of each type: a change of it is a new number and a step that reads the old. What is read is
//! checked as strictly as what is written.

use crate::error::{Error, Result};
use crate::store::{Collection, Document, Version};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

/// A kind of record.
pub trait Record: Serialize + DeserializeOwned {
    /// Where it is kept.
    const COLLECTION: Collection;
    /// What people call it.
    const NAME: &'static str;
    /// The number of its present form.
    const SCHEMA: u32 = 1;

    /// The id of its document. What belongs to a group starts with the group's id and a colon, so that nothing
    /// can be found without knowing the group.
    fn id(&self) -> String;

    /// The secondary key of its document.
    fn key(&self) -> Option<String> {
        None
    }

    /// The rules that its fields have together.
    ///
    /// # Errors
    /// `Invalid`, with the rule.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<R> {
    /// The record.
    pub record: R,
    /// The version of its document.
    pub version: Version,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<R> {
    schema: u32,
    record: R,
}

/// The document's contents.
pub(crate) fn encode<R: Record>(record: &R) -> Result<String> {
    record.check()?;
    let internal = |_| Error::Internal { what: format!("a {} cannot be written as JSON", R::NAME) };
    serde_json::to_string(&Envelope { schema: R::SCHEMA, record }).map_err(internal)
}

/// Reads a document, which must be what [`encode`] writes, under its own id and key.
pub(crate) fn decode<R: Record>(document: &Document) -> Result<Stored<R>> {
    let place = || format!("{} '{}'", R::NAME, document.id);
    let corrupt = |problem: String| Error::Corrupt { place: place(), problem };
    // The message of the parser may quote the value, so it is not passed on.
    let broken = |error: serde_json::Error| corrupt(format!("it cannot be read, at byte {}", error.column()));
    let found = serde_json::from_str::<Envelope<IgnoredAny>>(&document.body).map_err(broken)?.schema;
    if found > R::SCHEMA {
        return Err(Error::Newer { place: place(), found, supported: R::SCHEMA });
    }
    let record = serde_json::from_str::<Envelope<R>>(&document.body).map_err(broken)?.record;
    record.check().map_err(|error| corrupt(error.to_string()))?;
    if record.id() != document.id || record.key() != document.key {
        return Err(corrupt("it lies under the name of another".to_owned()));
    }
    // One text for each record: nothing is left out, doubled or in another form.
    if encode(&record)? != document.body {
        return Err(corrupt("it is not as it would be written".to_owned()));
    }
    Ok(Stored { record, version: document.version })
}
