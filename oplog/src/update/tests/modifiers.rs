//! Modifiers: what servers up to 4.4 wrote, and what users put into their own applyOps.

use super::super::UpdateError;
use super::{applied, makes, raw, refuses};
use bson::{Bson, Document, bson, doc, rawdoc};
use tidemark_base::bson::{Doc, DocWriter, kind};

#[track_caller]
fn gives(document: Document, modifiers: Document, expected: Document) {
    for versioned in [false, true] {
        let mut o = if versioned {
            doc! {"$v": 1}
        } else {
            doc! {}
        };
        o.extend(modifiers.clone());
        makes(&document, &o, &expected);
    }
}

/// The names of fields that `$set` appends, in the order it gives them.
fn order_of(names: &[&str]) -> Vec<String> {
    let mut fields = doc! {};
    for name in names {
        fields.insert(*name, 1);
    }
    let bytes = applied(&raw(&doc! {}), &raw(&doc! {"$set": fields})).unwrap();
    bson::deserialize_from_slice::<Document>(&bytes).unwrap().keys().cloned().collect()
}

#[test]
fn new_fields_stand_in_the_order_of_their_paths_and_old_ones_stay() {
    let names = ["n10", "n2", "B", "a", "\u{e9}", "Z"];
    assert_eq!(order_of(&names), ["B", "Z", "a", "n10", "n2", "\u{e9}"]);
    // By length and then by bytes, if both begin with 1 to 9; by bytes else. Pairs seen on a server.
    for ordered in [
        ["2", "10", "1a"],
        ["9z", "12b", "100a"],
        ["9z", "100", "12b"],
        ["1-", "10", "9z"],
        ["010", "02", "1"],
        ["0", "00", "01"],
        ["099", "0a", "1"],
        ["-1", "0", "a"],
        ["$x", "1", "2"],
        ["9", "99999999999999999999999", "188888888888888888888888888888888"],
    ] {
        let [one, two, three] = ordered;
        for shuffled in [[one, two, three], [three, two, one], [two, three, one], [two, one, three]] {
            assert_eq!(order_of(&shuffled), ordered);
        }
    }
    gives(
        doc! {"_id": 1, "b": 1, "a": 1},
        doc! {"$set": {"z": 1, "a": 2, "y": 1, "b": 3}},
        doc! {"_id": 1, "b": 3, "a": 2, "y": 1, "z": 1},
    );
    gives(
        doc! {},
        doc! {"$set": {"x.b": 1, "x.0": 2, "x.10": 3, "x.2": 4, "w.q": 1}},
        doc! {"w": {"q": 1}, "x": {"0": 2, "2": 4, "10": 3, "b": 1}},
    );
}

#[test]
fn missing_parents_become_objects_never_arrays() {
    gives(doc! {}, doc! {"$set": {"new.0.x": 1}}, doc! {"new": {"0": {"x": 1}}});
    gives(doc! {"a": {}}, doc! {"$set": {"a.b.c": 1, "a.b.a": 2}}, doc! {"a": {"b": {"a": 2, "c": 1}}});
    gives(doc! {"a": {"0": 1, "00": 2}}, doc! {"$set": {"a.00": 3}}, doc! {"a": {"0": 1, "00": 3}});
}

#[test]
fn paths_through_values_of_another_kind_are_skipped() {
    for value in [Bson::Int32(5), Bson::Null, "x".into()] {
        gives(
            doc! {"a": value.clone()},
            doc! {"$set": {"a.b": 9, "c": 1}, "$inc": {"a.i": 1}, "$push": {"a.p": 1}, "$unset": {"a.u": 1}},
            doc! {"a": value, "c": 1},
        );
    }
    for component in ["x", "+1", "-1", " 1", "4294967296", "99999999999999999999"] {
        let o = doc! {"$set": {format!("a.{component}"): 9}};
        gives(doc! {"a": [1, 2]}, o, doc! {"a": [1, 2]});
    }
}

#[test]
fn what_is_unset_goes_and_what_is_missing_does_no_harm() {
    gives(doc! {"a": 1, "b": 2}, doc! {"$unset": {"a": 1, "c": 1, "d.e": 1}}, doc! {"b": 2});
    let o = doc! {"$unset": {"a.b": 1, "x.y": 1}, "$set": {"x.z": 1}};
    gives(doc! {"a": {"b": 1}}, o, doc! {"a": {}, "x": {"z": 1}});
    gives(doc! {"a": {"b": 1, "c": 2}}, doc! {"$unset": {"a.b": ""}}, doc! {"a": {"c": 2}});
}

#[test]
fn array_elements_are_set_padded_to_and_unset_to_null() {
    let three = || doc! {"a": [1, 2, 3]};
    gives(three(), doc! {"$set": {"a.1": 9}}, doc! {"a": [1, 9, 3]});
    gives(
        three(),
        doc! {"$set": {"a.5": 9, "a.10": 8}},
        bson_array(bson!([1, 2, 3, null, null, 9, null, null, null, null, 8])),
    );
    gives(three(), doc! {"$unset": {"a.1": 1, "a.7": 1}}, bson_array(bson!([1, null, 3])));
    gives(
        three(),
        doc! {"$unset": {"a.4": 1, "a.1": 1}, "$set": {"a.5": 1}},
        bson_array(bson!([1, null, 3, null, null, 1])),
    );
    // Positions with zeros in front are positions in an array.
    gives(three(), doc! {"$set": {"a.00": 9}}, doc! {"a": [9, 2, 3]});
    gives(three(), doc! {"$set": {"a.04": 9}}, bson_array(bson!([1, 2, 3, null, 9])));
    gives(
        doc! {"a": [{"b": 1}, 5]},
        doc! {"$set": {"a.0.c": 1, "a.1.c": 1, "a.3.c.d": 4}},
        bson_array(bson!([{"b": 1, "c": 1}, 5, null, {"c": {"d": 4}}])),
    );
    gives(doc! {"a": [[1], [2]]}, doc! {"$set": {"a.1.1": 3}}, doc! {"a": [[1], [2, 3]]});
}

fn bson_array(array: Bson) -> Document {
    doc! {"a": array}
}

#[test]
fn positions_that_would_end_a_server_are_refused() {
    let old = doc! {"a": [1, 2, 3]};
    refuses(&old, &doc! {"$set": {"a.01": 9, "a.1": 7}}, "leading zeros");
    refuses(&old, &doc! {"$set": {"a.010": 9, "a.02": 7}}, "leading zeros");
}

#[test]
fn padding_has_the_servers_limit() {
    let old = doc! {"a": [1, 2, 3]};
    let set = |position: u32| raw(&doc! {"$set": {format!("a.{position}"): 9}});
    let padded = applied(&raw(&old), &set(1_500_003)).unwrap();
    let array = Doc::new(&padded).unwrap().get("a").unwrap().unwrap().as_array().unwrap();
    assert_eq!(array.elements().count(), 1_500_004);
    assert_eq!(array.elements().last().unwrap().unwrap().name, b"1500003");
    let error = applied(&raw(&old), &set(1_500_004)).unwrap_err();
    assert!(matches!(error, UpdateError::TooLarge { limit: 1_500_000, .. }), "{error}");
    applied(&raw(&old), &set(u32::MAX)).unwrap_err();
}

#[test]
fn an_array_with_odd_names_is_numbered_anew_unless_all_fits_over_the_old_bytes() {
    let odd = |value: Option<i32>| {
        let mut out = Vec::new();
        let mut w = DocWriter::new(&mut out);
        let document = w.begin();
        let open = w.begin_field(kind::ARRAY, b"a");
        w.int32(b"x", 1);
        match value {
            Some(value) => w.int32(b"y", value),
            None => w.null(b"y"),
        }
        w.end(open);
        w.end(document);
        out
    };
    let old = odd(Some(2));
    let result = |o: Document| applied(&old, &raw(&o)).unwrap();
    assert_eq!(result(doc! {"$set": {"a.1": 9}}), odd(Some(9)));
    assert_eq!(result(doc! {"$inc": {"a.1": 1}}), odd(Some(3)));
    assert_eq!(result(doc! {"$unset": {"a.7": 1, "b": 1}}), old);
    assert_eq!(result(doc! {"$set": {"a.1": "longer"}}), raw(&doc! {"a": [1, "longer"]}));
    assert_eq!(result(doc! {"$unset": {"a.1": 1}}), raw(&bson_array(bson!([1, null]))));
    assert_eq!(result(doc! {"$set": {"a.2": 9}}), raw(&doc! {"a": [1, 2, 9]}));
    assert_eq!(result(doc! {"$push": {"a": 9}}), raw(&doc! {"a": [1, 2, 9]}));
    assert_eq!(result(doc! {"$set": {"a.1": 9, "b": 1}}), raw(&doc! {"a": [1, 9], "b": 1}));
    // One in which nothing changes keeps its names.
    let mut longer = odd(Some(2));
    longer.truncate(longer.len() - 1);
    longer.extend_from_slice(b"\x10b\0\x01\0\0\0\0");
    longer[0] = u8::try_from(longer.len()).unwrap();
    assert_eq!(result(doc! {"$set": {"b": 1}}), longer);
    assert_eq!(result(doc! {"$set": {"b": 1}, "$unset": {"a.7": 1, "a.x": 1}}), longer);
}

#[test]
fn a_change_below_an_element_numbers_the_array_anew_if_it_does_not_fit_over_the_old_bytes() {
    let odd = |fields: &Document| {
        let mut out = Vec::new();
        let mut w = DocWriter::new(&mut out);
        let document = w.begin();
        let open = w.begin_field(kind::ARRAY, b"a");
        w.raw(kind::OBJECT, b"x", &raw(fields));
        w.int32(b"7", 2);
        w.end(open);
        w.end(document);
        out
    };
    let old = odd(&doc! {"b": 7});
    let result = |o: Document| applied(&old, &raw(&o)).unwrap();
    assert_eq!(result(doc! {"$set": {"a.0.b": 1}}), odd(&doc! {"b": 1}));
    assert_eq!(result(doc! {"$set": {"a.0.q": 5}}), raw(&doc! {"a": [{"b": 7, "q": 5}, 2]}));
}

#[test]
fn of_a_repeated_name_only_the_first_is_changed() {
    let old = rawdoc! {"a": {"x": 1}, "k": 1, "a": {"x": 1}};
    let result = |o: Document| applied(old.as_bytes(), &raw(&o)).unwrap();
    assert_eq!(result(doc! {"$set": {"a": 1}}), rawdoc! {"a": 1, "k": 1, "a": {"x": 1}}.as_bytes());
    assert_eq!(result(doc! {"$unset": {"a": 1}}), rawdoc! {"k": 1, "a": {"x": 1}}.as_bytes());
    assert_eq!(result(doc! {"$set": {"a.x": 5}}), rawdoc! {"a": {"x": 5}, "k": 1, "a": {"x": 1}}.as_bytes());
}

#[test]
fn numbers_are_increased_in_the_types_of_the_server() {
    let inc =
        |old: Bson, by: Bson, new: Bson| gives(doc! {"a": old}, doc! {"$inc": {"a": by}}, doc! {"a": new});
    inc(1.into(), 2.into(), 3.into());
    inc(1.into(), 2i64.into(), 3i64.into());
    inc(1i64.into(), 2.into(), 3i64.into());
    inc(i32::MAX.into(), 1.into(), 2_147_483_648i64.into());
    inc(i32::MIN.into(), (-1).into(), (-2_147_483_649i64).into());
    inc(1.into(), 0.5.into(), 1.5.into());
    inc(1.5.into(), 1i64.into(), 2.5.into());
    inc(i64::MAX.into(), 1.0.into(), 9_223_372_036_854_775_807.0.into());
    gives(doc! {}, doc! {"$inc": {"b": 2i64, "c.d": 1.5}}, doc! {"b": 2i64, "c": {"d": 1.5}});
    gives(doc! {"a": []}, doc! {"$inc": {"a.1": 4}}, bson_array(bson!([null, 4])));
}

#[test]
fn a_sum_that_cannot_be_is_a_misfit_and_an_operand_that_cannot_be_is_refused() {
    for value in [Bson::Null, "x".into(), i64::MAX.into(), bson!([1])] {
        let error = refuses(&doc! {"b": {"a": value}}, &doc! {"$inc": {"b.a": 1}}, "$inc of 'b.a'");
        assert!(matches!(error, UpdateError::Misfit(_)), "{error}");
    }
    let decimal: bson::Decimal128 = "1.5".parse().unwrap();
    for operand in [Bson::Null, "x".into(), decimal.into()] {
        let error = refuses(&doc! {"a": 1}, &doc! {"$inc": {"b.a": operand}}, "$inc of 'b.a' by something");
        assert!(matches!(error, UpdateError::BadModifier(_)), "{error}");
    }
}

#[test]
fn values_are_pushed_to_arrays_old_and_new() {
    gives(
        doc! {"a": [1]},
        doc! {"$push": {"a": 1, "b": 1, "c.d": 2}},
        doc! {"a": [1, 1], "b": [1], "c": {"d": [2]}},
    );
    gives(doc! {"a": [1]}, doc! {"$push": {"a": {"$each": [1, 2]}}}, doc! {"a": [1, 1, 2]});
    gives(doc! {"a": [1]}, doc! {"$push": {"a": {"$each": []}}}, doc! {"a": [1]});
    gives(doc! {}, doc! {"$push": {"a": {"$each": []}}}, doc! {"a": []});
    gives(doc! {"a": [1]}, doc! {"$push": {"a": {"$foo": 1}}}, doc! {"a": [1, {"$foo": 1}]});
    gives(doc! {"a": [1]}, doc! {"$push": {"a": [2, 3]}}, doc! {"a": [1, [2, 3]]});
    gives(doc! {"a": [1]}, doc! {"$push": {"a.2": 1}}, bson_array(bson!([1, null, [1]])));
    for path in ["a", "b.0"] {
        let old = doc! {"a": 1, "b": [1]};
        let text = format!("$push of '{path}', which is no array");
        let error = refuses(&old, &doc! {"$push": {path: 1}}, &text);
        assert!(matches!(error, UpdateError::Misfit(_)), "{error}");
    }
    for clauses in [doc! {"x": 1, "$each": [1]}, doc! {"$each": [1], "$slice": 1}, doc! {"$each": 1}] {
        refuses(&doc! {"a": [1]}, &doc! {"$push": {"a": clauses}}, "$push of 'a' with more than $each");
    }
}

#[test]
fn operators_paths_and_operands_that_are_not_known_are_refused() {
    let old = doc! {"a": [1], "b": {"c": 1}};
    for operator in ["$mul", "$max", "$rename", "$pull", "$setOnInsert", "$currentDate", "$bit", "$foo"] {
        refuses(&old, &doc! {operator: {"x": 1}}, operator);
        refuses(&old, &doc! {operator: {}}, operator);
    }
    refuses(&old, &doc! {"$set": 5}, "no document");
    refuses(&old, &doc! {"$set": [1]}, "no document");
    for path in ["", "b.", ".b", "b..c"] {
        refuses(&old, &doc! {"$set": {path: 1}}, "empty component");
    }
    for path in ["a.$", "a.$[]", "a.$[x]", "$"] {
        refuses(&old, &doc! {"$set": {path: 1}}, "positional");
    }
    for o in [
        doc! {"$set": {"b.c": 9, "b": 1}},
        doc! {"$set": {"b": 1, "b.c": 9}},
        doc! {"$set": {"b.c": 9}, "$unset": {"b.c": 1}},
        doc! {"$set": {"b": 1}, "$inc": {"b": 1}},
    ] {
        refuses(&old, &o, "twice");
    }
    gives(
        doc! {},
        doc! {"$set": {"$b": 3, "c": {"$d": 1, "e.f": 2}}},
        doc! {"$b": 3, "c": {"$d": 1, "e.f": 2}},
    );
    gives(doc! {"a": 1}, doc! {"$set": {}, "$unset": {}}, doc! {"a": 1});
}
