//! Inserts, updates and deletes.

use super::super::{Action, Body, Change, Manner, Target};
use super::{UUID, bytes, field, problem, uuid, with};
use crate::error::EntryProblem;
use crate::names::Namespace;
use crate::update::{Update, UpdateError};
use bson::{Document, doc};
use tidemark_base::CollectionUuid;

fn change<T>(fields: Document, check: impl FnOnce(Change<'_>) -> T) -> T {
    with(fields, |entry| {
        let Body::Change(change) = entry.body else { panic!("{:?} is no change", entry.body) };
        check(change)
    })
}

#[test]
fn an_insert_is_its_whole_document() {
    let document = doc! {"_id": 9, "x": [1, 2]};
    change(
        doc! {"op": "i", "ns": "a.b.c", "ui": uuid(), "o": document.clone(), "o2": {"_id": 9}},
        |change| {
            let uuid = Some(CollectionUuid::from_bytes(UUID));
            assert_eq!(change.target, Target { uuid, namespace: Namespace::parse("a.b.c").unwrap() });
            assert_eq!(change.manner, Manner::Strict);
            let Action::Insert { id, document: found } = change.action else { panic!("no insert") };
            assert_eq!((id.as_integer(), found.as_bytes()), (Some(9), bytes(&document).as_slice()));
        },
    );
}

#[test]
fn the_id_may_stand_behind_other_fields() {
    for fields in [
        doc! {"op": "i", "ns": "a.b", "o": {"shard": 1, "_id": 9}},
        doc! {"op": "u", "ns": "a.b", "o": {"$v": 2, "diff": {"u": {"x": 1}}}, "o2": {"shard": 1, "_id": 9}},
        doc! {"op": "d", "ns": "a.b", "o": {"shard": 1, "_id": 9}},
    ] {
        change(fields, |change| assert_eq!(super::id(&change), 9));
    }
}

#[test]
fn a_change_without_an_id_is_refused() {
    for (name, fields) in [
        ("o._id", doc! {"op": "i", "ns": "a.b", "o": {"x": 1}}),
        ("o._id", doc! {"op": "d", "ns": "a.b", "o": {"x": 1}, "o2": {"_id": 1}}),
        ("o2._id", doc! {"op": "u", "ns": "a.b", "o": {"_id": 1}, "o2": {"x": 1}}),
    ] {
        assert_eq!(problem(fields), field(name));
    }
}

#[test]
fn an_update_takes_its_id_from_o2_and_its_form_from_o() {
    change(doc! {"op": "u", "ns": "a.b", "o": {"_id": 1.0, "x": 1}, "o2": {"_id": 1}}, |change| {
        assert_eq!(super::id(&change), 1);
        assert!(matches!(change.action, Action::Update { update: Update::Replacement(_), .. }));
    });
    change(doc! {"op": "u", "ns": "a.b", "o": {"$set": {"x": 1}}, "o2": {"_id": 1}}, |change| {
        assert!(matches!(change.action, Action::Update { update: Update::Modifiers(_), .. }));
    });
    let unknown = problem(doc! {"op": "u", "ns": "a.b", "o": {"$v": 3}, "o2": {"_id": 1}});
    assert!(matches!(unknown, EntryProblem::Update(UpdateError::UnknownForm(_))), "{unknown:?}");
}

#[test]
fn an_entry_that_calls_itself_an_upsert_is_one() {
    let fields = doc! {"op": "u", "ns": "a.b", "o": {"_id": 1}, "o2": {"_id": 1}};
    for (b, manner) in [(true, Manner::User { upsert: true, fuzzy: false }), (false, Manner::Strict)] {
        let mut fields = fields.clone();
        fields.insert("b", b);
        change(fields, |change| assert_eq!(change.manner, manner));
    }
}

#[test]
fn only_updates_can_be_upserts() {
    for (op, o) in [("i", doc! {"_id": 1, "x": 1}), ("d", doc! {"_id": 1})] {
        let fields = doc! {"op": op, "ns": "a.b", "o": o, "b": true};
        change(fields, |change| assert_eq!(change.manner, Manner::Strict, "{op}"));
    }
}

#[test]
fn internal_copies_and_retryable_writes_are_changes_like_others() {
    let session = doc! {"id": uuid(), "uid": uuid()};
    for extra in [
        doc! {"fromMigrate": true},
        doc! {"lsid": session, "txnNumber": 4i64, "stmtId": 0, "needsRetryImage": "preImage"},
        doc! {"stmtId": [0, 1], "prevOpTime": {"ts": bson::Timestamp { time: 0, increment: 0 }, "t": -1i64}},
    ] {
        let mut fields = doc! {"op": "i", "ns": "a.b", "o": {"_id": 1}};
        fields.extend(extra);
        change(fields, |change| assert_eq!(change.manner, Manner::Strict));
    }
}

#[test]
fn a_change_needs_a_name_that_mongod_accepts() {
    for ns in ["", "nodot", "../x.y", "a/b.c", ".x", "a.", "a\u{0}b.c", "a.$cmd"] {
        let wrong = problem(doc! {"op": "d", "ns": ns, "o": {"_id": 1}});
        assert!(matches!(wrong, EntryProblem::Name(_)), "{ns:?}: {wrong:?}");
    }
}

#[test]
fn names_that_the_filter_will_drop_still_parse() {
    for ns in ["local.x", "config.transactions", "admin.system.keys", "a.system.profile"] {
        change(doc! {"op": "d", "ns": ns, "o": {"_id": 1}}, |change| {
            assert_eq!(change.target.namespace.full(), ns);
        });
    }
}
