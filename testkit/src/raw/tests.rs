//! The walker against the `bson` crate, against hostile bytes, and at its bounds.

use super::*;
use bson::{doc, rawdoc};
use proptest::prelude::*;

fn nested(levels: usize) -> Vec<u8> {
    let mut document = vec![5, 0, 0, 0, 0];
    for _ in 1..levels {
        let mut outer = Vec::new();
        outer.extend_from_slice(&u32::try_from(document.len() + 8).unwrap().to_le_bytes());
        outer.extend_from_slice(&[kind::OBJECT, b'a', 0]);
        outer.extend_from_slice(&document);
        outer.push(0);
        document = outer;
    }
    document
}

#[test]
fn elements_come_in_order_with_exact_bytes() {
    let document = rawdoc! { "_id": 7_i32, "text": "hé", "inner": { "x": [1_i64] } };
    let found: Vec<_> = elements(document.as_bytes()).unwrap().map(Result::unwrap).collect();
    assert_eq!(found.iter().map(|e| e.name).collect::<Vec<_>>(), [b"_id".as_slice(), b"text", b"inner"]);
    assert_eq!(found[0].value, 7_i32.to_le_bytes());
    assert_eq!(text(found[1].value), Ok("hé".as_bytes()));
    assert_eq!(id(document.as_bytes()).unwrap(), Some(found[0]));
    assert_eq!(field(document.as_bytes(), "absent").unwrap(), None);
    assert_eq!(check(document.as_bytes()), Ok(()));
}

#[test]
fn invalid_utf8_and_odd_array_names_are_walked() {
    let bytes = b"\x12\0\0\0\x04a\xff\0\x09\0\0\0\x0a\x80x\0\0\0".to_vec();
    let element = elements(&bytes).unwrap().next().unwrap().unwrap();
    assert_eq!(element.name, b"a\xff");
    assert_eq!(check(&bytes), Ok(()));
}

#[test]
fn concatenated_documents_are_split_at_their_borders() {
    let (a, b) = (rawdoc! { "a": 1 }, rawdoc! {});
    let both = [a.as_bytes(), b.as_bytes()].concat();
    assert_eq!(split(&both).unwrap(), [a.as_bytes(), b.as_bytes()]);
    assert_eq!(split(&[]).unwrap(), Vec::<&[u8]>::new());
    let error = split(&both[..both.len() - 1]).expect_err("cut short");
    assert_eq!(error.to_string(), "document terminator at byte 16: needs 1 bytes, 0 are left");
}

#[test]
fn nesting_is_followed_to_the_limit_and_no_further() {
    assert_eq!(check(&nested(MAX_BSON_DEPTH)), Ok(()));
    assert_eq!(check(&nested(MAX_BSON_DEPTH + 1)).expect_err("too deep").what, "nesting");
}

#[test]
fn a_hostile_length_is_refused() {
    for bad in [
        b"\xff\xff\xff\x7f\0".as_slice(),
        b"\x04\0\0\0\0",
        b"\0\0\0\0\0",
        b"\x05\0\0\0\x01",
        b"\x0e\0\0\0\x02a\0\0\0\0\0\0\0\0",
        b"\x08\0\0\0\x20a\0\0",
        b"\x09\0\0\0\x08a\0\x02\0",
    ] {
        assert!(check(bad).is_err(), "{bad:?} was accepted");
    }
}

#[test]
fn a_value_is_checked_to_its_last_byte() {
    assert_eq!(check_value(kind::INT32, &[1, 0, 0, 0]), Ok(()));
    assert!(check_value(kind::INT32, &[1, 0, 0, 0, 0]).is_err());
    assert!(check_value(kind::OBJECT, b"\x08\0\0\0\x20a\0\0").is_err());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), kind: u8) {
        let _ = (check(&bytes), check_value(kind, &bytes), split(&bytes), id(&bytes));
    }

    #[test]
    fn damaged_documents_never_panic(at in 0usize..90, byte: u8) {
        let document = doc! {
            "_id": 1, "s": "text", "a": [1.5, { "deep": true }],
            "c": bson::JavaScriptCodeWithScope { code: "f()".into(), scope: doc! { "x": 1 } },
        };
        let mut bytes = document.to_vec().unwrap();
        prop_assert_eq!(check(&bytes), Ok(()));
        let at = at % bytes.len();
        bytes[at] = byte;
        // Whatever the bson crate can read is structurally sound for us as well.
        let ours = check(&bytes);
        if bson::Document::from_reader(bytes.as_slice()).is_ok() {
            prop_assert_eq!(ours, Ok(()));
        }
    }
}
