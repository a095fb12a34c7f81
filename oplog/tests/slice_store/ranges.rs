//! Stretches of the log: exactly the slices that hold them, found by windows or by listing all.

use crate::make::{slice, slices_of, start};
use crate::places::Place;
use proptest::collection::vec;
use proptest::prelude::*;
use tidemark_base::Timestamp;
use tidemark_oplog::slice::Slice;
use tidemark_oplog::store::{SliceStore, StoreError};

/// What [`SliceStore::range`] must answer, by looking at every slice; `None` if it is not all there.
fn expected(made: &[Slice], from: Timestamp, to: Timestamp) -> Option<Vec<Slice>> {
    if from >= to {
        return Some(Vec::new());
    }
    let reaches = from >= made.first()?.header.previous.at.ts && to <= made.last()?.header.last.ts;
    let holds = |it: &&Slice| it.header.last.ts > from && it.header.first.ts <= to;
    reaches.then(|| made.iter().filter(holds).cloned().collect())
}

fn compare(slices: &SliceStore, made: &[Slice], from: Timestamp, to: Timestamp) {
    let chain = slices.tip().unwrap().unwrap().chain;
    let headers = |made: Vec<Slice>| made.into_iter().map(|it| it.header).collect::<Vec<_>>();
    match slices.range(chain, from, to) {
        Ok(found) => {
            let found: Vec<_> = found.into_iter().map(|it| it.header).collect();
            assert_eq!(Some(found), expected(made, from, to).map(headers), "after {from} to {to}");
        }
        Err(StoreError::NotCovered { .. }) => {
            assert_eq!(expected(made, from, to), None, "after {from} to {to}");
        }
        Err(other) => panic!("after {from} to {to}: {other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Steps of seconds, of windows, and of more windows than are looked at.
    #[test]
    fn a_range_is_what_looking_at_every_slice_gives(
        steps in vec((prop_oneof![1u32..3, 1u32..10_000, 1u32..40_000_000], 1u32..4), 1..14),
        expired in 0usize..4,
        ends in vec((any::<prop::sample::Index>(), -2i64..3), 24),
    ) {
        let store = Place::memory().store();
        let slices = slices_of(&store);
        let session = store.session(&[]).unwrap();
        slices.start(&session, start()).unwrap();
        let mut made: Vec<Slice> = Vec::new();
        for (step, entries) in steps {
            let after = made.last().map_or(start(), |it| it.header.end());
            let secs = after.at.ts.secs.saturating_add(step);
            let next = slice(after, (0..entries).map(|it| secs + it * 3), "a");
            slices.append(&session, &next.bytes).unwrap();
            made.push(next);
        }
        let expired = expired.min(made.len() - 1);
        if let Some(last) = expired.checked_sub(1) {
            slices.expire(&session, made[last].header.last.ts).unwrap();
        }
        let made = &made[expired..];
        let edges: Vec<u64> = made
            .iter()
            .flat_map(|it| [it.header.previous.at.ts, it.header.first.ts, it.header.last.ts])
            .map(Timestamp::to_u64)
            .collect();
        for pair in ends.chunks(2) {
            let [from, to] = [pair[0], pair[1]].map(|(edge, off)| {
                Timestamp::from_u64(edges[edge.index(edges.len())].saturating_add_signed(off))
            });
            compare(&slices, made, from, to);
        }
        compare(&slices, made, Timestamp::ZERO, Timestamp::MAX);
        compare(&slices, made, made[0].header.previous.at.ts, Timestamp::MAX);
    }
}
