//! Blocks that were read, held in memory as far as a bound in bytes allows, shared by any number of threads.
//!
//! A block's bytes are checked against its name when it comes in, and what an index node says is decoded once. It
//! holds what [`super::held::hold`] is asked for: blocks read one by one. What is read many at once, as scans of
//! bases do, passes it by, so that a scan does not drive out what lookups use.

#![warn(clippy::indexing_slicing)]

use super::held::Held;
use super::record::RunKind;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tidemark_base::BlockId;

/// In how many parts the cache lies, each with a lock of its own.
const SHARDS: usize = 16;

/// Blocks in memory.
#[derive(Debug)]
pub struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    /// Most bytes of one generation of a shard.
    most_bytes: usize,
}

/// What is read goes to the young ones, and so does an old one that is asked for. When the young ones have become
/// half of what may be held, they are the old ones, and those that nobody asked for in the meantime are gone.
#[derive(Debug, Default)]
struct Shard {
    young: HashMap<BlockId, (Held, usize)>,
    young_bytes: usize,
    old: HashMap<BlockId, (Held, usize)>,
}

impl Cache {
    /// An empty cache, which comes to hold about `most_bytes` at most.
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { shards: Default::default(), most_bytes: most_bytes / SHARDS / 2 }
    }

    fn shard(&self, id: &BlockId) -> MutexGuard<'_, Shard> {
        let [first, ..] = id.as_bytes();
        let shard = self.shards.get(usize::from(*first) % SHARDS);
        // Whoever panicked with it left a shard that lacks a block at worst.
        shard.expect("it is one of so many").lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The block as part of a run of this kind, if it is held.
    pub(super) fn get(&self, kind: RunKind, id: &BlockId) -> Option<Held> {
        let mut shard = self.shard(id);
        if let Some((held, _)) = shard.young.get(id) {
            return Some(held.clone()).filter(|held| held.is_of(kind));
        }
        let (held, bytes) = shard.old.remove(id)?;
        shard.put(*id, held.clone(), bytes, self.most_bytes);
        Some(held).filter(|held| held.is_of(kind))
    }

    /// Holds a block.
    pub(super) fn put(&self, id: BlockId, held: Held) {
        let bytes = held.memory_bytes();
        self.shard(&id).put(id, held, bytes, self.most_bytes);
    }
}

impl Shard {
    fn put(&mut self, id: BlockId, held: Held, bytes: usize, most_bytes: usize) {
        if bytes > most_bytes {
            return;
        }
        if self.young_bytes + bytes > most_bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        if let Some((_, before)) = self.young.insert(id, (held, bytes)) {
            self.young_bytes -= before;
        }
    }

    #[cfg(test)]
    fn held_bytes(&self) -> usize {
        self.young.values().chain(self.old.values()).map(|(_, bytes)| bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tidemark_base::{BlockKind, SeededEntropy};
    use tidemark_blockstore::{BlockRef, MemoryBackend, Store};

    fn block(n: u8) -> (BlockId, Held) {
        let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1))));
        let session = store.session(&[]).unwrap();
        let bytes = vec![n; 10_000];
        session.put(&[BlockRef::leaf(&bytes)]).unwrap();
        let id = BlockId::of(BlockKind::Leaf, &bytes);
        (id, Held::of(RunKind::Base, id, session.get(&[id]).remove(0).unwrap()).unwrap())
    }

    #[test]
    fn it_holds_no_more_than_it_may_and_keeps_what_is_asked_for() {
        let cache = Cache::new(SHARDS * 100_000);
        let (wanted, held) = block(0);
        cache.put(wanted, held);
        let mut others = Vec::new();
        for n in 1..=255 {
            let (id, held) = block(n);
            cache.put(id, held);
            others.push(id);
            assert!(cache.get(RunKind::Base, &wanted).is_some(), "after {n}");
            let held: usize = cache.shards.iter().map(|shard| shard.lock().unwrap().held_bytes()).sum();
            assert!(held <= SHARDS * 100_000, "{held} after {n}");
        }
        let kept = others.iter().filter(|id| cache.get(RunKind::Base, id).is_some()).count();
        assert!((32..255).contains(&kept), "{kept}");
    }

    #[test]
    fn what_is_larger_than_all_of_it_is_not_held() {
        let cache = Cache::new(SHARDS * 1000);
        let (id, held) = block(1);
        cache.put(id, held);
        assert!(cache.get(RunKind::Base, &id).is_none());
    }
}
