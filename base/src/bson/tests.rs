//! Walking and writing agree, and nothing hostile gets past.

use super::{Doc, DocWriter, check, check_value, kind, split};
use crate::Timestamp;
use crate::limits::MAX_BSON_DEPTH;
use proptest::prelude::*;

fn sample() -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    w.int32(b"a", 7);
    w.int64(b"b", -7);
    w.string(b"s", b"text");
    w.bool(b"t", true);
    w.null(b"n");
    w.timestamp(b"ts", Timestamp { secs: 3, ordinal: 4 });
    w.binary(b"u", 4, &[9; 16]);
    let nested = w.begin_field(kind::ARRAY, b"l");
    w.int32(b"0", 1);
    w.end(nested);
    w.end(open);
    out
}

#[test]
fn what_is_written_is_read() {
    let bytes = sample();
    let doc = Doc::new(&bytes).unwrap();
    check(doc).unwrap();
    let get = |name| doc.get(name).unwrap().unwrap();
    assert_eq!(get("a").as_integer(), Some(7));
    assert_eq!(get("b").as_integer(), Some(-7));
    assert_eq!(get("s").as_str(), Some("text"));
    assert_eq!(get("t").as_bool(), Some(true));
    assert_eq!(get("ts").as_timestamp(), Some(Timestamp { secs: 3, ordinal: 4 }));
    assert_eq!(get("u").as_uuid(), Some([9; 16]));
    assert_eq!(get("l").as_array().unwrap().elements().count(), 1);
    assert_eq!(get("l").as_object(), None);
    assert_eq!(doc.get("missing").unwrap(), None);
    assert_eq!(doc.first_element().unwrap().unwrap().name, b"a");
}

#[test]
fn a_stream_is_split_and_its_break_is_located() {
    let one = sample();
    let mut stream = one.repeat(3);
    assert_eq!(split(&stream).filter_map(Result::ok).count(), 3);
    stream.truncate(one.len() * 2 + 3);
    let last = split(&stream).last().unwrap().unwrap_err();
    assert_eq!(last.offset, one.len() * 2);
}

#[test]
fn lengths_that_lie_are_refused() {
    for (at, value) in [(0, 0), (0, 4), (0, 200), (0, u8::MAX)] {
        let mut bytes = sample();
        bytes[at] = value;
        assert!(Doc::new(&bytes).is_err(), "{at}={value}");
    }
    let mut bytes = sample();
    *bytes.last_mut().unwrap() = 1;
    assert!(Doc::new(&bytes).is_err(), "no terminator");
    // A nested document that reaches beyond its parent.
    let mut bytes = sample();
    let len = bytes.len();
    bytes[len - 13] = 200;
    assert!(check(Doc::new(&bytes).unwrap()).is_err());
}

#[test]
fn nesting_is_bounded_without_recursion() {
    let nested = |levels: usize| {
        let mut bytes = Doc::EMPTY.as_bytes().to_vec();
        for _ in 1..levels {
            let mut outer = Vec::new();
            let mut w = DocWriter::new(&mut outer);
            let open = w.begin();
            w.raw(kind::OBJECT, b"", &bytes);
            w.end(open);
            bytes = outer;
        }
        bytes
    };
    check(Doc::new(&nested(MAX_BSON_DEPTH)).unwrap()).unwrap();
    check(Doc::new(&nested(MAX_BSON_DEPTH + 1)).unwrap()).unwrap_err();
}

#[test]
fn a_value_must_be_exactly_one() {
    check_value(kind::INT32, &[1, 0, 0, 0]).unwrap();
    check_value(kind::INT32, &[1, 0, 0, 0, 0]).unwrap_err();
    check_value(kind::BOOL, &[2]).unwrap_err();
    check_value(kind::STRING, &[0, 0, 0, 0]).unwrap_err();
    check_value(0x20, &[]).unwrap_err();
    // Code with scope: 4 + (4 + "x\0") + empty document = 15 bytes.
    let code = [15, 0, 0, 0, 2, 0, 0, 0, b'x', 0, 5, 0, 0, 0, 0];
    check_value(kind::CODE_WITH_SCOPE, &code).unwrap();
    let mut short = code;
    short[0] = 14;
    check_value(kind::CODE_WITH_SCOPE, &short).unwrap_err();
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for doc in split(&bytes).flatten() {
            let _ = check(doc);
            let _ = format!("{doc:?}");
        }
    }

    #[test]
    fn damaged_documents_never_panic(at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = sample();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(doc) = Doc::new(&bytes) {
            let _ = check(doc);
            for element in doc.elements().flatten() {
                let _ = (element.as_str(), element.as_uuid(), element.as_integer(), element.as_double());
                let _ = (element.as_date_ms(), element.as_bool(), element.as_doc());
            }
        }
    }
}
