//! Reading dumps: the one shape that directories and archives have.

mod archive;
mod contents;
mod directory;
mod layout;
mod streams;
mod unpack;
mod window;

pub use archive::ArchiveReader;
pub use directory::DirectoryReader;

use super::{DumpError, Namespace, Versions};

/// What comes out of a dump, piece by piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Documents of a collection. Collections may be interleaved; the order within each is that of the dump.
    Documents {
        /// The database.
        database: &'a str,
        /// The collection; of a time-series collection that of its buckets. Users, roles and their version
        /// have names with a dollar in the dump of one database: [`super::names::admin_collection`].
        collection: &'a str,
        /// Whole documents, one after another: their lengths and last bytes are right, nothing else is known.
        documents: &'a [u8],
    },
    /// All documents of a collection were seen. It comes for each collection, an empty one too, and once; for
    /// views it does not come.
    End {
        /// The database.
        database: &'a str,
        /// The collection.
        collection: &'a str,
    },
    /// Entries of the oplog during the dump (`mongodump --oplog`): whole documents, one after another.
    Oplog(&'a [u8]),
}

/// A dump being read.
///
/// All metadata is known from the start. Collections may have documents without metadata: the buckets of
/// time-series collections, those of old dumps, and users in the dump of one database. After an error,
/// nothing more can be read.
pub trait Source {
    /// Who made the dump, as far as it says.
    fn versions(&self) -> &Versions;

    /// What the dump describes.
    fn namespaces(&self) -> &[Namespace];

    /// The next piece. None at the end, which has been checked to be one.
    ///
    /// # Errors
    /// If reading fails, or the dump is damaged, cut, or not a dump.
    fn next(&mut self) -> Result<Option<Item<'_>>, DumpError>;
}
