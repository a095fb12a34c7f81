//! One collection in the catalog, and its bytes.

#![warn(clippy::indexing_slicing)]

use crate::counter::counter;
use crate::run::{Run, RunKind};
use crate::stack::{Stack, Top};
use tidemark_base::BlockId;
use tidemark_base::bson::Doc;
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};
use tidemark_base::limits::{MAX_BSON_BYTES, MAX_INDEXES, MAX_ITEM_CHILDREN};
use tidemark_oplog::catalog::Collection;

const VERSION: u8 = 1;
const HAS_BASE: u8 = 1;

/// Longest name of a database or collection that is read, in bytes; servers allow 255 for both together.
const MAX_NAME_BYTES: usize = 1024;

/// The runs of one sorted set of documents: what is read is the base with the patches folded into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunStack {
    /// Whole documents.
    pub base: Option<Run>,
    /// What happened since, oldest first.
    pub patches: Vec<Run>,
}

/// A collection with its documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Names, options, indexes.
    pub collection: Collection,
    /// Its documents.
    pub documents: RunStack,
    /// Of a capped collection: for each document its place in the order of insertion, a document with the
    /// same `_id` and a number `n`.
    pub order: RunStack,
    /// The number that the next document inserted into a capped collection gets.
    pub next_order: u64,
}

impl RunStack {
    /// Whether there are no runs.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.base.is_none() && self.patches.is_empty()
    }

    /// All runs, oldest first.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.base.iter().chain(&self.patches)
    }

    /// The stack to be read, with patches in memory above it.
    #[must_use]
    pub fn as_stack<'a>(&'a self, top: Top<'a>) -> Stack<'a> {
        Stack { base: self.base.as_ref(), patches: &self.patches, top }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u8(if self.base.is_some() { HAS_BASE } else { 0 });
        out.put_u32(u32::try_from(self.patches.len()).expect("a stack has few runs"));
        self.runs().for_each(|run| run.encode(out));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let before = reader.clone();
        let flags = reader.u8("flags of a stack")?;
        if flags & !HAS_BASE != 0 {
            return Err(before.error("flags of a stack", CodecProblem::Unknown { value: flags.into() }));
        }
        let patches = reader.len_u32("number of patch runs", MAX_ITEM_CHILDREN)?;
        let mut run = |kind: RunKind| {
            let before = reader.clone();
            let run = Run::decode(reader)?;
            if run.kind != kind {
                let value = run.kind.to_byte().into();
                return Err(before.error("kind of a run in a stack", CodecProblem::Unknown { value }));
            }
            Ok(run)
        };
        let base = if flags & HAS_BASE == 0 { None } else { Some(run(RunKind::Base)?) };
        let patches = (0..patches).map(|_| run(RunKind::Patch)).collect::<Result<_, _>>()?;
        Ok(Self { base, patches })
    }
}

impl Entry {
    /// A collection without documents.
    #[must_use]
    pub fn empty(collection: Collection) -> Self {
        Self { collection, documents: RunStack::default(), order: RunStack::default(), next_order: 0 }
    }

    /// The top blocks of all its runs.
    #[must_use]
    pub fn tops(&self) -> Vec<BlockId> {
        self.documents.runs().chain(self.order.runs()).map(|run| run.top).collect()
    }

    /// Appends its bytes. Fails over what its reader takes: a root that cannot be read is never written.
    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        check(&self.collection)?;
        let Collection { database, name, options, indexes } = &self.collection;
        out.put_u8(VERSION);
        out.put_prefixed(database.as_bytes());
        out.put_prefixed(name.as_bytes());
        out.put_prefixed(options);
        out.put_u32(u32::try_from(indexes.len()).expect("it was checked"));
        indexes.iter().for_each(|index| out.put_prefixed(index));
        self.documents.encode(out);
        self.order.encode(out);
        out.put_u64(self.next_order);
        Ok(())
    }

    /// Reads its bytes.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let before = reader.clone();
        let version = reader.u8("version")?;
        if version != VERSION {
            return Err(before.error("version of a record", CodecProblem::Unknown { value: version.into() }));
        }
        let database = reader.text("database", MAX_NAME_BYTES)?.to_owned();
        let name = reader.text("collection", MAX_NAME_BYTES)?.to_owned();
        let options = document("options", &mut reader)?;
        let indexes = reader.len_u32("number of indexes", MAX_INDEXES)?;
        let indexes = (0..indexes).map(|_| document("index", &mut reader)).collect::<Result<_, _>>()?;
        let collection = Collection { database, name, options, indexes };
        let documents = RunStack::decode(&mut reader)?;
        let order = RunStack::decode(&mut reader)?;
        let next_order = counter(&mut reader, "next number")?;
        reader.finish("record")?;
        Ok(Self { collection, documents, order, next_order })
    }
}

/// Fails unless a record of this collection can be read again.
pub(crate) fn check(collection: &Collection) -> Result<(), CodecError> {
    let within = |what, value: usize, limit: usize| {
        let problem = CodecProblem::OverLimit { value: value as u64, limit: limit as u64 };
        if value > limit { Err(CodecError { what, offset: 0, problem }) } else { Ok(()) }
    };
    within("length of the database's name", collection.database.len(), MAX_NAME_BYTES)?;
    within("length of the collection's name", collection.name.len(), MAX_NAME_BYTES)?;
    within("number of indexes", collection.indexes.len(), MAX_INDEXES)?;
    Doc::new(&collection.options)?;
    collection.indexes.iter().try_for_each(|index| Doc::new(index).map(drop))
}

fn document(what: &'static str, reader: &mut Reader<'_>) -> Result<Vec<u8>, CodecError> {
    let at = reader.offset();
    let bytes = reader.prefixed(what, MAX_BSON_BYTES)?;
    match Doc::new(bytes) {
        Ok(document) => Ok(document.as_bytes().to_vec()),
        Err(error) => Err(CodecError { offset: at + 4 + error.offset, ..error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::BlockKind;

    fn run(kind: RunKind, n: u8) -> Run {
        let top = BlockId::of(BlockKind::Leaf, &[n]);
        Run { kind, top, items: 1, plain_bytes: 9, first: None, last: None }
    }

    fn entry() -> Entry {
        let collection = Collection {
            database: "app".to_owned(),
            name: "orders\n".to_owned(),
            options: vec![5, 0, 0, 0, 0],
            indexes: vec![vec![5, 0, 0, 0, 0]],
        };
        let patches = vec![run(RunKind::Patch, 2), run(RunKind::Patch, 3)];
        let documents = RunStack { base: Some(run(RunKind::Base, 1)), patches };
        Entry { collection, documents, order: RunStack::default(), next_order: 7 }
    }

    fn encoded(entry: &Entry) -> Vec<u8> {
        let mut out = Vec::new();
        entry.encode(&mut out).unwrap();
        out
    }

    #[test]
    fn a_record_round_trips_and_names_its_blocks() {
        let full = entry();
        for entry in [Entry { order: full.documents.clone(), ..full.clone() }, Entry::empty(full.collection)]
        {
            assert_eq!(Entry::decode(&encoded(&entry)), Ok(entry));
        }
        assert_eq!(entry().tops().len(), 3);
    }

    #[test]
    fn a_number_of_the_next_document_that_nothing_could_follow_is_refused() {
        let error = Entry::decode(&encoded(&Entry { next_order: u64::MAX, ..entry() })).unwrap_err();
        assert!(matches!(error.problem, CodecProblem::OverLimit { .. }), "{error}");
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let long = "n".repeat(MAX_NAME_BYTES);
        let most = Collection {
            database: long.clone(),
            name: long.clone(),
            indexes: vec![vec![5, 0, 0, 0, 0]; MAX_INDEXES],
            ..entry().collection
        };
        let good = Entry::empty(most.clone());
        assert_eq!(Entry::decode(&encoded(&good)), Ok(good));
        for bad in [
            Collection { database: long.clone() + "n", ..most.clone() },
            Collection { name: long + "n", ..most.clone() },
            Collection { options: vec![5, 0, 0, 0, 1], ..most.clone() },
            Collection { indexes: vec![vec![5, 0, 0, 0, 0]; MAX_INDEXES + 1], ..most.clone() },
            Collection { indexes: vec![vec![]], ..most },
        ] {
            let mut out = Vec::new();
            assert!(Entry::empty(bad).encode(&mut out).is_err() && out.is_empty());
        }
    }

    #[test]
    fn every_cut_is_an_error_and_every_flip_an_error_or_another_record() {
        let good = encoded(&entry());
        for len in 0..good.len() {
            assert!(Entry::decode(&good[..len]).is_err(), "cut to {len}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = Entry::decode(&bad) {
                assert_eq!(encoded(&other), bad, "bit {bit}");
                assert_ne!(other, entry());
            }
        }
    }
}
