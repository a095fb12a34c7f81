//! What is broken or too deep is refused, and leaves nothing behind.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use tidemark_base::bson::check_value;

/// That a value has a key exactly if it is sound, and nothing is left of one that is not.
fn keyed_if_sound(value: &Value) {
    let mut out = vec![7];
    let result = encode(element(value), &mut out);
    assert_eq!(result.is_ok(), check_value(value.0, &value.1).is_ok(), "{value:02x?}: {result:?}");
    assert!(result.is_ok() || out == [7]);
}

fn nested(levels: usize) -> Value {
    (1..levels).fold(document(kind::OBJECT, &[]), |inner, level| {
        let kind = if level % 3 == 0 { kind::ARRAY } else { kind::OBJECT };
        document(kind, &[(b"a", inner)])
    })
}

#[test]
fn nesting_is_followed_up_to_the_limit_and_refused_beyond() {
    keyed_if_sound(&nested(MAX_BSON_DEPTH));
    assert_eq!(key(&nested(MAX_BSON_DEPTH)).len(), 832);
    keyed_if_sound(&nested(MAX_BSON_DEPTH + 1));
    let error = encode(element(&nested(2000)), &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "the _id is broken: nesting at byte 0: 251 is over the limit of 250");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    // A scope is a level, too.
    keyed_if_sound(&code_with_scope(b"", &nested(MAX_BSON_DEPTH)));
    keyed_if_sound(&code_with_scope(b"", &nested(MAX_BSON_DEPTH + 1)));
    let inside = document(kind::OBJECT, &[(b"a", code_with_scope(b"", &nested(MAX_BSON_DEPTH)))]);
    keyed_if_sound(&inside);
}

#[test]
fn a_document_without_an_id_is_refused_and_of_several_the_first_counts() {
    let none = document(kind::OBJECT, &[(b"id", int32(1))]).1;
    let error = key_of_document(Doc::new(&none).unwrap(), &mut Vec::new()).unwrap_err();
    assert_eq!((error.clone(), error.kind()), (KeyError::NoId, ErrorKind::Invalid));
    let two = document(kind::OBJECT, &[(b"a", int32(0)), (b"_id", int32(1)), (b"_id", int32(2))]).1;
    let mut out = Vec::new();
    key_of_document(Doc::new(&two).unwrap(), &mut out).unwrap();
    assert_eq!(out, key(&int32(1)));
}

#[test]
fn a_document_that_begins_with_an_object_id_has_the_key_of_that() {
    let id = (kind::OBJECT_ID, (1..=12).collect::<Vec<u8>>());
    let whole = document(kind::OBJECT, &[(b"_id", id.clone()), (b"a", int32(1))]).1;
    let mut out = vec![7];
    key_of_document(Doc::new(&whole).unwrap(), &mut out).unwrap();
    assert_eq!(out, [&[7], key(&id).as_slice()].concat());
    // Cut short anywhere, by a document that says so and ends: as walking finds it.
    for len in 5..whole.len() {
        let mut cut = whole[..len].to_vec();
        cut[..4].copy_from_slice(&u32::try_from(len).unwrap().to_le_bytes());
        cut[len - 1] = 0;
        let document = Doc::new(&cut).unwrap();
        let walked = document.get("_id").map(|id| id.map(|id| id.value.to_vec()));
        let mut out = Vec::new();
        match (key_of_document(document, &mut out), walked) {
            (Ok(()), Ok(Some(value))) => assert_eq!(out, key(&(kind::OBJECT_ID, value)), "{len}"),
            (Err(KeyError::NoId), Ok(None)) | (Err(KeyError::Broken(_)), Err(_)) => assert!(out.is_empty()),
            other => panic!("{len}: {other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn any_bytes_have_a_key_exactly_if_they_are_sound(kind: u8, bytes in vec(any::<u8>(), 0..40)) {
        keyed_if_sound(&(kind, bytes));
    }

    #[test]
    fn damaged_values_have_a_key_exactly_if_they_are_sound(
        which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte: u8, how in 0..3_u8,
    ) {
        let cases = tidemark_testkit::generate::ids::every_id_type();
        let document = &which.get(&cases).document;
        let id = Doc::new(document).unwrap().get("_id").unwrap().unwrap();
        let mut value = (id.kind, id.value.to_vec());
        let len = value.1.len();
        match how {
            _ if len == 0 => value.1.push(byte),
            0 => value.1[at.index(len)] = byte,
            1 => value.1.truncate(at.index(len)),
            _ => value.1.push(byte),
        }
        keyed_if_sound(&value);
    }
}
