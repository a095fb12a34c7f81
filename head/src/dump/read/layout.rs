//! What stands in a dump's folder: which files there are, and whose they are.
//!
//! Files that no dump has are errors: a file left out without a word could be a collection.

use crate::dump::folder::Folder;
use crate::dump::limits::MAX_NAMESPACES;
use crate::dump::{DumpError, prelude};
use std::collections::BTreeMap;
use tidemark_oplog::names::check_database;

/// The oplog's file, whose name stays the same when it is gzipped.
const OPLOG: &str = "oplog.bson";
const METADATA: &str = ".metadata.json";
const DOCUMENTS: &str = ".bson";
const GZIP: &str = ".gz";

/// The files of one collection: their names in the database's folder.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) metadata: Option<String>,
    pub(super) documents: Option<String>,
}

/// All files of a dump.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// By database and the files' name without its endings.
    pub(super) files: BTreeMap<(String, String), Files>,
    /// The oplog's file, in the root.
    pub(super) oplog: Option<String>,
    /// Where it is said who made the dump: a database unless it is the root, and a file.
    pub(super) preludes: Vec<(Option<String>, String)>,
    /// Whether any file has the ending of gzip.
    pub(super) has_gzip: bool,
}

impl Layout {
    pub(super) fn scan(root: &Folder) -> Result<Self, DumpError> {
        let mut layout = Self::default();
        for entry in root.list(2 * MAX_NAMESPACES)? {
            let place = || root.place_of(&entry.name);
            let plain_name = layout.without_gzip(&entry.name);
            if entry.is_folder {
                check_database(&entry.name).map_err(|source| DumpError::Name { place: place(), source })?;
                layout.scan_database(&root.folder(&entry.name)?, &entry.name)?;
            } else if plain_name == OPLOG {
                put(&mut layout.oplog, entry.name.clone(), &place())?;
            } else if plain_name == prelude::FILE {
                layout.preludes.push((None, entry.name));
            } else if plain_name.ends_with(DOCUMENTS) || plain_name.ends_with(METADATA) {
                let problem = "documents stand in a folder with the name of their database: if this is the \
                               folder of one database, name the folder above it";
                return Err(DumpError::layout(place(), problem));
            } else {
                return Err(DumpError::layout(place(), FOREIGN));
            }
        }
        Ok(layout)
    }

    fn scan_database(&mut self, folder: &Folder, database: &str) -> Result<(), DumpError> {
        let most = (2 * MAX_NAMESPACES).saturating_sub(2 * self.files.len());
        for entry in folder.list(most)? {
            let place = folder.place_of(&entry.name);
            let plain_name = self.without_gzip(&entry.name);
            if entry.is_folder {
                return Err(DumpError::layout(place, "a folder within that of a database; no dump has one"));
            }
            if plain_name == prelude::FILE {
                self.preludes.push((Some(database.to_owned()), entry.name));
                continue;
            }
            let (base, is_metadata) = match plain_name.strip_suffix(METADATA) {
                Some(base) => (base, true),
                None => match plain_name.strip_suffix(DOCUMENTS) {
                    Some(base) => (base, false),
                    None => return Err(DumpError::layout(place, FOREIGN)),
                },
            };
            let files = self.files.entry((database.to_owned(), base.to_owned())).or_default();
            let slot = if is_metadata { &mut files.metadata } else { &mut files.documents };
            put(slot, entry.name, &place)?;
        }
        Ok(())
    }

    fn without_gzip(&mut self, name: &str) -> String {
        let plain = name.strip_suffix(GZIP);
        self.has_gzip |= plain.is_some();
        plain.unwrap_or(name).to_owned()
    }
}

const FOREIGN: &str = "mongodump writes no such file; move it away";

fn put(slot: &mut Option<String>, name: String, place: &str) -> Result<(), DumpError> {
    match slot.replace(name) {
        None => Ok(()),
        Some(_) => Err(DumpError::layout(place, "it is there twice, plain and gzipped; remove one of them")),
    }
}
