//! Several append at once: one wins, the others are told, and there is one chain.

use crate::make::{at, chain, entries, read_all, slice, slices_of, start, ts};
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
    beside(began, appending(theirs), |slices, session| slices.append(session, mine))
}

fn began(slices: &SliceStore, session: &Session) {
    slices.start(session, start()).unwrap();
}

/// Somebody else's append, which wins.
fn appending(slice: &[u8]) -> impl Fn(&SliceStore, &Session) + Clone + Send + 'static {
    let slice = slice.to_vec();
    move |slices, session| {
        let answer = slices.append(session, &slice);
        assert!(matches!(answer, Ok(Appended::Now { .. })), "{answer:?}");
    }
}

/// Does `mine` while, at each call of the backend in turn, reads among them, somebody else does `theirs`; in
/// a store with what `before` made.
fn beside<T>(
    before: impl Fn(&SliceStore, &Session),
    theirs: impl Fn(&SliceStore, &Session) + Clone + Send + 'static,
    mine: impl Fn(&SliceStore, &Session) -> T,
) -> Vec<T> {
    let mut outcomes = Vec::new();
    for call in 1.. {
        let place = Place::memory();
        let sound = place.store();
        before(&slices_of(&sound), &sound.session(&[]).unwrap());
        let fault_at = FaultAt { call, fault: Fault::Pause(run_meanwhile), and_all_later: false };
        let backend = Arc::new(FaultBackend::counting_reads(place.backend(), fault_at));
        let paused = Store::new(Arc::clone(&backend) as Arc<dyn Backend>);
        let theirs = theirs.clone();
        let job: Job = Box::new(move || theirs(&slices_of(&sound), &sound.session(&[]).unwrap()));
        *MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
        let session = paused.session(&[]).unwrap();
        let outcome = mine(&slices_of(&paused), &session);
        // Among other things: the slice that the tip stands for is there.
        assert_eq!(slices_of(&place.store()).check().unwrap(), [], "call {call}");
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
    an_append_between_any_two_steps_of_an_expiry();
    a_restart_between_any_two_steps_of_an_expiry();
    a_beginning_between_any_two_steps_of_an_expiry();
}

/// Two slices are there, and all but the newest acknowledged may go.
fn beside_expiry(theirs: impl Fn(&SliceStore, &Session) + Clone + Send + 'static) -> Vec<usize> {
    let made = chain(start(), 2, "a");
    let before = |slices: &SliceStore, session: &Session| {
        began(slices, session);
        made.iter().for_each(|it| appending(&it.bytes)(slices, session));
    };
    beside(before, theirs, |slices, session| slices.expire(session, ts(1_000_000)).unwrap())
}

fn an_append_between_any_two_steps_of_an_expiry() {
    let third = chain(start(), 3, "a").remove(2);
    let gone = beside_expiry(appending(&third.bytes));
    // Before it began, between its reading of the tip and of the slices, and after: each was tried.
    assert!(gone.len() >= 4 && gone.contains(&2) && gone.contains(&1), "{gone:?}");
    assert!(gone.iter().all(|gone| matches!(gone, 1 | 2)), "{gone:?}");
}

fn a_restart_between_any_two_steps_of_an_expiry() {
    let elsewhere = Link::genesis(at(50, 1));
    let restart = move |slices: &SliceStore, session: &Session| {
        let tip = slices.tip().unwrap().unwrap();
        slices.restart(session, &tip, elsewhere).unwrap();
    };
    let gone = beside_expiry(restart);
    assert!(gone.len() >= 4 && gone.iter().all(|gone| matches!(gone, 1 | 2)), "{gone:?}");
    let first = slice(elsewhere, 51..53, "c").bytes;
    let append = appending(&first);
    let gone = beside_expiry(move |slices, session| {
        restart(slices, session);
        append(slices, session);
    });
    assert!(gone.len() >= 4 && gone.iter().all(|gone| matches!(gone, 1 | 2)), "{gone:?}");
}

/// As long as there is no tip nobody can tell which slice is the last.
fn a_beginning_between_any_two_steps_of_an_expiry() {
    let [first] = chain(start(), 1, "a").try_into().unwrap();
    let append = appending(&first.bytes);
    let begin = move |slices: &SliceStore, session: &Session| {
        began(slices, session);
        append(slices, session);
    };
    let gone = beside(|_, _| {}, begin, |slices, session| slices.expire(session, ts(1_000_000)).unwrap());
    assert!(gone.len() >= 2 && gone.iter().all(|gone| *gone == 0), "{gone:?}");
}

fn a_slice_that_comes_between_any_two_steps_of_a_restart() {
    let from = Tip { chain: ChainNumber(1), start: start(), link: start() };
    let [first] = chain(start(), 1, "a").try_into().unwrap();
    let elsewhere = Link::genesis(at(500, 1));
    let outcomes =
        beside(began, appending(&first.bytes), |slices, session| slices.restart(session, &from, elsewhere));
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
