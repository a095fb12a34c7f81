//! Runs with stretches replaced: block by block what a writer makes of the items, and little of it is read.

use super::*;
use crate::run::splice::splice;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use tidemark_blockstore::CutSizes;
use tidemark_testkit::rounds;

/// Leaves of a few documents, so that a run has several levels.
fn small_leaves() -> Store {
    let sizes = CutSizes { min_bytes: 64, target_bytes: 256, max_bytes: 1024 };
    Store::new(Arc::new(MemoryBackend::with_cut_sizes(&mut SeededEntropy::new(1), sizes)))
}

/// Keys in several shapes: short, and with so long a beginning in common that separators are cut short.
fn id(n: u32, long: usize) -> Vec<u8> {
    let mut id = vec![b'k'; if n % 1000 < 40 { long } else { 0 }];
    id.extend_from_slice(format!("{n:08}").as_bytes());
    id
}

fn item(n: u32, long: usize, value: &[u8]) -> (Vec<u8>, (Vec<u8>, Vec<BlockId>)) {
    let (key, document) =
        document(Element { kind: kind::STRING, name: b"_id", value: &text(&id(n, long)) }, value);
    (key, (document, Vec::new()))
}

#[derive(Clone, Debug)]
struct Case {
    count: u32,
    value_bytes: usize,
    long: usize,
    large_one_in: u32,
    /// Numbers of items, in pairs: where ranges begin and end.
    bounds: Vec<u32>,
    open: (bool, bool),
    edits: Vec<(u32, usize)>,
}

fn cases() -> impl Strategy<Value = Case> {
    let count = prop_oneof![0_u32..40, 500_u32..6000];
    let long = prop_oneof![3 => Just(0_usize), 1 => Just(500), 1 => Just(1100)];
    let large = prop_oneof![3 => Just(u32::MAX), 1 => Just(7), 1 => Just(400)];
    (count, 1_usize..120, long, large).prop_flat_map(|(count, value_bytes, long, large_one_in)| {
        let at = 0..count.max(1) + 20;
        let bounds = prop::collection::vec(at.clone(), 0..8);
        let edits = prop::collection::vec((at, 0_usize..200), 0..60);
        (bounds, any::<(bool, bool)>(), edits).prop_map(move |(mut bounds, open, edits)| {
            bounds.sort_unstable();
            bounds.dedup();
            Case { count, value_bytes, long, large_one_in, bounds, open, edits }
        })
    })
}

impl Case {
    fn items(&self) -> Items {
        let value = |n: u32| {
            let bytes = if n % self.large_one_in == 3 { 3000 } else { self.value_bytes };
            noise(n.into(), bytes)
        };
        // With room between, for what is inserted.
        (0..self.count).map(|n| item(2 * n, self.long, &value(n))).collect()
    }

    fn ranges(&self) -> Vec<KeyRange> {
        let mut keys: Vec<Option<Vec<u8>>> =
            self.bounds.iter().map(|n| Some(item(2 * n, self.long, &[]).0)).collect();
        if self.open.0 {
            keys.insert(0, None);
        }
        if self.open.1 {
            keys.push(None);
        }
        let mut keys = keys.into_iter();
        let mut ranges = Vec::new();
        while let (Some(from), Some(before)) = (keys.next(), keys.next()) {
            ranges.push(KeyRange { from, before });
        }
        // Keys ascend as the numbers do only among those of one shape.
        ranges.sort_by(|a, b| a.from.cmp(&b.from));
        let mut kept: Vec<KeyRange> = Vec::new();
        for range in ranges {
            let is_empty = range.from.as_deref().is_some_and(|from| !range.is_before_end(from));
            let follows = kept.last().is_none_or(|last| match (&last.before, &range.from) {
                (Some(before), Some(from)) => before <= from,
                _ => false,
            });
            if !is_empty && follows {
                kept.push(range);
            }
        }
        kept
    }

    /// Insertions, deletions and changes, all in the ranges.
    fn edited(&self, items: &Items, ranges: &[KeyRange]) -> Items {
        let mut items = items.clone();
        for (n, bytes) in &self.edits {
            for n in 2 * n..2 * n + 6 {
                let (key, edited) = item(n, self.long, &noise(u64::from(n) + 7, *bytes));
                if ranges.iter().any(|range| range.contains(&key)) {
                    match (bytes % 3, items.contains_key(&key)) {
                        (0, true) => drop(items.remove(&key)),
                        (1, false) | (2, true) => drop(items.insert(key, edited)),
                        _ => {}
                    }
                }
            }
        }
        items
    }
}

/// Ranges from where leaves begin to where leaves begin, as they are planned.
fn align(ranges: &mut Vec<KeyRange>, outline: &Outline) {
    let start_of = |key: Vec<u8>| {
        let before = outline.parts.partition_point(|part| part.from <= key);
        outline.parts[before - 1].from.clone()
    };
    for range in ranges.iter_mut() {
        range.from = range.from.take().map(start_of);
        range.before = range.before.take().map(start_of);
    }
    ranges.retain(|range| range.from.as_deref().is_none_or(|from| range.is_before_end(from)));
    ranges.retain(|range| range.before.as_ref().is_none_or(|before| !before.is_empty()));
}

fn spliced(
    session: &Session,
    kind: RunKind,
    old: Option<&Run>,
    ranges: &[KeyRange],
    items: &Items,
) -> Option<Run> {
    let fill = &mut |writer: &mut RunWriter<'_>, range: &KeyRange| {
        let inside = items.iter().filter(|(key, _)| range.contains(key));
        inside.into_iter().try_for_each(|(key, item)| push(writer, kind, key, item))
    };
    splice(session, session, kind, old, ranges, fill).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds(80)))]

    #[test]
    fn a_spliced_run_is_the_one_that_is_written_of_its_items(
        case in cases(),
        patches in any::<bool>(),
        aligned in any::<bool>(),
    ) {
        let store = small_leaves();
        let session = store.session(&[]).unwrap();
        let kind = if patches { RunKind::Patch } else { RunKind::Base };
        let (items, mut ranges) = (case.items(), case.ranges());
        let old = write(&session, kind, &items);
        if let Some(old) = old.as_ref().filter(|_| aligned) {
            align(&mut ranges, &Outline::read(&session, old, usize::MAX).unwrap());
        }
        let edited = case.edited(&items, &ranges);
        prop_assert_eq!(spliced(&session, kind, old.as_ref(), &ranges, &edited), write(&session, kind, &edited));
        // And with nothing in the place of the ranges.
        let mut cut = items;
        cut.retain(|key, _| !ranges.iter().any(|range| range.contains(key)));
        prop_assert_eq!(spliced(&session, kind, old.as_ref(), &ranges, &cut), write(&session, kind, &cut));
    }
}

/// Counts the blocks that are read.
struct Counted<'s> {
    source: &'s Session,
    blocks: AtomicUsize,
}

impl Source for Counted<'_> {
    fn read(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<tidemark_blockstore::Block>> {
        self.blocks.fetch_add(ids.len(), Ordering::Relaxed);
        self.source.read(ids)
    }
}

#[test]
fn what_lies_outside_of_the_stretch_is_not_read() {
    for (count, long) in [(2000, 0), (20_000, 0), (60_000, 0), (20_000, 500)] {
        let store = small_leaves();
        let session = store.session(&[]).unwrap();
        let items: Items = (0..count).map(|n| item(n, long, &noise(n.into(), 60))).collect();
        let old = write(&session, RunKind::Base, &items).unwrap();
        let (from, before) = (item(count / 2 + 100, 0, &[]).0, item(count / 2 + 110, 0, &[]).0);
        let range = KeyRange { from: Some(from), before: Some(before) };
        let mut edited = items.clone();
        edited.retain(|key, _| !range.contains(key));
        let counted = Counted { source: &session, blocks: AtomicUsize::new(0) };
        let fill = &mut |_: &mut RunWriter<'_>, _: &KeyRange| Ok(());
        let new = splice(&counted, &session, RunKind::Base, Some(&old), &[range], fill);
        assert_eq!(new.unwrap(), write(&session, RunKind::Base, &edited));
        let read = counted.blocks.into_inner();
        assert!(read < 400, "{read} blocks are read of a run of {count} items");
    }
}
