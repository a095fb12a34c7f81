//! Writing a directory: a folder for each database, two files for each collection.
//!
//! Existing files are never written to and links never followed. Files are not synced.

use super::packed::{Compression, Packed};
use super::progress::Progress;
use super::{Sink, Walked};
use crate::dump::error::shown_path;
use crate::dump::folder::Folder;
use crate::dump::names::file_name;
use crate::dump::{DumpError, Part, Versions, metadata, prelude};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use tidemark_base::limits::MAX_BSON_BYTES;
use tidemark_oplog::names::{check_collection, check_database};

/// Whether a dump may go into a folder that holds something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The folder must be new or empty.
    #[default]
    Empty,
    /// Files are added to what is there; one that is there already is an error.
    AddTo,
}

/// Writes a directory.
#[derive(Debug)]
pub struct DirectoryWriter {
    root: Folder,
    compression: Compression,
    progress: Progress,
    /// The database of the part that was begun last.
    database: Option<(String, Folder)>,
    /// The documents of the open part, and their file's path.
    file: Option<(Packed<BufWriter<File>>, String)>,
}

impl DirectoryWriter {
    /// Makes the folder, if need be, and writes what says who made the dump.
    ///
    /// # Errors
    /// If the folder is not empty and should be, or writing fails.
    pub fn new(
        root: &Path,
        target: Target,
        compression: Compression,
        versions: &Versions,
        parts: Vec<Part>,
    ) -> Result<Self, DumpError> {
        std::fs::create_dir_all(root)
            .map_err(|error| DumpError::io(&shown_path(root), "make the folder", error))?;
        let root = Folder::open(root)?;
        if target == Target::Empty && !root.is_empty()? {
            return Err(DumpError::NotEmpty { place: root.place().to_owned() });
        }
        let progress = Progress::new(parts);
        let writer = Self { root, compression, progress, database: None, file: None };
        writer.write_file(&writer.root, prelude::FILE, &prelude::write(versions))?;
        Ok(writer)
    }

    /// The name of a file, with the ending that packing gives it.
    fn packed_name(&self, name: &str) -> String {
        match self.compression {
            Compression::Plain => name.to_owned(),
            Compression::Gzip => format!("{name}.gz"),
        }
    }

    fn make_file(&self, folder: &Folder, name: &str) -> Result<(Packed<BufWriter<File>>, String), DumpError> {
        let name = self.packed_name(name);
        let file = BufWriter::new(folder.make_file(&name)?);
        Ok((Packed::new(file, self.compression), folder.place_of(&name)))
    }

    fn write_file(&self, folder: &Folder, name: &str, bytes: &[u8]) -> Result<(), DumpError> {
        let (mut file, place) = self.make_file(folder, name)?;
        let written = file.write_all(bytes).and_then(|()| file.finish());
        written.map(drop).map_err(|error| DumpError::io(&place, "write", error))
    }
}

impl Sink for DirectoryWriter {
    type Finished = ();

    fn begin(&mut self, part: &Part) -> Result<(), DumpError> {
        self.progress.begin(part)?;
        let namespace = &part.namespace;
        let bad_name = |source| DumpError::Name { place: namespace.shown(), source };
        check_database(&namespace.database).map_err(bad_name)?;
        for name in [&namespace.collection].into_iter().chain(&part.stream) {
            check_collection(&namespace.database, name).map_err(bad_name)?;
        }
        let (name, folder) = match self.database.take() {
            Some((name, folder)) if name == namespace.database => (name, folder),
            _ => (namespace.database.clone(), self.root.make_folder(&namespace.database)?),
        };
        let metadata_file = format!("{}.metadata.json", file_name(&namespace.collection));
        self.write_file(&folder, &metadata_file, &metadata::write(namespace)?)?;
        if let Some(stream) = &part.stream {
            self.file = Some(self.make_file(&folder, &format!("{}.bson", file_name(stream)))?);
        }
        self.database = Some((name, folder));
        Ok(())
    }

    fn documents(&mut self, documents: &[u8]) -> Result<(), DumpError> {
        self.progress.check(documents, MAX_BSON_BYTES)?;
        let Some((file, place)) = &mut self.file else { return Ok(()) };
        file.write_all(documents).map_err(|error| DumpError::io(place, "write", error))
    }

    fn walked(&mut self, documents: &Walked<'_>) -> Result<(), DumpError> {
        self.progress.check_walked(documents, MAX_BSON_BYTES)?;
        let Some((file, place)) = &mut self.file else { return Ok(()) };
        let mut pieces = documents.pieces.iter();
        pieces
            .try_for_each(|piece| file.write_all(piece))
            .map_err(|error| DumpError::io(place, "write", error))
    }

    fn end(&mut self) -> Result<(), DumpError> {
        self.progress.end()?;
        let Some((file, place)) = self.file.take() else { return Ok(()) };
        file.finish().map(drop).map_err(|error| DumpError::io(&place, "write", error))
    }

    fn finish(self) -> Result<(), DumpError> {
        self.progress.finish()
    }
}
