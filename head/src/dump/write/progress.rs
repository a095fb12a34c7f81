//! How far a writer is: which parts are done, which is open. Holds callers to the order they promised.

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
        if part.stream.is_none() && !documents.is_empty() {
            return Err(misuse(format!("{} has no documents", namespace())));
        }
        for document in bson::split(documents) {
            let document =
                document.map_err(|source| DumpError::Documents { namespace: namespace(), source })?;
            let bytes = document.as_bytes().len();
            if bytes > most_bytes {
                return Err(DumpError::TooLarge {
                    namespace: namespace(),
                    what: "a document",
                    bytes,
                    limit: most_bytes,
                    advice: "mongorestore cannot read it from an archive: export as a directory",
                });
            }
        }
        Ok(())
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

fn misuse(what: String) -> DumpError {
    DumpError::Misuse { what }
}
