//! The delta against a plain map of patches, whatever the size of documents, the batches and the way in.

use super::*;
use crate::key;
use crate::patch::{Folder, Then};
use proptest::collection::vec;
use proptest::prelude::*;
use tidemark_base::Timestamp;
use tidemark_base::bson::{Doc, DocWriter};
use tidemark_oplog::entry::{Body, Entry, Fuzzy};

const A: CollectionUuid = CollectionUuid::from_bytes([1; 16]);
const B: CollectionUuid = CollectionUuid::from_bytes([2; 16]);

fn document(write: impl FnOnce(&mut DocWriter<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    write(&mut w);
    w.end(open);
    out
}

/// What is done to a document: which, what, and how many bytes of it there are then, or are set.
#[derive(Clone, Copy, Debug)]
struct Step {
    in_b: bool,
    id: u32,
    what: u8,
    len: usize,
}

/// The entry of a step, the `n`th.
fn entry(n: u32, step: Step) -> Vec<u8> {
    let id = |w: &mut DocWriter<'_>| w.int32(b"_id", step.id.cast_signed());
    let noise = vec![u8::try_from(n % 251).unwrap(); step.len];
    let op: &[u8] = [b"i", b"u", b"u", b"d"][usize::from(step.what)];
    document(|w| {
        w.string(b"op", op);
        w.string(b"ns", if step.in_b { b"app.b" } else { b"app.a" });
        w.binary(b"ui", 4, if step.in_b { B } else { A }.as_bytes());
        let o = document(|w| match step.what {
            0 => {
                id(w);
                w.binary(b"x", 0, &noise);
            }
            1 => {
                w.int32(b"$v", 2);
                let set = document(|w| w.binary(b"x", 0, &noise));
                let diff = document(|w| w.raw(3, b"u", &set));
                w.raw(3, b"diff", &diff);
            }
            2 => {
                id(w);
                w.binary(b"y", 0, &noise);
            }
            _ => id(w),
        });
        w.raw(3, b"o", &o);
        w.raw(3, b"o2", &document(id));
        w.timestamp(b"ts", Timestamp { secs: 1, ordinal: n });
        w.int64(b"t", 1);
        w.int64(b"v", 2);
    })
}

/// All patches, and how many misfits each operation had.
#[derive(Debug, Default, PartialEq)]
struct Came {
    patches: BTreeMap<(CollectionUuid, Vec<u8>), Patch<'static>>,
    misfits: Vec<OpTime>,
}

fn plainly(entries: &[Entry<'_>]) -> Came {
    let mut came = Came::default();
    let mut folder = Folder::new();
    for entry in entries {
        let Body::Change(change) = &entry.body else { panic!() };
        let mut key = Vec::new();
        key::encode(change.id(), &mut key).unwrap();
        let mut found = Vec::new();
        let patch = Patch::of(change, &mut found);
        let at = (change.target.uuid.unwrap(), key);
        let composed = match came.patches.remove(&at) {
            None => patch.into_owned(),
            Some(older) => folder.compose(older, patch, &mut found).into_owned(),
        };
        came.patches.insert(at, composed);
        came.misfits.extend(found.iter().map(|_| entry.at));
    }
    came
}

fn came(delta: &Delta, found: &[Divergence]) -> Came {
    let mut came = Came { misfits: found.iter().map(|it| it.at.unwrap()).collect(), ..Came::default() };
    for uuid in delta.collections() {
        let sorted = delta.sorted(uuid);
        let patches: Vec<_> = sorted.iter().collect();
        assert!(patches.is_sorted_by(|(a, _), (b, _)| a < b));
        for (key, patch) in patches {
            assert_eq!(delta.get(uuid, key), Some(patch.clone()));
            came.patches.insert((uuid, key.to_vec()), patch.into_owned());
        }
    }
    came
}

/// Applies entries one way or the other, in batches.
fn apply(delta: &mut Delta, entries: &[Entry<'_>], batch: usize, in_bulk: bool) -> Vec<Divergence> {
    let mut found = Vec::new();
    for batch in entries.chunks(batch) {
        if in_bulk {
            let pieces = batch.chunks(100).map(|entries| (entries, bulk(entries)));
            found.extend(delta.apply_bulk(pieces.collect()));
        } else {
            let operations = batch.iter().map(operation);
            found.extend(delta.apply(operations.collect()));
        }
    }
    found
}

fn operation<'a>(entry: &'a Entry<'a>) -> Operation<'a> {
    let Body::Change(change) = &entry.body else { panic!() };
    let (at, id, namespace) = (entry.at, change.id(), change.target.namespace.full());
    let mut key = Vec::new();
    key::encode(id, &mut key).unwrap();
    let patch = Patch::of(change, &mut Vec::new());
    Operation { at, uuid: change.target.uuid.unwrap(), namespace, id, key, patch }
}

fn bulk(entries: &[Entry<'_>]) -> Bulk {
    let mut bulk = Bulk::new(entries.len());
    for (number, entry) in (0..).zip(entries) {
        let Body::Change(change) = &entry.body else { panic!() };
        bulk.push(number, entry.at, change.target.uuid.unwrap(), change).unwrap();
    }
    bulk.seal();
    bulk
}

fn parsed(raw: &[Vec<u8>]) -> Vec<Entry<'_>> {
    raw.iter().map(|raw| Entry::parse(Doc::new(raw).unwrap(), Fuzzy::default()).unwrap()).collect()
}

fn entries(steps: &[Step]) -> Vec<Vec<u8>> {
    (1..).zip(steps).map(|(n, step)| entry(n, *step)).collect()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let len = prop_oneof![8 => 0_usize..60, 3 => 0_usize..900, 1 => 3000_usize..9000];
    let step = (any::<bool>(), 0_u32..40, 0_u8..4, len);
    let step = step.prop_map(|(in_b, id, what, len)| Step { in_b, id, what, len });
    vec(step, 1..1500)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn it_is_a_map_of_patches(steps in steps(), batch in 1_usize..1500, in_bulk in any::<bool>()) {
        let raw = entries(&steps);
        let entries = parsed(&raw);
        let mut delta = Delta::new();
        let found = apply(&mut delta, &entries, batch, in_bulk);
        let expected = plainly(&entries);
        prop_assert_eq!(came(&delta, &found), expected);
        let at = |in_b| entries.iter().zip(&steps).filter(move |(_, it)| it.in_b == in_b).map(|(it, _)| it.at);
        for (uuid, in_b) in [(A, false), (B, true)] {
            let span = at(in_b).next().zip(at(in_b).next_back()).map(|(first, last)| Span { first, last });
            prop_assert_eq!(delta.span(uuid), span);
        }
    }

    #[test]
    fn what_is_forgotten_or_moved_leaves_the_rest_alone(steps in steps(), later in steps()) {
        let raw = entries(&steps);
        let raw_later = entries(&later);
        let mut delta = Delta::new();
        apply(&mut delta, &parsed(&raw), 700, true);
        delta.forget(A);
        delta.give_uuid(B, A);
        let only_b = |steps: &[Step]| steps.iter().copied().filter(|it| it.in_b).collect::<Vec<_>>();
        let moved: Vec<Step> = only_b(&steps).into_iter().map(|it| Step { in_b: false, ..it }).collect();
        // Their noise is by their number, so they keep it.
        let numbers = (1..).zip(&steps).filter(|(_, it)| it.in_b).map(|(n, _)| n);
        let raw_moved: Vec<_> = numbers.zip(&moved).map(|(n, step)| entry(n, *step)).collect();
        apply(&mut delta, &parsed(&raw_later), 700, true);
        let all: Vec<_> = raw_moved.iter().chain(&raw_later).cloned().collect();
        prop_assert_eq!(came(&delta, &[]).patches, plainly(&parsed(&all)).patches);
        delta.forget(A);
        delta.forget(B);
        prop_assert!(delta.collections().is_empty());
        prop_assert!(delta.bytes() <= 64 * (8 << 10) * 4 + delta.shards.iter().map(Shard::spare_bytes).sum::<usize>());
    }
}

/// With garbage that is never taken away this would take half a gigabyte.
#[test]
fn documents_that_change_over_and_over_take_their_room_once() {
    for len in [100, 2000, 5000] {
        let step = |id, what, len| Step { in_b: false, id, what, len };
        let mut delta = Delta::new();
        let inserts: Vec<_> = (0..100).map(|id| step(id, 0, len)).collect();
        apply(&mut delta, &parsed(&entries(&inserts)), 1000, true);
        for round in 0..100 {
            let updates: Vec<_> =
                (0..1000).map(|n| step(n % 100, 1, len + (n as usize + round) % 7)).collect();
            apply(&mut delta, &parsed(&entries(&updates)), 1000, true);
        }
        let (bytes, needed) = (delta.bytes(), 100 * (len + 40));
        assert!(bytes < 3 * needed + 64 * (8 << 10) * 3, "{bytes} for {needed}");
    }
}

#[test]
fn updates_of_what_is_not_known_wait_in_order_however_many_they_are() {
    let step = |n: u32| Step { in_b: false, id: 7, what: 1, len: n as usize % 50 };
    let raw = entries(&(0..5000).map(step).collect::<Vec<_>>());
    let mut delta = Delta::new();
    let found = apply(&mut delta, &parsed(&raw), 999, true);
    assert_eq!(came(&delta, &found), plainly(&parsed(&raw)));
    let sorted = delta.sorted(A);
    let (_, patch) = sorted.iter().next().unwrap();
    assert!(matches!(patch.then(), Then::Updates(updates) if updates.len() == 5000));
}

/// Each shard folds one of them.
#[test]
fn large_documents_that_change_in_one_batch_are_not_all_held_three_times() {
    const LEN: usize = 400_000;
    let step = |id, what| Step { in_b: false, id, what, len: LEN };
    let mut delta = Delta::new();
    apply(&mut delta, &parsed(&entries(&(0..60).map(|id| step(id, 0)).collect::<Vec<_>>())), 200, true);
    let raw = entries(&(0..60).map(|id| step(id, 1)).collect::<Vec<_>>());
    let entries = parsed(&raw);
    for in_bulk in [false, true] {
        let operations = entries.iter().map(operation).collect();
        let pieces = vec![(entries.as_slice(), bulk(&entries))];
        let info = allocation_counter::measure(|| {
            let found = if in_bulk { delta.apply_bulk(pieces) } else { delta.apply(operations) };
            assert_eq!(found, []);
        });
        assert!(info.bytes_max < 16 * LEN as u64, "{} beside {}", info.bytes_max, 60 * LEN);
    }
}

#[test]
fn it_says_how_much_memory_it_takes() {
    let step =
        |id: u32| Step { in_b: id.is_multiple_of(3), id, what: 0, len: [30, 600, 4500][id as usize % 3] };
    let raw = entries(&(0..20_000).map(step).collect::<Vec<_>>());
    for in_bulk in [false, true] {
        let mut delta = Delta::new();
        let entries = parsed(&raw);
        let info = allocation_counter::measure(|| {
            // So few at once that it all happens on this thread, where it is counted.
            apply(&mut delta, &entries, 200, in_bulk);
        });
        let (said, held) = (delta.bytes() as u64, u64::try_from(info.bytes_current).unwrap());
        assert!(held > 20 << 20 && said.abs_diff(held) < held / 20, "{said} said, {held} held");
    }
}
