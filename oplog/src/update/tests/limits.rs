//! What is too deep, too large or broken is refused, on a small stack and without much memory.

use super::super::UpdateError;
use super::applied;
use bson::{doc, rawdoc};
use tidemark_base::bson::{Doc, DocWriter, check, kind};
use tidemark_base::limits::{MAX_BSON_BYTES, MAX_BSON_DEPTH};
use tidemark_base::threads;

/// A document of so many levels, the innermost empty; each the only field, of this name, of the one around it.
fn nested(levels: usize, names: &[&[u8]], kinds: &[u8], innermost: &[u8]) -> Vec<u8> {
    let mut bytes = innermost.to_vec();
    for level in (0..levels).rev() {
        let mut outer = Vec::new();
        let mut w = DocWriter::new(&mut outer);
        let open = w.begin();
        w.raw(kinds[level % kinds.len()], names[level % names.len()], &bytes);
        w.end(open);
        bytes = outer;
    }
    bytes
}

fn update(diff: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    w.int32(b"$v", 2);
    w.raw(kind::OBJECT, b"diff", diff);
    w.end(open);
    out
}

#[test]
fn the_deepest_update_fits_on_half_a_mebibyte_of_stack() {
    let work = || {
        let leaf = rawdoc! {"u": {"z": 1}};
        for (levels, fits) in [(MAX_BSON_DEPTH - 1, true), (MAX_BSON_DEPTH, false), (4000, false)] {
            let document = nested(levels, &[b"x"], &[kind::OBJECT], Doc::EMPTY.as_bytes());
            let diff = nested(levels, &[b"sx"], &[kind::OBJECT], leaf.as_bytes());
            let result = applied(&document, &update(&diff));
            assert_eq!(result.is_ok(), fits, "{levels} levels");
            if let Ok(new) = result {
                check(Doc::new(&new).unwrap()).unwrap();
                assert_eq!(new.len(), document.len() + 7);
            }
            // The same of modifiers, where the parents are there and where they are not.
            let path = vec!["x"; levels].join(".") + ".z";
            let set = bson::serialize_to_vec(&doc! {"$set": {path: 1}}).unwrap();
            assert_eq!(applied(&document, &set).is_ok(), fits, "{levels} levels");
            assert_eq!(applied(Doc::EMPTY.as_bytes(), &set).is_ok(), fits, "{levels} levels");
            // A diff that is not applied is checked as deep.
            assert_eq!(applied(Doc::EMPTY.as_bytes(), &update(&diff)).is_ok(), fits, "{levels} levels");
        }
    };
    // Threads of our own have the default stack, so the test spends three quarters of it first.
    threads::spawn("small stack", move || with_less_stack(work)).unwrap().join().unwrap();
}

/// Runs `work` with 1.5 MiB of the stack in use: of the 2 MiB that a thread has, half a mebibyte is left.
fn with_less_stack(work: impl Fn()) {
    let used = [1_u8; 3 << 19];
    std::hint::black_box(&used);
    work();
    std::hint::black_box(&used);
}

#[test]
fn arrays_nest_as_deep_as_documents() {
    let levels = MAX_BSON_DEPTH - 2;
    let document = nested(levels, &[b"x", b"0"], &[kind::ARRAY, kind::OBJECT], Doc::EMPTY.as_bytes());
    let mut diff = rawdoc! {"u": {"z": 1}}.into_bytes();
    for level in (0..levels).rev() {
        let mut outer = Vec::new();
        let mut w = DocWriter::new(&mut outer);
        let open = w.begin();
        if level % 2 == 1 {
            w.bool(b"a", true);
        }
        w.raw(kind::OBJECT, [b"sx", b"s0"][level % 2], &diff);
        w.end(open);
        diff = outer;
    }
    let new = applied(&document, &update(&diff)).unwrap();
    assert_eq!(new.len(), document.len() + 7);
    check(Doc::new(&new).unwrap()).unwrap();
}

#[test]
fn a_little_that_asks_for_much_is_refused_before_it_is_written() {
    // A value of 1 MiB for each of 100,000 fields of one name: 100 GB.
    let mut document = Vec::new();
    let mut w = DocWriter::new(&mut document);
    let open = w.begin();
    for _ in 0..100_000 {
        w.null(b"a");
    }
    w.end(open);
    let large = bson::serialize_to_vec(&doc! {"$v": 2, "diff": {"u": {"a": "x".repeat(1 << 20)}}}).unwrap();
    let mut out = Vec::new();
    let parsed = super::Update::parse(Doc::new(&large).unwrap()).unwrap();
    let error = parsed.apply(Doc::new(&document).unwrap(), &mut out).unwrap_err();
    assert!(matches!(error, UpdateError::TooLarge { limit: MAX_BSON_BYTES, .. }), "{error}");
    assert!(out.capacity() <= 2 * MAX_BSON_BYTES, "{}", out.capacity());
    let padded = bson::serialize_to_vec(&doc! {"$v": 2, "diff": {"sa": {"a": true, "l": 4 << 20}}}).unwrap();
    let error = applied(rawdoc! {"a": []}.as_bytes(), &padded).unwrap_err();
    assert!(matches!(error, UpdateError::TooLarge { .. }), "{error}");
}

/// `content` as a field of this name, over and over.
fn repeated(times: usize, kind: u8, name: &[u8], content: &[u8]) -> Vec<u8> {
    built(|w| (0..times).for_each(|_| w.raw(kind, name, content)))
}

fn built(fields: impl FnOnce(&mut DocWriter<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    fields(&mut w);
    w.end(open);
    out
}

/// So many fields of different names.
fn deletes(count: usize) -> Vec<u8> {
    built(|w| (0..count).for_each(|n| w.bool(n.to_string().as_bytes(), false)))
}

// At these sizes, reading a diff once for each field of a repeated name would take an hour.
const MANY: usize = 300_000;

#[test]
fn a_large_diff_for_a_name_that_is_repeated_is_read_a_few_times_and_not_for_each_field() {
    let large = built(|w| w.raw(kind::OBJECT, b"d", &deletes(MANY)));
    let direct = built(|w| w.raw(kind::OBJECT, b"sx", &large));
    let old = repeated(MANY, kind::OBJECT, b"x", Doc::EMPTY.as_bytes());
    assert_eq!(applied(&old, &update(&direct)).unwrap(), old);
    // Below an element of an array, and below another document.
    let of_array = built(|w| {
        w.bool(b"a", true);
        w.raw(kind::OBJECT, b"s0", &large);
    });
    let array = built(|w| w.raw(kind::OBJECT, b"0", Doc::EMPTY.as_bytes()));
    let old = repeated(MANY, kind::ARRAY, b"x", &array);
    let in_array = built(|w| w.raw(kind::OBJECT, b"sx", &of_array));
    assert_eq!(applied(&old, &update(&in_array)).unwrap(), old);
    let deeper = built(|w| w.raw(kind::OBJECT, b"sy", &large));
    let inner = built(|w| w.raw(kind::OBJECT, b"y", Doc::EMPTY.as_bytes()));
    let old = repeated(MANY, kind::OBJECT, b"x", &inner);
    let in_object = built(|w| w.raw(kind::OBJECT, b"sx", &deeper));
    assert_eq!(applied(&old, &update(&in_object)).unwrap(), old);
}

#[test]
fn a_large_diff_that_never_fits_is_checked_a_few_times_and_not_for_each_field() {
    let large = built(|w| w.raw(kind::OBJECT, b"d", &deletes(MANY)));
    let beyond = built(|w| {
        w.bool(b"a", true);
        w.raw(kind::OBJECT, b"s0", &large);
    });
    let missing = built(|w| w.raw(kind::OBJECT, b"smissing", &large));
    for (diff, old_kind, made) in [
        (&large, kind::ARRAY, kind::NULL),
        (&missing, kind::OBJECT, kind::OBJECT),
        (&beyond, kind::ARRAY, kind::ARRAY),
    ] {
        let old = repeated(MANY, old_kind, b"x", Doc::EMPTY.as_bytes());
        let diff = built(|w| w.raw(kind::OBJECT, b"sx", diff));
        let new = applied(&old, &update(&diff)).unwrap();
        let fields = Doc::new(&new).unwrap().elements().map(|field| field.unwrap().kind);
        assert_eq!(fields.filter(|found| *found == made).count(), MANY);
    }
}

#[test]
fn a_binary_patch_holds_nothing_but_offset_and_data_so_that_reading_it_is_cheap() {
    let patch = |more: usize| {
        let patch = built(|w| {
            (0..more).for_each(|_| w.null(b""));
            w.int32(b"o", 0);
            w.binary(b"d", 0, b"");
        });
        update(&built(|w| {
            let section = w.begin_field(kind::OBJECT, b"b");
            w.raw(kind::OBJECT, b"x", &patch);
            w.end(section);
        }))
    };
    let old = repeated(MANY, kind::NULL, b"x", b"");
    assert_eq!(applied(&old, &patch(0)).unwrap(), old);
    for more in [1, MANY] {
        let error = applied(&old, &patch(more)).unwrap_err();
        assert!(error.to_string().contains("more than an offset and data"), "{error}");
    }
}

#[test]
fn the_limit_is_that_of_one_document_however_much_the_buffer_holds() {
    let mut out = vec![7; 2 * MAX_BSON_BYTES];
    let o = rawdoc! {"$v": 2, "diff": {"sa": {"a": true, "u9": 1}}};
    let document = rawdoc! {"a": [1]};
    let update = super::Update::parse(Doc::new(o.as_bytes()).unwrap()).unwrap();
    update.apply(Doc::new(document.as_bytes()).unwrap(), &mut out).unwrap();
    assert_eq!(Doc::new(&out[2 * MAX_BSON_BYTES..]).unwrap().elements().count(), 1);
}

#[test]
fn a_document_of_exactly_the_largest_size_can_be_made() {
    let empty = bson::serialize_to_vec(&doc! {"_id": 1, "x": ""}).unwrap().len();
    for (extra, fits) in [(0, true), (1, false)] {
        let text = "x".repeat(MAX_BSON_BYTES - empty - 8 + extra);
        let document = bson::serialize_to_vec(&doc! {"_id": 1, "x": text}).unwrap();
        for o in [rawdoc! {"$v": 2, "diff": {"i": {"yy": 1}}}, rawdoc! {"$set": {"yy": 1}}] {
            let new = applied(&document, o.as_bytes());
            assert_eq!(new.map(|new| new.len()).ok(), fits.then_some(MAX_BSON_BYTES));
        }
    }
}

#[test]
fn a_document_that_is_broken_where_one_must_look_is_an_error() {
    let sound = bson::serialize_to_vec(&doc! {"_id": 1, "a": [1, 2, {"b": 1}], "z": "text"}).unwrap();
    for o in [
        rawdoc! {"$v": 2, "diff": {"u": {"_id": 1}}},
        rawdoc! {"$v": 2, "diff": {"sa": {"a": true, "l": 1}}},
        rawdoc! {"$v": 2, "diff": {"sa": {"a": true, "s2": {"u": {"b": 2}}}}},
        rawdoc! {"$set": {"a.2.b": 1}},
    ] {
        applied(&sound, o.as_bytes()).unwrap();
        let mut broken = sound.clone();
        let at = broken.len() - 12;
        assert_eq!(broken[at..at + 2], [b'z', 0]);
        broken[at - 1] = 0x20;
        let error = applied(&broken, o.as_bytes()).unwrap_err();
        assert!(matches!(error, UpdateError::Bson(_)), "{error}");
    }
}
