//! The rules for entries, one by one, on entries written for the purpose; real ones are in `tests/entries.rs`.

mod changes;
mod commands;
mod groups;
mod hostile;
mod repeated;

use super::{Body, Entry, Fuzzy, Manner, Operation, Operations};
use crate::error::{EntryError, EntryProblem};
use bson::{Bson, Document, doc};
use tidemark_base::bson::{Doc, Element};
use tidemark_base::{OpTime, Timestamp};

const UUID: [u8; 16] = [7; 16];

fn uuid() -> Bson {
    Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: UUID.to_vec() })
}

fn bytes(document: &Document) -> Vec<u8> {
    bson::serialize_to_vec(document).unwrap()
}

/// An entry at (5, 6) of term 3 with these fields first.
fn entry(fields: Document) -> Document {
    let mut entry = fields;
    entry.insert("ts", bson::Timestamp { time: 5, increment: 6 });
    entry.insert("t", 3i64);
    entry.insert("v", 2i64);
    entry.insert("wall", bson::DateTime::from_millis(1234));
    entry
}

fn at() -> OpTime {
    OpTime { ts: Timestamp { secs: 5, ordinal: 6 }, term: 3 }
}

/// Parses what [`entry`] makes of the fields and hands it to `check`.
fn with<T>(fields: Document, check: impl FnOnce(Entry<'_>) -> T) -> T {
    let bytes = bytes(&entry(fields));
    check(Entry::parse(Doc::new(&bytes).unwrap(), Fuzzy::default()).unwrap())
}

/// What is wrong with the entry of these fields, at the right position.
fn problem(fields: Document) -> EntryProblem {
    let error = parse_error(&entry(fields));
    assert_eq!(error.at, at());
    error.problem
}

fn parse_error(document: &Document) -> EntryError {
    let bytes = bytes(document);
    let parsed = Entry::parse(Doc::new(&bytes).unwrap(), Fuzzy::default());
    parsed.map(|entry| format!("{entry:?}")).expect_err("it must be refused")
}

fn field(field: &'static str) -> EntryProblem {
    EntryProblem::Field { field }
}

/// An `applyOps` of these operations as the server writes it.
fn apply_ops(operations: Vec<Document>) -> Document {
    doc! {"op": "c", "ns": "admin.$cmd", "o": {"applyOps": operations}}
}

/// The operations of a group, as short texts.
fn texts(operations: Operations<'_>) -> Vec<String> {
    operations.iter().map(|operation| text(&operation.unwrap())).collect()
}

fn text(operation: &Operation<'_>) -> String {
    match operation {
        Operation::Change(change) => format!("{} {}", change.target.namespace, id(change)),
        Operation::Command(command) => format!("{} {:?}", command.database, command.command),
    }
}

fn id(change: &super::Change<'_>) -> i64 {
    use super::Action::{Delete, Insert, Update};
    let (Insert { id, .. } | Update { id, .. } | Delete { id }) = change.action;
    Element::as_integer(id).unwrap()
}

fn group(body: Body<'_>) -> Operations<'_> {
    let Body::Group(operations) = body else { panic!("{body:?} is no group") };
    operations
}

#[test]
fn the_outer_fields_are_read() {
    with(doc! {"op": "n", "ns": "", "o": {"msg": "periodic noop"}}, |entry| {
        assert_eq!((entry.at, entry.wall_ms, entry.body), (at(), Some(1234), Body::Nothing));
    });
}

#[test]
fn fields_that_are_not_known_are_kept_and_ignored() {
    let fields =
        doc! {"future": {"x": 1}, "op": "d", "ns": "a.b", "o": {"_id": 1}, "rid": 7i64, "isTimeseries": true};
    let whole = bytes(&entry(fields.clone()));
    with(fields, |entry| {
        assert_eq!(entry.raw.as_bytes(), whole);
        assert!(matches!(entry.body, Body::Change(_)));
    });
}

#[test]
fn an_entry_without_a_term_has_none() {
    let mut fields = entry(doc! {"op": "n", "ns": "", "o": {}});
    fields.remove("t");
    fields.remove("wall");
    let bytes = bytes(&fields);
    let entry = Entry::parse(Doc::new(&bytes).unwrap(), Fuzzy::default()).unwrap();
    assert_eq!((entry.at.term, entry.wall_ms), (OpTime::NO_TERM, None));
}

#[test]
fn another_version_or_none_is_refused() {
    let mut fields = entry(doc! {"op": "n", "ns": "", "o": {}});
    fields.insert("v", 3);
    assert_eq!(parse_error(&fields), EntryError { at: at(), problem: EntryProblem::Version { found: 3 } });
    fields.remove("v");
    assert_eq!(parse_error(&fields).problem, field("v"));
}

#[test]
fn an_entry_without_a_timestamp_is_nowhere() {
    let error = parse_error(&doc! {"op": "n", "ns": "", "o": {}, "t": 1i64, "v": 2});
    assert_eq!(error, EntryError { at: OpTime::NULL, problem: field("ts") });
}

#[test]
fn fields_of_the_wrong_type_are_named() {
    for (name, fields) in [
        ("op", doc! {"op": 1, "ns": "", "o": {}}),
        ("op", doc! {"ns": "", "o": {}}),
        ("ns", doc! {"op": "d", "ns": 1, "o": {"_id": 1}}),
        ("ns", doc! {"op": "d", "o": {"_id": 1}}),
        ("ui", doc! {"op": "d", "ns": "a.b", "ui": "x", "o": {"_id": 1}}),
        ("o", doc! {"op": "d", "ns": "a.b", "o": []}),
        ("o", doc! {"op": "d", "ns": "a.b"}),
        ("o2", doc! {"op": "u", "ns": "a.b", "o": {"_id": 1}, "o2": 1}),
        ("o2", doc! {"op": "u", "ns": "a.b", "o": {"_id": 1}}),
        ("b", doc! {"op": "u", "ns": "a.b", "o": {"_id": 1}, "o2": {"_id": 1}, "b": "yes"}),
        ("prevOpTime", doc! {"op": "n", "ns": "", "o": {}, "prevOpTime": 1}),
        ("prevOpTime.ts", doc! {"op": "n", "ns": "", "o": {}, "prevOpTime": {"t": 1i64}}),
        ("lsid", doc! {"op": "n", "ns": "", "o": {}, "lsid": 1}),
        ("txnNumber", doc! {"op": "n", "ns": "", "o": {}, "txnNumber": "1"}),
        ("multiOpType", doc! {"op": "n", "ns": "", "o": {}, "multiOpType": "1"}),
    ] {
        assert_eq!(problem(fields), field(name));
    }
}

#[test]
fn what_belongs_to_a_tenant_is_refused() {
    let tid = bson::oid::ObjectId::from_bytes([1; 12]);
    let delete = doc! {"op": "d", "ns": "a.b", "tid": tid, "o": {"_id": 1}};
    assert_eq!(problem(delete.clone()), EntryProblem::Tenant);
    assert_eq!(problem(doc! {"op": "n", "ns": "", "tid": tid, "o": {}}), EntryProblem::Tenant);
    with(apply_ops(vec![delete]), |entry| {
        let first = group(entry.body).iter().next().unwrap().map(|it| format!("{it:?}"));
        assert_eq!(first, Err(EntryProblem::Tenant));
    });
}

#[test]
fn names_from_entries_are_escaped_in_messages() {
    let evil = "x\n\u{1b}[2J\u{202e}";
    for fields in [
        doc! {"op": evil, "ns": "a.b", "o": {}},
        doc! {"op": "c", "ns": "a.$cmd", "o": {evil: 1}},
        doc! {"op": "c", "ns": "a.$cmd", "o": {"importCollection": evil}},
        doc! {"op": "d", "ns": evil, "o": {"_id": 1}},
        doc! {"op": "d", "ns": format!("{evil}."), "o": {"_id": 1}},
        doc! {"op": "u", "ns": "a.b", "o": {evil: 1}, "o2": {"_id": 1}},
    ] {
        let text = parse_error(&entry(fields)).to_string();
        assert!(!text.contains(char::is_control) && !text.contains('\u{202e}'), "{text:?}");
    }
    let long = problem(doc! {"op": "c", "ns": "a.$cmd", "o": {"y".repeat(10_000): 1}}).to_string();
    assert!(long.len() < 300, "{} bytes", long.len());
}

#[test]
fn messages_say_what_to_do() {
    for problem in [
        field("o"),
        EntryProblem::Repeated { field: "o" },
        EntryProblem::Version { found: 3 },
        EntryProblem::Transaction("x".into()),
        EntryProblem::LostPart("x".into()),
        problem(doc! {"op": "zz", "ns": "a.b", "o": {}}),
    ] {
        assert!(problem.to_string().contains("resync"), "{problem}");
    }
}

#[test]
fn a_type_of_operation_that_is_not_known_is_an_error_with_its_position() {
    assert_eq!(
        problem(doc! {"op": "zz", "ns": "a.b", "o": {}}),
        EntryProblem::UnknownOperation { op: "zz".into() }
    );
    let error = parse_error(&entry(doc! {"op": "zz", "ns": "a.b", "o": {}}));
    assert!(error.to_string().contains("5,6 term 3"), "{error}");
}

#[test]
fn notes_and_bookkeeping_of_servers_change_nothing() {
    for op in ["n", "db", "xi", "xd", "km", "ci", "cu", "cd"] {
        // Whatever they hold: namespaces and payloads are not looked at.
        with(doc! {"op": op, "ns": "no namespace", "ui": uuid()}, |entry| {
            assert_eq!(entry.body, Body::Nothing);
        });
    }
}

#[test]
fn manners_follow_the_end_of_the_initial_sync() {
    let fuzzy = Fuzzy { until: Some(Timestamp { secs: 5, ordinal: 6 }) };
    assert_eq!(fuzzy.manner_at(Timestamp { secs: 5, ordinal: 6 }), Manner::Tolerant);
    assert_eq!(fuzzy.manner_at(Timestamp { secs: 5, ordinal: 7 }), Manner::Strict);
    assert_eq!(Fuzzy::default().manner_at(Timestamp::ZERO), Manner::Strict);
    let bytes = bytes(&entry(doc! {"op": "d", "ns": "a.b", "o": {"_id": 1}}));
    let parsed = Entry::parse(Doc::new(&bytes).unwrap(), fuzzy).unwrap();
    assert!(matches!(parsed.body, Body::Change(change) if change.manner == Manner::Tolerant));
}

#[test]
fn what_may_be_ahead_is_told_from_what_is_exact() {
    let user = |fuzzy| Manner::User { upsert: true, fuzzy };
    assert!(Manner::Tolerant.is_fuzzy() && user(true).is_fuzzy());
    assert!(!Manner::Strict.is_fuzzy() && !user(false).is_fuzzy());
}
