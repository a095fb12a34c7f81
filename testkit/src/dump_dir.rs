//! Loading a mongodump directory, plain or gzipped, into a [`State`].
//!
//! The independent reader of what we export and what mongodump wrote: it follows the format, and shares no
//! code with the product. It works on a [`FileTree`], read from disk ([`read`]) or at hand ([`parse`]).
//! Bounded, follows no symlinks. It does not read archives.

use crate::data_error::DataError;
use crate::dumps::FileTree;
use crate::raw;
use crate::state::{Bytes, Collection, Listed, ListedKind, Order, State};
use metadata::{Kind, Metadata};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

mod metadata;
mod name;

pub use name::{escape, unescape};

/// Most bytes that are read from a folder, and that a gzipped file may unpack to.
const MAX_BYTES: u64 = 4 << 30;

/// What a dump holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dump {
    /// The databases. Documents are in the order of the file ([`Order::Scan`], capped: [`Order::Natural`]).
    /// Buckets of time-series collections come without metadata, so without options and uuid.
    pub state: State,
    /// The entries of `oplog.bson`, if there is one.
    pub oplog: Option<Vec<Bytes>>,
    /// The text of `prelude.json`, which newer tools write.
    pub prelude: Option<String>,
}

/// Loads a dump from disk.
///
/// # Errors
/// [`DataError::Io`], or what is wrong with the dump.
pub fn load(folder: &Path) -> Result<Dump, DataError> {
    parse(&read(folder)?)
}

/// Reads the files of a folder into memory. Symlinks and other special files are errors.
///
/// # Errors
/// [`DataError::Io`], also for names that are not UTF-8 and for more than 4 GiB.
pub fn read(folder: &Path) -> Result<FileTree, DataError> {
    let mut tree = FileTree::default();
    let mut left = MAX_BYTES;
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|e| DataError::io(&folder, &e))? {
            let entry = entry.map_err(|e| DataError::io(&folder, &e))?;
            let path = entry.path();
            let refuse = |problem: &str| DataError::Io {
                path: path.display().to_string(),
                problem: problem.to_owned(),
            };
            let name = entry.file_name().into_string().map_err(|_| refuse("the name is not UTF-8"))?;
            let kind = entry.file_type().map_err(|e| DataError::io(&path, &e))?;
            if kind.is_dir() {
                folders.push((path, format!("{prefix}{name}/")));
            } else if kind.is_file() {
                let mut bytes = Vec::new();
                let file = fs::File::open(&path).map_err(|e| DataError::io(&path, &e))?;
                file.take(left + 1).read_to_end(&mut bytes).map_err(|e| DataError::io(&path, &e))?;
                left = left
                    .checked_sub(bytes.len() as u64)
                    .ok_or_else(|| refuse("the dump is larger than 4 GiB, too large to load into memory"))?;
                tree.files.insert(format!("{prefix}{name}"), Cow::Owned(bytes));
            } else {
                return Err(refuse("neither file nor folder; symlinks are not followed"));
            }
        }
    }
    Ok(tree)
}

/// Understands the files of a dump.
///
/// # Errors
/// What is wrong with the dump.
pub fn parse(tree: &FileTree) -> Result<Dump, DataError> {
    // oplog.bson keeps its name when it is gzipped; the other files tell.
    let gzipped = tree.files.keys().any(|path| path.ends_with(".gz"));
    let mut dump = Dump::default();
    let mut databases: BTreeMap<(&str, &str), Files> = BTreeMap::new();
    for (path, bytes) in &tree.files {
        let plain_path = path.strip_suffix(".gz").unwrap_or(path);
        let bytes = if plain_path != path || (gzipped && path == "oplog.bson") {
            gunzip(path, bytes)?
        } else {
            bytes.clone()
        };
        match plain_path.rsplit_once('/') {
            None if plain_path == "oplog.bson" => dump.oplog = Some(split(path, &bytes)?),
            _ if plain_path.ends_with("prelude.json") => dump.prelude = Some(text(path, &bytes)?),
            Some((db, file)) if !db.contains('/') => {
                let (name, slot): (_, fn(&mut Files) -> &mut Option<Bytes>) =
                    if let Some(name) = file.strip_suffix(".metadata.json") {
                        (name, |files| &mut files.metadata)
                    } else if let Some(name) = file.strip_suffix(".bson") {
                        (name, |files| &mut files.documents)
                    } else {
                        return Err(inconsistent(path, "neither .bson nor .metadata.json"));
                    };
                let files = databases.entry((db, name)).or_default();
                *slot(files) = Some(bytes);
            }
            _ => return Err(inconsistent(path, "not a file that mongodump writes at this place")),
        }
    }
    for ((db, escaped), files) in databases {
        files.add(db, escaped, &mut dump.state)?;
    }
    Ok(dump)
}

/// The unpacked files of one collection.
#[derive(Default)]
struct Files {
    documents: Option<Bytes>,
    metadata: Option<Bytes>,
}

impl Files {
    fn add(self, db: &str, escaped: &str, state: &mut State) -> Result<(), DataError> {
        let path = format!("{db}/{escaped}");
        let metadata = match &self.metadata {
            Some(json) => Metadata::parse(&format!("{path}.metadata.json"), json)?,
            None => Metadata::default(),
        };
        let name = match &metadata.collection_name {
            Some(name) => name.clone(),
            None if name::is_cut(escaped) => {
                return Err(inconsistent(&path, "the name is cut, and no metadata tells the true one"));
            }
            None => unescape(escaped).map_err(|problem| inconsistent(&path, &problem))?,
        };
        let db = db.to_owned();
        let kind = match metadata.kind {
            Kind::Collection => {
                let Some(documents) = &self.documents else {
                    return Err(inconsistent(&path, "a collection without a .bson file"));
                };
                let into = match db.as_str() {
                    "admin" => &mut state.admin,
                    "config" => &mut state.config,
                    _ => &mut state.collections,
                };
                into.push(Collection {
                    db,
                    name,
                    uuid: metadata.uuid,
                    order: if metadata.capped { Order::Natural } else { Order::Scan },
                    options: metadata.options,
                    listing: None,
                    indexes: metadata.indexes,
                    documents: split(&format!("{path}.bson"), documents)?,
                });
                return Ok(());
            }
            Kind::View => ListedKind::View,
            Kind::TimeSeries => ListedKind::TimeSeries,
        };
        if self.documents.is_some() {
            return Err(inconsistent(&path, "a view or time-series collection has no .bson file of its own"));
        }
        state.listed.push(Listed { db, name, kind, options: metadata.options, listing: None });
        Ok(())
    }
}

fn gunzip(path: &str, bytes: &[u8]) -> Result<Bytes, DataError> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes)
        .take(MAX_BYTES + 1)
        .read_to_end(&mut plain)
        .map_err(|e| inconsistent(path, &format!("not gzip: {e}")))?;
    if plain.len() as u64 > MAX_BYTES {
        return Err(inconsistent(path, "unpacks to more than 4 GiB"));
    }
    Ok(Cow::Owned(plain))
}

fn split(path: &str, bytes: &[u8]) -> Result<Vec<Bytes>, DataError> {
    let documents = raw::split(bytes).map_err(|source| DataError::Bson { path: path.to_owned(), source })?;
    Ok(documents.into_iter().map(|d| Cow::Owned(d.to_vec())).collect())
}

fn text(path: &str, bytes: &[u8]) -> Result<String, DataError> {
    String::from_utf8(bytes.to_vec()).map_err(|e| inconsistent(path, &e.to_string()))
}

fn inconsistent(path: &str, problem: &str) -> DataError {
    DataError::Inconsistent { path: path.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests;
