//! The files of one capture: its `meta.json`, and a state's `manifest.json` with the BSON files it names.
//!
//! Called by [`super::load`]. Every count and length the manifest gives is checked against the files, so that
//! a damaged or half-packed capture is an error here and not a strange failure of an applier.

use super::{Mode, borrowed};
use crate::archive::Files;
use crate::data_error::DataError;
use crate::raw;
use crate::state::{Bytes, Collection, Listed, ListedKind, Order, State};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use tidemark_base::{CollectionUuid, Timestamp};

#[derive(Deserialize)]
pub(super) struct Meta {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) mode: MetaMode,
    pub(super) fetch_after_ts: MetaTimestamp,
    pub(super) apply_after_ts: MetaTimestamp,
    pub(super) stop_ts: MetaTimestamp,
    pub(super) consistent_from_ts: Option<MetaTimestamp>,
    pub(super) oplog_file: String,
    pub(super) oplog_entries: usize,
    pub(super) kinds: BTreeMap<String, u64>,
    pub(super) notes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum MetaMode {
    Exact,
    InitialSync,
}

impl From<MetaMode> for Mode {
    fn from(mode: MetaMode) -> Self {
        match mode {
            MetaMode::Exact => Self::Exact,
            MetaMode::InitialSync => Self::InitialSync,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct MetaTimestamp {
    t: u32,
    i: u32,
}

impl From<MetaTimestamp> for Timestamp {
    fn from(ts: MetaTimestamp) -> Self {
        Self { secs: ts.t, ordinal: ts.i }
    }
}

#[derive(Deserialize)]
struct Manifest {
    databases: BTreeMap<String, Database>,
    system: BTreeMap<String, Database>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Database {
    list_collections: String,
    collections: BTreeMap<String, Item>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Item {
    Collection(ItemFiles),
    View,
    TimeSeries,
}

#[derive(Deserialize)]
struct ItemFiles {
    file: String,
    indexes: String,
    count: usize,
    bytes: Option<usize>,
    order: ItemOrder,
    uuid: String,
}

#[derive(Deserialize)]
enum ItemOrder {
    #[serde(rename = "_id")]
    Id,
    #[serde(rename = "natural")]
    Natural,
    #[serde(rename = "scan")]
    Scan,
}

/// A folder inside an unpacked archive.
pub(super) struct Folder<'a> {
    pub(super) files: &'a Files,
    pub(super) path: String,
}

impl Folder<'_> {
    pub(super) fn below(&self, name: &str) -> Folder<'_> {
        Folder { files: self.files, path: format!("{}/{name}", self.path) }
    }

    fn file(&self, name: &str, referred_by: &str) -> Result<&'static [u8], DataError> {
        // The archive holds unpacked what the source folder holds as .gz.
        let path = format!("{}/{}", self.path, name.strip_suffix(".gz").unwrap_or(name));
        match self.files.get(&path) {
            Some(bytes) => Ok(bytes),
            None => Err(DataError::MissingFile { path, referred_by: referred_by.to_owned() }),
        }
    }

    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, DataError> {
        serde_json::from_slice(self.file(name, "the capture")?)
            .map_err(|e| DataError::Json { path: format!("{}/{name}", self.path), problem: e.to_string() })
    }

    /// The concatenated documents of a BSON file.
    pub(super) fn documents(&self, name: &str, referred_by: &str) -> Result<Vec<&'static [u8]>, DataError> {
        raw::split(self.file(name, referred_by)?)
            .map_err(|source| DataError::Bson { path: format!("{}/{name}", self.path), source })
    }

    /// Hands `documents` on if there are as many as expected.
    pub(super) fn counted<T>(
        &self,
        documents: Vec<T>,
        expected: Option<usize>,
        name: &str,
    ) -> Result<Vec<T>, DataError> {
        match expected {
            Some(expected) if expected != documents.len() => Err(DataError::Inconsistent {
                path: format!("{}/{name}", self.path),
                problem: format!("{} documents where {expected} were counted", documents.len()),
            }),
            _ => Ok(documents),
        }
    }

    pub(super) fn state(&self) -> Result<State, DataError> {
        let manifest: Manifest = self.json("manifest.json")?;
        let mut state = State::default();
        for (db, database) in &manifest.databases {
            let folder = self.below(&format!("dbs/{db}"));
            folder.database(db, database, &mut state.collections, &mut state.listed)?;
        }
        for (db, database) in &manifest.system {
            let folder = self.below(&format!("sys/{db}"));
            let into = match db.as_str() {
                "admin" => &mut state.admin,
                "config" => &mut state.config,
                other => return Err(self.inconsistent(format!("system database '{other}' is not known"))),
            };
            folder.database(db, database, into, &mut state.listed)?;
        }
        Ok(state)
    }

    fn database(
        &self,
        db: &str,
        database: &Database,
        collections: &mut Vec<Collection>,
        listed: &mut Vec<Listed>,
    ) -> Result<(), DataError> {
        let listings = self.documents(&database.list_collections, "manifest.json")?;
        for (name, item) in &database.collections {
            let kind = match item {
                Item::Collection(files) => {
                    collections.push(self.collection(db, name, files, &listings)?);
                    continue;
                }
                Item::View => ListedKind::View,
                Item::TimeSeries => ListedKind::TimeSeries,
            };
            let listing = self.listing(name, &listings)?;
            listed.push(Listed {
                db: db.to_owned(),
                name: name.clone(),
                kind,
                options: self.options(listing)?,
                listing: Some(Bytes::Borrowed(listing)),
            });
        }
        Ok(())
    }

    fn collection(
        &self,
        db: &str,
        name: &str,
        item: &ItemFiles,
        listings: &[&'static [u8]],
    ) -> Result<Collection, DataError> {
        let uuid: CollectionUuid =
            item.uuid.parse().map_err(|e| self.inconsistent(format!("manifest.json, {name}: {e}")))?;
        let listing = self.listing(name, listings)?;
        if self.uuid(listing)? != Some(uuid) {
            return Err(self.inconsistent(format!("{name} has another uuid in listCollections than {uuid}")));
        }
        let documents = self.documents(&item.file, "manifest.json")?;
        let documents = self.counted(documents, Some(item.count), &item.file)?;
        let bytes = documents.iter().map(|d| d.len()).sum::<usize>();
        if item.bytes.is_some_and(|expected| expected != bytes) {
            return Err(self.inconsistent(format!("{} has {bytes} bytes, the manifest has other", item.file)));
        }
        Ok(Collection {
            db: db.to_owned(),
            name: name.to_owned(),
            uuid: Some(uuid),
            options: self.options(listing)?,
            listing: Some(Bytes::Borrowed(listing)),
            indexes: borrowed(self.documents(&item.indexes, "manifest.json")?),
            documents: borrowed(documents),
            order: match item.order {
                ItemOrder::Id => Order::Id,
                ItemOrder::Natural => Order::Natural,
                ItemOrder::Scan => Order::Scan,
            },
        })
    }

    fn listing(&self, name: &str, listings: &[&'static [u8]]) -> Result<&'static [u8], DataError> {
        for listing in listings {
            let found = raw::field(listing, "name").map_err(|e| self.bson(e))?;
            if found.map(|e| raw::text(e.value)).transpose().map_err(|e| self.bson(e))?
                == Some(name.as_bytes())
            {
                return Ok(listing);
            }
        }
        Err(self.inconsistent(format!("listCollections does not list '{name}'")))
    }

    fn options(&self, listing: &'static [u8]) -> Result<Bytes, DataError> {
        let options = raw::field(listing, "options").map_err(|e| self.bson(e))?;
        Ok(Bytes::Borrowed(options.map_or(&[5, 0, 0, 0, 0], |element| element.value)))
    }

    fn uuid(&self, listing: &[u8]) -> Result<Option<CollectionUuid>, DataError> {
        let Some(info) = raw::field(listing, "info").map_err(|e| self.bson(e))? else { return Ok(None) };
        let uuid = raw::field(info.value, "uuid").map_err(|e| self.bson(e))?;
        // A binary value: length, subtype, bytes.
        let bytes = uuid.and_then(|element| element.value.get(5..)).and_then(|b| b.try_into().ok());
        Ok(bytes.map(CollectionUuid::from_bytes))
    }

    fn bson(&self, source: tidemark_base::codec::CodecError) -> DataError {
        DataError::Bson { path: format!("{}/_listCollections.bson", self.path), source }
    }

    fn inconsistent(&self, problem: String) -> DataError {
        DataError::Inconsistent { path: self.path.clone(), problem }
    }
}
