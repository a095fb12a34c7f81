//! Fields that are there twice: readers that took another one of them would apply something else.

use super::super::{Body, Entry, Fuzzy};
use super::{apply_ops, at, bytes, entry, uuid, with};
use crate::error::{EntryError, EntryProblem};
use crate::slice::optime;
use bson::{Bson, Document, doc};
use tidemark_base::ErrorKind;
use tidemark_base::bson::{Doc, DocWriter};

/// The fields, and behind them each of `more` again, which a [`Document`] cannot hold.
fn again(fields: &Document, more: &[(&str, Bson)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = DocWriter::new(&mut out);
    let open = writer.begin();
    for (name, value) in fields.iter().map(|(name, value)| (name.as_str(), value)) {
        element(&mut writer, name, value);
    }
    more.iter().for_each(|(name, value)| element(&mut writer, name, value));
    writer.end(open);
    out
}

fn element(writer: &mut DocWriter<'_>, name: &str, value: &Bson) {
    let one = bytes(&doc! {name: value.clone()});
    let element = Doc::new(&one).unwrap().first_element().unwrap().unwrap();
    writer.raw(element.kind, element.name, element.value);
}

/// An entry whose `o` is these bytes.
fn command(o: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = DocWriter::new(&mut out);
    let open = writer.begin();
    writer.raw(tidemark_base::bson::kind::OBJECT, b"o", o);
    for (name, value) in &entry(doc! {"op": "c", "ns": "admin.$cmd"}) {
        element(&mut writer, name, value);
    }
    writer.end(open);
    out
}

#[track_caller]
fn refused(raw: &[u8]) -> EntryError {
    let parsed = Entry::parse(Doc::new(raw).unwrap(), Fuzzy::default());
    parsed.map(|entry| format!("{entry:?}")).expect_err("it must be refused")
}

fn repeated(field: &'static str) -> EntryProblem {
    EntryProblem::Repeated { field }
}

#[test]
fn a_field_that_matters_must_not_be_repeated() {
    let previous = doc! {"ts": bson::Timestamp { time: 4, increment: 5 }, "t": 3_i64};
    let whole = entry(doc! {
        "op": "u", "ns": "a.b", "ui": uuid(), "o": {"_id": 1, "x": 1}, "o2": {"_id": 1}, "b": true,
        "lsid": {"id": uuid()}, "txnNumber": 4_i64, "prevOpTime": previous, "multiOpType": 0,
    });
    assert!(Entry::parse(Doc::new(&bytes(&whole)).unwrap(), Fuzzy::default()).is_ok());
    let names: Vec<&str> = whole.keys().map(String::as_str).collect();
    assert_eq!(names.len(), 14);
    for name in names {
        let raw = again(&whole, &[(name, whole[name].clone())]);
        let error = refused(&raw);
        assert!(matches!(error.problem, EntryProblem::Repeated { field } if field == name), "{error}");
        assert_eq!((error.at, error.kind()), (at(), ErrorKind::Corrupt));
    }
    // One that is not known has no meaning, however often it is there.
    let raw = again(&whole, &[("future", Bson::Null), ("future", Bson::Int32(1))]);
    assert!(Entry::parse(Doc::new(&raw).unwrap(), Fuzzy::default()).is_ok());
}

#[test]
fn nobody_takes_a_repeated_position_for_another() {
    let other = ("ts", Bson::Timestamp(bson::Timestamp { time: 4_000_000_000, increment: 1 }));
    let raw = again(&entry(doc! {"op": "n", "ns": "", "o": {}}), &[other, ("t", Bson::Int64(9))]);
    assert_eq!(optime(Doc::new(&raw).unwrap()), Ok(at()));
    assert_eq!(refused(&raw), EntryError { at: at(), problem: repeated("ts") });
}

#[test]
fn a_field_of_an_apply_ops_must_not_be_repeated() {
    let first = doc! {"applyOps": [{"op": "d", "ns": "a.b", "o": {"_id": 1}}]};
    for (name, value, field) in [
        ("applyOps", Bson::Array(Vec::new()), "o.applyOps"),
        ("partialTxn", Bson::Boolean(false), "o.partialTxn"),
        ("prepare", Bson::Boolean(false), "o.prepare"),
        ("alwaysUpsert", Bson::Boolean(false), "o.alwaysUpsert"),
        ("count", Bson::Int64(1), "o.count"),
    ] {
        let raw = command(&again(&first, &[(name, value.clone()), (name, value)]));
        let error = refused(&raw);
        assert_eq!(error, EntryError { at: at(), problem: repeated(field) });
    }
}

#[test]
fn nor_one_of_an_operation_inside() {
    let delete = doc! {"op": "d", "ns": "a.b", "ui": uuid(), "o": {"_id": 1}};
    for name in ["op", "ns", "ui", "o"] {
        let mut operations = Vec::new();
        let mut writer = DocWriter::new(&mut operations);
        let array = writer.begin();
        let raw = again(&delete, &[(name, delete[name].clone())]);
        writer.raw(tidemark_base::bson::kind::OBJECT, b"0", &raw);
        writer.end(array);
        let mut o = Vec::new();
        let mut writer = DocWriter::new(&mut o);
        let open = writer.begin();
        writer.raw(tidemark_base::bson::kind::ARRAY, b"applyOps", &operations);
        writer.end(open);
        let raw = command(&o);
        let parsed = Entry::parse(Doc::new(&raw).unwrap(), Fuzzy::default()).unwrap();
        let Body::Group(operations) = parsed.body else { panic!("no group") };
        let found: Vec<_> = operations.iter().map(|it| it.map(|it| format!("{it:?}"))).collect();
        assert!(
            matches!(found.as_slice(), [Err(EntryProblem::Repeated { field })] if *field == name),
            "{found:?}"
        );
    }
    with(apply_ops(vec![delete]), |entry| assert_eq!(super::texts(super::group(entry.body)).len(), 1));
}
