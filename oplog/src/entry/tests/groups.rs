//! `applyOps` and its kin: whose it is, when it counts, and what is in it.

use super::super::{Body, Chain, Entry, Fuzzy, Manner, Operation, Operations, Step, TransactionStep};
use super::{apply_ops, at, bytes, entry, field, group, problem, texts, uuid, with};
use crate::error::EntryProblem;
use bson::{Document, doc};
use tidemark_base::bson::Doc;
use tidemark_base::{OpTime, Timestamp};

fn delete(id: i32) -> Document {
    doc! {"op": "d", "ns": "a.b", "o": {"_id": id}}
}

fn nested(operations: Vec<Document>) -> Document {
    doc! {"op": "c", "ns": "a.$cmd", "o": {"applyOps": operations}}
}

fn in_session(mut fields: Document, o: Document) -> Document {
    fields.get_document_mut("o").unwrap().extend(o);
    fields.insert("lsid", doc! {"id": uuid(), "uid": uuid()});
    fields.insert("txnNumber", 4i64);
    fields
}

fn step<T>(fields: Document, check: impl FnOnce(TransactionStep<'_>) -> T) -> T {
    with(fields, |entry| {
        let Body::Transaction(step) = entry.body else { panic!("{:?} is no transaction", entry.body) };
        check(step)
    })
}

/// What the group of these fields fails with when its operations are read.
fn inner(fields: Document) -> EntryProblem {
    with(fields, |entry| {
        let mut operations = group(entry.body).iter().skip_while(Result::is_ok);
        let problem = operations.next().expect("it must be refused").map(|it| format!("{it:?}")).unwrap_err();
        assert!(operations.next().is_none(), "it ends after an error");
        problem
    })
}

#[test]
fn operations_of_a_server_without_a_session_are_a_group_in_the_entrys_manner() {
    with(apply_ops(vec![delete(1), delete(2)]), |entry| {
        assert_eq!(group(entry.body).manner, Manner::Strict);
        assert_eq!(texts(group(entry.body)), ["a.b 1", "a.b 2"]);
    });
    with(apply_ops(vec![]), |entry| assert!(texts(group(entry.body)).is_empty()));
}

#[test]
fn fields_of_a_request_make_it_the_users() {
    for (extra, upsert) in [
        (doc! {"$db": "a"}, true),
        (doc! {"lsid": {"id": uuid()}, "$clusterTime": {}, "$db": "admin"}, true),
        (doc! {"alwaysUpsert": true}, true),
        (doc! {"alwaysUpsert": false, "$db": "a"}, false),
    ] {
        let mut fields = apply_ops(vec![delete(1)]);
        fields.get_document_mut("o").unwrap().extend(extra);
        with(fields, |entry| {
            assert_eq!(group(entry.body).manner, Manner::User { upsert, fuzzy: false });
            let Some(Ok(Operation::Change(change))) = group(entry.body).iter().next() else {
                panic!("no change")
            };
            assert_eq!(change.manner, Manner::User { upsert, fuzzy: false });
        });
    }
}

#[test]
fn so_does_another_database_than_admin() {
    with(nested(vec![delete(1)]), |entry| {
        assert_eq!(group(entry.body).manner, Manner::User { upsert: true, fuzzy: false });
    });
}

/// Changes in an entry during the initial sync.
fn fuzzily(fields: Document) -> Vec<(Manner, Option<String>)> {
    let bytes = bytes(&entry(fields));
    let fuzzy = Fuzzy { until: Some(at().ts) };
    let entry = Entry::parse(Doc::new(&bytes).unwrap(), fuzzy).unwrap();
    let of = |change: &super::super::Change<'_>| (change.manner, change.doubt().map(|it| it.operator));
    if let Body::Change(change) = entry.body {
        return vec![of(&change)];
    }
    let operations = group(entry.body).iter().map(|operation| match operation.unwrap() {
        Operation::Change(change) => of(&change),
        Operation::Command(command) => panic!("{command:?}"),
    });
    operations.collect()
}

#[test]
fn a_users_own_during_the_initial_sync_may_find_a_copy_that_is_ahead() {
    let mut own = nested(vec![delete(1)]);
    own.get_document_mut("o").unwrap().insert("alwaysUpsert", false);
    let user = |upsert| (Manner::User { upsert, fuzzy: true }, None);
    assert_eq!(fuzzily(own.clone()), [user(false)]);
    // The server's own around it, and a user's in it.
    assert_eq!(fuzzily(apply_ops(vec![delete(2), own.clone()])), [(Manner::Tolerant, None), user(false)]);
    // The nested one says nothing, and is what those around it are.
    let mut outer = nested(vec![nested(vec![delete(3)]), own]);
    assert_eq!(fuzzily(outer.clone()), [user(true), user(false)]);
    outer.insert("multiOpType", 1);
    assert_eq!(fuzzily(outer)[0], (Manner::Tolerant, None));
    let upsert = doc! {"op": "u", "ns": "a.b", "o": {"_id": 1}, "o2": {"_id": 1}, "b": true};
    assert_eq!(fuzzily(upsert), [user(true)]);
}

#[test]
fn operators_that_do_more_when_applied_twice_are_in_doubt_during_the_initial_sync() {
    let update = |o: Document| doc! {"op": "u", "ns": "a.b", "o": o, "o2": {"_id": 1}};
    let doubts = |o: Document| fuzzily(nested(vec![update(o)])).remove(0).1;
    for (o, operator) in [
        (doc! {"$inc": {"n": 1}}, "$inc"),
        (doc! {"$v": 1, "$set": {"a": 1}, "$push": {"l": 1}}, "$push"),
        (doc! {"$bit\n": {"n": {"and": 1}}}, "$bit\\n"),
    ] {
        assert_eq!(doubts(o).as_deref(), Some(operator));
    }
    for o in [
        doc! {"$v": 1, "$set": {"a": 1}, "$unset": {"b": true}},
        doc! {"$v": 2, "diff": {"u": {"a": 1}}},
        doc! {"_id": 1, "a": 1},
    ] {
        assert_eq!(doubts(o), None);
    }
    // Also where the user's cannot be told from the server's own.
    let bare = fuzzily(apply_ops(vec![update(doc! {"$inc": {"n": 1}})]));
    assert_eq!(bare, [(Manner::Tolerant, Some("$inc".to_owned()))]);
    // What is applied to exactly what it was sent to leaves none.
    with(nested(vec![update(doc! {"$inc": {"n": 1}})]), |entry| {
        let Some(Ok(Operation::Change(change))) = group(entry.body).iter().next() else {
            panic!("no change")
        };
        assert_eq!(change.doubt(), None);
    });
}

#[test]
fn the_last_of_several_entries_says_how_many_operations_there_are() {
    step(in_session(apply_ops(vec![delete(1)]), doc! {"count": 3_i64}), |it| assert_eq!(it.count, Some(3)));
    let wrong = problem(in_session(apply_ops(vec![delete(1)]), doc! {"count": "3"}));
    assert_eq!(wrong, field("o.count"));
}

#[test]
fn a_session_makes_it_a_transaction() {
    step(in_session(apply_ops(vec![delete(1)]), doc! {}), |found| {
        let Chain { session, txn_number, previous } = found.chain;
        assert_eq!(found.count, None);
        assert_eq!((txn_number, previous), (4, OpTime::NULL));
        assert_eq!(session.unwrap().as_bytes(), bytes(&doc! {"id": uuid(), "uid": uuid()}));
        let Step::Commit(operations) = found.step else { panic!("{found:?}") };
        assert_eq!(texts(operations), ["a.b 1"]);
    });
}

#[test]
fn parts_prepared_ones_and_decisions_are_told_apart() {
    type Is = fn(&Step<'_>) -> bool;
    let cases: [(Document, Is); 4] = [
        (doc! {"partialTxn": true}, |it| matches!(it, Step::Part(_))),
        (doc! {"prepare": true, "count": 3i64}, |it| matches!(it, Step::Prepare(_))),
        (doc! {"prepare": false, "count": 3i64}, |it| matches!(it, Step::Commit(_))),
        (doc! {"partialTxn": false}, |it| matches!(it, Step::Commit(_))),
    ];
    for (extra, is) in cases {
        step(in_session(apply_ops(vec![]), extra), |found| assert!(is(&found.step), "{found:?}"));
    }
    let command = |name: &str| doc! {"op": "c", "ns": "admin.$cmd", "o": {name: 1}};
    step(in_session(command("commitTransaction"), doc! {"commitTimestamp": 1}), |found| {
        assert_eq!(found.step, Step::CommitPrepared);
    });
    step(in_session(command("abortTransaction"), doc! {}), |found| assert_eq!(found.step, Step::Abort));
    assert_eq!(problem(command("commitTransaction")), field("lsid"));
    assert_eq!(problem(command("abortTransaction")), field("lsid"));
}

#[test]
fn the_entry_before_is_named() {
    let mut fields = in_session(apply_ops(vec![]), doc! {"partialTxn": true});
    fields.insert("prevOpTime", doc! {"ts": bson::Timestamp { time: 4, increment: 5 }, "t": 3i64});
    let previous = OpTime { ts: Timestamp { secs: 4, ordinal: 5 }, term: 3 };
    step(fields.clone(), |found| assert_eq!(found.chain.previous, previous));
    fields.insert("prevOpTime", doc! {"ts": bson::Timestamp { time: 0, increment: 0 }, "t": -1i64});
    step(fields, |found| assert_eq!(found.chain.previous, OpTime::NULL));
}

#[test]
fn a_retryable_group_is_no_transaction() {
    let mut fields = in_session(apply_ops(vec![delete(1)]), doc! {});
    fields.insert("multiOpType", 1);
    with(fields.clone(), |entry| assert_eq!(group(entry.body).manner, Manner::Strict));
    fields.insert("multiOpType", 0);
    step(fields.clone(), |found| assert!(matches!(found.step, Step::Commit(_))));
    fields.insert("multiOpType", 2);
    assert_eq!(problem(fields), field("multiOpType"));
}

#[test]
fn large_groups_without_a_session_chain_by_the_entry_before() {
    let mut first = apply_ops(vec![delete(1)]);
    first.get_document_mut("o").unwrap().insert("partialTxn", true);
    step(first, |found| {
        assert_eq!(found.chain, Chain { session: None, txn_number: 0, previous: OpTime::NULL });
        assert!(matches!(found.step, Step::Part(_)));
    });
    let mut last = apply_ops(vec![delete(1)]);
    last.insert("prevOpTime", doc! {"ts": bson::Timestamp { time: 4, increment: 5 }, "t": 3i64});
    step(last, |found| assert!(matches!(found.step, Step::Commit(_)) && found.chain.session.is_none()));
}

#[test]
fn contradictions_are_refused() {
    let separate = |o: Document| {
        let mut fields = in_session(apply_ops(vec![]), o);
        fields.insert("multiOpType", 1);
        fields
    };
    let mut alone = apply_ops(vec![]);
    alone.get_document_mut("o").unwrap().insert("prepare", true);
    for fields in [
        separate(doc! {"partialTxn": true}),
        separate(doc! {"prepare": true}),
        in_session(apply_ops(vec![]), doc! {"partialTxn": true, "prepare": true}),
        alone,
    ] {
        let wrong = problem(fields);
        assert!(matches!(wrong, EntryProblem::Transaction(_)), "{wrong:?}");
    }
    let whole = in_session(apply_ops(vec![]), doc! {});
    let without = |name: &str| {
        let mut fields = whole.clone();
        fields.remove(name);
        problem(fields)
    };
    assert_eq!(without("lsid"), field("lsid"));
    assert_eq!(without("txnNumber"), field("txnNumber"));
    let mut nameless = whole.clone();
    nameless.insert("lsid", doc! {});
    assert_eq!(problem(nameless), field("lsid.id"));
    assert_eq!(problem(doc! {"op": "c", "ns": "admin.$cmd", "o": {"applyOps": {}}}), field("o.applyOps"));
}

#[test]
fn notes_and_bookkeeping_inside_are_left_out() {
    let note = |op: &str| doc! {"op": op, "ns": "", "o": {}};
    let harmless = doc! {"op": "c", "ns": "a.$cmd", "o": {"dbCheck": "b"}};
    let operations = vec![note("n"), delete(1), note("ci"), note("km"), harmless, delete(2), note("n")];
    with(apply_ops(operations), |entry| assert_eq!(texts(group(entry.body)), ["a.b 1", "a.b 2"]));
}

#[test]
fn nested_ones_stand_in_their_place() {
    let create = doc! {"op": "c", "ns": "a.$cmd", "ui": uuid(), "o": {"create": "c"}};
    let operations = vec![
        delete(1),
        nested(vec![delete(2), nested(vec![delete(3)]), nested(vec![]), delete(4)]),
        create,
        delete(5),
        nested(vec![nested(vec![delete(6)])]),
    ];
    with(apply_ops(operations), |entry| {
        let mut found = texts(group(entry.body));
        assert!(found.remove(4).starts_with("a Create"));
        assert_eq!(found, ["a.b 1", "a.b 2", "a.b 3", "a.b 4", "a.b 5", "a.b 6"]);
    });
}

#[test]
fn nesting_is_limited_as_mongod_limits_it() {
    let deep = |levels: usize| (1..levels).fold(vec![delete(1)], |operations, _| vec![nested(operations)]);
    with(apply_ops(deep(10)), |entry| assert_eq!(texts(group(entry.body)), ["a.b 1"]));
    assert_eq!(inner(apply_ops(deep(11))), EntryProblem::TooDeep { limit: 10 });
}

#[test]
fn a_users_own_one_may_nest_in_another_and_say_otherwise() {
    let mut own = nested(vec![delete(1)]);
    own.get_document_mut("o").unwrap().insert("alwaysUpsert", false);
    with(apply_ops(vec![own, delete(2)]), |entry| {
        let manners = group(entry.body).iter().map(|operation| match operation.unwrap() {
            Operation::Change(change) => change.manner,
            Operation::Command(command) => command.manner,
        });
        let own = Manner::User { upsert: false, fuzzy: false };
        assert_eq!(manners.collect::<Vec<_>>(), [own, Manner::Strict]);
    });
}

#[test]
fn an_operation_inside_that_is_broken_or_not_known_is_an_error() {
    let unknown_op = EntryProblem::UnknownOperation { op: "zz".into() };
    let unknown_command = EntryProblem::UnknownCommand { command: "shuffle".into() };
    for (operation, expected) in [
        (doc! {"op": "zz", "ns": "a.b", "o": {}}, unknown_op),
        (doc! {"op": "c", "ns": "a.$cmd", "o": {"shuffle": 1}}, unknown_command),
        (doc! {"op": "d", "o": {"_id": 1}}, field("ns")),
        (doc! {"ns": "a.b", "o": {"_id": 1}}, field("op")),
        (doc! {"op": "d", "ns": "a.b"}, field("o")),
        (doc! {"op": "i", "ns": "a.b", "o": {"x": 1}}, field("o._id")),
    ] {
        assert_eq!(inner(apply_ops(vec![delete(1), operation.clone(), delete(2)])), expected);
        assert_eq!(inner(apply_ops(vec![nested(vec![operation])])), expected);
    }
    let not_an_object = doc! {"op": "c", "ns": "admin.$cmd", "o": {"applyOps": [1]}};
    assert_eq!(inner(not_an_object), field("o.applyOps"));
    let name = inner(apply_ops(vec![doc! {"op": "d", "ns": "../a.b", "o": {"_id": 1}}]));
    assert!(matches!(name, EntryProblem::Name(_)));
}

#[test]
fn transactions_do_not_nest() {
    for o in [
        doc! {"commitTransaction": 1},
        doc! {"abortTransaction": 1},
        doc! {"applyOps": [], "partialTxn": true},
        doc! {"applyOps": [], "prepare": true},
    ] {
        let wrong = inner(apply_ops(vec![doc! {"op": "c", "ns": "admin.$cmd", "o": o}]));
        assert!(matches!(wrong, EntryProblem::Transaction(_)), "{wrong:?}");
    }
}

#[test]
fn the_manner_given_counts_for_the_operations() {
    let bytes = bytes(&doc! {"0": delete(1), "1": nested(vec![delete(2)])});
    let operations = Operations { array: Doc::new(&bytes).unwrap(), manner: Manner::Tolerant };
    for operation in operations.iter() {
        assert!(matches!(operation, Ok(Operation::Change(change)) if change.manner == Manner::Tolerant));
    }
}
