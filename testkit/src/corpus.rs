//! MongoDB's BSON corpus: documents that must pass, bytes that must be refused, texts that must not parse.
//!
//! Used by the tests of every decoder. The format is that of the specification's `bson-corpus` tests; the
//! fields here have its names. Nothing is interpreted beyond hexadecimal.

use crate::archive;
use crate::data_error::DataError;
use serde::{Deserialize, Deserializer};
use std::sync::OnceLock;

const ARCHIVE: &str = "bson-corpus.tar.zst";

/// The cases about one type, or about documents as a whole.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CorpusFile {
    /// What the cases are about.
    pub description: String,
    /// The type byte as text, for instance `0x10`; `0x00` if they are about documents.
    #[serde(rename = "bson_type")]
    pub bson_type: String,
    /// The name of the field that holds the value of the type, where there is one.
    #[serde(rename = "test_key")]
    pub test_key: Option<String>,
    /// Whether the type is deprecated.
    #[serde(default)]
    pub deprecated: bool,
    /// Documents that are valid.
    #[serde(default)]
    pub valid: Vec<Valid>,
    /// Bytes that are not a valid document.
    #[serde(default)]
    pub decode_errors: Vec<DecodeError>,
    /// Texts that are not valid Extended JSON, or not a value of the type.
    #[serde(default)]
    pub parse_errors: Vec<ParseError>,
}

/// A valid document in its several forms.
#[derive(Clone, Debug, Deserialize)]
pub struct Valid {
    /// What is special about it.
    pub description: String,
    /// Its bytes.
    #[serde(deserialize_with = "hexadecimal")]
    pub canonical_bson: Vec<u8>,
    /// Its canonical Extended JSON.
    pub canonical_extjson: String,
    /// Its relaxed Extended JSON, where that differs.
    pub relaxed_extjson: Option<String>,
    /// Bytes that readers should accept, but that nobody should write.
    #[serde(default, deserialize_with = "optional_hexadecimal")]
    pub degenerate_bson: Option<Vec<u8>>,
    /// Extended JSON that parses to the document, but is not canonical.
    pub degenerate_extjson: Option<String>,
    /// A deprecated type as the type that replaces it.
    #[serde(default, deserialize_with = "optional_hexadecimal")]
    pub converted_bson: Option<Vec<u8>>,
    /// The same as Extended JSON.
    pub converted_extjson: Option<String>,
    /// Whether the Extended JSON does not give back the bytes.
    #[serde(default)]
    pub lossy: bool,
}

/// Bytes that must be refused.
#[derive(Clone, Debug, Deserialize)]
pub struct DecodeError {
    /// What is wrong with them.
    pub description: String,
    /// The bytes.
    #[serde(deserialize_with = "hexadecimal")]
    pub bson: Vec<u8>,
}

/// A text that must be refused.
#[derive(Clone, Debug, Deserialize)]
pub struct ParseError {
    /// What is wrong with it.
    pub description: String,
    /// The text.
    pub string: String,
}

/// All files of the corpus, sorted by name.
///
/// # Errors
/// What is wrong with the packed data.
pub fn all() -> Result<&'static [CorpusFile], DataError> {
    static CORPUS: OnceLock<Result<Vec<CorpusFile>, DataError>> = OnceLock::new();
    CORPUS.get_or_init(load).as_deref().map_err(Clone::clone)
}

fn load() -> Result<Vec<CorpusFile>, DataError> {
    let mut corpus = Vec::new();
    for frame in archive::frames(ARCHIVE, include_bytes!("../data/bson-corpus.tar.zst"))? {
        for (path, bytes) in frame.unpack()? {
            let file = serde_json::from_slice(bytes);
            corpus.push(file.map_err(|e| DataError::Json { path, problem: e.to_string() })?);
        }
    }
    Ok(corpus)
}

fn hexadecimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    hex::decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn optional_hexadecimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    hexadecimal(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw;

    #[test]
    fn all_cases_of_the_specification_are_there() {
        let all = all().unwrap();
        assert_eq!(all.len(), 31);
        assert_eq!(all.iter().map(|f| f.valid.len()).sum::<usize>(), 728);
        assert_eq!(all.iter().map(|f| f.decode_errors.len()).sum::<usize>(), 75);
        assert_eq!(all.iter().map(|f| f.parse_errors.len()).sum::<usize>(), 180);
        assert_eq!(all.iter().filter(|f| f.deprecated).count(), 4);
        assert_eq!(all.iter().flat_map(|f| &f.valid).filter(|v| v.degenerate_bson.is_some()).count(), 4);
    }

    #[test]
    fn the_walker_accepts_what_is_valid() {
        for valid in all().unwrap().iter().flat_map(|f| &f.valid) {
            assert_eq!(raw::check(&valid.canonical_bson), Ok(()), "{}", valid.description);
            assert!(valid.degenerate_bson.iter().all(|d| raw::check(d).is_ok()), "{}", valid.description);
        }
    }

    #[test]
    fn the_walker_refuses_what_is_broken_in_structure() {
        // Content it leaves alone on purpose: texts, and the second length inside an old binary.
        for error in all().unwrap().iter().flat_map(|f| &f.decode_errors) {
            let about_content =
                error.description.contains("UTF-8") || error.description.contains("subtype 0x02 length");
            assert_eq!(raw::check(&error.bson).is_ok(), about_content, "{}", error.description);
        }
    }
}
