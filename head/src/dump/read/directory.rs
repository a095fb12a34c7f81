//! Reading a directory, plain or gzipped, file by file.

use super::contents::Contents;
use super::layout::{Files, Layout};
use super::unpack::{Unpacked, is_gzip, is_gzip_not_bson};
use super::window::Window;
use super::{Item, Source};
use crate::dump::folder::Folder;
use crate::dump::limits::MAX_METADATA_BYTES;
use crate::dump::metadata::{Metadata, MetadataError};
use crate::dump::names::{collection_name, file_name, is_cut};
use crate::dump::{DumpError, Kind, Namespace, Versions, prelude};
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use tidemark_oplog::names::check_collection;

/// Reads a directory.
#[derive(Debug)]
pub struct DirectoryReader {
    root: Folder,
    versions: Versions,
    contents: Contents,
    /// What is still to be read.
    waiting: std::vec::IntoIter<Documents>,
    /// What is being read.
    open: Option<(Documents, Window<Unpacked<File>>)>,
    /// What ended last.
    ended: Option<Documents>,
    has_gzip: bool,
    failed: bool,
}

/// A file of documents.
#[derive(Clone, Debug)]
struct Documents {
    /// None for the oplog, which stands in the root.
    of: Option<Owner>,
    file: String,
}

/// Whose documents they are.
#[derive(Clone, Debug)]
struct Owner {
    database: String,
    collection: String,
}

/// What comes next: documents of the open file, or the end of what ended last.
enum Found {
    Documents(Range<usize>),
    End,
}

impl DirectoryReader {
    /// Looks at all files, and reads all but the documents.
    ///
    /// # Errors
    /// If reading fails, files contradict each other or do not belong there, or metadata is damaged.
    pub fn new(root: &Path) -> Result<Self, DumpError> {
        let root = Folder::open(root)?;
        let layout = Layout::scan(&root)?;
        if layout.files.is_empty() && layout.oplog.is_none() {
            return Err(DumpError::layout(root.place(), "no dump is in this folder"));
        }
        let versions = read_versions(&root, &layout)?;
        let mut contents = Contents::default();
        let mut waiting = Vec::new();
        let mut folder: Option<(String, Folder)> = None;
        for ((database, base), files) in layout.files {
            let opened = match folder.take() {
                Some((name, opened)) if name == database => opened,
                _ => root.folder(&database)?,
            };
            waiting.extend(describe(&opened, &database, &base, files, &mut contents)?);
            folder = Some((database, opened));
        }
        contents.check().map_err(|problem| DumpError::layout(root.place(), problem.to_string()))?;
        waiting.extend(layout.oplog.map(|file| Documents { of: None, file }));
        let (waiting, has_gzip) = (waiting.into_iter(), layout.has_gzip);
        Ok(Self { root, versions, contents, waiting, open: None, ended: None, has_gzip, failed: false })
    }

    fn open(&self, documents: &Documents) -> Result<Window<Unpacked<File>>, DumpError> {
        let Some(owner) = &documents.of else {
            let has_gzip = self.has_gzip;
            // It keeps its name when it is packed, so the other files must tell, or its first bytes.
            let is_packed = |first: &[u8]| is_gzip(first) && (has_gzip || is_gzip_not_bson(first));
            return open(&self.root, &documents.file, is_packed);
        };
        open_by_name(&self.root.folder(&owner.database)?, &documents.file)
    }

    /// Up to the next thing to tell.
    fn advance(&mut self) -> Result<Option<Found>, DumpError> {
        loop {
            if let Some((_, window)) = &mut self.open {
                if let Some(range) = window.documents(None)? {
                    return Ok(Some(Found::Documents(range)));
                }
                self.ended = self.open.take().map(|(documents, _)| documents);
                if self.ended.as_ref().is_some_and(|it| it.of.is_some()) {
                    return Ok(Some(Found::End));
                }
            }
            let Some(next) = self.waiting.next() else { return Ok(None) };
            let window = self.open(&next)?;
            self.open = Some((next, window));
        }
    }

    fn item(&self, found: Found) -> Option<Item<'_>> {
        match found {
            Found::Documents(range) => {
                let (of, window) = self.open.as_ref()?;
                let documents = window.bytes(range);
                let Some(Owner { database, collection }) = &of.of else {
                    return Some(Item::Oplog(documents));
                };
                Some(Item::Documents { database, collection, documents })
            }
            Found::End => {
                let Owner { database, collection } = self.ended.as_ref()?.of.as_ref()?;
                Some(Item::End { database, collection })
            }
        }
    }
}

impl Source for DirectoryReader {
    fn versions(&self) -> &Versions {
        &self.versions
    }

    fn namespaces(&self) -> &[Namespace] {
        &self.contents.namespaces
    }

    fn next(&mut self) -> Result<Option<Item<'_>>, DumpError> {
        if self.failed {
            return Ok(None);
        }
        let found = self.advance().inspect_err(|_| self.failed = true)?;
        Ok(found.and_then(|found| self.item(found)))
    }
}

/// Adds what the metadata says to the contents; returns the file of documents, if there is one.
fn describe(
    folder: &Folder,
    database: &str,
    base: &str,
    files: Files,
    contents: &mut Contents,
) -> Result<Option<Documents>, DumpError> {
    let place = folder.place_of(base);
    let metadata = match &files.metadata {
        None => None,
        Some(file) => Some(read_metadata(folder, file)?),
    };
    let inside = metadata.as_ref().and_then(|it| it.collection.as_deref());
    let collection = true_name(base, inside).map_err(|problem| DumpError::layout(&place, problem))?;
    let bad_name = |source| DumpError::Name { place: place.clone(), source };
    check_collection(database, &collection).map_err(bad_name)?;
    if let Some(metadata) = metadata {
        let namespace = metadata.named(database, &collection);
        let namespace = namespace.map_err(|source| DumpError::Metadata { place: place.clone(), source })?;
        if namespace.kind == Kind::Collection && files.documents.is_none() {
            let problem = "its metadata is there and its .bson file is missing; copy the whole dump again";
            return Err(DumpError::layout(&place, problem));
        }
        contents.add(namespace).map_err(|problem| DumpError::layout(&place, problem.to_string()))?;
    }
    if files.documents.is_some() {
        let added = contents.add_file(database, &collection);
        added.map_err(|problem| DumpError::layout(&place, problem.to_string()))?;
    }
    let owner = Owner { database: database.to_owned(), collection };
    Ok(files.documents.map(|file| Documents { of: Some(owner), file }))
}

/// The collection of files of this name, with what their metadata says it is.
fn true_name(base: &str, inside: Option<&str>) -> Result<String, String> {
    let other = |inside: &str| {
        let inside = inside.escape_debug();
        format!("the metadata is of the collection '{inside}', whose files have another name")
    };
    match inside {
        Some(inside) if is_cut(base) => {
            // A name that happens to look as if it were cut, or one that was.
            let fits = file_name(inside) == base || collection_name(base).as_deref() == Ok(inside);
            if fits { Ok(inside.to_owned()) } else { Err(other(inside)) }
        }
        None if is_cut(base) => {
            Err("the name is cut, and no metadata tells the true one; copy the whole dump again".to_owned())
        }
        _ => {
            let outside = collection_name(base)?;
            match inside.filter(|it| *it != outside) {
                None => Ok(outside),
                Some(inside) => Err(other(inside)),
            }
        }
    }
}

fn read_metadata(folder: &Folder, file: &str) -> Result<Metadata, DumpError> {
    let text = read_text(folder, file)?;
    Metadata::parse(&text).map_err(|source| DumpError::Metadata { place: folder.place_of(file), source })
}

fn read_versions(root: &Folder, layout: &Layout) -> Result<Versions, DumpError> {
    // Those of the root come first. Several databases can have been dumped one after another.
    let Some((database, file)) = layout.preludes.iter().min_by_key(|(database, _)| database.clone()) else {
        return Ok(Versions::default());
    };
    let folder = database.as_deref().map(|it| root.folder(it)).transpose()?;
    let folder = folder.as_ref().unwrap_or(root);
    let text = read_text(folder, file)?;
    prelude::parse(&text).map_err(|source| DumpError::Metadata { place: folder.place_of(file), source })
}

/// A whole file of text, unpacked.
fn read_text(folder: &Folder, file: &str) -> Result<Vec<u8>, DumpError> {
    let mut window = open_by_name(folder, file)?;
    match window.rest(MAX_METADATA_BYTES)? {
        Some(text) => Ok(text),
        None => Err(DumpError::Metadata { place: folder.place_of(file), source: MetadataError::TooLarge }),
    }
}

fn open_by_name(folder: &Folder, file: &str) -> Result<Window<Unpacked<File>>, DumpError> {
    let is_packed = file.ends_with(".gz");
    open(folder, file, |_| is_packed)
}

fn open(
    folder: &Folder,
    name: &str,
    is_packed: impl FnOnce(&[u8]) -> bool,
) -> Result<Window<Unpacked<File>>, DumpError> {
    let place = folder.place_of(name);
    let unpacked = Unpacked::new(folder.file(name)?, is_packed);
    Ok(Window::new(unpacked.map_err(|error| DumpError::io(&place, "read", error))?, place))
}
