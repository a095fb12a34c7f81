//! What each change, in each manner, becomes.

use super::*;

fn becomes(step: Step, expected: &str) {
    let mut found = Vec::new();
    assert_eq!(words(&step.patch(&mut found)), expected);
    assert_eq!(found, []);
}

#[test]
fn an_insert_is_the_document_and_expects_none_if_strict() {
    becomes(insert(Manner::Strict, 7), "absent: document 7");
    becomes(insert(Manner::Tolerant, 7), "any: document 7");
    becomes(insert(USER, 7), "any: document 7");
    becomes(insert(UPSERT, 7), "any: document 7");
}

#[test]
fn a_delete_is_gone_and_expects_a_document_if_strict() {
    becomes(delete(Manner::Strict), "present 1: gone");
    becomes(delete(Manner::Tolerant), "any: gone");
    becomes(delete(USER), "any: gone");
    becomes(delete(UPSERT), "any: gone");
}

#[test]
fn a_replacement_waits_to_see_if_there_is_a_document_unless_it_upserts() {
    becomes(replace(Manner::Strict, 7), "any: [replace!]");
    becomes(replace(Manner::Tolerant, 7), "any: [replace?]");
    becomes(replace(USER, 7), "any: [replace?]");
    becomes(replace(UPSERT, 7), "any: document 7");
}

#[test]
fn other_updates_wait_for_the_document() {
    becomes(diff(Manner::Strict, 7), "any: [diff!]");
    becomes(diff(Manner::Tolerant, 7), "any: [diff?]");
    becomes(diff(USER, 7), "any: [diff?]");
    becomes(diff(UPSERT, 7), "any: [diff+]");
    becomes(push(Manner::Strict, 7), "any: [modify!]");
    becomes(push(UPSERT, 7), "any: [modify+]");
}

#[test]
fn an_inserted_document_is_not_copied() {
    let step = insert(Manner::Strict, 7);
    let (mut found, Deed::Insert(bytes)) = (Vec::new(), &step.deed) else { panic!() };
    let patch = step.patch(&mut found);
    assert_eq!(patch.payload().as_ptr(), bytes.as_ptr());
    assert_ne!(patch.clone().into_owned().payload().as_ptr(), bytes.as_ptr());
    assert_eq!(patch.clone().into_owned(), patch);
}

#[test]
fn what_waits_is_counted() {
    let steps = [diff(Manner::Strict, 1), push(UPSERT, 2), push(Manner::Tolerant, 3)];
    let patch = composed(&steps, &mut Vec::new());
    let payloads: usize = steps.iter().map(|step| 1 + step.patch(&mut Vec::new()).payload().len() - 1).sum();
    assert_eq!(patch.waiting(), Waiting { updates: 3, bytes: payloads });
    for settled in [insert(Manner::Strict, 1), delete(Manner::Strict)] {
        assert_eq!(settled.patch(&mut Vec::new()).waiting(), Waiting::default());
    }
}

#[test]
fn nothing_is_nothing_and_composes_with_everything() {
    assert!(Patch::nothing().is_nothing());
    let mut folder = Folder::new();
    for step in [insert(Manner::Strict, 1), delete(Manner::Strict), diff(Manner::Strict, 1), push(UPSERT, 1)]
    {
        let mut found = Vec::new();
        let patch = step.patch(&mut found);
        assert!(!patch.is_nothing());
        assert_eq!(folder.compose(Patch::nothing(), patch.clone(), &mut found), patch);
        assert_eq!(folder.compose(patch.clone(), Patch::nothing(), &mut found), patch);
        assert_eq!(found, []);
    }
    // Not nothing: it has something to say about what lies below.
    let steps = [insert(Manner::Strict, 1), delete(Manner::Strict)];
    assert_eq!(words(&composed(&steps, &mut Vec::new())), "absent: gone");
}

#[test]
fn a_strict_update_of_which_only_parts_fit_is_applied_and_told() {
    // A new field, and a nested diff for `v`, which is a number.
    let diff = Deed::Diff(written(|w| {
        let inserts = w.begin_field(kind::OBJECT, b"i");
        w.int32(b"w", 7);
        w.end(inserts);
        let nested = w.begin_field(kind::OBJECT, b"sv");
        let updates = w.begin_field(kind::OBJECT, b"u");
        w.int32(b"x", 7);
        w.end(updates);
        w.end(nested);
    }));
    let expected = with_id(kind::INT32, &1_i32.to_le_bytes(), |w| {
        w.null(b"v");
        w.int32(b"w", 7);
    });
    for (manner, misfits) in
        [(Manner::Strict, vec![Misfit::Parts]), (Manner::Tolerant, vec![]), (UPSERT, vec![])]
    {
        let step = Step::new(manner, diff.clone());
        let mut found = Vec::new();
        let patch = step.patch(&mut found);
        assert_eq!(found, [], "nobody can tell before there is a document");
        assert_eq!(folded(Some(&document(1)), &patch, &mut found), Some(expected.clone()));
        assert_eq!(found, misfits);
        // The same if the document is in the patch already.
        let steps = [insert(Manner::Strict, 1), step];
        let mut found = Vec::new();
        let patch = composed(&steps, &mut found);
        assert_eq!((patch.payload(), &found), (expected.as_slice(), &misfits));
    }
}
