//! MongoDB's BSON corpus through the raw walker and writer: what is valid passes unchanged, byte for byte, and
//! what is broken is an error. The official crate is the oracle for the values.

#![expect(clippy::unwrap_used, reason = "a test")]

use bson::RawDocument;
use bson::raw::RawBsonRef;
use std::collections::BTreeSet;
use tidemark_base::bson::{Doc, DocWriter, Element, check, check_value, kind, split};
use tidemark_testkit::corpus::{self, Valid};

/// The document written anew: containers begun and ended, all else copied field by field.
fn rewritten(document: Doc<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    fields(document, &mut w);
    w.end(open);
    out
}

fn fields(document: Doc<'_>, w: &mut DocWriter<'_>) {
    for element in document.elements() {
        let element = element.unwrap();
        match element.as_doc() {
            Some(nested) => {
                let open = w.begin_field(element.kind, element.name);
                fields(nested, w);
                w.end(open);
            }
            None => w.element(element),
        }
    }
}

/// All valid documents: what each is about, the case, and its bytes, those that nobody should write included.
fn valid() -> impl Iterator<Item = (&'static Valid, &'static [u8])> {
    corpus::all().unwrap().iter().flat_map(|file| &file.valid).flat_map(|case| {
        let odd = case.degenerate_bson.as_deref();
        [Some(case.canonical_bson.as_slice()), odd].into_iter().flatten().map(move |bytes| (case, bytes))
    })
}

#[test]
fn what_is_valid_is_walked_and_written_back_byte_for_byte() {
    let mut cases = 0;
    for (case, bytes) in valid() {
        let document = Doc::new(bytes).unwrap();
        check(document).unwrap_or_else(|error| panic!("{}: {error}", case.description));
        assert_eq!(rewritten(document), bytes, "{}", case.description);
        check_value(kind::OBJECT, bytes).unwrap();
        cases += 1;
    }
    assert_eq!(cases, 728 + 4);
}

#[test]
fn what_is_broken_is_an_error_wherever_it_stands() {
    let mut refused = 0;
    for case in corpus::all().unwrap().iter().flat_map(|file| &file.decode_errors) {
        let result = Doc::new(&case.bson).and_then(check);
        // Contents pass through: servers hold such texts, and the second length in an old kind of binary.
        let about_content =
            case.description.contains("UTF-8") || case.description.contains("subtype 0x02 length");
        assert_eq!(result.is_ok(), about_content, "{}: {result:?}", case.description);
        refused += usize::from(result.is_err());
        // As a field of a sound document it is an error too, and never more than that.
        let around = [&[0; 4], [kind::OBJECT, b'x', 0].as_slice(), &case.bson, &[0]].concat();
        let len = u32::try_from(around.len()).unwrap();
        let around = [&len.to_le_bytes(), &around[4..]].concat();
        assert_eq!(Doc::new(&around).and_then(check).is_ok(), about_content, "{}", case.description);
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn cut_and_changed_documents_never_panic_and_what_still_walks_is_within_its_bounds() {
    for (_, bytes) in valid().filter(|(_, bytes)| bytes.len() < 200) {
        for end in 0..bytes.len() {
            assert!(Doc::new(&bytes[..end]).is_err());
            assert!(split(&bytes[..end]).all(|document| document.is_err()));
        }
        let mut changed = bytes.to_vec();
        for at in 0..bytes.len() {
            for value in [0, 1, 4, 5, 0x7f, 0x80, 0xff, bytes[at].wrapping_add(1), bytes[at].wrapping_sub(1)]
            {
                changed[at] = value;
                if let Ok(document) = Doc::new(&changed)
                    && check(document).is_ok()
                {
                    assert_eq!(rewritten(document), changed);
                }
                changed[at] = bytes[at];
            }
        }
    }
}

/// Where the oracle and we see the same value.
fn assert_same(ours: Element<'_>, theirs: RawBsonRef<'_>) {
    match theirs {
        RawBsonRef::Double(value) => assert_eq!(ours.as_double().map(f64::to_bits), Some(value.to_bits())),
        RawBsonRef::String(value) => assert_eq!(ours.as_str(), Some(value)),
        RawBsonRef::Array(value) => assert_eq!(ours.as_array().unwrap().as_bytes(), value.as_bytes()),
        RawBsonRef::Document(value) => assert_eq!(ours.as_object().unwrap().as_bytes(), value.as_bytes()),
        RawBsonRef::Boolean(value) => assert_eq!(ours.as_bool(), Some(value)),
        RawBsonRef::Int32(value) => assert_eq!(ours.as_integer(), Some(value.into())),
        RawBsonRef::Int64(value) => assert_eq!(ours.as_integer(), Some(value)),
        RawBsonRef::DateTime(value) => assert_eq!(ours.as_date_ms(), Some(value.timestamp_millis())),
        RawBsonRef::Timestamp(value) => {
            let ours = ours.as_timestamp().unwrap();
            assert_eq!((ours.secs, ours.ordinal), (value.time, value.increment));
        }
        // The crate takes the second length of the old kind away.
        RawBsonRef::Binary(value) if u8::from(value.subtype) != 2 => {
            assert_eq!(ours.as_binary(), Some((value.subtype.into(), value.bytes)));
        }
        RawBsonRef::ObjectId(value) => assert_eq!(ours.value, value.bytes()),
        RawBsonRef::Decimal128(value) => assert_eq!(ours.value, value.bytes()),
        _ => {}
    }
}

#[test]
fn the_official_crate_sees_the_same_fields() {
    let mut kinds = BTreeSet::new();
    let mut compared = 0;
    for (case, bytes) in valid() {
        let theirs = RawDocument::from_bytes(bytes).unwrap();
        let ours: Vec<Element<'_>> = Doc::new(bytes).unwrap().elements().map(Result::unwrap).collect();
        let theirs: Vec<_> = theirs.iter_elements().collect();
        assert_eq!(ours.len(), theirs.len(), "{}", case.description);
        for (ours, theirs) in ours.iter().zip(theirs) {
            let theirs = theirs.unwrap_or_else(|error| panic!("{}: {error}", case.description));
            assert_eq!(ours.kind, theirs.element_type() as u8);
            assert_eq!(ours.name, theirs.key().as_str().as_bytes());
            kinds.insert(ours.kind);
            // Where the crate does not agree that the content is sound, there is nothing to compare.
            if let Ok(value) = RawBsonRef::try_from(theirs) {
                assert_same(*ours, value);
                compared += 1;
            }
        }
    }
    assert_eq!(kinds.len(), 21, "all types of BSON: {kinds:?}");
    assert!(compared > 700, "{compared}");
}
