//! Two processes, each of which believes that the head is its own.

use crate::job::{Job, Role, open};
use crate::line::Line;
use crate::log;
use crate::process::Process;
use tempfile::TempDir;
use tidemark_base::UnixMillis;
use tidemark_blockstore::{Depth, LocalBackend, Quiet, Ref, Store};

fn refs(store: &Store) -> Vec<(String, Ref)> {
    store.list_refs("").unwrap()
}

pub(crate) fn of_two_processes_that_claim_a_head_the_first_is_fenced_and_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("store");
    drop(LocalBackend::create(&root).unwrap());
    let store = open(&root);
    let mut head = log::begin(&store);
    head.snapshot(&UnixMillis(0)).unwrap();
    drop(head);
    append(&store);
    let start = || Process::start(&Job { role: Role::Holder, store: root.clone(), seed: 0 });
    let (mut loser, mut winner) = (start(), start());
    let mut epochs = [&loser, &winner].map(|process| match process.next_line() {
        Line::Claimed(epoch) => epoch,
        other => panic!("{other:?}"),
    });
    if epochs[0] > epochs[1] {
        std::mem::swap(&mut loser, &mut winner);
        epochs.reverse();
    }
    assert_eq!(epochs, [2, 3], "each claim is another's loss");
    let mut epoch = 3;
    for order in ["flush", "compact", "snapshot", "rewind"] {
        let before = refs(&store);
        loser.tell(order);
        assert_eq!(loser.next_line(), Line::Fenced(epoch - 1, epoch), "{order}");
        assert_eq!(refs(&store), before, "{order} of one who was taken over changes something");
        winner.tell(order);
        assert!(matches!(winner.next_line(), Line::Flushed(_)), "{order}");
        assert_ne!(refs(&store), before, "{order} of the holder changes something");
        // Next time the other way round.
        append(&store);
        epoch += 1;
        loser.tell("claim");
        assert_eq!(loser.next_line(), Line::Claimed(epoch));
        std::mem::swap(&mut loser, &mut winner);
    }
    assert!(store.verify(Depth::Full, &Quiet).unwrap().is_clean());
}

/// Appends a slice, so that there is always something to flush.
fn append(store: &Store) {
    let slices = log::name().slices(store);
    let tip = slices.tip().unwrap().unwrap();
    let session = store.session(&[]).unwrap();
    slices.append(&session, &log::slice(tip.link)).unwrap();
}
