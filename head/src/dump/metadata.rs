//! The metadata of a namespace: `….metadata.json` in a directory, a text in an archive.
//!
//! Written as mongodump writes it, apart from the order of fields within `options`, which mongodump leaves to
//! chance and which is the server's here. Read from any version: missing parts mean a plain collection.

use super::extjson::{self, JsonError, write_string};
use super::limits::MAX_METADATA_BYTES;
use super::{DumpError, Kind, Namespace};
use std::io::Write as _;
use tidemark_base::CollectionUuid;
use tidemark_base::bson::{Doc, Element};
use tidemark_base::codec::CodecError;
use tidemark_base::limits::MAX_INDEXES;

/// Metadata that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// It is no Extended JSON.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// What was read is broken, which is our own mistake.
    #[error("{0}")]
    Bson(#[from] CodecError),
    /// A field is of another type than it should be.
    #[error("the field '{field}' is not {wanted}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// The metadata is of another collection than the name says.
    #[error("the metadata is of the collection '{inside}', the name is that of '{outside}'")]
    OtherName {
        /// The name in the metadata, escaped.
        inside: String,
        /// The name it stands under, escaped.
        outside: String,
    },
    /// The metadata is of another kind of collection than the archive says.
    #[error("the metadata is of a {inside}, the archive says {outside}")]
    OtherKind {
        /// The kind in the metadata.
        inside: &'static str,
        /// The kind in the archive.
        outside: &'static str,
    },
    /// No server lets a collection have so many indexes.
    #[error("it has more indexes than the {MAX_INDEXES} that are read")]
    TooManyIndexes,
    /// It is too large.
    #[error("it is larger than the {MAX_METADATA_BYTES} bytes that are read")]
    TooLarge,
}

/// What metadata says, as far as it says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The true name; versions before 100.1 do not say it.
    pub collection: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// The UUID.
    pub uuid: Option<CollectionUuid>,
    /// A BSON document, empty if there are none.
    pub options: Vec<u8>,
    /// BSON documents.
    pub indexes: Vec<Vec<u8>>,
}

impl Metadata {
    /// Reads the text of a metadata file. An empty text means a collection without options and indexes.
    ///
    /// # Errors
    /// If it is too large, no Extended JSON, or a field is not what it should be.
    pub fn parse(text: &[u8]) -> Result<Self, MetadataError> {
        if text.len() > MAX_METADATA_BYTES {
            return Err(MetadataError::TooLarge);
        }
        let raw =
            if text.is_empty() { Doc::EMPTY.as_bytes().to_vec() } else { extjson::parse_document(text)? };
        let document = Doc::new(&raw)?;
        let options = present(document, "options")?;
        let options = options.map_or(Some(Doc::EMPTY), Element::as_object);
        let options = options.ok_or(MetadataError::Field { field: "options", wanted: "a document" })?;
        let mut indexes = Vec::new();
        if let Some(listed) = present(document, "indexes")? {
            let wanted = || MetadataError::Field { field: "indexes", wanted: "a list of documents" };
            for index in listed.as_array().ok_or_else(wanted)?.elements() {
                if indexes.len() == MAX_INDEXES {
                    return Err(MetadataError::TooManyIndexes);
                }
                indexes.push(index?.as_object().ok_or_else(wanted)?.as_bytes().to_vec());
            }
        }
        let uuid = text_of(document, "uuid")?.map(str::parse).transpose();
        let uuid = uuid.map_err(|_| MetadataError::Field { field: "uuid", wanted: "32 digits" })?;
        let kind = match text_of(document, "type")? {
            Some(word) => Kind::of_word(word).ok_or(MetadataError::Field {
                field: "type",
                wanted: "one of collection, view, timeseries",
            })?,
            // Older tools write no type.
            None if options.get("timeseries")?.is_some() => Kind::TimeSeries,
            None if options.get("viewOn")?.is_some() => Kind::View,
            None => Kind::Collection,
        };
        let collection = text_of(document, "collectionName")?.map(str::to_owned);
        let options = options.as_bytes().to_vec();
        Ok(Self { collection, kind, uuid, options, indexes })
    }

    /// The namespace that it describes, which stands under this name.
    ///
    /// # Errors
    /// If it has another name itself.
    pub fn named(self, database: &str, collection: &str) -> Result<Namespace, MetadataError> {
        if let Some(inside) = self.collection.filter(|it| it != collection) {
            let (inside, outside) =
                (inside.escape_debug().to_string(), collection.escape_debug().to_string());
            return Err(MetadataError::OtherName { inside, outside });
        }
        Ok(Namespace {
            database: database.to_owned(),
            collection: collection.to_owned(),
            kind: self.kind,
            uuid: self.uuid,
            options: self.options,
            indexes: self.indexes,
        })
    }
}

/// A field that is there and not null.
fn present<'a>(document: Doc<'a>, field: &'static str) -> Result<Option<Element<'a>>, MetadataError> {
    Ok(document.get(field)?.filter(|it| it.kind != tidemark_base::bson::kind::NULL))
}

/// A text that is there and not empty.
fn text_of<'a>(document: Doc<'a>, field: &'static str) -> Result<Option<&'a str>, MetadataError> {
    let Some(element) = present(document, field)? else { return Ok(None) };
    let text = element.as_str().ok_or(MetadataError::Field { field, wanted: "a text" })?;
    Ok(Some(text).filter(|it| !it.is_empty()))
}

/// The text of a metadata file.
///
/// # Errors
/// [`DumpError::Unsayable`] if options or indexes cannot be said as JSON, [`DumpError::TooLarge`].
pub fn write(namespace: &Namespace) -> Result<Vec<u8>, DumpError> {
    let unsayable = |source| DumpError::Unsayable { namespace: namespace.shown(), source };
    let document = |bytes: &[u8], out: &mut Vec<u8>| {
        let document = Doc::new(bytes).map_err(|error| unsayable(error.into()))?;
        extjson::write_document(document, out).map_err(unsayable)
    };
    let mut out = b"{".to_vec();
    if namespace.options != Doc::EMPTY.as_bytes() {
        out.extend_from_slice(b"\"options\":");
        document(&namespace.options, &mut out)?;
        out.push(b',');
    }
    out.extend_from_slice(b"\"indexes\":[");
    for (number, index) in namespace.indexes.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        document(index, &mut out)?;
    }
    out.push(b']');
    if let Some(uuid) = namespace.uuid {
        write!(out, ",\"uuid\":\"{}\"", hex::encode(uuid.as_bytes())).expect("writing to a vector works");
    }
    out.extend_from_slice(b",\"collectionName\":");
    write_string(&namespace.collection, &mut out);
    write!(out, ",\"type\":\"{}\"}}", namespace.kind.as_str()).expect("writing to a vector works");
    if out.len() > MAX_METADATA_BYTES {
        return Err(DumpError::TooLarge {
            namespace: namespace.shown(),
            what: "metadata",
            bytes: out.len(),
            limit: MAX_METADATA_BYTES,
            advice: "leave it out of the dump",
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"{"options":{"capped":true,"size":{"$numberInt":"8192"}},"indexes":[{"v":{"$numberInt":"2"},"key":{"b":{"$numberLong":"1"},"a":{"$numberDouble":"-1.0"}},"name":"x"}],"uuid":"a31b033c499c4b1d9eb9411aeb523ec7","collectionName":"sl/\"ash","type":"collection"}"#;

    #[test]
    fn what_mongodump_writes_is_read_and_written_again() {
        let metadata = Metadata::parse(FULL.as_bytes()).unwrap();
        assert_eq!(metadata.collection.as_deref(), Some("sl/\"ash"));
        let namespace = metadata.named("d", "sl/\"ash").unwrap();
        assert_eq!(String::from_utf8(write(&namespace).unwrap()).unwrap(), FULL);
    }

    #[test]
    fn nothing_means_a_plain_collection() {
        for text in ["", "{}", r#"{"options":null,"indexes":null,"uuid":"","type":""}"#, r#"{"more":1}"#] {
            let namespace = Metadata::parse(text.as_bytes()).unwrap().named("d", "c").unwrap();
            assert_eq!(namespace, Namespace::bare("d", "c"), "{text}");
        }
        assert_eq!(
            String::from_utf8(write(&Namespace::bare("d", "c")).unwrap()).unwrap(),
            r#"{"indexes":[],"collectionName":"c","type":"collection"}"#
        );
    }

    #[test]
    fn older_tools_say_the_kind_by_the_options() {
        for (text, kind) in [
            (r#"{"options":{"viewOn":"x","pipeline":[]},"indexes":[]}"#, Kind::View),
            (r#"{"options":{"timeseries":{"timeField":"t"}}}"#, Kind::TimeSeries),
            (r#"{"options":{"viewOn":"x"},"type":"collection"}"#, Kind::Collection),
        ] {
            assert_eq!(Metadata::parse(text.as_bytes()).unwrap().kind, kind, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (text, expected) in [
            ("{", "at byte 1 of the JSON text"),
            ("[]", "at byte 0"),
            (r#"{"options":1}"#, "'options'"),
            (r#"{"options":[]}"#, "'options'"),
            (r#"{"indexes":{}}"#, "'indexes'"),
            (r#"{"indexes":[1]}"#, "'indexes'"),
            (r#"{"uuid":"1"}"#, "'uuid'"),
            (r#"{"uuid":1}"#, "'uuid'"),
            (r#"{"type":"table"}"#, "'type'"),
            (r#"{"collectionName":{}}"#, "'collectionName'"),
        ] {
            let error = Metadata::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let error = Metadata::parse(FULL.as_bytes()).unwrap().named("d", "other\n").unwrap_err().to_string();
        assert!(error.ends_with(r"that of 'other\n'"), "{error}");
        assert_eq!(Metadata::parse(&vec![b' '; MAX_METADATA_BYTES + 1]), Err(MetadataError::TooLarge));
    }

    #[test]
    fn more_indexes_than_a_catalog_holds_are_refused_before_they_take_memory() {
        let with = |count| format!("{{\"indexes\":[{}]}}", vec!["{}"; count].join(","));
        assert_eq!(Metadata::parse(with(MAX_INDEXES).as_bytes()).unwrap().indexes.len(), MAX_INDEXES);
        let error = Metadata::parse(with(MAX_INDEXES + 1).as_bytes());
        assert_eq!(error, Err(MetadataError::TooManyIndexes));
    }
}
