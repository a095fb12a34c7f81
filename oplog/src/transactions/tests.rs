//! Chains of parts, one rule at a time. Whole transactions of real servers are in the replay of the captures.

use super::*;
use crate::entry::{Action, Fuzzy, Manner, Operation};
use crate::{EntryError, EntryProblem};
use bson::spec::BinarySubtype;
use bson::{Binary, Document, doc};
use tidemark_base::ErrorKind;

/// Something of a transaction, at second `at` of term `term`.
#[derive(Clone)]
struct Written {
    at: u32,
    term: i64,
    entry: Document,
}

impl Written {
    fn raw(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.entry.to_writer(&mut bytes).unwrap();
        bytes
    }

    fn optime(&self) -> OpTime {
        OpTime { ts: Timestamp { secs: self.at, ordinal: 1 }, term: self.term }
    }

    fn in_term(mut self, term: i64) -> Self {
        self.term = term;
        self.entry.insert("t", term);
        self
    }
}

const NO_ONE: u32 = 0;

fn optime(secs: u32, term: i64) -> Document {
    match secs {
        NO_ONE => doc! {"ts": bson::Timestamp { time: 0, increment: 0 }, "t": -1_i64},
        time => doc! {"ts": bson::Timestamp { time, increment: 1 }, "t": term},
    }
}

/// A step of transaction `number` in session `session`, after the entry of second `previous`.
fn step(session: u8, number: i64, at: u32, previous: u32, o: Document) -> Written {
    let uuid = Binary { subtype: BinarySubtype::Uuid, bytes: vec![session; 16] };
    let entry = doc! {
        "lsid": {"id": uuid}, "txnNumber": number, "op": "c", "ns": "admin.$cmd", "o": o,
        "ts": bson::Timestamp { time: at, increment: 1 }, "t": 1_i64, "v": 2_i64,
        "prevOpTime": optime(previous, 1),
    };
    Written { at, term: 1, entry }
}

/// Inserts with this `_id`.
fn inserts(ids: &[i32]) -> Vec<Document> {
    ids.iter().map(|id| doc! {"op": "i", "ns": "app.a", "o": {"_id": *id}}).collect()
}

fn part(session: u8, number: i64, at: u32, previous: u32, ids: &[i32]) -> Written {
    step(session, number, at, previous, doc! {"applyOps": inserts(ids), "partialTxn": true})
}

fn prepare(session: u8, number: i64, at: u32, previous: u32, ids: &[i32]) -> Written {
    step(session, number, at, previous, doc! {"applyOps": inserts(ids), "prepare": true})
}

fn last(session: u8, number: i64, at: u32, previous: u32, ids: &[i32]) -> Written {
    step(session, number, at, previous, doc! {"applyOps": inserts(ids), "prepare": false})
}

/// Says, as the last entry of several does, how many operations there are in all.
fn counted(mut written: Written, count: i64) -> Written {
    written.entry.get_document_mut("o").unwrap().insert("count", count);
    written
}

fn commit(session: u8, number: i64, at: u32, previous: u32) -> Written {
    let commit_timestamp = bson::Timestamp { time: previous, increment: 1 };
    step(session, number, at, previous, doc! {"commitTransaction": 1, "commitTimestamp": commit_timestamp})
}

fn abort(session: u8, number: i64, at: u32, previous: u32) -> Written {
    step(session, number, at, previous, doc! {"abortTransaction": 1})
}

/// Without a session: grouped operations of newer servers.
fn loose(mut written: Written) -> Written {
    written.entry.remove("lsid");
    written.entry.remove("txnNumber");
    written
}

#[derive(Debug, PartialEq)]
enum Seen {
    Held,
    Dropped,
    /// `_id`s, and whether the inserts are strict.
    Committed(Vec<i64>, bool),
}

fn take(assembler: &mut Assembler, written: &Written, fuzzy: Fuzzy) -> Result<Seen, EntryError> {
    let raw = written.raw();
    let entry = Entry::parse(Doc::new(&raw).unwrap(), fuzzy)?;
    let Body::Transaction(step) = &entry.body else { panic!("no transaction: {entry:?}") };
    Ok(match assembler.step(&entry, step, fuzzy)? {
        Outcome::Held => Seen::Held,
        Outcome::Dropped => Seen::Dropped,
        Outcome::Commit(committed) => {
            assert_eq!(committed.at(), written.optime());
            let mut strict = true;
            let ids = committed.operations().map(|operation| match operation? {
                Operation::Change(change) => {
                    strict &= change.manner == Manner::Strict;
                    let Action::Insert { id, .. } = change.action else { panic!("{change:?}") };
                    Ok(id.as_integer().unwrap())
                }
                Operation::Command(command) => panic!("{command:?}"),
            });
            let ids = ids.collect::<Result<Vec<_>, EntryError>>()?;
            Seen::Committed(ids, strict)
        }
    })
}

const STRICT: Fuzzy = Fuzzy { until: None };

fn run(assembler: &mut Assembler, entries: &[Written]) -> Vec<Seen> {
    entries.iter().map(|written| take(assembler, written, STRICT).unwrap()).collect()
}

fn fresh() -> Assembler {
    Assembler::new(Timestamp::ZERO)
}

#[track_caller]
fn refused(assembler: &mut Assembler, written: &Written) -> String {
    let error = take(assembler, written, STRICT).unwrap_err();
    assert_eq!(error.at, written.optime());
    let EntryProblem::Transaction(what) = error.problem else { panic!("{error}") };
    what
}

/// What is said of operations that are lost.
#[track_caller]
fn lost(assembler: &mut Assembler, written: &Written) -> String {
    let error = take(assembler, written, STRICT).unwrap_err();
    assert_eq!((error.at, error.kind()), (written.optime(), ErrorKind::Corrupt));
    let EntryProblem::LostPart(what) = error.problem else { panic!("{error}") };
    what
}

#[test]
fn all_parts_take_effect_with_the_last_one_in_order() {
    let seen = run(
        &mut fresh(),
        &[part(1, 5, 10, NO_ONE, &[1, 2]), part(1, 5, 11, 10, &[3]), last(1, 5, 12, 11, &[4, 5])],
    );
    assert_eq!(seen, [Seen::Held, Seen::Held, Seen::Committed(vec![1, 2, 3, 4, 5], true)]);
}

#[test]
fn a_single_entry_takes_effect_at_once() {
    let mut assembler = fresh();
    let seen = run(&mut assembler, &[last(1, 5, 12, NO_ONE, &[4])]);
    assert_eq!(seen, [Seen::Committed(vec![4], true)]);
    assert_eq!((assembler.open_len(), assembler.held_bytes()), (0, 0));
}

#[test]
fn what_is_prepared_takes_effect_at_its_commit_among_others() {
    let seen = run(
        &mut fresh(),
        &[
            part(1, 5, 10, NO_ONE, &[1]),
            prepare(2, 1, 11, NO_ONE, &[20]),
            prepare(1, 5, 12, 10, &[2]),
            last(3, 1, 13, NO_ONE, &[30]),
            commit(1, 5, 14, 12),
            commit(2, 1, 15, 11),
        ],
    );
    let committed = |ids: &[i64]| Seen::Committed(ids.to_vec(), true);
    assert_eq!(seen[3..], [committed(&[30]), committed(&[1, 2]), committed(&[20])]);
}

#[test]
fn a_transaction_that_is_prepared_empty_commits_nothing() {
    let seen = run(&mut fresh(), &[prepare(1, 5, 10, NO_ONE, &[]), commit(1, 5, 11, 10)]);
    assert_eq!(seen, [Seen::Held, Seen::Committed(vec![], true)]);
}

#[test]
fn the_commit_decides_how_operations_must_fit() {
    let fuzzy = Fuzzy { until: Some(Timestamp { secs: 10, ordinal: 1 }) };
    let mut assembler = fresh();
    take(&mut assembler, &prepare(1, 5, 10, NO_ONE, &[1]), fuzzy).unwrap();
    let seen = take(&mut assembler, &commit(1, 5, 11, 10), fuzzy).unwrap();
    assert_eq!(seen, Seen::Committed(vec![1], true));
    let seen = take(&mut assembler, &last(1, 6, 9, NO_ONE, &[1]), fuzzy).unwrap();
    assert_eq!(seen, Seen::Committed(vec![1], false));
}

#[test]
fn aborted_operations_never_take_effect() {
    let mut assembler = fresh();
    let seen = run(
        &mut assembler,
        &[
            prepare(1, 5, 10, NO_ONE, &[1]),
            abort(1, 5, 11, 10),
            part(2, 5, 12, NO_ONE, &[1]),
            abort(2, 5, 13, 12),
            // Known to nobody: harmless.
            abort(3, 5, 14, NO_ONE),
        ],
    );
    assert_eq!(seen[1], Seen::Dropped);
    assert_eq!(seen[3..], [Seen::Dropped, Seen::Dropped]);
    assert_eq!((assembler.open_len(), assembler.held_bytes()), (0, 0));
    let what = lost(&mut assembler, &commit(1, 5, 15, 10));
    assert!(what.contains("10,1 term 1") && what.contains("not held"), "{what}");
}

#[test]
fn a_missing_part_is_told_with_both_positions() {
    let mut assembler = fresh();
    run(&mut assembler, &[part(1, 5, 10, NO_ONE, &[1])]);
    let what = lost(&mut assembler, &last(1, 5, 12, 11, &[3]));
    assert!(what.contains("11,1 term 1") && what.contains("10,1 term 1"), "{what}");
    for entry in [part(1, 5, 12, 11, &[1]), last(1, 5, 12, 11, &[1]), prepare(1, 5, 12, 11, &[1])] {
        let what = lost(&mut fresh(), &entry);
        assert!(what.contains("11,1 term 1") && what.contains("not held"), "{what}");
    }
}

#[test]
fn the_term_counts_in_the_position_before() {
    let mut assembler = fresh();
    run(&mut assembler, &[part(1, 5, 10, NO_ONE, &[1])]);
    let mut other_branch = last(1, 5, 12, 10, &[3]);
    other_branch.entry.insert("prevOpTime", optime(10, 2));
    let what = refused(&mut assembler, &other_branch);
    assert!(what.contains("term 2"), "{what}");
}

#[test]
fn a_higher_number_of_the_session_drops_a_dead_chain() {
    let mut assembler = fresh();
    let seen = run(
        &mut assembler,
        &[part(1, 5, 10, NO_ONE, &[1]), part(1, 6, 11, NO_ONE, &[2]), last(1, 6, 12, 11, &[3])],
    );
    assert_eq!(seen[2], Seen::Committed(vec![2, 3], true));
    assert_eq!((assembler.open_len(), assembler.held_bytes()), (0, 0));
    // Of another session it means nothing.
    run(&mut assembler, &[part(1, 7, 20, NO_ONE, &[1]), last(2, 8, 21, NO_ONE, &[9])]);
    assert_eq!(run(&mut assembler, &[last(1, 7, 22, 20, &[2])]), [Seen::Committed(vec![1, 2], true)]);
}

#[test]
fn a_new_term_drops_what_was_not_prepared_and_only_that() {
    let mut assembler = fresh();
    run(&mut assembler, &[part(1, 5, 10, NO_ONE, &[1]), prepare(2, 5, 11, NO_ONE, &[2])]);
    run(&mut assembler, &[loose(part(0, 0, 12, NO_ONE, &[3]))]);
    let held = assembler.held_bytes();
    assembler.pass(OpTime { ts: Timestamp { secs: 13, ordinal: 1 }, term: 1 });
    assembler.pass(OpTime { ts: Timestamp { secs: 13, ordinal: 2 }, term: OpTime::NO_TERM });
    assert_eq!((assembler.open_len(), assembler.held_bytes()), (3, held));
    assembler.pass(OpTime { ts: Timestamp { secs: 14, ordinal: 1 }, term: 2 });
    assert_eq!(assembler.open_len(), 1);
    assert!(assembler.held_bytes() > 0 && assembler.held_bytes() < held);
    let seen = run(&mut assembler, &[commit(2, 5, 15, 11).in_term(2)]);
    assert_eq!(seen, [Seen::Committed(vec![2], true)]);
    lost(&mut assembler, &last(1, 5, 16, 10, &[4]).in_term(2));
}

#[test]
fn what_no_server_writes_is_an_error() {
    let begun = || {
        let mut assembler = fresh();
        run(&mut assembler, &[part(1, 5, 10, NO_ONE, &[1])]);
        assembler
    };
    let prepared = || {
        let mut assembler = fresh();
        run(&mut assembler, &[prepare(1, 5, 10, NO_ONE, &[1])]);
        assembler
    };
    assert!(refused(&mut begun(), &part(1, 5, 11, NO_ONE, &[1])).contains("last one held"));
    assert!(refused(&mut begun(), &last(1, 4, 11, NO_ONE, &[1])).contains("goes back"));
    assert!(refused(&mut begun(), &commit(1, 5, 11, 10)).contains("not prepared"));
    assert!(refused(&mut prepared(), &last(1, 5, 11, 10, &[1])).contains("can only be decided"));
    assert!(refused(&mut prepared(), &part(1, 6, 11, NO_ONE, &[1])).contains("while 5 is prepared"));
    assert!(refused(&mut prepared(), &commit(1, 5, 11, 9)).contains("last one held"));
    assert!(lost(&mut prepared(), &commit(1, 6, 11, 10)).contains("not held"));
}

#[test]
fn without_a_session_parts_chain_by_position_alone() {
    let mut assembler = fresh();
    let seen = run(
        &mut assembler,
        &[
            loose(part(0, 0, 10, NO_ONE, &[1])),
            loose(part(0, 0, 11, NO_ONE, &[10])),
            loose(part(0, 0, 12, 10, &[2])),
            loose(last(0, 0, 13, 11, &[11])),
            loose(last(0, 0, 14, 12, &[3])),
        ],
    );
    assert_eq!(seen[3..], [Seen::Committed(vec![10, 11], true), Seen::Committed(vec![1, 2, 3], true)]);
    assert_eq!(assembler.open_len(), 0);
    assert!(lost(&mut assembler, &loose(last(0, 0, 15, 12, &[3]))).contains("not held"));
}

#[test]
fn before_application_begins_transactions_are_only_fed_in() {
    let mut assembler = Assembler::new(Timestamp { secs: 20, ordinal: 1 });
    let seen = run(
        &mut assembler,
        &[
            // Began before what was fetched.
            part(1, 5, 10, 9, &[1]),
            commit(2, 5, 11, 8),
            last(3, 5, 12, 7, &[1]),
            // Decided before application begins.
            prepare(4, 5, 13, NO_ONE, &[1]),
            commit(4, 5, 14, 13),
            // Left open.
            part(5, 5, 19, NO_ONE, &[50]),
            prepare(5, 5, 20, 19, &[51]),
            commit(5, 5, 21, 20),
        ],
    );
    assert_eq!(seen[..3], [Seen::Dropped, Seen::Dropped, Seen::Dropped]);
    assert_eq!(seen[3..5], [Seen::Held, Seen::Dropped]);
    assert_eq!(seen[7], Seen::Committed(vec![50, 51], true));
    // What was not held then is missed now.
    lost(&mut assembler, &commit(1, 5, 22, 10));
}

#[test]
fn what_is_open_is_given_in_order_and_can_be_rebuilt_from() {
    let mut assembler = Assembler::new(Timestamp { secs: 5, ordinal: 1 });
    run(
        &mut assembler,
        &[
            prepare(9, 1, 10, NO_ONE, &[1]),
            part(1, 5, 11, NO_ONE, &[2]),
            loose(part(0, 0, 12, NO_ONE, &[30])),
            part(1, 5, 13, 11, &[3]),
        ],
    );
    let open = assembler.open_entries();
    let seconds: Vec<u32> = open.iter().map(|(at, _)| at.ts.secs).collect();
    assert_eq!(seconds, [10, 11, 12, 13]);
    let bytes: usize = open.iter().map(|(_, entry)| entry.as_bytes().len()).sum();
    assert_eq!(assembler.held_bytes(), bytes);
    let raw: Vec<Vec<u8>> = open.iter().map(|(_, entry)| entry.as_bytes().to_vec()).collect();
    let docs = raw.iter().map(|raw| Doc::new(raw).unwrap());
    let mut rebuilt = Assembler::rebuild(Timestamp { secs: 5, ordinal: 1 }, docs).unwrap();
    assert_eq!(rebuilt.open_entries(), open);
    let seen = run(
        &mut rebuilt,
        &[loose(last(0, 0, 14, 12, &[31])), last(1, 5, 15, 13, &[4]), commit(9, 1, 16, 10)],
    );
    let committed = |ids: &[i64]| Seen::Committed(ids.to_vec(), true);
    assert_eq!(seen, [committed(&[30, 31]), committed(&[2, 3, 4]), committed(&[1])]);
}

#[test]
fn stored_entries_that_are_no_open_transaction_are_refused() {
    for wrong in [last(1, 5, 12, NO_ONE, &[1]), part(1, 5, 12, 11, &[1]), abort(1, 5, 12, NO_ONE)] {
        let raw = wrong.raw();
        let error = Assembler::rebuild(Timestamp::ZERO, [Doc::new(&raw).unwrap()]).unwrap_err();
        assert!(matches!(error.problem, EntryProblem::Transaction(_) | EntryProblem::LostPart(_)), "{error}");
    }
}

#[test]
fn a_broken_operation_is_told_where_it_stands() {
    let mut assembler = fresh();
    let mut broken = part(1, 5, 10, NO_ONE, &[1]);
    broken.entry.insert("o", doc! {"applyOps": [{"op": "?", "ns": "app.a", "o": {}}], "partialTxn": true});
    run(&mut assembler, &[broken]);
    let error = take(&mut assembler, &last(1, 5, 11, 10, &[2]), STRICT).unwrap_err();
    assert_eq!(error.at.ts.secs, 10, "{error}");
}

#[test]
fn the_last_entry_of_several_must_count_as_many_operations_as_are_held() {
    let parts = [part(1, 5, 10, NO_ONE, &[1, 2]), part(1, 5, 11, 10, &[3])];
    let begun = || {
        let mut assembler = fresh();
        run(&mut assembler, &parts);
        assembler
    };
    let sound = counted(last(1, 5, 12, 11, &[4]), 4);
    assert_eq!(run(&mut begun(), &[sound]), [Seen::Committed(vec![1, 2, 3, 4], true)]);
    let sound = counted(prepare(1, 5, 12, 11, &[4, 5]), 5);
    let committed = Seen::Committed(vec![1, 2, 3, 4, 5], true);
    assert_eq!(run(&mut begun(), &[sound, commit(1, 5, 13, 12)]), [Seen::Held, committed]);
    for wrong in [3, 5, -1, i64::MAX] {
        for wrong in [last(1, 5, 12, 11, &[4]), prepare(1, 5, 12, 11, &[4])].map(|it| counted(it, wrong)) {
            let what = lost(&mut begun(), &wrong);
            assert!(what.contains("4 operations"), "{what}");
        }
    }
    let mut rebuilt =
        Assembler::rebuild(Timestamp::ZERO, begun().open_entries().iter().map(|(_, entry)| *entry)).unwrap();
    assert!(take(&mut rebuilt, &counted(last(1, 5, 12, 11, &[4]), 3), STRICT).is_err());
}

#[test]
fn what_was_parsed_of_a_part_is_what_takes_effect() {
    let mut raw = part(1, 5, 10, NO_ONE, &[1]).raw();
    // A second payload, which another reader might take.
    let other = bson::serialize_to_vec(&doc! {"o": {"applyOps": inserts(&[2]), "partialTxn": true}}).unwrap();
    raw.pop();
    raw.extend_from_slice(&other[4..]);
    let len = u32::try_from(raw.len()).unwrap().to_le_bytes();
    raw[..4].copy_from_slice(&len);
    let error = Entry::parse(Doc::new(&raw).unwrap(), STRICT).unwrap_err();
    assert_eq!(error.problem, EntryProblem::Repeated { field: "o" });
}

/// With work for each part that grows with the parts before it, or for each term with what is prepared, this
/// would take many minutes.
#[test]
fn many_parts_and_many_terms_are_work_for_each_once() {
    const PARTS: u32 = 300_000;
    let mut assembler = fresh();
    for at in 1..=PARTS {
        assert_eq!(take(&mut assembler, &part(1, 5, at, at - 1, &[]), STRICT), Ok(Seen::Held));
    }
    let end = counted(last(1, 5, PARTS + 1, PARTS, &[7]), 1);
    assert_eq!(run(&mut assembler, &[end]), [Seen::Committed(vec![7], true)]);
    assert_eq!((assembler.open_len(), assembler.held_bytes()), (0, 0));

    const TERMS: u32 = 100_000;
    let mut bytes = 0;
    for term in 1..=TERMS {
        let mut written = prepare(1, 5, PARTS + 1 + term, NO_ONE, &[]).in_term(i64::from(term));
        let mut id = vec![0; 16];
        id[..4].copy_from_slice(&term.to_le_bytes());
        let id = Binary { subtype: BinarySubtype::Uuid, bytes: id };
        written.entry.insert("lsid", doc! {"id": id});
        bytes += written.raw().len();
        assert_eq!(take(&mut assembler, &written, STRICT), Ok(Seen::Held));
    }
    assert_eq!((assembler.open_len(), assembler.held_bytes()), (TERMS as usize, bytes));
}
