//! Stacks read part by part, on any number of threads, against the same read in one go.

use super::*;
use crate::run::{KeyRange, Source};
use crate::stack::parts::Parts;
use crate::stack::scan::scan_by;
use tidemark_base::bson::split;

/// All documents in order and what did not fit, in order.
type Found = (Vec<Vec<u8>>, Vec<(Vec<u8>, Misfit)>);

fn in_one_go(source: &dyn Source, stack: Stack<'_>) -> Found {
    let (mut documents, mut misfits) = (Vec::new(), Vec::new());
    let mut cursor = MergeCursor::open(source, stack, &KeyRange::ALL);
    let report = &mut |key: &[u8], misfit| misfits.push((key.to_vec(), misfit));
    while let Some((_, document)) = cursor.next(report).unwrap() {
        documents.push(document.to_vec());
    }
    (documents, misfits)
}

fn in_parts(part_bytes: u64, source: &dyn Source, stack: Stack<'_>) -> Result<Found, RunError> {
    let (mut documents, mut misfits) = (Vec::new(), Vec::new());
    let report = &mut |key: &[u8], misfit| misfits.push((key.to_vec(), misfit));
    let each = &mut |batch: Batch| {
        let found: Vec<Vec<u8>> = batch.documents().map(<[u8]>::to_vec).collect();
        assert_eq!(batch.count, found.len() as u64);
        assert_eq!(batch.bytes, found.iter().map(Vec::len).sum::<usize>());
        assert_eq!(batch.longest_bytes, found.iter().map(Vec::len).max().unwrap_or(0));
        for piece in batch.pieces() {
            assert!(split(piece).all(|document| document.is_ok()));
        }
        documents.extend(found);
        Ok(())
    };
    scan_by(part_bytes, source, stack, &|batch| Ok::<_, RunError>(batch), report, each)?;
    Ok((documents, misfits))
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// Many documents in a base of many leaves, and layers of patches all over it and behind it.
fn tall(layers: usize, bytes: usize) -> Given {
    let made = |n: i32, deed, value| Step { n, deed, manner: Manner::Strict, value, bytes };
    let base: Vec<Step> = (0..600).map(|n| made(2 * n, Deed::Insert, n)).collect();
    let layer = |round: usize| -> Vec<Step> {
        let round = i32::try_from(round).unwrap();
        let deeds = [Deed::Set, Deed::Replace, Deed::Delete, Deed::Insert];
        let deeds = deeds.into_iter().cycle();
        let within = (0..60).zip(deeds).map(|(n, deed)| made((n * 37 + round * 11) % 1300, deed, n + round));
        within.chain((0..40).map(|n| made(1300 + 40 * round + n, Deed::Insert, n))).collect()
    };
    Given::new(&base, &(0..layers).map(layer).collect::<Vec<_>>(), &layer(layers))
}

#[test]
fn a_stack_is_the_same_in_parts_of_any_size_on_any_number_of_threads() {
    let given = tall(6, 2000);
    let in_memory = given.top();
    let stack = given.stack(&in_memory);
    let expected = in_one_go(&given.store, stack);
    assert!(!expected.1.is_empty());
    for part_bytes in [1, 10_000, 100_000, u64::MAX / 100] {
        let found = in_parts(part_bytes, &given.store, stack).unwrap();
        assert!(found == expected, "parts of {part_bytes}");
        for threads in [1, 3] {
            // Within a pool's thread, which must not wait for itself.
            let found = pool(threads).install(|| in_parts(part_bytes, &given.store, stack).unwrap());
            assert!(found == expected, "parts of {part_bytes} on {threads} threads");
        }
    }
    // Without a base, and with nothing but memory.
    for stack in
        [Stack { base: None, ..stack }, Stack { top: &in_memory, ..Stack::default() }, Stack::default()]
    {
        assert!(in_parts(5000, &given.store, stack).unwrap() == in_one_go(&given.store, stack));
    }
}

#[test]
fn parts_are_all_keys_and_none_twice_and_about_as_long_as_asked_for() {
    let given = tall(6, 2000);
    let in_memory = given.top();
    let mut parts = Parts::open(&given.store, given.stack(&in_memory), 200_000).unwrap();
    let (mut from, mut found) = (None, Vec::new());
    while let Some(part) = parts.next().unwrap() {
        assert_eq!(part.range.from, from);
        from = part.range.before.clone();
        found.push(part.bytes);
        if from.is_none() {
            break;
        }
    }
    assert_eq!(parts.next().unwrap(), None);
    assert!(found.len() > 4, "{found:?}");
    // The longest leaf is 256 KiB, and one of each layer can begin just before the end.
    assert!(found.iter().all(|bytes| *bytes < 400_000 + 8 * (256 << 10)), "{found:?}");
}

/// A run of one leaf, which says of itself what it likes; and another.
#[test]
fn lengths_beyond_all_counting_are_damage_and_no_panic() {
    let step = |n| Step { n, deed: Deed::Insert, manner: Manner::Strict, value: n, bytes: 10 };
    let mut given = Given::new(&[step(1)], &[vec![step(2)], vec![step(3)]], &[]);
    let runs = given.base.iter_mut().chain(&mut given.patches);
    runs.for_each(|run| run.plain_bytes = u64::MAX);
    let found = in_parts(1000, &given.store, given.stack(&[]));
    assert!(matches!(found, Err(RunError::Damaged { .. })), "{found:?}");
}

/// An update of a few bytes that sets a late element of an array fills it up with nulls.
#[test]
fn documents_that_short_patches_make_long_are_not_held_all_at_once() {
    let array = |n: i32| {
        let mut out = Vec::new();
        let mut w = DocWriter::new(&mut out);
        let open = w.begin();
        w.int32(b"_id", n);
        let array = w.begin_field(tidemark_base::bson::kind::ARRAY, b"a");
        w.end(array);
        w.end(open);
        out
    };
    let mut set = Vec::new();
    let mut w = DocWriter::new(&mut set);
    let open = w.begin();
    let fields = w.begin_field(tidemark_base::bson::kind::OBJECT, b"$set");
    w.int32(b"a.3000", 1);
    w.end(fields);
    w.end(open);
    let mut given = Given::new(&[], &[], &[]);
    let arrays: Documents = (0..2000).map(|n| (key_of(n), array(n))).collect();
    let session = given.store.session(&[]).unwrap();
    given.base = write_base(&session, &arrays);
    session.sync().unwrap();
    drop(session);
    for (key, document) in &arrays {
        let id = Doc::new(document).unwrap().first_element().unwrap().unwrap();
        let action = Action::Update { id, update: Update::Modifiers(Doc::new(&set).unwrap()) };
        let target = Target { uuid: None, namespace: Namespace::parse("db.c").unwrap() };
        let change = Change { target, manner: Manner::Strict, action };
        given.top.insert(key.clone(), Patch::of(&change, &mut Vec::new()).into_owned());
    }
    let in_memory = given.top();
    let stack = given.stack(&in_memory);
    let expected = in_one_go(&given.store, stack).0;
    let whole: usize = expected.iter().map(Vec::len).sum();
    assert!(whole > 32 << 20);
    let (mut found, mut most) = (Vec::new(), 0);
    let each = &mut |batch: Batch| {
        most = most.max(batch.bytes);
        found.extend(batch.documents().map(<[u8]>::to_vec));
        Ok(())
    };
    scan_by(5000, &given.store, stack, &|batch| Ok::<_, RunError>(batch), &mut |_, _| {}, each).unwrap();
    assert!(found == expected);
    assert!(most < 4 << 20, "{most} of {whole}");
}

#[test]
fn an_error_of_any_part_ends_it_whether_of_the_work_or_of_who_takes_it() {
    let given = tall(2, 2000);
    let stack = given.stack(&[]);
    let broken = || RunError::WrongKind { kind: RunKind::Base };
    for fails_at in [0, 1, 7] {
        let seen = std::sync::atomic::AtomicUsize::new(0);
        let work = |batch: Batch| match seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            n if n == fails_at => Err(broken()),
            _ => Ok(batch),
        };
        let found = scan_by(50_000, &given.store, stack, &work, &mut |_, _| {}, &mut |_| Ok(()));
        assert!(matches!(found, Err(RunError::WrongKind { .. })), "work {fails_at}");
        let mut taken = 0;
        let each = &mut |_: Batch| {
            taken += 1;
            if taken > fails_at { Err(broken()) } else { Ok(()) }
        };
        let found = scan_by(50_000, &given.store, stack, &|batch| Ok(batch), &mut |_, _| {}, each);
        assert!(matches!(found, Err(RunError::WrongKind { .. })), "each {fails_at}");
        assert_eq!(taken, fails_at + 1);
    }
}

#[test]
fn a_part_that_panics_is_a_panic_and_no_standstill() {
    let given = tall(1, 2000);
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let work = |_: Batch| -> Result<(), RunError> { panic!("on purpose") };
        scan_by(50_000, &given.store, given.stack(&[]), &work, &mut |_, _| {}, &mut |()| Ok(()))
    }));
    assert!(found.is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds(40)))]
    #[test]
    fn any_stack_is_the_same_in_parts(
        base in steps(),
        layers in prop::collection::vec(steps(), 0..5),
        top in steps(),
        part_bytes in prop_oneof![Just(1_u64), 1..100_000_u64],
    ) {
        let given = Given::new(&base, &layers, &top);
        let in_memory = given.top();
        let stack = given.stack(&in_memory);
        let found = in_parts(part_bytes, &given.store, stack).unwrap();
        prop_assert!(found == in_one_go(&given.store, stack));
        let documents: Vec<Vec<u8>> = given.documents.into_values().collect();
        prop_assert!(found.0 == documents);
    }

    #[test]
    fn lookups_in_a_cache_of_any_size_find_the_same(
        base in steps(),
        layers in prop::collection::vec(steps(), 0..5),
        cache_bytes in prop_oneof![Just(0_usize), 0..4_000_000_usize],
    ) {
        let given = Given::new(&base, &layers, &[]);
        let source = crate::run::Cached::new(&given.store, cache_bytes);
        for n in (0..60).chain(0..60) {
            let found = get(&source, given.stack(&[]), &key_of(n)).unwrap();
            prop_assert!(found.as_ref() == given.documents.get(&key_of(n)), "{n}");
        }
    }
}
