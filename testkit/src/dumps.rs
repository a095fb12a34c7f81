//! The sample dumps: what mongodump 100.8.0 wrote for one small database, as a file tree in memory.
//!
//! Used by the tests of readers and writers of dump formats, here ([`crate::dump_dir`]) and in `head`. Files
//! are kept byte for byte, gzipped ones gzipped. Top level: folders `dir` (plain), `dirgz` (`--gzip`), `dbdir`
//! (one database, with its users), `diroplog` (`--oplog`); files `archive.bin`, `archive.gz`,
//! `archive-j4-oplog.bin`.

use crate::archive;
use crate::data_error::DataError;
use crate::state::Bytes;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};
use std::sync::OnceLock;

const ARCHIVE: &str = "dump-samples.tar.zst";

/// Files by relative path, with `/` between the components.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTree {
    /// The files.
    pub files: BTreeMap<String, Bytes>,
}

/// All samples.
///
/// # Errors
/// What is wrong with the packed data.
pub fn all() -> Result<&'static FileTree, DataError> {
    static SAMPLES: OnceLock<Result<FileTree, DataError>> = OnceLock::new();
    SAMPLES.get_or_init(load).as_ref().map_err(Clone::clone)
}

/// One sample folder (`dir`, `dirgz`, `dbdir`, `diroplog`), its paths relative to it.
///
/// # Errors
/// [`DataError::UnknownName`], or what is wrong with the packed data.
pub fn folder(name: &str) -> Result<FileTree, DataError> {
    let files: BTreeMap<_, _> = all()?
        .files
        .iter()
        .filter_map(|(path, bytes)| {
            let below = path.strip_prefix(name)?.strip_prefix('/')?;
            Some((below.to_owned(), bytes.clone()))
        })
        .collect();
    if files.is_empty() { Err(unknown("sample folder", name)?) } else { Ok(FileTree { files }) }
}

/// One sample file by its path, for instance `archive.bin`.
///
/// # Errors
/// [`DataError::UnknownName`], or what is wrong with the packed data.
pub fn file(path: &str) -> Result<&'static [u8], DataError> {
    match all()?.files.get(path) {
        Some(bytes) => Ok(bytes),
        None => Err(unknown("sample file", path)?),
    }
}

impl FileTree {
    /// Writes all files below `folder`, which is created if need be; existing files are replaced.
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] for a path that would leave the folder, [`DataError::Io`] otherwise.
    pub fn write(&self, folder: &Path) -> Result<(), DataError> {
        for (path, bytes) in &self.files {
            if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
                let problem = format!("does not stay below {}", folder.display());
                return Err(DataError::Inconsistent { path: path.clone(), problem });
            }
            let target = folder.join(path);
            let parent = target.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(|e| DataError::io(parent, &e))?;
            fs::write(&target, bytes).map_err(|e| DataError::io(&target, &e))?;
        }
        Ok(())
    }
}

fn load() -> Result<FileTree, DataError> {
    let mut tree = FileTree::default();
    for frame in archive::frames(ARCHIVE, include_bytes!("../data/dump-samples.tar.zst"))? {
        tree.files.extend(frame.unpack()?.into_iter().map(|(path, bytes)| (path, Bytes::Borrowed(bytes))));
    }
    Ok(tree)
}

fn unknown(what: &'static str, name: &str) -> Result<DataError, DataError> {
    let mut known: Vec<_> = all()?.files.keys().filter_map(|path| path.split('/').next()).collect();
    known.dedup();
    Ok(DataError::UnknownName { what, name: name.to_owned(), known: known.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_samples_are_there() {
        for (name, files) in [("dir", 49), ("dirgz", 49), ("dbdir", 40), ("diroplog", 50)] {
            assert_eq!(folder(name).unwrap().files.len(), files, "{name}");
        }
        assert_eq!(file("archive.bin").unwrap().len(), 41_335);
        assert_eq!(file("archive.gz").unwrap()[..2], [0x1f, 0x8b]);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = folder("tar").expect_err("no such folder");
        assert!(error.to_string().ends_with("archive.gz, dbdir, dir, dirgz, diroplog"), "{error}");
        assert!(file("archive").is_err());
    }

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for bad in ["../x", "/x", "a/../../x", "./x"] {
            let files = BTreeMap::from([(bad.to_owned(), Bytes::Borrowed(b"x"))]);
            assert!(FileTree { files }.write(folder.path()).is_err(), "{bad}");
        }
    }
}
