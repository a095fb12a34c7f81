//! A head of orders in a store in memory, and what of it is how long as it is stored.

use std::collections::BTreeSet;
use std::sync::Arc;
use tidemark_base::bson::{Doc, split};
use tidemark_base::{BlockId, BlockKind, CollectionUuid, OpTime, SeededEntropy, Timestamp, UnixMillis};
use tidemark_blockstore::{CutSizes, MemoryBackend, Node, Quiet, Store};
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_head::run::{KeyRange, Run};
use tidemark_head::{catalog, key, root};
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_testkit::generate::oplog_mix::Target;
use tidemark_testkit::generate::orders::Orders;
use tidemark_testkit::generate::rounds::Rounds;

pub(crate) const UUID: CollectionUuid = CollectionUuid::from_bytes([7; 16]);

pub(crate) struct Rig {
    pub(crate) store: Store,
    pub(crate) head: Head,
    pub(crate) rounds: Rounds,
}

impl Rig {
    /// So many orders, in leaves an eighth as long as usual: so they make as many as eight times as many orders do.
    pub(crate) fn new(orders: u64) -> Self {
        let sizes = CutSizes { min_bytes: 2 << 10, target_bytes: 8 << 10, max_bytes: 32 << 10 };
        let store = Store::new(Arc::new(MemoryBackend::with_cut_sizes(&mut SeededEntropy::new(3), sizes)));
        let begin = OpTime { ts: Timestamp { secs: 1000, ordinal: 1 }, term: 1 };
        let mut import = Import::begin(&store, begin, Filter::default(), usize::MAX).unwrap();
        let options = bson::doc! {}.to_vec().unwrap();
        let (database, name) = ("shop".to_owned(), "orders".to_owned());
        import.collection(UUID, Collection { database, name, options, indexes: Vec::new() }).unwrap();
        let (source, mut documents) = (Orders::new(1), Vec::new());
        (0..orders).for_each(|n| source.document(n, &mut documents));
        import.documents(UUID, &split(&documents).map(Result::unwrap).collect::<Vec<_>>()).unwrap();
        let head = import.finish(&HeadName::new("local", "rs0").unwrap(), None).unwrap();
        let target = Target { namespace: "shop.orders".to_owned(), uuid: UUID };
        let rounds = Rounds::new(source, target, orders, 5, begin.ts);
        Self { store, head, rounds }
    }

    /// Applies what a round writes.
    pub(crate) fn apply(&mut self, round: impl FnOnce(&mut Rounds, &mut Vec<u8>)) {
        let mut entries = Vec::new();
        round(&mut self.rounds, &mut entries);
        let entries: Vec<Doc<'_>> = split(&entries).map(Result::unwrap).collect();
        self.head.apply(&entries).unwrap();
    }

    pub(crate) fn snapshot(&mut self) {
        self.head.snapshot(&UnixMillis(0)).unwrap();
        let found = self.head.take_divergences();
        assert!(found.is_empty(), "{found:?}");
    }

    /// All documents, one behind the other.
    pub(crate) fn documents(&self) -> Vec<u8> {
        let mut found = Vec::new();
        let each = &mut |document: &[u8]| {
            found.extend_from_slice(document);
            Ok(())
        };
        let misfits = self.head.state().fold(&self.store, UUID, each).unwrap();
        assert!(misfits.is_empty(), "{misfits:?}");
        found
    }

    /// The key of an order.
    pub(crate) fn key(&self, number: u64) -> Vec<u8> {
        let (mut document, mut found) = (Vec::new(), Vec::new());
        Orders::new(1).document(number, &mut document);
        key::key_of_document(Doc::new(&document).unwrap(), &mut found).unwrap();
        found
    }

    /// The runs of the orders: the base and the patches.
    pub(crate) fn runs(&self) -> (Option<Run>, Vec<Run>) {
        let root = root::Root::read(&self.store, self.head.root()).unwrap();
        let stack =
            catalog::read(&self.store, root.catalog.as_ref()).unwrap().remove(&UUID).unwrap().documents;
        (stack.base, stack.patches)
    }

    /// How much is stored of what the head stands on, in bytes.
    pub(crate) fn read_bytes(&self) -> u64 {
        let mut known = BTreeSet::from([self.head.root()]);
        let mut rest = vec![self.head.root()];
        while let Some(id) = rest.pop() {
            let block = self.store.get_one(id).unwrap();
            if block.kind() == BlockKind::Node {
                let children = Node::decode(block.bytes()).unwrap().children();
                rest.extend(children.filter(|child| known.insert(*child)));
            }
        }
        let known: Vec<BlockId> = known.into_iter().collect();
        let session = self.store.session(&[]).unwrap();
        session.stored_bytes(&known).unwrap().into_iter().map(|it| u64::from(it.unwrap())).sum()
    }

    /// How much was ever written, in bytes.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.store.stats(&Quiet).unwrap().pack_bytes
    }

    /// How much refs keep, in bytes.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.store.stats(&Quiet).unwrap().stored_bytes
    }

    /// The bytes that the head would stand on if everything were folded.
    pub(crate) fn compacted_bytes(&mut self) -> u64 {
        let before = self.documents();
        self.head.compact().unwrap();
        assert!(self.documents() == before);
        self.read_bytes()
    }
}

/// A stretch from one order to before another.
pub(crate) fn stretch(rig: &Rig, from: Option<u64>, before: Option<u64>) -> KeyRange {
    KeyRange { from: from.map(|n| rig.key(n)), before: before.map(|n| rig.key(n)) }
}
