//! Which form an update has, replacements, and updates of what is not there.

use super::{Update, applied, makes, raw, refuses};
use bson::{Document, doc, rawdoc};
use tidemark_base::bson::Doc;

#[test]
fn with_an_id_it_is_a_replacement_whatever_else_it_has() {
    let old = doc! {"_id": 1, "a": 1};
    makes(&old, &doc! {"_id": 1, "x": 1}, &doc! {"_id": 1, "x": 1});
    makes(&old, &doc! {"_id": 1, "$v": 3, "x": 1}, &doc! {"_id": 1, "$v": 3, "x": 1});
    makes(&old, &doc! {"$v": 2, "_id": 1, "x": 1}, &doc! {"_id": 1, "$v": 2, "x": 1});
    makes(&old, &doc! {"$set": 1, "_id": 1}, &doc! {"_id": 1, "$set": 1});
}

#[test]
fn a_replacement_puts_its_own_id_in_front_and_keeps_its_type() {
    makes(&doc! {"_id": 1}, &doc! {"x": 1, "_id": 1.0, "y": 2}, &doc! {"_id": 1.0, "x": 1, "y": 2});
    // What no `bson::Document` holds passes through as it is.
    let odd = rawdoc! {"_id": 1, "a": 1, "a": 2, "_id": 3};
    assert_eq!(applied(&raw(&doc! {}), odd.as_bytes()).unwrap(), odd.as_bytes());
    let moved = rawdoc! {"a": 1, "_id": 1, "a": 2, "_id": 3};
    let expected = rawdoc! {"_id": 1, "a": 1, "a": 2, "_id": 3};
    assert_eq!(applied(&raw(&doc! {}), moved.as_bytes()).unwrap(), expected.as_bytes());
}

#[test]
fn without_an_id_the_version_decides_in_any_type_of_number() {
    let (old, new) = (doc! {"_id": 1, "a": 1}, doc! {"_id": 1, "a": 2});
    for version in [bson::Bson::Int32(2), bson::Bson::Int64(2), bson::Bson::Double(2.0)] {
        makes(&old, &doc! {"$v": version, "diff": {"u": {"a": 2}}}, &new);
    }
    for version in [bson::Bson::Int32(1), bson::Bson::Int64(1), bson::Bson::Double(1.0)] {
        makes(&old, &doc! {"$v": version.clone(), "$set": {"a": 2}}, &new);
        makes(&old, &doc! {"$set": {"a": 2}, "$v": version}, &new);
    }
    makes(&old, &doc! {"$set": {"a": 2}}, &new);
    makes(&old, &doc! {}, &old);
    makes(&old, &doc! {"$v": 1}, &old);
}

#[test]
fn what_is_no_known_form_is_refused() {
    let old = doc! {"_id": 1, "a": 1};
    refuses(&old, &doc! {"$v": 3, "diff": {"u": {"a": 2}}}, "form of update: $v is 3; 1 and 2 are known");
    refuses(&old, &doc! {"$v": 1.5, "$set": {"a": 2}}, "$v is 1.5; ");
    refuses(&old, &doc! {"$v": "2", "diff": {"u": {"a": 2}}}, "$v is a value of the BSON type 0x02; ");
    refuses(&old, &doc! {"$v": 2}, "no diff");
    refuses(&old, &doc! {"$v": 2, "diff": [1]}, "no diff");
    refuses(&old, &doc! {"x": 1}, "'x'");
    refuses(&old, &doc! {"$set": {"b": 1}, "c": 1}, "'c'");
}

/// What an update makes of a missing document.
fn upserted(id: &Document, o: &Document) -> Document {
    let (id, o) = (raw(id), raw(o));
    let id = Doc::new(&id).unwrap().first_element().unwrap().unwrap();
    let mut out = b"x".to_vec();
    Update::parse(Doc::new(&o).unwrap()).unwrap().upsert(id, &mut out).unwrap();
    bson::deserialize_from_slice(&out[1..]).unwrap()
}

#[test]
fn an_upsert_is_the_replacement_or_what_becomes_of_the_id_alone() {
    let id = doc! {"_id": 7i64};
    assert_eq!(upserted(&id, &doc! {"z": 1, "_id": 7}), doc! {"_id": 7, "z": 1});
    assert_eq!(
        upserted(&id, &doc! {"$v": 1, "$set": {"b": 1, "a.b": 2}}),
        doc! {"_id": 7i64, "a": {"b": 2}, "b": 1}
    );
    assert_eq!(upserted(&id, &doc! {"$unset": {"b": 1}}), doc! {"_id": 7i64});
    assert_eq!(upserted(&id, &doc! {"$inc": {"b": 1}}), doc! {"_id": 7i64, "b": 1});
    assert_eq!(upserted(&id, &doc! {"$v": 2, "diff": {"u": {"a": 1}}}), doc! {"_id": 7i64, "a": 1});
    assert_eq!(upserted(&id, &doc! {"$v": 2, "diff": {"d": {"a": false}}}), doc! {"_id": 7i64});
    // The `_id` may come from an element of any name, as that of `o2` does.
    assert_eq!(upserted(&doc! {"x": 7}, &doc! {"$inc": {"b": 1}}), doc! {"_id": 7, "b": 1});
}
