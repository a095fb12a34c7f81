//! Updates against a slow model on plain trees, on random documents and updates.
//!
//! The model (`slow`) judges a diff first and then applies it, copy by copy; modifiers it
//! applies one path after the other, as a server does. What is right at all is said by the unit tests beside
//! the code, by the captures, and by a real server (`against_server.rs`).

#![expect(clippy::unwrap_used, reason = "a test")]

mod against_server;
mod differ;
mod generate;
mod repeated_names;
mod slow;

use generate::update_of;
use proptest::prelude::*;
use slow::tree::{self, decode, encode};
use tidemark_base::bson::{Doc, check};
use tidemark_oplog::update::{Fit, Update, UpdateError};
use tidemark_testkit::rounds;

/// What the product makes of a document, and whether all of the update fitted. Its bytes are sound BSON if they
/// were before.
fn apply(document: &[u8], o: &[u8]) -> Result<(Vec<u8>, bool), UpdateError> {
    let mut out = Vec::new();
    let fit = Update::parse(Doc::new(o)?)?.apply(Doc::new(document)?, &mut out)?;
    Ok((out, fit == Fit::Whole))
}

/// Asserts that product and model agree, and returns what they make.
fn agreed(document: &[u8], o: &[u8]) -> Option<Vec<u8>> {
    match (apply(document, o), slow::apply(document, o)) {
        (Ok((found, fits)), Ok((expected, should_fit))) => {
            assert_eq!(Doc::new(&found), Doc::new(&expected), "product left, model right");
            assert_eq!(fits, should_fit, "whether all of it fitted: product left, model right");
            check(Doc::new(&found).unwrap()).unwrap();
            Some(found)
        }
        (Err(_), Err(_)) => None,
        (found, expected) => panic!("product {found:?}, model {expected:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds(4000)))]

    #[test]
    fn diffs_do_what_the_model_does_and_doing_it_again_changes_nothing(
        document in generate::document(),
        diff in generate::diff(),
    ) {
        let (document, o) = (encode(&document), update_of(&diff));
        if let Some(new) = agreed(&document, &o) {
            prop_assert_eq!(agreed(&new, &o), Some(new));
        }
    }

    #[test]
    fn modifiers_do_what_the_model_does_and_set_and_unset_can_be_repeated(
        document in generate::document(),
        modifiers in generate::modifiers(),
    ) {
        // Of a name that is repeated, the first goes each time.
        let is_tidy = generate::tidy(&document) == document;
        let (document, o) = (encode(&document), encode(&modifiers));
        if let Some(new) = agreed(&document, &o)
            && is_tidy
            && modifiers.iter().all(|(operator, _)| operator != b"$inc" && operator != b"$push")
        {
            prop_assert_eq!(agreed(&new, &o), Some(new));
        }
    }

    #[test]
    fn a_diff_between_two_documents_makes_one_of_the_other(
        old in generate::tidy_document(),
        new in generate::tidy_document(),
    ) {
        let Some(diff) = differ::diff(&old, &new) else { return Ok(()) };
        // The one thing a diff cannot do is to take away the `_id`.
        let takes_id = tree::get(&old, b"_id").is_some() && tree::get(&new, b"_id").is_none();
        let made = agreed(&encode(&old), &update_of(&diff));
        let made = made.expect("what a server could log is accepted");
        assert!(apply(&encode(&old), &update_of(&diff)).unwrap().1, "and all of it fits");
        let mut made = decode(&made).unwrap();
        if takes_id {
            made.remove(0);
        }
        prop_assert_eq!(differ::sorted(&made), differ::sorted(&new));
    }

    #[test]
    fn a_replacement_is_what_was_given_with_its_id_in_front(
        old in generate::document(),
        new in generate::document(),
    ) {
        agreed(&encode(&old), &encode(&new));
    }

    #[test]
    fn damaged_documents_and_updates_never_panic_and_leave_the_buffer_alone(
        document in generate::document(),
        diff in generate::diff(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        in_document: bool,
    ) {
        let mut pair = [encode(&document), update_of(&diff)];
        for (at, byte) in damage {
            let bytes = &mut pair[usize::from(!in_document)];
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let [document, o] = pair;
        let sound = |bytes: &[u8]| Doc::new(bytes).is_ok_and(|doc| check(doc).is_ok());
        if sound(&document) && sound(&o) {
            agreed(&document, &o);
        } else {
            let mut out = b"before".to_vec();
            if let (Ok(document), Ok(o)) = (Doc::new(&document), Doc::new(&o))
                && let Ok(update) = Update::parse(o)
                && update.apply(document, &mut out).is_err()
            {
                prop_assert_eq!(out, b"before");
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut sized = bytes.clone();
        let len = u32::try_from(sized.len()).unwrap();
        if let Some(head) = sized.first_chunk_mut() {
            *head = len.to_le_bytes();
        }
        if let Some(last) = sized.last_mut() {
            *last = 0;
        }
        for bytes in [&bytes, &sized] {
            let _ = apply(bytes, bytes);
            let _ = apply(Doc::EMPTY.as_bytes(), bytes);
        }
    }
}
