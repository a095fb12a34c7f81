//! Transactions of the captures: stored and rebuilt anywhere, and parts that are missing.

use crate::replayer::Replayer;
use crate::{assert_final, own_mode, replay, scope};
use tidemark_base::bson::Doc;
use tidemark_oplog::entry::{Body, Entry, Fuzzy, Step};
use tidemark_oplog::transactions::Assembler;
use tidemark_oplog::{EntryError, EntryProblem};
use tidemark_testkit::captures::{self, Capture};

const WITH_TRANSACTIONS: [&str; 6] =
    ["txn_small", "txn_large", "txn_prepared", "txn_prepared_spanning", "random_3", "fuzzy_2"];

#[test]
fn what_is_open_can_be_stored_and_rebuilt_after_any_entry() {
    let mut held = 0;
    for name in WITH_TRANSACTIONS {
        let capture = captures::get(name).unwrap();
        let mut replayer =
            Replayer::load(&capture.initial, scope(capture), capture.apply_after, own_mode(capture));
        replayer.rebuild = true;
        capture.entries.iter().for_each(|entry| replayer.entry(entry));
        held += replayer.most_held_bytes;
        assert_final(capture, &replayer.finish());
    }
    assert!(held > 16 << 20, "the large ones were held: {held} bytes");
}

#[test]
fn at_the_end_of_a_capture_only_what_the_server_left_open_is_held() {
    for name in WITH_TRANSACTIONS {
        let capture = captures::get(name).unwrap();
        let replayer = replay(capture, &capture.initial, own_mode(capture));
        assert_eq!(replayer.open_transactions(), 0, "{name}");
    }
}

fn assemble<'e>(entries: impl IntoIterator<Item = &'e [u8]>) -> Result<Assembler, EntryError> {
    let mut assembler = Assembler::new(tidemark_base::Timestamp::ZERO);
    for raw in entries {
        let entry = Entry::parse(Doc::new(raw).unwrap(), Fuzzy::default())?;
        match &entry.body {
            Body::Transaction(step) => drop(assembler.step(&entry, step, Fuzzy::default())?),
            _ => assembler.pass(entry.at),
        }
    }
    Ok(assembler)
}

/// Positions of the entries that are held, and whether their transaction is committed in the end.
fn held(capture: &Capture) -> Vec<(usize, bool)> {
    let mut held: Vec<(usize, Vec<u8>, bool)> = Vec::new();
    for (number, raw) in capture.entries.iter().enumerate() {
        let entry = Entry::parse(Doc::new(raw).unwrap(), Fuzzy::default()).unwrap();
        let Body::Transaction(step) = &entry.body else { continue };
        let session = step.chain.session.unwrap().as_bytes();
        let transaction = [session, &step.chain.txn_number.to_le_bytes()].concat();
        match step.step {
            Step::Part(_) | Step::Prepare(_) => held.push((number, transaction, false)),
            Step::Commit(_) | Step::CommitPrepared => {
                held.iter_mut()
                    .filter(|(_, of, _)| *of == transaction)
                    .for_each(|(.., commits)| *commits = true);
            }
            Step::Abort => {}
        }
    }
    held.into_iter().map(|(number, _, commits)| (number, commits)).collect()
}

#[test]
fn a_missing_part_of_what_is_committed_is_always_an_error() {
    let (mut committed, mut void) = (0, 0);
    for name in WITH_TRANSACTIONS {
        let capture = captures::get(name).unwrap();
        for (missing, commits) in held(capture) {
            let rest = capture.entries.iter().enumerate().filter(|(number, _)| *number != missing);
            match assemble(rest.map(|(_, entry)| *entry)) {
                Err(EntryError { problem: EntryProblem::LostPart(what), at }) => {
                    assert!(at.term > 0 && !what.is_empty(), "{name}, {missing}");
                    committed += usize::from(commits);
                }
                Err(other) => panic!("{name}, {missing}: {other}"),
                // Nothing is lost of a transaction that is void.
                Ok(_) if !commits => void += 1,
                Ok(_) => panic!("{name}: the entry {missing} is missing, and nobody says so"),
            }
        }
    }
    assert!(committed >= 8 && void >= 1, "{committed} committed, {void} void");
}
