//! Writing dumps: the one shape that directories and archives have.

mod archive;
mod directory;
mod packed;
mod progress;

pub use archive::ArchiveWriter;
pub use directory::{DirectoryWriter, Target};
pub use packed::Compression;

use super::{DumpError, Part};

/// Whole documents that were walked over before, so that nobody need look at them again.
#[derive(Clone, Copy, Debug)]
pub struct Walked<'d> {
    /// The documents, whole ones in each piece.
    pub pieces: &'d [&'d [u8]],
    /// Their length, in bytes.
    pub bytes: usize,
    /// The length of the longest one.
    pub longest_bytes: usize,
}

/// Writes a dump, part by part.
///
/// A writer is made with all its parts. Each is begun, given its documents, and ended, in their order; views
/// too, though they have no documents. After an error, what was written is no dump.
pub trait Sink {
    /// What is left of the writer at the end.
    type Finished;

    /// Begins a part: the first that has not been written, given again so that a mix-up is noticed.
    ///
    /// # Errors
    /// If writing fails, or it is not this part's turn.
    fn begin(&mut self, part: &Part) -> Result<(), DumpError>;

    /// Writes documents: whole ones, one after another, as many as are at hand.
    ///
    /// # Errors
    /// If writing fails, they are not whole documents, or one is too large for the format.
    fn documents(&mut self, documents: &[u8]) -> Result<(), DumpError>;

    /// The same of documents that were walked over before.
    ///
    /// # Errors
    /// As [`Self::documents`].
    fn walked(&mut self, documents: &Walked<'_>) -> Result<(), DumpError> {
        documents.pieces.iter().try_for_each(|piece| self.documents(piece))
    }

    /// Ends the part.
    ///
    /// # Errors
    /// If writing fails, or none was begun.
    fn end(&mut self) -> Result<(), DumpError>;

    /// Ends the dump.
    ///
    /// # Errors
    /// If writing fails, or parts are missing.
    fn finish(self) -> Result<Self::Finished, DumpError>;
}
