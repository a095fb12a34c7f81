//! Diffs of documents.

use super::{applied, makes, raw, refuses};
use bson::{Binary, Document, doc, rawdoc, spec::BinarySubtype};

fn v2(diff: Document) -> Document {
    doc! {"$v": 2, "diff": diff}
}

#[track_caller]
fn diffs(document: Document, diff: Document, expected: Document) {
    makes(&document, &v2(diff), &expected);
}

#[test]
fn fields_go_change_in_place_and_are_appended_updates_before_inserts() {
    let old = doc! {"_id": 1, "a": 1, "b": 2, "c": 3, "d": 4};
    let diff = doc! {
        "d": {"a": false, "missing": false},
        "u": {"z": 26, "c": "three", "y": 25},
        "i": {"n2": 1, "b": "moved", "n10": 2},
        "sd": {"u": {"x": 1}},
    };
    let expected =
        doc! {"_id": 1, "c": "three", "d": null, "z": 26, "y": 25, "n2": 1, "b": "moved", "n10": 2};
    diffs(old, diff, expected);
}

#[test]
fn names_are_never_paths_and_only_the_first_letter_of_a_section_is_syntax() {
    let old = doc! {"_id": 1, "a": {"b": 1}, "a.b": 1, "": {"x": 1}, "u": {"x": 1}, "s": {"x": 1}, "$x": 1};
    let diff = doc! {
        "u": {"a.b": 2, "$x": 2},
        "s": {"u": {"x": 2}},
        "su": {"u": {"x": 3}},
        "ss": {"u": {"x": 4}},
        "sa": {"u": {"b": 5}},
    };
    let expected =
        doc! {"_id": 1, "a": {"b": 5}, "a.b": 2, "": {"x": 2}, "u": {"x": 3}, "s": {"x": 4}, "$x": 2};
    diffs(old, diff, expected);
    // Fields whose names are those of sections, nested and changed.
    let letters = doc! {"_id": 1, "d": {}, "i": {}, "l": {}, "a": {}, "b": {}, "u1": {}, "s1": {}};
    let mut diff = doc! {};
    let mut expected = doc! {"_id": 1};
    for name in ["d", "i", "l", "a", "b", "u1", "s1"] {
        diff.insert(format!("s{name}"), doc! {"i": {name: 1}});
        expected.insert(name, doc! {name: 1});
    }
    diffs(letters, diff, expected);
}

#[test]
fn an_id_among_the_inserts_ends_up_in_front_and_cannot_be_removed() {
    let old = doc! {"_id": 1, "a": 1, "b": 2};
    let reorder = doc! {"i": {"_id": 1, "b": 2, "a": 1}};
    diffs(old.clone(), reorder, doc! {"_id": 1, "b": 2, "a": 1});
    diffs(old.clone(), doc! {"d": {"_id": false, "a": false}}, doc! {"_id": 1, "b": 2});
    diffs(old, doc! {"u": {"_id": 1.0, "a": 5}}, doc! {"_id": 1.0, "a": 5, "b": 2});
    // It is moved there even if it stood elsewhere, but not below the top.
    diffs(doc! {"a": 1, "_id": 1}, doc! {"u": {"a": 2}}, doc! {"_id": 1, "a": 2});
    let nested = doc! {"_id": 1, "n": {"_id": 1, "a": 1}};
    diffs(nested, doc! {"sn": {"i": {"_id": 2}}}, doc! {"_id": 1, "n": {"a": 1, "_id": 2}});
    // A document without one gets none.
    diffs(doc! {"a": 1}, doc! {"u": {"a": 2}}, doc! {"a": 2});
}

#[test]
fn a_nested_diff_on_another_kind_of_value_gives_null_and_on_nothing_nothing() {
    for value in [bson::Bson::Null, 1.into(), "x".into(), bson::bson!([{"b": 1}])] {
        let old = doc! {"_id": 1, "a": value, "b": 1};
        diffs(old, doc! {"sa": {"u": {"b": 1}}}, doc! {"_id": 1, "a": null, "b": 1});
    }
    let old = doc! {"_id": 1, "a": {"b": 1}};
    diffs(old.clone(), doc! {"sa": {"a": true, "u0": 1}}, doc! {"_id": 1, "a": null});
    diffs(old.clone(), doc! {"sx": {"u": {"b": 1}}}, old.clone());
    diffs(old.clone(), doc! {"sx": {"a": true, "l": 3}}, old);
}

#[test]
fn nesting_works_through_documents_and_arrays() {
    let old = doc! {"_id": 1, "a": {"b": [{"c": [1, 2]}, 5], "z": 1}};
    let diff = doc! {"sa": {"i": {"y": 1}, "sb": {"a": true, "s0": {"sc": {"a": true, "u1": 9}}, "u2": 7}}};
    diffs(old, diff, doc! {"_id": 1, "a": {"b": [{"c": [1, 9]}, 5, 7], "z": 1, "y": 1}});
}

#[test]
fn every_occurrence_of_a_repeated_name_is_changed() {
    let old = rawdoc! {"_id": 1, "a": 1, "b": {"x": 1}, "a": {"x": 1}, "c": 1, "b": 2};
    let cases = [
        (doc! {"u": {"a": 5}}, rawdoc! {"_id": 1, "a": 5, "b": {"x": 1}, "a": 5, "c": 1, "b": 2}),
        (doc! {"d": {"a": false}}, rawdoc! {"_id": 1, "b": {"x": 1}, "c": 1, "b": 2}),
        (doc! {"i": {"a": 5}}, rawdoc! {"_id": 1, "b": {"x": 1}, "c": 1, "b": 2, "a": 5}),
        (
            doc! {"sb": {"u": {"x": 2}}},
            rawdoc! {"_id": 1, "a": 1, "b": {"x": 2}, "a": {"x": 1}, "c": 1, "b": bson::RawBson::Null},
        ),
    ];
    for (diff, expected) in cases {
        assert_eq!(applied(old.as_bytes(), &raw(&v2(diff))).unwrap(), expected.as_bytes());
    }
}

#[test]
fn a_binary_patch_replaces_all_from_its_offset_on() {
    let binary = |subtype, bytes: &[u8]| Binary { subtype, bytes: bytes.to_vec() };
    let column = |bytes| doc! {"_id": 1, "x": binary(BinarySubtype::Column, bytes), "y": 1};
    let patch = |offset: i32, bytes| {
        doc! {"b": {"x": {"o": offset, "d": binary(BinarySubtype::Column, bytes)}}}
    };
    diffs(column(&[1, 2, 3, 4]), patch(2, &[9]), column(&[1, 2, 9]));
    diffs(column(&[1, 2, 3, 4]), patch(4, &[5, 6]), column(&[1, 2, 3, 4, 5, 6]));
    diffs(column(&[1, 2]), patch(0, &[]), column(&[]));
    // Replayed over a later state: what it does not fit stays.
    diffs(column(&[1, 2]), patch(3, &[9]), column(&[1, 2]));
    diffs(doc! {"_id": 1, "x": 5}, patch(0, &[9]), doc! {"_id": 1, "x": 5});
    diffs(doc! {"_id": 1}, patch(0, &[9]), doc! {"_id": 1});
    // The subtype is that of the stored value.
    let generic = doc! {"_id": 1, "x": binary(BinarySubtype::Generic, &[1, 2])};
    diffs(generic, patch(1, &[3]), doc! {"_id": 1, "x": binary(BinarySubtype::Generic, &[1, 3])});
    for broken in [
        doc! {"b": {"x": 1}},
        doc! {"b": {"x": {"o": 1}}},
        doc! {"b": {"x": {"o": -1, "d": binary(BinarySubtype::Column, &[1])}}},
        doc! {"b": {"x": {"o": 1, "d": "text"}}},
    ] {
        refuses(&column(&[1]), &v2(broken.clone()), "binary patch");
        refuses(&doc! {"_id": 1}, &v2(broken), "binary patch");
    }
}

#[test]
fn sections_are_refused_out_of_order_unknown_or_of_another_type() {
    let old = doc! {"_id": 1, "a": {"x": 1}};
    for (diff, text) in [
        (doc! {"i": {"b": 1}, "u": {"a": 2}}, "'u' is out of order"),
        (doc! {"u": {"a": 1}, "d": {"b": false}}, "'d' is out of order"),
        (doc! {"sa": {"u": {"x": 1}}, "i": {"b": 1}}, "'i' is out of order"),
        (doc! {"b": {}, "i": {"b": 1}}, "'i' is out of order"),
        (doc! {"q": {"a": 1}}, "'q' is not known"),
        (doc! {"": {"a": 1}}, "'' is not known"),
        (doc! {"uu": {"a": 1}}, "'uu' is not known"),
        (doc! {"a": true, "u0": 1}, "'a' is not known"),
        (doc! {"u": 1}, "'u' is no document"),
        (doc! {"u": [1]}, "'u' (an array) is no document"),
        (doc! {"sx": 1}, "'sx' is no document"),
        (doc! {}, "empty"),
    ] {
        refuses(&old, &v2(diff.clone()), text);
        // The same where it would not be applied: below a field that is there, of another kind, or missing.
        for section in ["sa", "s_id", "smissing"] {
            if diff.get("a").is_none() {
                refuses(&old, &v2(doc! {section: diff.clone()}), text);
            }
        }
    }
    let repeated = rawdoc! {"$v": 2, "diff": {"u": {"a": 1}, "u": {"b": 1}}};
    applied(&raw(&old), repeated.as_bytes()).unwrap_err();
    // Nothing in a section is not nothing in a diff, and what removes a field may have any value.
    diffs(old.clone(), doc! {"u": {}}, old.clone());
    diffs(old.clone(), doc! {"sa": {"i": {}}}, old.clone());
    diffs(old, doc! {"d": {"a": 1}}, doc! {"_id": 1});
}

#[test]
fn a_name_in_two_places_of_one_diff_is_refused_in_small_diffs_and_in_large_ones() {
    let old = doc! {"_id": 1, "a": 1};
    refuses(&old, &v2(doc! {"d": {"a": false}, "i": {"a": 2}}), "'a' occurs twice");
    refuses(&old, &v2(doc! {"u": {"a": 1}, "sa": {"u": {"b": 1}}}), "'a' occurs twice");
    for more in 1..30 {
        let mut updates = doc! {};
        for n in 0..more {
            updates.insert(format!("n{n}"), n);
        }
        for twice in [0, more - 1] {
            let diff = doc! {"u": updates.clone(), "i": {format!("n{twice}"): 1}};
            refuses(&old, &v2(diff), &format!("'n{twice}' occurs twice"));
        }
    }
}

#[test]
fn diffs_of_many_fields_do_the_same_as_diffs_of_few() {
    for fields in 1..40 {
        let (mut old, mut expected) = (doc! {"_id": 1}, doc! {"_id": 1});
        let [mut deletes, mut updates, mut inserts] = [doc! {}, doc! {}, doc! {}];
        for n in 0..fields {
            let name = format!("f{}", n * 7 % 40);
            old.insert(&name, n);
            match n % 4 {
                0 => drop(deletes.insert(name, false)),
                1 => drop(updates.insert(&name, "new")),
                2 => drop(inserts.insert(&name, "moved")),
                _ => drop(expected.insert(name, n)),
            }
            if n % 4 == 1 {
                expected.insert(format!("f{}", n * 7 % 40), "new");
            }
        }
        updates.insert("appended", 1);
        expected.insert("appended", 1);
        expected.extend(inserts.clone());
        diffs(old, doc! {"d": deletes, "u": updates, "i": inserts}, expected);
    }
}
