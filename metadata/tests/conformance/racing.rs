//! Threads that change the same documents: one wins, the others are told, and no change is lost.

use crate::stores::{all, change, get, make, put};
use std::sync::{Arc, Barrier};
use tidemark_base::{ErrorKind, threads};
use tidemark_metadata::{Change, Collection, Expect, Store, Write};

const THREADS: u64 = 4;
const ROUNDS: u64 = 40;

fn number(store: &dyn Store, id: &str) -> u64 {
    get(store, id).unwrap().body.parse().unwrap()
}

/// Adds one to both counters, however often others come first.
fn count_up(store: &dyn Store) {
    loop {
        let changes: Vec<Change> = ["left", "right"]
            .map(|id| {
                let found = get(store, id).unwrap();
                let next: u64 = found.body.parse::<u64>().unwrap() + 1;
                change(id, Expect::At(found.version), put(None, &next.to_string()))
            })
            .into();
        match store.apply(&changes) {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
        }
    }
}

#[test]
fn no_change_of_a_thread_is_lost() {
    for bench in all() {
        make(&*bench.store, "left", None, "0");
        make(&*bench.store, "right", None, "0");
        let workers: Vec<_> = (0..THREADS)
            .map(|_| {
                let store = Arc::clone(&bench.store);
                threads::spawn("racer", move || (0..ROUNDS).for_each(|_| count_up(&*store))).unwrap()
            })
            .collect();
        workers.into_iter().for_each(|it| it.join().unwrap());
        assert_eq!(number(&*bench.store, "left"), THREADS * ROUNDS, "{}", bench.name);
        assert_eq!(number(&*bench.store, "right"), THREADS * ROUNDS, "{}", bench.name);
    }
}

#[test]
fn of_many_who_make_the_same_document_one_does() {
    for bench in all() {
        for round in 0..10 {
            let id = format!("claim{round}");
            let start = Arc::new(Barrier::new(4));
            let workers: Vec<_> = (0..4)
                .map(|n| {
                    let (store, start, id) = (Arc::clone(&bench.store), Arc::clone(&start), id.clone());
                    threads::spawn("claimer", move || {
                        start.wait();
                        store.apply(&[change(&id, Expect::Absent, put(None, &n.to_string()))]).is_ok()
                    })
                    .unwrap()
                })
                .collect();
            let won: Vec<bool> = workers.into_iter().map(|it| it.join().unwrap()).collect();
            assert_eq!(won.iter().filter(|it| **it).count(), 1, "{}", bench.name);
            let winner = won.iter().position(|it| *it).unwrap();
            assert_eq!(get(&*bench.store, &id).unwrap().body, winner.to_string());
        }
    }
}

#[test]
fn what_a_batch_only_depends_on_is_guarded_too() {
    // Each takes the other's document as a condition: at most one of both may pass (write skew).
    for bench in all() {
        for round in 0..20 {
            let (a, b) = (format!("a{round}"), format!("b{round}"));
            make(&*bench.store, &a, None, "on");
            make(&*bench.store, &b, None, "on");
            let start = Arc::new(Barrier::new(2));
            let workers: Vec<_> = [(a.clone(), b.clone()), (b, a)]
                .into_iter()
                .map(|(mine, other)| {
                    let (store, start) = (Arc::clone(&bench.store), Arc::clone(&start));
                    threads::spawn("skewer", move || {
                        let read = |id: &str| store.get(Collection::Group, id).unwrap().unwrap();
                        let (at_mine, at_other) = (read(&mine), read(&other));
                        start.wait();
                        let batch = [
                            change(&mine, Expect::At(at_mine.version), put(None, "off")),
                            change(&other, Expect::At(at_other.version), Write::Keep),
                        ];
                        store.apply(&batch).is_ok()
                    })
                    .unwrap()
                })
                .collect();
            let passed = workers.into_iter().map(|it| it.join().unwrap());
            assert_eq!(passed.filter(|it| *it).count(), 1, "{}", bench.name);
        }
    }
}
