//! Deterministic data for tests and benches, written straight as BSON bytes.
//!
//! Everything is a pure function of a seed and a number, so that workloads are the same on every machine and
//! in every year, and any document can be made again without those before it. The streams are frozen:
//! benchmark results are compared over time. No serde, no intermediate values: benches make gigabytes.

pub mod deep;
pub mod events;
pub mod gridfs;
pub mod ids;
pub mod oplog_mix;
pub mod orders;
pub mod rounds;
pub mod wide;
pub mod writer;

mod words;

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::{BlockId, BlockKind, CollectionUuid, Timestamp};

    fn name(fill: impl Fn(u64, &mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        (0..100).for_each(|n| fill(n, &mut out));
        BlockId::of(BlockKind::Leaf, &out).to_string()[..16].to_owned()
    }

    /// If this fails, results of benches before and after can no longer be compared: change nothing here
    /// without saying so there.
    #[test]
    fn the_streams_are_frozen() {
        let target = oplog_mix::Target {
            namespace: "shop.orders".to_owned(),
            uuid: CollectionUuid::from_bytes([7; 16]),
        };
        let mix = oplog_mix::OplogMix::new(orders::Orders::new(1), target, 50, 1, Timestamp::ZERO);
        let mix = std::cell::RefCell::new(mix);
        let found = [
            name(|n, out| orders::Orders::new(1).document(n, out)),
            name(|n, out| orders::Orders::with_uuid_ids(1).document(n, out)),
            name(|_, out| {
                mix.borrow_mut().entry(out);
            }),
            name(|n, out| events::event(1, n, out)),
            name(|n, out| wide::wide(1, n, 300, out)),
            name(|n, out| deep::deep(1, n, 100, out)),
            name(|n, out| out.extend(gridfs::file(1, n, 1000).chunks.concat())),
        ];
        let frozen = [
            "1ce2e243bc8c189e",
            "cb3b92c416f37ad0",
            "1c321d1404bb1bb8",
            "c1e3cfa1c514f10a",
            "fa1acc5f975f7d97",
            "d65bbeae867ae376",
            "a366269e069c2a96",
        ];
        assert_eq!(found, frozen);
    }
}
