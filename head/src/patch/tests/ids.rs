//! The `_id` through updates: its spelling may change, its key may not.

use super::*;
use Manner::{Strict, Tolerant};

fn double(value: f64) -> Vec<u8> {
    with_id(kind::DOUBLE, &value.to_le_bytes(), |w| w.int32(b"v", 5))
}

#[test]
fn a_replacement_may_spell_the_id_in_another_way() {
    let step = Step::new(Strict, Deed::Replace(double(1.0)));
    let mut found = Vec::new();
    let patch = step.patch(&mut found);
    assert_eq!(folded(Some(&document(1)), &patch, &mut found), Some(double(1.0)));
    assert_eq!(found, []);
}

#[test]
fn an_update_to_another_id_changes_nothing_and_is_a_misfit() {
    let set_id = written(|w| {
        let operator = w.begin_field(kind::OBJECT, b"$set");
        w.int32(b"_id", 2);
        w.end(operator);
    });
    let diff_id = written(|w| {
        let section = w.begin_field(kind::OBJECT, b"u");
        w.int32(b"_id", 2);
        w.end(section);
    });
    let no_id = written(|w| w.int32(b"v", 5));
    for deed in [Deed::Replace(double(2.0)), Deed::Modify(set_id), Deed::Diff(diff_id), Deed::Replace(no_id)]
    {
        for manner in [Strict, Tolerant] {
            let step = Step::new(manner, deed.clone());
            let mut found = Vec::new();
            let patch = step.patch(&mut found);
            assert_eq!(folded(Some(&document(1)), &patch, &mut found), Some(document(1)));
            assert_eq!(found, [Misfit::OtherId], "{step:?}");
            // The same on a document in a patch.
            let mut found = Vec::new();
            let steps = [insert(Strict, 1), step];
            assert_eq!(words(&composed(&steps, &mut found)), "absent: document 1");
            assert_eq!(found, [Misfit::OtherId]);
        }
    }
}

#[test]
fn an_upsert_of_another_id_does_nothing_and_is_a_misfit() {
    let step = Step::new(UPSERT, Deed::Replace(double(2.0)));
    let mut found = Vec::new();
    assert!(step.patch(&mut found).is_nothing());
    assert_eq!(found, [Misfit::OtherId]);
    let same = Step::new(UPSERT, Deed::Replace(double(1.0)));
    let mut found = Vec::new();
    assert_eq!(folded(None, &same.patch(&mut found), &mut found), Some(double(1.0)));
    assert_eq!(found, []);
}

#[test]
fn an_upsert_inserts_the_id_as_its_change_spells_it() {
    let mut step = push(UPSERT, 3);
    step.id = double(1.0);
    let expected = with_id(kind::DOUBLE, &1_f64.to_le_bytes(), |w| {
        let array = w.begin_field(kind::ARRAY, b"l");
        w.int32(b"0", 3);
        w.end(array);
    });
    let mut found = Vec::new();
    assert_eq!(folded(None, &step.patch(&mut found), &mut found), Some(expected.clone()));
    // And the same where it is known that the document is gone.
    let steps = [delete(Tolerant), step];
    assert_eq!(folded(Some(&document(1)), &composed(&steps, &mut found), &mut found), Some(expected));
    assert_eq!(found, []);
}

#[test]
fn a_replacement_has_its_id_put_in_front() {
    let behind = written(|w| {
        w.int32(b"v", 5);
        w.int32(b"_id", 1);
    });
    for manner in [UPSERT, Strict, Tolerant] {
        let step = Step::new(manner, Deed::Replace(behind.clone()));
        let mut found = Vec::new();
        let patch = step.patch(&mut found);
        assert_eq!(folded(Some(&document(1)), &patch, &mut found), Some(document(5)));
        assert_eq!(found, []);
    }
}

/// Else it would drop what was done before it, and then fail.
#[test]
fn a_replacement_of_another_document_is_not_in_the_patch() {
    let steps = [diff(Strict, 3), Step::new(Strict, Deed::Replace(double(2.0)))];
    let mut found = Vec::new();
    assert_eq!(words(&composed(&steps, &mut found)), "any: [diff!]");
    assert_eq!(found, [Misfit::OtherId]);
}
