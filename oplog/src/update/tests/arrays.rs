//! Diffs of arrays.

use super::{applied, makes, raw, refuses};
use bson::{Bson, doc, rawdoc};
use tidemark_base::bson::{Doc, DocWriter, kind};

/// Asserts what a diff of the array `[1, {b: 1}, 3]` gives.
#[track_caller]
fn gives(diff: bson::Document, expected: Bson) {
    let old = doc! {"_id": 1, "a": [1, {"b": 1}, 3], "z": 1};
    makes(&old, &doc! {"$v": 2, "diff": {"sa": diff}}, &doc! {"_id": 1, "a": expected, "z": 1});
}

macro_rules! array {
    ($($value:tt)*) => { bson::bson!([$($value)*]) };
}

#[test]
fn elements_change_at_their_positions() {
    gives(doc! {"a": true, "u0": "x"}, array!["x", {"b": 1}, 3]);
    gives(doc! {"a": true, "u1": null}, array![1, null, 3]);
    gives(doc! {"a": true, "u0": 8, "s1": {"u": {"b": 2}}, "u2": 9}, array![8, {"b": 2}, 9]);
    gives(doc! {"a": true}, array![1, {"b": 1}, 3]);
    // A server reads positions with zeros in front as well, though it writes none.
    gives(doc! {"a": true, "u01": 9}, array![1, 9, 3]);
}

#[test]
fn a_length_truncates_or_pads_with_nulls() {
    gives(doc! {"a": true, "l": 0}, array![]);
    gives(doc! {"a": true, "l": 2}, array![1, {"b": 1}]);
    gives(doc! {"a": true, "l": 3}, array![1, {"b": 1}, 3]);
    gives(doc! {"a": true, "l": 5}, array![1, {"b": 1}, 3, null, null]);
    gives(doc! {"a": true, "l": 2, "u0": 9}, array![9, {"b": 1}]);
    gives(doc! {"a": true, "l": 5, "u4": 9}, array![1, {"b": 1}, 3, null, 9]);
}

#[test]
fn beyond_the_end_values_are_padded_to_and_nested_diffs_give_null() {
    gives(doc! {"a": true, "u3": 9}, array![1, {"b": 1}, 3, 9]);
    gives(doc! {"a": true, "u5": 9, "u6": 8}, array![1, {"b": 1}, 3, null, null, 9, 8]);
    gives(doc! {"a": true, "s4": {"u": {"b": 1}}}, array![1, {"b": 1}, 3, null, null]);
    gives(doc! {"a": true, "s4": {"a": true, "u0": 1}, "u5": 1}, array![1, {"b": 1}, 3, null, null, 1]);
}

#[test]
fn a_nested_diff_on_an_element_of_another_kind_gives_null() {
    gives(doc! {"a": true, "s0": {"u": {"b": 1}}}, array![null, {"b": 1}, 3]);
    gives(doc! {"a": true, "s1": {"a": true, "u0": 1}}, array![1, null, 3]);
}

#[test]
fn a_touched_array_is_numbered_anew_and_an_untouched_one_is_not() {
    let odd = |w: &mut DocWriter<'_>| {
        for (name, value) in [("x", 1), ("0", 2), ("2", 3), ("2", 4), ("", 5)] {
            w.int32(name.as_bytes(), value);
        }
    };
    let mut old = Vec::new();
    let mut w = DocWriter::new(&mut old);
    let document = w.begin();
    for name in [b"a", b"b"] {
        let open = w.begin_field(kind::ARRAY, name);
        odd(&mut w);
        w.end(open);
    }
    w.end(document);
    let diff = raw(&doc! {"$v": 2, "diff": {"sa": {"a": true, "u3": 9}}});
    let new = applied(&old, &diff).unwrap();
    let array = |bytes: &[u8], name| Doc::new(bytes).unwrap().get(name).unwrap().unwrap().value.to_vec();
    assert_eq!(array(&new, "a"), raw(&doc! {"0": 1, "1": 2, "2": 3, "3": 9, "4": 5}));
    assert_eq!(array(&new, "b"), array(&old, "b"));
}

#[test]
fn array_diffs_of_an_unknown_form_are_refused_whether_they_apply_or_not() {
    for (diff, text) in [
        (doc! {"a": true, "u1": 9, "u0": 8}, "'u0' in an array's diff is out of order"),
        (doc! {"a": true, "u1": 9, "s1": {"u": {"b": 1}}}, "'s1' in an array's diff is out of order"),
        (doc! {"a": true, "u1": 9, "l": 2}, "'l' in an array's diff is not known"),
        (doc! {"a": true, "u": 9}, "has no position"),
        (doc! {"a": true, "u1x": 9}, "has no position"),
        (doc! {"a": true, "u4194304": 9}, "has no position"),
        (doc! {"a": true, "d0": false}, "'d0' in an array's diff is not known"),
        (doc! {"a": true, "i": {"x": 1}}, "'i' in an array's diff is not known"),
        (doc! {"a": true, "s0": 4}, "is no document"),
        (doc! {"a": true, "s0": {}}, "empty"),
        (doc! {"a": true, "s0": {"q": 1}}, "'q' is not known"),
        (doc! {"a": true, "l": -1}, "is no length"),
        (doc! {"a": true, "l": 2i64}, "is no length"),
        (doc! {"a": true, "l": 2.0}, "is no length"),
        (doc! {"a": true, "l": 4_194_305}, "is no length"),
        (doc! {"a": true, "l": 1, "u1": 9}, "beyond the new length"),
        (doc! {"a": false, "u0": 5}, "a: true"),
        (doc! {"a": 1, "u0": 5}, "a: true"),
    ] {
        for value in [array![1, {"b": 1}, 3], array![], 5.into(), Bson::Document(doc! {"x": 1})] {
            refuses(&doc! {"_id": 1, "x": value}, &doc! {"$v": 2, "diff": {"sx": diff.clone()}}, text);
        }
        refuses(&doc! {"_id": 1}, &doc! {"$v": 2, "diff": {"sx": diff.clone()}}, text);
        let outer = doc! {"$v": 2, "diff": {"sx": {"a": true, "s9": diff.clone()}}};
        refuses(&doc! {"_id": 1, "x": [1]}, &outer, text);
    }
    let broken = rawdoc! {"$v": 2, "diff": {"sx": {"a": true, "a": true}}};
    applied(&raw(&doc! {"x": [1]}), broken.as_bytes()).unwrap_err();
}
