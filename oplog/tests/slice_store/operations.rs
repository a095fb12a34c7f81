//! What each operation answers, on both backends.

use crate::make::{at, chain, entries, read_all, slice, slices_of, start, ts};
use crate::places::Place;
use tidemark_base::{BlockId, BlockKind, ErrorKind};
use tidemark_blockstore::{BlockRef, Expect, GcOptions, NewRef, Quiet, RefChange, Store};
use tidemark_oplog::chain::Judgement;
use tidemark_oplog::slice::{Digest, Link};
use tidemark_oplog::store::{Appended, ChainNumber, Finding, SliceStore, StoreError, Tip};

fn refusal(error: StoreError) -> (Judgement, Tip) {
    assert_eq!(error.kind(), ErrorKind::Conflict);
    match error {
        StoreError::Refused { why, tip } => (why, *tip),
        other => panic!("{other}"),
    }
}

#[test]
fn slices_are_appended_and_read_back_byte_for_byte_also_by_the_next_process() {
    for place in Place::both() {
        let made = chain(start(), 5, "a");
        let store = place.store();
        let slices = slices_of(&store);
        let session = store.session(&[]).unwrap();
        assert_eq!(slices.tip().unwrap(), None);
        let error = slices.append(&session, &made[0].bytes).unwrap_err();
        assert!(matches!(error, StoreError::NoChain { .. }));
        let mut tip = slices.start(&session, start()).unwrap();
        assert_eq!(tip, Tip { chain: ChainNumber(1), start: start(), link: start() });
        assert_eq!(slices.restorable().unwrap(), []);
        assert_eq!(slices.check().unwrap(), []);
        for slice in &made {
            tip.link = slice.header.end();
            assert_eq!(slices.append(&session, &slice.bytes).unwrap(), Appended::Now { tip });
            assert_eq!(slices.tip().unwrap(), Some(tip));
        }
        session.close().unwrap();
        drop((slices, store));
        let restarted = place.restart();
        let slices = slices_of(&restarted.store);
        assert_eq!(slices.tip().unwrap(), Some(tip));
        assert_eq!(slices.check().unwrap(), []);
        let stored = slices.range(tip.chain, start().at.ts, tip.link.at.ts).unwrap();
        assert_eq!(read_all(&slices, &stored), made.iter().map(|it| entries(&it.bytes)).collect::<Vec<_>>());
    }
}

#[test]
fn a_resend_is_acknowledged_wherever_it_stands_and_changes_nothing() {
    for place in Place::both() {
        let store = place.store();
        let slices = slices_of(&store);
        let session = store.session(&[]).unwrap();
        slices.start(&session, start()).unwrap();
        let mut made = chain(start(), 4, "a");
        // Of one entry: it begins where the tip is.
        made.push(slice(made[3].header.end(), [40], "a"));
        for slice in &made {
            slices.append(&session, &slice.bytes).unwrap();
        }
        let before = store.list_refs("").unwrap();
        for slice in &made {
            let tip = slices.tip().unwrap().unwrap();
            assert_eq!(slices.append(&session, &slice.bytes).unwrap(), Appended::Before { tip });
        }
        assert_eq!(store.list_refs("").unwrap(), before);
    }
}

#[test]
fn what_does_not_follow_is_answered_with_the_tip_and_leaves_nothing() {
    let store = Place::memory().store();
    let slices = slices_of(&store);
    let session = store.session(&[]).unwrap();
    slices.start(&session, start()).unwrap();
    let made = chain(start(), 4, "a");
    slices.append(&session, &made[0].bytes).unwrap();
    slices.append(&session, &made[1].bytes).unwrap();
    let tip = slices.tip().unwrap().unwrap();
    let before = (store.list_refs("").unwrap(), store.stats(&Quiet).unwrap().pack_bytes);
    let refused = |bytes: &[u8]| {
        let (why, found) = refusal(slices.append(&session, bytes).unwrap_err());
        assert_eq!(found, tip);
        session.sync().unwrap();
        assert_eq!((store.list_refs("").unwrap(), store.stats(&Quiet).unwrap().pack_bytes), before);
        why
    };
    let gap = Judgement::Gap { expected: tip.link.at, found: made[2].header.end().at };
    assert_eq!(refused(&made[3].bytes), gap);
    let overlap = slice(made[0].header.end(), 9..14, "a");
    assert_eq!(refused(&overlap.bytes), Judgement::Overlap { until: tip.link.at });
    let other = slice(made[0].header.end(), 9..12, "b");
    assert_eq!(refused(&other.bytes), Judgement::Fork { at: at(9, 1) });
    let elsewhere = slice(Link { at: tip.link.at, digest: Digest([3; 32]) }, 12..13, "a");
    assert_eq!(refused(&elsewhere.bytes), Judgement::Fork { at: tip.link.at });
}

#[test]
fn an_unsound_slice_is_refused_before_anything_else() {
    let store = Place::memory().store();
    let slices = slices_of(&store);
    let session = store.session(&[]).unwrap();
    slices.start(&session, start()).unwrap();
    let good = slice(start(), 6..20, "a").bytes;
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let error = slices.append(&session, &bad).unwrap_err();
        assert!(matches!(error, StoreError::Given(_)), "byte {at}: {error}");
    }
    // Right sums over a wrong digest.
    let mut forged = good;
    forged[112] ^= 1;
    let sum = xxhash_rust::xxh3::xxh3_64(&forged[..152]);
    forged[152..160].copy_from_slice(&sum.to_le_bytes());
    let error = slices.append(&session, &forged).unwrap_err();
    assert!(error.to_string().ends_with("its digest is wrong"), "{error}");
    assert_eq!(slices.tip().unwrap().unwrap().link, start());
}

#[test]
fn a_chain_is_begun_once_and_a_new_one_behind_it_on_purpose_only() {
    for place in Place::both() {
        let store = place.store();
        let slices = slices_of(&store);
        let session = store.session(&[]).unwrap();
        let first = slices.start(&session, start()).unwrap();
        assert_eq!(slices.start(&session, start()).unwrap(), first);
        let elsewhere = Link::genesis(at(1000, 1));
        let error = slices.start(&session, elsewhere).unwrap_err();
        assert!(matches!(error, StoreError::OtherChain(tip) if *tip == first));
        let made = chain(start(), 3, "a");
        for slice in &made {
            slices.append(&session, &slice.bytes).unwrap();
        }
        let old = slices.tip().unwrap().unwrap();
        let error = slices.restart(&session, &first, elsewhere).unwrap_err();
        assert!(matches!(error, StoreError::OtherChain(tip) if *tip == old), "the tip has moved");
        let new = slices.restart(&session, &old, elsewhere).unwrap();
        assert_eq!(new, Tip { chain: ChainNumber(2), start: elsewhere, link: elsewhere });
        assert_eq!(slices.restart(&session, &old, elsewhere).unwrap(), new, "asked again");
        assert_eq!(slices.check().unwrap(), []);
        // A slice of the old chain is not taken for one of the new.
        let late = slice(old.link, 15..16, "a");
        assert!(matches!(
            refusal(slices.append(&session, &late.bytes).unwrap_err()).0,
            Judgement::Overlap { .. }
        ));
        let next = slice(elsewhere, 1001..1003, "b");
        slices.append(&session, &next.bytes).unwrap();
        let ranges = slices.restorable().unwrap();
        let told: Vec<_> = ranges.iter().map(|it| (it.chain.0, it.after, it.until, it.slices)).collect();
        assert_eq!(told, [(1, start(), old.link, 3), (2, elsewhere, next.header.end(), 1)]);
        assert_eq!(slices.check().unwrap(), []);
    }
}

#[test]
fn two_oplogs_in_one_store_do_not_meet() {
    let store = Place::memory().store();
    let session = store.session(&[]).unwrap();
    let (a, b) = (SliceStore::new(&store, "g/local/h/a"), SliceStore::new(&store, "g/local/h/ab"));
    a.start(&session, start()).unwrap();
    b.start(&session, start()).unwrap();
    a.append(&session, &slice(start(), 6..9, "a").bytes).unwrap();
    b.append(&session, &slice(start(), 6..9, "b").bytes).unwrap();
    assert_eq!((a.check().unwrap(), b.check().unwrap()), (vec![], vec![]));
    assert_eq!(b.expire(&session, ts(1000)).unwrap(), 0);
    assert_ne!(a.tip().unwrap(), b.tip().unwrap());
}

fn set(store: &Store, name: &str, roots: Vec<BlockId>, value: Vec<u8>) {
    let session = store.session(&[]).unwrap();
    let change = RefChange { name: name.into(), expect: Expect::Any, set: Some(NewRef { roots, value }) };
    session.publish(&[change]).unwrap();
}

#[test]
fn damage_of_refs_is_an_error_or_a_finding_and_never_an_answer() {
    let store = Place::memory().store();
    let slices = slices_of(&store);
    let session = store.session(&[]).unwrap();
    slices.start(&session, start()).unwrap();
    for slice in chain(start(), 3, "a") {
        slices.append(&session, &slice.bytes).unwrap();
    }
    let refs = store.list_refs("").unwrap();
    let whole = |name: &str| refs.iter().find(|(it, _)| it == name).unwrap().1.clone();
    for (name, found) in &refs {
        for at in 0..found.value.len() {
            let mut value = found.value.clone();
            value[at] ^= 1;
            set(&store, name, found.roots.clone(), value);
            let error = slices.check().unwrap_err();
            assert!(matches!(&error, StoreError::Ref { name: it, .. } if it == name), "{error}");
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
        for value in
            [vec![], found.value[..found.value.len() - 1].to_vec(), [&found.value[..], b"\0"].concat()]
        {
            set(&store, name, found.roots.clone(), value);
            slices.check().unwrap_err();
        }
        set(&store, name, found.roots.clone(), found.value.clone());
    }
    assert_eq!(slices.check().unwrap(), []);
    let names: Vec<&String> = refs.iter().map(|(name, _)| name).filter(|name| name.contains("/s/")).collect();
    let [first, second, third] = names[..] else { panic!("{names:?}") };
    // A slice under another's name, and one with another's block.
    set(&store, second, whole(third).roots, whole(third).value);
    assert!(slices.check().unwrap_err().to_string().contains("its name is not that of the slice it holds"));
    set(&store, second, whole(third).roots, whole(second).value);
    assert_eq!(slices.check().unwrap(), []);
    let stored = slices.range(ChainNumber(1), start().at.ts, ts(14)).unwrap();
    let error = slices.read(&stored[1], &mut Vec::new()).unwrap_err();
    assert!(matches!(error, StoreError::NotItsHeader { .. }), "{error}");
    // Another block altogether.
    let rubbish = session.put(&[BlockRef::leaf(b"rubbish")]).unwrap();
    session.sync().unwrap();
    assert_eq!(rubbish, [BlockId::of(BlockKind::Leaf, b"rubbish")]);
    set(&store, second, rubbish, whole(second).value);
    let stored = slices.range(ChainNumber(1), start().at.ts, ts(14)).unwrap();
    assert!(matches!(slices.read(&stored[1], &mut Vec::new()).unwrap_err(), StoreError::Slice { .. }));
    // A slice that is gone, in the middle and at the end.
    let remove = |name: &str| RefChange { name: name.into(), expect: Expect::Any, set: None };
    session.publish(&[remove(second)]).unwrap();
    assert!(matches!(slices.check().unwrap()[..], [Finding::Slice { .. }]));
    assert_eq!(slices.restorable().unwrap().len(), 2);
    assert!(matches!(
        slices.range(ChainNumber(1), start().at.ts, ts(14)).unwrap_err(),
        StoreError::Broken { .. }
    ));
    session.publish(&[remove(third)]).unwrap();
    assert!(matches!(slices.check().unwrap()[..], [Finding::Tip { .. }]));
    // No tip: the numbers of the chains that were there are used up.
    session.publish(&[remove(&format!("{}/oplog/tip", crate::make::PREFIX))]).unwrap();
    assert!(matches!(slices.check().unwrap()[..], [Finding::Tip { tip: None, .. }]));
    assert!(!first.is_empty());
    assert_eq!(slices.start(&session, Link::genesis(at(500, 1))).unwrap().chain, ChainNumber(2));
}

#[test]
fn what_expired_is_gone_and_the_rest_still_knows_what_it_follows() {
    for place in Place::both() {
        let store = place.store();
        let slices = slices_of(&store);
        let session = store.session(&[]).unwrap();
        assert_eq!(slices.expire(&session, ts(100)).unwrap(), 0, "there is nothing yet");
        slices.start(&session, start()).unwrap();
        let made = chain(start(), 5, "a");
        for slice in &made {
            slices.append(&session, &slice.bytes).unwrap();
        }
        let tip = slices.tip().unwrap().unwrap();
        assert_eq!(slices.expire(&session, ts(7)).unwrap(), 0, "in the middle of the first");
        assert_eq!(slices.expire(&session, ts(11)).unwrap(), 2);
        assert_eq!(slices.expire(&session, ts(11)).unwrap(), 0);
        let [range] = slices.restorable().unwrap()[..] else { panic!("one range") };
        assert_eq!((range.after, range.until, range.slices), (made[1].header.end(), tip.link, 3));
        assert_eq!(slices.check().unwrap(), []);
        let error = slices.range(tip.chain, ts(10), ts(20)).unwrap_err();
        assert!(matches!(error, StoreError::NotCovered { .. }), "{error}");
        assert_eq!(slices.range(tip.chain, ts(11), ts(20)).unwrap().len(), 3);
        // A resend of what has expired cannot be known again, and is told to go on from the tip.
        let (why, found) = refusal(slices.append(&session, &made[0].bytes).unwrap_err());
        assert_eq!((why, found), (Judgement::Overlap { until: tip.link.at }, tip));
        assert_eq!(slices.expire(&session, ts(1_000_000)).unwrap(), 2, "never the tip's");
        assert_eq!(slices.append(&session, &made[4].bytes).unwrap(), Appended::Before { tip });
        slices.append(&session, &slice(tip.link, [50], "a").bytes).unwrap();
        // An old chain goes altogether.
        let old = slices.tip().unwrap().unwrap();
        slices.restart(&session, &old, Link::genesis(at(60, 1))).unwrap();
        assert_eq!(slices.expire(&session, ts(60)).unwrap(), 2);
        assert_eq!((slices.restorable().unwrap(), slices.check().unwrap()), (vec![], vec![]));
        session.close().unwrap();
        for _ in 0..2 {
            store.collect(GcOptions::default(), &Quiet).unwrap();
        }
        assert_eq!(store.stats(&Quiet).unwrap().pack_bytes, 0);
    }
}
