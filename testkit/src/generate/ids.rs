//! Documents with an `_id` of every BSON type a server accepts, with the spellings that are one key.
//!
//! Arrays, regular expressions and undefined are absent: a server refuses them (observed on 6.0.5).

use super::writer::{Writer, decimal128, document};
use crate::raw::kind;

/// A document, and which one before it has the same key.
#[derive(Clone, Debug)]
pub struct IdCase {
    /// What is special about the `_id`.
    pub name: String,
    /// The document: `_id` and a field `n` with its position.
    pub document: Vec<u8>,
    /// The position of the first case whose `_id` is equal to this one under another spelling: inserting both
    /// into one collection is a duplicate-key error.
    pub equal_to: Option<usize>,
}

/// All cases. Those without `equal_to` have keys that differ from each other.
#[must_use]
pub fn every_id_type() -> Vec<IdCase> {
    let mut cases = Cases(Vec::new());
    numbers(&mut cases);
    texts_and_documents(&mut cases);
    others(&mut cases);
    cases.0
}

struct Cases(Vec<IdCase>);

impl Cases {
    fn id(&mut self, name: &str, id: impl FnOnce(&mut Writer<'_>)) {
        let n = i32::try_from(self.0.len()).expect("some dozens");
        let mut bytes = Vec::new();
        document(&mut bytes, |w| {
            id(w);
            w.i32("n", n);
        });
        self.0.push(IdCase { name: name.to_owned(), document: bytes, equal_to: None });
    }

    /// A case that is equal to the case called `first`.
    fn same(&mut self, first: &str, name: &str, id: impl FnOnce(&mut Writer<'_>)) {
        let equal_to =
            self.0.iter().position(|case| case.name == first).expect("the first case stands above");
        self.id(name, id);
        if let Some(case) = self.0.last_mut() {
            case.equal_to = Some(equal_to);
        }
    }
}

fn numbers(cases: &mut Cases) {
    const INF: f64 = f64::INFINITY;
    let decimal = |bits: u128| move |w: &mut Writer<'_>| w.raw(kind::DECIMAL128, "_id", &bits.to_le_bytes());
    cases.id("int32 1", |w| w.i32("_id", 1));
    cases.same("int32 1", "int64 1", |w| w.i64("_id", 1));
    cases.same("int32 1", "double 1", |w| w.f64("_id", 1.0));
    cases.same("int32 1", "decimal 1", |w| w.decimal("_id", 1, 0));
    cases.same("int32 1", "decimal 1.00", |w| w.decimal("_id", 100, -2));
    cases.id("int32 0", |w| w.i32("_id", 0));
    cases.same("int32 0", "double -0", |w| w.f64("_id", -0.0));
    cases.same("int32 0", "decimal 0E+6111", |w| w.decimal("_id", 0, 6111));
    cases.same("int32 0", "decimal -0", decimal(1 << 127 | 6176 << 113));
    cases.id("int32 -1", |w| w.i32("_id", -1));
    cases.id("int32 max", |w| w.i32("_id", i32::MAX));
    cases.id("int64 2^53", |w| w.i64("_id", 1 << 53));
    cases.same("int64 2^53", "double 2^53", |w| w.f64("_id", 9_007_199_254_740_992.0));
    cases.id("int64 2^53 + 1", |w| w.i64("_id", (1 << 53) + 1));
    cases.id("int64 max", |w| w.i64("_id", i64::MAX));
    cases.id("double 2^63", |w| w.f64("_id", 9_223_372_036_854_775_808.0));
    cases.id("int64 min", |w| w.i64("_id", i64::MIN));
    cases.same("int64 min", "double -2^63", |w| w.f64("_id", -9_223_372_036_854_775_808.0));
    cases.id("double 0.1", |w| w.f64("_id", 0.1));
    cases.id("decimal 0.1", |w| w.decimal("_id", 1, -1));
    cases.same("decimal 0.1", "decimal 0.10", |w| w.decimal("_id", 10, -2));
    cases.id("double 0.5", |w| w.f64("_id", 0.5));
    cases.same("double 0.5", "decimal 0.5", |w| w.decimal("_id", 5, -1));
    cases.id("double smallest", |w| w.f64("_id", f64::from_bits(1)));
    cases.id("double largest", |w| w.f64("_id", f64::MAX));
    cases.id("decimal 1E-6176", |w| w.decimal("_id", 1, -6176));
    cases.id("decimal 1E+6111", |w| w.decimal("_id", 1, 6111));
    cases.id("double inf", |w| w.f64("_id", INF));
    cases.same("double inf", "decimal inf", decimal(0b1_1110 << 122));
    cases.id("double -inf", |w| w.f64("_id", -INF));
    cases.same("double -inf", "decimal -inf", decimal(0b11_1110 << 122));
    cases.id("double nan", |w| w.f64("_id", f64::NAN));
    cases.same("double nan", "double nan, payload", |w| w.f64("_id", f64::from_bits(0xfff8_0000_0000_0007)));
    cases.same("double nan", "decimal nan", decimal(0b1_1111 << 122));
}

fn texts_and_documents(cases: &mut Cases) {
    cases.id("string empty", |w| w.str("_id", ""));
    cases.id("string", |w| w.str("_id", "abc"));
    cases.same("string", "symbol", |w| w.raw(kind::SYMBOL, "_id", b"\x04\0\0\0abc\0"));
    cases.id("string, capital", |w| w.str("_id", "Abc"));
    cases.id("string with a zero byte", |w| w.str("_id", "abc\0d"));
    cases.id("string, not ascii", |w| w.str("_id", "äbc"));
    cases.id("string of a number", |w| w.str("_id", "1"));
    cases.id("object empty", |w| w.object("_id", |_| {}));
    cases.id("object", |w| {
        w.object("_id", |w| {
            w.i32("a", 1);
            w.i32("b", 2);
        });
    });
    cases.same("object", "object, other numbers", |w| {
        w.object("_id", |w| {
            w.f64("a", 1.0);
            w.i64("b", 2);
        });
    });
    cases.id("object, other order", |w| {
        w.object("_id", |w| {
            w.i32("b", 2);
            w.i32("a", 1);
        });
    });
    cases.id("object, beginning", |w| w.object("_id", |w| w.i32("a", 1)));
    cases.id("object with an array", |w| {
        w.object("_id", |w| {
            w.array("a", |w| {
                w.i32("0", 1);
                w.object("1", |w| w.str("x", "y"));
            });
        });
    });
}

fn others(cases: &mut Cases) {
    cases.id("binary empty", |w| w.binary("_id", 0, &[]));
    cases.id("binary", |w| w.binary("_id", 0, &[1, 2, 3]));
    cases.id("binary, old subtype", |w| w.binary("_id", 2, &[3, 0, 0, 0, 1, 2, 3]));
    cases.id("uuid", |w| w.binary("_id", 4, &[7; 16]));
    cases.id("uuid, old subtype", |w| w.binary("_id", 3, &[7; 16]));
    cases.id("binary, user's subtype", |w| w.binary("_id", 128, &[1, 2, 3]));
    cases.id("object id", |w| w.object_id("_id", [9; 12]));
    cases.id("false", |w| w.bool("_id", false));
    cases.id("true", |w| w.bool("_id", true));
    cases.id("date", |w| w.date("_id", 1_700_000_000_000));
    cases.id("date before 1970", |w| w.date("_id", -1));
    cases.id("timestamp", |w| w.raw(kind::TIMESTAMP, "_id", &[1, 0, 0, 0, 0xff, 0, 0, 0xff]));
    cases.id("timestamp zero", |w| w.raw(kind::TIMESTAMP, "_id", &[0; 8]));
    cases.id("null", |w| w.null("_id"));
    cases.id("db pointer", |w| w.raw(kind::DB_POINTER, "_id", b"\x04\0\0\0a.b\0abcdefghijkl"));
    cases.id("code", |w| w.raw(kind::CODE, "_id", b"\x04\0\0\0f()\0"));
    cases.id("code with scope", |w| {
        w.raw(kind::CODE_WITH_SCOPE, "_id", b"\x11\0\0\0\x04\0\0\0f()\0\x05\0\0\0\0");
    });
    cases.id("min key", |w| w.raw(kind::MIN_KEY, "_id", &[]));
    cases.id("max key", |w| w.raw(kind::MAX_KEY, "_id", &[]));
    cases.id("decimal, 20 digits", |w| w.raw(kind::DECIMAL128, "_id", &decimal128(u64::MAX, 7)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::IdKey;
    use crate::raw;

    #[test]
    fn the_flags_are_exactly_the_equalities_of_the_order() {
        let cases = every_id_type();
        let keys: Vec<_> = cases.iter().map(|c| IdKey::of_document(&c.document).unwrap().unwrap()).collect();
        for (i, case) in cases.iter().enumerate() {
            let first = keys[..i].iter().position(|key| *key == keys[i]);
            assert_eq!(first, case.equal_to, "{}", case.name);
        }
    }

    #[test]
    fn every_legal_type_is_there_and_every_document_is_sound() {
        let cases = every_id_type();
        let mut kinds: Vec<_> = cases.iter().map(|c| raw::id(&c.document).unwrap().unwrap().kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), 18);
        for case in &cases {
            raw::check(&case.document).unwrap();
            // The bson crate writes back what it read.
            let read = bson::Document::from_reader(case.document.as_slice()).unwrap();
            assert_eq!(read.to_vec().unwrap(), case.document, "{}", case.name);
        }
    }
}
