//! The collections of an archive while their blocks come by: which were promised, which are open, which ended.
//!
//! Blocks of several collections may be interleaved. Every promised one must be opened and ended, none opened
//! again, and the checksum at its end must be right.

use crate::dump::archive::{BlockHeader, OPLOG, checksum};
use crate::dump::part::{BUCKETS, shown};
use crate::dump::{Kind, Namespace, Problem};
use crc_fast::Digest;
use std::collections::BTreeMap;

/// A database and a collection.
pub(super) type Name = (String, String);

/// How far a collection is.
#[derive(Debug)]
enum State {
    Promised,
    Open(Box<Digest>),
    Ended,
}

#[derive(Debug)]
struct Stream {
    state: State,
    kind: Kind,
}

/// All collections of an archive.
#[derive(Debug, Default)]
pub(super) struct Streams {
    streams: BTreeMap<Name, Stream>,
}

/// What the header of a block means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Documents may follow.
    Documents,
    /// It was the last block of the collection.
    End,
}

impl Streams {
    /// Expects the blocks of a namespace.
    pub(super) fn promise(&mut self, namespace: &Namespace) {
        let name = (namespace.database.clone(), namespace.collection.clone());
        self.streams.insert(name, Stream { state: State::Promised, kind: namespace.kind });
    }

    /// Expects the oplog.
    pub(super) fn promise_oplog(&mut self) -> Result<(), Problem> {
        let (database, collection) = OPLOG;
        let name = (database.to_owned(), collection.to_owned());
        match self.streams.insert(name, Stream { state: State::Promised, kind: Kind::Collection }) {
            None => Ok(()),
            Some(_) => Err(Problem::Twice { namespace: "the oplog".to_owned() }),
        }
    }

    /// Takes in the header of a block.
    pub(super) fn header(&mut self, header: &BlockHeader) -> Result<Step, Problem> {
        let namespace = || shown(&header.database, &header.collection);
        let stream = self.named(&header.database, &header.collection);
        let stream = stream.ok_or_else(|| Problem::Unlisted { namespace: namespace() })?;
        if matches!(stream.state, State::Promised) {
            stream.state = State::Open(Box::new(checksum()));
        }
        match (&stream.state, header.end) {
            (State::Promised | State::Ended, _) => Err(Problem::Reopened { namespace: namespace() }),
            (State::Open(_), None) => Ok(Step::Documents),
            (State::Open(digest), Some(stated)) => {
                let counted = digest.finalize();
                if counted != stated {
                    return Err(Problem::Checksum { namespace: namespace(), stated, counted });
                }
                stream.state = State::Ended;
                Ok(Step::End)
            }
        }
    }

    /// Counts documents of a block whose header was taken in.
    pub(super) fn documents(&mut self, header: &BlockHeader, documents: &[u8]) -> Result<(), Problem> {
        let namespace = || shown(&header.database, &header.collection);
        match self.named(&header.database, &header.collection) {
            Some(Stream { kind: Kind::View, .. }) => {
                Err(Problem::ViewWithDocuments { namespace: namespace() })
            }
            Some(Stream { state: State::Open(digest), .. }) => {
                digest.update(documents);
                Ok(())
            }
            _ => Err(Problem::Unlisted { namespace: namespace() }),
        }
    }

    pub(super) fn is_view(&mut self, header: &BlockHeader) -> bool {
        self.named(&header.database, &header.collection).is_some_and(|it| it.kind == Kind::View)
    }

    /// At the end of the archive, every collection must have ended.
    pub(super) fn finish(&self) -> Result<(), Problem> {
        let unfinished = self.streams.iter().find(|(_, stream)| !matches!(stream.state, State::Ended));
        match unfinished {
            None => Ok(()),
            Some(((database, collection), _)) => {
                Err(Problem::Unfinished { namespace: shown(database, collection) })
            }
        }
    }

    /// The stream of this name: that of the namespace itself, or of the time-series collection whose buckets
    /// have it.
    fn named(&mut self, database: &str, collection: &str) -> Option<&mut Stream> {
        let mut name = (database.to_owned(), collection.to_owned());
        if self.streams.contains_key(&name) {
            return self.streams.get_mut(&name);
        }
        name.1 = collection.strip_prefix(BUCKETS)?.to_owned();
        self.streams.get_mut(&name).filter(|stream| stream.kind == Kind::TimeSeries)
    }
}
