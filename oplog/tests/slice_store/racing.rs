//! Several append at once: one wins, the others are told, and there is one chain.

use crate::make::{at, chain, entries, read_all, slice, slices_of, start};
use crate::places::Place;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use tidemark_base::threads;
use tidemark_blockstore::fault::{Fault, FaultAt, FaultBackend};
use tidemark_blockstore::{Backend, Session, Store};
use tidemark_oplog::chain::Judgement;
use tidemark_oplog::slice::Link;
use tidemark_oplog::store::{Appended, ChainNumber, SliceStore, StoreError, Tip};

/// Two senders whose slices exclude each other, at each step of the chain. Those of the second begin a little
/// later if told so: then it is the tip alone that keeps them apart.
fn rounds(place: &Place, later: u32) {
    const ROUNDS: u32 = 40;
    let store = place.store();
    let slices = slices_of(&store);
    slices.start(&store.session(&[]).unwrap(), start()).unwrap();
    let barrier = Arc::new(Barrier::new(2));
    let sender = |says: &'static str, later: u32| {
        let (store, barrier) = (store.clone(), Arc::clone(&barrier));
        threads::spawn("sender", move || {
            let (slices, session) = (slices_of(&store), store.session(&[]).unwrap());
            let mut won = Vec::new();
            for _ in 0..ROUNDS {
                let tip = slices.tip().unwrap().unwrap();
                let from = tip.link.at.ts.secs + 1 + later;
                let mine = slice(tip.link, from..from + 2, says);
                barrier.wait();
                match slices.append(&session, &mine.bytes) {
                    Ok(Appended::Now { tip }) => {
                        assert_eq!(tip.link, mine.header.end());
                        won.push(mine);
                    }
                    Err(StoreError::Refused { why, tip }) => {
                        assert!(matches!(why, Judgement::Fork { .. } | Judgement::Overlap { .. }), "{why}");
                        assert_ne!(tip.link, mine.header.end());
                    }
                    other => panic!("{other:?}"),
                }
                barrier.wait();
            }
            won
        })
        .unwrap()
    };
    let (a, b) = (sender("a", 0), sender("b", later));
    let mut won = a.join().unwrap();
    won.extend(b.join().unwrap());
    won.sort_by_key(|it| it.header.first.ts);
    assert_eq!(won.len(), ROUNDS as usize, "exactly one wins each time");
    assert_eq!(slices.check().unwrap(), []);
    let tip = slices.tip().unwrap().unwrap();
    let stored = slices.range(tip.chain, start().at.ts, tip.link.at.ts).unwrap();
    assert_eq!(read_all(&slices, &stored), won.iter().map(|it| entries(&it.bytes)).collect::<Vec<_>>());
}

#[test]
fn of_two_that_exclude_each_other_one_wins_in_memory() {
    rounds(&Place::memory(), 0);
    rounds(&Place::memory(), 1);
}

#[test]
fn of_two_that_exclude_each_other_one_wins_on_disk() {
    rounds(&Place::local(), 0);
    rounds(&Place::local(), 1);
}

type Job = Box<dyn FnOnce() + Send>;
static MEANWHILE: Mutex<Option<Job>> = Mutex::new(None);

fn run_meanwhile() {
    let job = MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(job) = job {
        job();
    }
}

/// Appends `mine` while, at each call of the backend in turn, somebody else appends `theirs`. What came of
/// mine, by the number of the call.
fn against(theirs: &[u8], mine: &[u8]) -> Vec<Result<Appended, StoreError>> {
    beside(theirs, |slices, session| slices.append(session, mine))
}

/// Does `mine` while, at each call of the backend in turn, somebody else appends `theirs`.
fn beside<T>(theirs: &[u8], mine: impl Fn(&SliceStore, &Session) -> T) -> Vec<T> {
    let mut outcomes = Vec::new();
    for call in 1.. {
        let place = Place::memory();
        let sound = place.store();
        slices_of(&sound).start(&sound.session(&[]).unwrap(), start()).unwrap();
        let fault_at = FaultAt { call, fault: Fault::Pause(run_meanwhile), and_all_later: false };
        let backend = Arc::new(FaultBackend::new(place.backend(), fault_at));
        let paused = Store::new(Arc::clone(&backend) as Arc<dyn Backend>);
        let theirs = theirs.to_vec();
        let job: Job = Box::new(move || {
            let answer = slices_of(&sound).append(&sound.session(&[]).unwrap(), &theirs);
            assert!(matches!(answer, Ok(Appended::Now { .. })), "{answer:?}");
        });
        *MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
        let session = paused.session(&[]).unwrap();
        let outcome = mine(&slices_of(&paused), &session);
        let store = place.store();
        assert_eq!(slices_of(&store).check().unwrap(), []);
        if MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            break;
        }
        if backend.calls() >= call {
            outcomes.push(outcome);
        }
    }
    outcomes
}

/// All that uses [`MEANWHILE`], one after the other.
#[test]
fn what_happens_between_any_two_steps_is_seen() {
    a_slice_that_comes_between_any_two_steps_of_an_append();
    a_slice_that_comes_between_any_two_steps_of_a_restart();
}

fn a_slice_that_comes_between_any_two_steps_of_a_restart() {
    let from = Tip { chain: ChainNumber(1), start: start(), link: start() };
    let [first] = chain(start(), 1, "a").try_into().unwrap();
    let elsewhere = Link::genesis(at(500, 1));
    let outcomes = beside(&first.bytes, |slices, session| slices.restart(session, &from, elsewhere));
    assert!(outcomes.len() >= 2, "{outcomes:?}");
    for outcome in outcomes {
        let Err(StoreError::OtherChain(tip)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(*tip, Tip { link: first.header.end(), ..from });
    }
}

fn a_slice_that_comes_between_any_two_steps_of_an_append() {
    let [first, second] = chain(start(), 2, "a").try_into().unwrap();
    let other = chain(start(), 1, "b");
    let outcomes = against(&other[0].bytes, &first.bytes);
    // All but the very last step come before the publish.
    assert!(outcomes.len() >= 5, "{outcomes:?}");
    for outcome in &outcomes {
        assert!(
            matches!(outcome, Err(StoreError::Refused { why: Judgement::Fork { .. }, .. })),
            "{outcome:?}"
        );
    }
    // Kept apart by the tip alone.
    let later = slice(start(), 8..10, "a");
    for outcome in against(&other[0].bytes, &later.bytes) {
        assert!(
            matches!(outcome, Err(StoreError::Refused { why: Judgement::Overlap { .. }, .. })),
            "{outcome:?}"
        );
    }
    // The same slice through another front-end: both are right.
    for outcome in against(&first.bytes, &first.bytes) {
        assert!(matches!(outcome, Ok(Appended::Before { .. })), "{outcome:?}");
    }
    // What was a gap when it was asked stays one unless the other came first.
    for outcome in against(&first.bytes, &second.bytes) {
        assert!(
            matches!(
                outcome,
                Ok(Appended::Now { .. }) | Err(StoreError::Refused { why: Judgement::Gap { .. }, .. })
            ),
            "{outcome:?}"
        );
    }
}
