//! Extended JSON against MongoDB's BSON corpus, random documents, and texts that nobody should write.

use super::*;
use proptest::prelude::*;
use tidemark_base::bson::{Doc, DocWriter, check, kind};
use tidemark_testkit::corpus::{self, CorpusFile, Valid};

fn written(bytes: &[u8]) -> Result<String, WriteError> {
    let mut out = Vec::new();
    write_document(Doc::new(bytes)?, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

/// The text without spaces between its words, as the corpus has them.
fn squeezed(json: &str) -> String {
    let mut in_string = false;
    let mut escaped = false;
    let kept = json.chars().filter(|c| {
        let keep = in_string || !c.is_whitespace();
        match c {
            '"' if !escaped => in_string = !in_string,
            _ => {}
        }
        escaped = *c == '\\' && !escaped;
        keep
    });
    kept.collect()
}

fn cases() -> impl Iterator<Item = (&'static CorpusFile, &'static Valid)> {
    corpus::all().unwrap().iter().flat_map(|file| file.valid.iter().map(move |valid| (file, valid)))
}

#[test]
fn valid_documents_of_the_corpus_are_written_and_read_again() {
    let mut tried = 0;
    for (file, valid) in cases() {
        let what = format!("{}: {}", file.description, valid.description);
        let json = written(&valid.canonical_bson).unwrap_or_else(|error| panic!("{what}: {error}"));
        // Doubles have many spellings; which of them is MongoDB's is tested in `double`.
        let expected = squeezed(&valid.canonical_extjson);
        if file.bson_type != "0x01" {
            let plain = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(plain(&json), plain(&expected), "{what}");
        }
        if !valid.lossy {
            assert_eq!(parse_document(json.as_bytes()).unwrap(), valid.canonical_bson, "{what}");
        }
        tried += 1;
    }
    assert_eq!(tried, 728);
}

#[test]
fn every_form_of_the_corpus_is_read() {
    for (file, valid) in cases().filter(|(_, valid)| !valid.lossy) {
        let what = format!("{}: {}", file.description, valid.description);
        let canonical = parse_document(valid.canonical_extjson.as_bytes());
        assert_eq!(canonical.as_ref(), Ok(&valid.canonical_bson), "{what}");
        if let Some(text) = &valid.degenerate_extjson {
            let degenerate = parse_document(text.as_bytes());
            // Options of regular expressions stay in the order in which they are written.
            if file.bson_type != "0x0B" {
                assert_eq!(degenerate.as_ref(), Ok(&valid.canonical_bson), "{what}: {text}");
            }
        }
        if let Some(text) = &valid.relaxed_extjson {
            let relaxed = parse_document(text.as_bytes()).unwrap_or_else(|error| panic!("{what}: {error}"));
            // Relaxed text says less about numbers; it says as much when it is written and read again.
            let canonical = parse_document(written(&relaxed).unwrap().as_bytes());
            assert_eq!(canonical.as_ref(), Ok(&relaxed), "{what}");
        }
    }
}

#[test]
fn texts_that_must_not_parse_do_not() {
    for file in corpus::all().unwrap() {
        for case in &file.parse_errors {
            let text = match file.bson_type.as_str() {
                // The texts about decimals are those of the value alone.
                "0x13" => format!(r#"{{"d":{{"$numberDecimal":"{}"}}}}"#, case.string),
                _ => case.string.clone(),
            };
            let parsed = parse_document(text.as_bytes());
            // DBRefs are a convention of drivers, not a type.
            let about_dbref = case.description.contains("DBRef");
            assert_eq!(parsed.is_ok(), about_dbref, "{}: {}: {text}", file.description, case.description);
        }
    }
}

#[test]
fn numbers_of_relaxed_text_take_the_narrowest_type() {
    for (text, expected) in [
        ("1", kind::INT32),
        ("-2147483648", kind::INT32),
        ("2147483648", kind::INT64),
        ("9223372036854775807", kind::INT64),
        ("9223372036854775808", kind::DOUBLE),
        ("1.0", kind::DOUBLE),
        ("1e2", kind::DOUBLE),
    ] {
        let bytes = parse_document(format!("{{\"n\":{text}}}").as_bytes()).unwrap();
        assert_eq!(Doc::new(&bytes).unwrap().get("n").unwrap().unwrap().kind, expected, "{text}");
    }
}

#[test]
fn old_forms_of_mongodump_are_read() {
    let read = |text: &str| written(&parse_document(text.as_bytes()).unwrap()).unwrap();
    assert_eq!(
        read(r#"{"b":{"$binary":"AQI=","$type":"80"}}"#),
        r#"{"b":{"$binary":{"base64":"AQI=","subType":"80"}}}"#
    );
    assert_eq!(
        read(r#"{"d":{"$date":"2014-01-01T00:00:00.000Z"}}"#),
        r#"{"d":{"$date":{"$numberLong":"1388534400000"}}}"#
    );
    let operators = r#"{"$or":[{"a":{"$regex":"^x","$options":"i"}},{"a":{"$type":"string"}}]}"#;
    assert_eq!(read(operators), operators);
}

#[test]
fn what_is_no_json_is_refused_where_it_stands() {
    for (text, offset) in [
        ("", 0),
        ("[]", 0),
        ("{", 1),
        ("{}x", 2),
        ("{\"a\":1,}", 7),
        ("{\"a\":01}", 5),
        ("{\"a\":1.}", 5),
        ("{\"a\":.5}", 5),
        ("{\"a\":nul}", 5),
        ("{\"a\":\"\\x\"}", 6),
        ("{\"a\":\"\\ud800\"}", 6),
        ("{\"a\":\"\\ud800\\u0041\"}", 6),
        ("{\"a\":\"\\u+041\"}", 6),
        ("{\"a\":\"\n\"}", 6),
        ("{\"a\\u0000\":1}", 11),
        ("{\"a\":[1 2]}", 8),
        ("{'a':1}", 1),
    ] {
        assert_eq!(parse_document(text.as_bytes()).unwrap_err().offset, offset, "{text}");
    }
    let error = parse_document(b"{\"a\":\"\xff\"}").unwrap_err();
    assert_eq!((error.offset, error.problem), (6, JsonProblem::NotUtf8));
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| format!("{}1{}", "{\"a\":[".repeat(levels / 2), "]}".repeat(levels / 2));
    check(Doc::new(&parse_document(nested(250).as_bytes()).unwrap()).unwrap()).unwrap();
    let error = parse_document(nested(252).as_bytes()).unwrap_err();
    assert_eq!(error.problem, JsonProblem::Depth);
    let scopes = |levels: usize| {
        format!(
            "{{\"a\":{}{{}}{}}}",
            "{\"$code\":\"\",\"$scope\":{\"a\":".repeat(levels),
            "}}".repeat(levels)
        )
    };
    assert!(parse_document(scopes(50).as_bytes()).is_ok());
    assert_eq!(parse_document(scopes(5000).as_bytes()).unwrap_err().problem, JsonProblem::Depth);
}

#[test]
fn size_is_bounded() {
    let text = format!("{{\"a\":[{}1]}}", "1,".repeat(2 << 20));
    assert_eq!(parse_document(text.as_bytes()).unwrap_err().problem, JsonProblem::Large);
}

#[test]
fn texts_that_are_no_utf8_are_refused() {
    let mut bytes = Vec::new();
    let mut w = DocWriter::new(&mut bytes);
    let open = w.begin();
    w.string(b"s", b"\xff");
    w.end(open);
    assert!(matches!(written(&bytes), Err(WriteError::NotUtf8 { .. })));
}

/// Any value, as type and bytes.
fn any_value() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let text = || "\\PC{0,12}".prop_map(|text| bson_string(&text));
    let leaf = prop_oneof![
        any::<f64>()
            .prop_filter("a NaN has one text", |it| !it.is_nan())
            .prop_map(|it| fixed(kind::DOUBLE, &it.to_le_bytes())),
        any::<i32>().prop_map(|it| fixed(kind::INT32, &it.to_le_bytes())),
        any::<i64>().prop_map(|it| fixed(kind::INT64, &it.to_le_bytes())),
        any::<i64>().prop_map(|it| fixed(kind::DATE, &it.to_le_bytes())),
        any::<u64>().prop_map(|it| fixed(kind::TIMESTAMP, &it.to_le_bytes())),
        any::<[u8; 12]>().prop_map(|it| fixed(kind::OBJECT_ID, &it)),
        any::<bool>().prop_map(|it| fixed(kind::BOOL, &[it.into()])),
        prop::sample::select(vec![kind::NULL, kind::UNDEFINED, kind::MIN_KEY, kind::MAX_KEY])
            .prop_map(|it| (it, vec![])),
        text().prop_map(|it| (kind::STRING, it)),
        text().prop_map(|it| (kind::SYMBOL, it)),
        text().prop_map(|it| (kind::CODE, it)),
        ("[^\0]{0,8}", "[imsux]{0,3}").prop_map(|(p, o)| (kind::REGEX, format!("{p}\0{o}\0").into_bytes())),
        (text(), any::<[u8; 12]>()).prop_map(|(ns, id)| (kind::DB_POINTER, [ns, id.to_vec()].concat())),
        (prop::sample::select(vec![0, 1, 3, 4, 5, 6, 0x80, 0xff]), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(t, b)| binary(t, &b)),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(|b| {
            let inner = u32::try_from(b.len()).unwrap().to_le_bytes();
            binary(2, &[inner.as_slice(), &b].concat())
        }),
        (any::<bool>(), 0..10_u128.pow(34), 0..12288_u128).prop_map(|(sign, digits, exponent)| {
            let bits = u128::from(sign) << 127 | exponent << 113 | digits;
            fixed(kind::DECIMAL128, &bits.to_le_bytes())
        }),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            document_of(inner.clone()).prop_map(|it| (kind::OBJECT, it)),
            prop::collection::vec(inner.clone(), 0..5).prop_map(|values| {
                let named = values.into_iter().enumerate().map(|(i, value)| (i.to_string(), value));
                (kind::ARRAY, document(named))
            }),
            ("\\PC{0,6}", document_of(inner)).prop_map(|(code, scope)| {
                let code = bson_string(&code);
                let len = u32::try_from(4 + code.len() + scope.len()).unwrap();
                (kind::CODE_WITH_SCOPE, [len.to_le_bytes().as_slice(), &code, &scope].concat())
            }),
        ]
    })
}

fn document_of(value: impl Strategy<Value = (u8, Vec<u8>)>) -> impl Strategy<Value = Vec<u8>> {
    // Names are free but for the first one's being that of a type, of which none has four letters or less
    // apart from `$oid`.
    prop::collection::vec(("[^\0$]{0,4}|\\$[a-n]{0,3}", value), 0..5).prop_map(document)
}

fn document(fields: impl IntoIterator<Item = (String, (u8, Vec<u8>))>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    for (name, (kind, value)) in fields {
        w.raw(kind, name.as_bytes(), &value);
    }
    w.end(open);
    out
}

fn fixed(kind: u8, bytes: &[u8]) -> (u8, Vec<u8>) {
    (kind, bytes.to_vec())
}

fn binary(subtype: u8, bytes: &[u8]) -> (u8, Vec<u8>) {
    let len = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    (kind::BINARY, [len.as_slice(), &[subtype], bytes].concat())
}

fn bson_string(text: &str) -> Vec<u8> {
    let len = u32::try_from(text.len() + 1).unwrap().to_le_bytes();
    [len.as_slice(), text.as_bytes(), &[0]].concat()
}

proptest! {
    #[test]
    fn random_documents_survive(bytes in document_of(any_value())) {
        let json = written(&bytes).unwrap();
        prop_assert_eq!(parse_document(json.as_bytes()), Ok(bytes), "{}", json);
    }

    #[test]
    fn the_bson_crate_reads_the_same(bytes in document_of(any_value())) {
        let json = written(&bytes).unwrap();
        // It refuses what is odd, and keeps one of repeated names; where it reads the bytes, it reads the text.
        let theirs = bson::Document::from_reader(bytes.as_slice()).map(|it| it.to_vec().unwrap());
        if theirs.is_ok_and(|it| it == bytes) {
            let read: bson::Document = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read.to_vec().unwrap(), bytes, "{}", json);
        }
    }

    #[test]
    fn random_texts_never_panic(text in "\\PC{0,60}|[\\[\\]{}:,\"$a-z0-9.\\\\-]{0,60}") {
        let _ = parse_document(text.as_bytes());
        let _ = parse_document(format!("{{\"a\":{text}}}").as_bytes());
    }
}
