//! How far a writer is: which parts are done, which is open. Holds callers to the order they promised.

use super::Walked;
use crate::dump::{DumpError, Part};
use tidemark_base::bson;

/// The parts of a dump and the place in them.
#[derive(Debug)]
pub(super) struct Progress {
    parts: std::vec::IntoIter<Part>,
    open: Option<Part>,
}

impl Progress {
    pub(super) fn new(parts: Vec<Part>) -> Self {
        Self { parts: parts.into_iter(), open: None }
    }

    pub(super) fn begin(&mut self, part: &Part) -> Result<(), DumpError> {
        if let Some(open) = &self.open {
            return Err(misuse(format!("{} has not been ended", open.namespace.shown())));
        }
        match self.parts.as_slice().first() {
            Some(next) if next == part => {
                self.open = self.parts.next();
                Ok(())
            }
            _ => Err(misuse(format!("it is not the turn of {}", part.namespace.shown()))),
        }
    }

    /// The open part, and the name its documents stand under.
    fn open(&self) -> Result<&Part, DumpError> {
        self.open.as_ref().ok_or_else(|| misuse("no part is open".to_owned()))
    }

    /// Checks documents for the open part: whole ones, none over the limit. Only lengths are looked at.
    pub(super) fn check(&self, documents: &[u8], most_bytes: usize) -> Result<(), DumpError> {
        let part = self.open()?;
        let namespace = || part.namespace.shown();
        check_has_documents(part, documents.is_empty())?;
        for document in bson::split(documents) {
            let document =
                document.map_err(|source| DumpError::Documents { namespace: namespace(), source })?;
            check_length(part, document.as_bytes().len(), most_bytes)?;
        }
        Ok(())
    }

    /// The same of documents that were walked over before.
    pub(super) fn check_walked(&self, documents: &Walked<'_>, most_bytes: usize) -> Result<(), DumpError> {
        let part = self.open()?;
        check_has_documents(part, documents.bytes == 0)?;
        check_length(part, documents.longest_bytes, most_bytes)
    }

    pub(super) fn end(&mut self) -> Result<Part, DumpError> {
        self.open.take().ok_or_else(|| misuse("no part is open".to_owned()))
    }

    pub(super) fn finish(&self) -> Result<(), DumpError> {
        match self.open.as_ref().or(self.parts.as_slice().first()) {
            None => Ok(()),
            Some(part) => Err(misuse(format!("{} is missing", part.namespace.shown()))),
        }
    }
}

fn check_has_documents(part: &Part, are_none: bool) -> Result<(), DumpError> {
    if part.stream.is_some() || are_none {
        return Ok(());
    }
    Err(misuse(format!("{} has no documents", part.namespace.shown())))
}

fn check_length(part: &Part, bytes: usize, most_bytes: usize) -> Result<(), DumpError> {
    if bytes <= most_bytes {
        return Ok(());
    }
    Err(DumpError::TooLarge {
        namespace: part.namespace.shown(),
        what: "a document",
        bytes,
        limit: most_bytes,
        advice: "mongorestore cannot read it from an archive: export as a directory",
    })
}

fn misuse(what: String) -> DumpError {
    DumpError::Misuse { what }
}
