//! The `.metadata.json` of a collection: one document of canonical Extended JSON.
//!
//! Read by the `bson` crate's own deserializer, which keeps the order of fields and the types of numbers;
//! both matter for index keys.

use crate::data_error::DataError;
use crate::state::Bytes;
use bson::Document;
use serde::Deserialize;
use std::borrow::Cow;
use tidemark_base::CollectionUuid;

/// What the file says, raw where it is BSON.
pub(super) struct Metadata {
    pub(super) kind: Kind,
    pub(super) collection_name: Option<String>,
    pub(super) uuid: Option<CollectionUuid>,
    pub(super) options: Bytes,
    pub(super) indexes: Vec<Bytes>,
    pub(super) capped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Collection,
    View,
    TimeSeries,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    #[serde(default)]
    options: Document,
    #[serde(default)]
    indexes: Vec<Document>,
    uuid: Option<String>,
    collection_name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<Kind>,
}

impl Default for Metadata {
    /// What a missing file means: a collection without options and secondary indexes.
    fn default() -> Self {
        Self {
            kind: Kind::Collection,
            collection_name: None,
            uuid: None,
            options: Cow::Borrowed(&[5, 0, 0, 0, 0]),
            indexes: Vec::new(),
            capped: false,
        }
    }
}

impl Metadata {
    pub(super) fn parse(path: &str, json: &[u8]) -> Result<Self, DataError> {
        let wrong = |problem: String| DataError::Json { path: path.to_owned(), problem };
        if json.is_empty() {
            return Ok(Self::default());
        }
        let json: Json = serde_json::from_slice(json).map_err(|e| wrong(e.to_string()))?;
        let encode = |document: &Document| document.to_vec().map_err(|e| wrong(e.to_string()));
        let uuid = json.uuid.filter(|text| !text.is_empty());
        Ok(Self {
            // Older tools write no type.
            kind: json.kind.unwrap_or(match &json.options {
                options if options.contains_key("timeseries") => Kind::TimeSeries,
                options if options.contains_key("viewOn") => Kind::View,
                _ => Kind::Collection,
            }),
            collection_name: json.collection_name,
            uuid: uuid.map(|text| text.parse()).transpose().map_err(|e| wrong(format!("{e}")))?,
            capped: json.options.get_bool("capped").unwrap_or_default(),
            options: Cow::Owned(encode(&json.options)?),
            indexes: json.indexes.iter().map(|i| encode(i).map(Cow::Owned)).collect::<Result<_, _>>()?,
        })
    }
}
