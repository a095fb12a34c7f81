//! Values that carry their type: `{"$numberLong": "1"}` and its kin.
//!
//! Such an object has the names of its type and no others, in any order where there are several. Called by
//! [`super::parse`] once it has read the first name.

use super::error::JsonProblem;
use super::parse::{Parser, Result};
use super::{date, decimal, double};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidemark_base::Timestamp;
use tidemark_base::bson::{DocWriter, kind};
use tidemark_base::limits::MAX_BSON_DEPTH;

/// A type, by the first name of its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrapper(&'static str);

const NAMES: [&str; 17] = [
    "$binary",
    "$code",
    "$date",
    "$dbPointer",
    "$maxKey",
    "$minKey",
    "$numberDecimal",
    "$numberDouble",
    "$numberInt",
    "$numberLong",
    "$oid",
    "$regularExpression",
    "$scope",
    "$symbol",
    "$timestamp",
    "$undefined",
    "$uuid",
];

impl Wrapper {
    pub(super) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|it| **it == name).map(|it| Self(it))
    }
}

/// The subtype of a UUID.
const UUID: u8 = 4;
/// The subtype of binary data that holds its length a second time.
const OLD_BINARY: u8 = 2;

impl Parser<'_> {
    /// The value of an object whose first name has been read, up to and with the end of the object.
    pub(super) fn wrapped(
        &mut self,
        wrapper: Wrapper,
        w: &mut DocWriter<'_>,
        name: &[u8],
        depth: usize,
    ) -> Result<()> {
        let Wrapper(of) = wrapper;
        match of {
            "$numberInt" => w.int32(name, self.whole_number(of)?),
            "$numberLong" => w.int64(name, self.whole_number(of)?),
            "$numberDouble" => {
                let text = self.lexer.string()?;
                let value = double::parse(&text).ok_or_else(|| self.bad(of, "not a number in a string"))?;
                w.raw(kind::DOUBLE, name, &value.to_le_bytes());
            }
            "$numberDecimal" => {
                let text = self.lexer.string()?;
                let bits = decimal::parse(&text).ok_or_else(|| self.bad(of, "not exactly a Decimal128"))?;
                w.raw(kind::DECIMAL128, name, &bits);
            }
            "$oid" => w.raw(kind::OBJECT_ID, name, &self.object_id(of)?),
            "$date" => w.raw(kind::DATE, name, &self.date(of)?.to_le_bytes()),
            "$timestamp" => w.timestamp(name, self.timestamp(of)?),
            "$symbol" => {
                let text = self.lexer.string()?;
                w.raw(kind::SYMBOL, name, &bson_string(&text));
            }
            "$code" | "$scope" => return self.code(of, w, name, depth),
            "$regularExpression" => self.regular_expression(of, w, name)?,
            "$dbPointer" => self.db_pointer(of, w, name)?,
            "$binary" => return self.binary(of, w, name),
            "$uuid" => {
                let text = self.lexer.string()?;
                let bytes = uuid(&text).ok_or_else(|| self.bad(of, "not 32 digits with dashes"))?;
                w.binary(name, UUID, &bytes);
            }
            "$undefined" => {
                if !self.lexer.takes_word("true") {
                    return Err(self.bad(of, "only true is possible"));
                }
                w.raw(kind::UNDEFINED, name, &[]);
            }
            "$minKey" | "$maxKey" => {
                if self.lexer.number()? != "1" {
                    return Err(self.bad(of, "only 1 is possible"));
                }
                w.raw(if of == "$minKey" { kind::MIN_KEY } else { kind::MAX_KEY }, name, &[]);
            }
            _ => return Err(self.bad(of, "not known")),
        }
        self.end(of)
    }

    fn bad(&self, wrapper: &'static str, why: &'static str) -> super::JsonError {
        self.lexer.error(JsonProblem::Wrapper { wrapper, why })
    }

    fn end(&mut self, of: &'static str) -> Result<()> {
        if self.lexer.takes(b'}') { Ok(()) } else { Err(self.bad(of, "no other names may stand beside it")) }
    }

    fn whole_number<N: std::str::FromStr>(&mut self, of: &'static str) -> Result<N> {
        let text = self.lexer.string()?;
        // Rust also reads a plus sign.
        let value = text.parse().ok().filter(|_| !text.starts_with('+'));
        value.ok_or_else(|| self.bad(of, "not a whole number of its range in a string"))
    }

    fn object_id(&mut self, of: &'static str) -> Result<[u8; 12]> {
        let text = self.lexer.string()?;
        let mut bytes = [0; 12];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| self.bad(of, "not 24 hexadecimal digits"))?;
        Ok(bytes)
    }

    fn date(&mut self, of: &'static str) -> Result<i64> {
        if self.lexer.takes(b'{') {
            if self.name()? != "$numberLong" {
                return Err(self.bad(of, "neither a string nor a $numberLong"));
            }
            let value = self.whole_number(of)?;
            self.end(of)?;
            return Ok(value);
        }
        let text = self.lexer.string()?;
        date::parse(&text).ok_or_else(|| self.bad(of, "not an ISO-8601 date with a zone"))
    }

    /// The value of a wrapper that is an object itself, with exactly these two names, in any order. `read` is
    /// called with the number of the name.
    fn pair(
        &mut self,
        of: &'static str,
        names: [&str; 2],
        mut read: impl FnMut(&mut Self, usize) -> Result<()>,
    ) -> Result<()> {
        self.lexer.expect(b'{', "an object")?;
        let mut missing = [true; 2];
        for last in [false, true] {
            let name = self.name()?;
            let found = names.iter().zip(&mut missing).enumerate().find(|(_, (it, _))| **it == name);
            let Some((index, (_, missing @ true))) = found else {
                return Err(self.bad(of, "each of its two names must stand there once, and no other"));
            };
            *missing = false;
            read(self, index)?;
            if !last {
                self.lexer.expect(b',', "a comma")?;
            }
        }
        self.end(of)
    }

    fn timestamp(&mut self, of: &'static str) -> Result<Timestamp> {
        let mut parts = [0; 2];
        self.pair(of, ["t", "i"], |parser, index| {
            let number = parser.lexer.number()?.parse();
            let number = number.map_err(|_| parser.bad(of, "t and i are whole numbers below 4294967296"))?;
            if let Some(part) = parts.get_mut(index) {
                *part = number;
            }
            Ok(())
        })?;
        let [secs, ordinal] = parts;
        Ok(Timestamp { secs, ordinal })
    }

    /// Two strings.
    fn strings(&mut self, of: &'static str, names: [&str; 2]) -> Result<[String; 2]> {
        let mut parts = [String::new(), String::new()];
        self.pair(of, names, |parser, index| {
            let text = parser.lexer.string()?;
            if let Some(part) = parts.get_mut(index) {
                *part = text;
            }
            Ok(())
        })?;
        Ok(parts)
    }

    fn regular_expression(&mut self, of: &'static str, w: &mut DocWriter<'_>, name: &[u8]) -> Result<()> {
        let [pattern, options] = self.strings(of, ["pattern", "options"])?;
        if pattern.contains('\0') || options.contains('\0') {
            return Err(self.lexer.error(JsonProblem::Nul));
        }
        w.raw(kind::REGEX, name, &[pattern.as_bytes(), &[0], options.as_bytes(), &[0]].concat());
        Ok(())
    }

    fn db_pointer(&mut self, of: &'static str, w: &mut DocWriter<'_>, name: &[u8]) -> Result<()> {
        let mut namespace = String::new();
        let mut id = [0; 12];
        self.pair(of, ["$ref", "$id"], |parser, index| {
            if index == 0 {
                namespace = parser.lexer.string()?;
                return Ok(());
            }
            parser.lexer.expect(b'{', "an object")?;
            if parser.name()? != "$oid" {
                return Err(parser.bad(of, "its $id is not an $oid"));
            }
            id = parser.object_id(of)?;
            parser.end(of)
        })?;
        w.raw(kind::DB_POINTER, name, &[bson_string(&namespace).as_slice(), &id].concat());
        Ok(())
    }

    /// `{"base64": …, "subType": …}`, or the old form: a string, and `$type` beside it.
    fn binary(&mut self, of: &'static str, w: &mut DocWriter<'_>, name: &[u8]) -> Result<()> {
        let [base64, subtype] = if self.lexer.peek() == Some(b'"') {
            let base64 = self.lexer.string()?;
            self.lexer.expect(b',', "a comma")?;
            if self.name()? != "$type" {
                return Err(self.bad(of, "beside the text must stand $type"));
            }
            [base64, self.lexer.string()?]
        } else {
            self.strings(of, ["base64", "subType"])?
        };
        let is_hex = matches!(subtype.len(), 1 | 2) && subtype.bytes().all(|byte| byte.is_ascii_hexdigit());
        let subtype = is_hex.then(|| u8::from_str_radix(&subtype, 16).ok()).flatten();
        let subtype =
            subtype.ok_or_else(|| self.bad(of, "the subtype is not one or two hexadecimal digits"))?;
        let mut bytes = STANDARD.decode(base64).map_err(|_| self.bad(of, "not base64"))?;
        if subtype == OLD_BINARY {
            let inner = u32::try_from(bytes.len()).map_err(|_| self.lexer.error(JsonProblem::Large))?;
            bytes.splice(..0, inner.to_le_bytes());
        }
        w.binary(name, subtype, &bytes);
        self.end(of)
    }

    /// Code, with or without a scope.
    fn code(&mut self, of: &'static str, w: &mut DocWriter<'_>, name: &[u8], depth: usize) -> Result<()> {
        if depth >= MAX_BSON_DEPTH {
            return Err(self.lexer.error(JsonProblem::Depth));
        }
        let (code, scope) = if of == "$scope" {
            let scope = self.document(depth + 1)?;
            self.lexer.expect(b',', "a comma and $code")?;
            if self.name()? != "$code" {
                return Err(self.bad(of, "beside it must stand $code"));
            }
            (self.lexer.string()?, scope)
        } else {
            let code = self.lexer.string()?;
            if self.lexer.takes(b'}') {
                w.raw(kind::CODE, name, &bson_string(&code));
                return Ok(());
            }
            self.lexer.expect(b',', "a comma or the end of an object")?;
            if self.name()? != "$scope" {
                return Err(self.bad(of, "only $scope may stand beside it"));
            }
            (code, self.document(depth + 1)?)
        };
        let code = bson_string(&code);
        let len = u32::try_from(4 + code.len() + scope.len()).unwrap_or(u32::MAX);
        w.raw(kind::CODE_WITH_SCOPE, name, &[len.to_le_bytes().as_slice(), &code, &scope].concat());
        self.end(of)
    }
}

/// Length, text, terminator.
fn bson_string(text: &str) -> Vec<u8> {
    let len = u32::try_from(text.len() + 1).expect("a text is bounded by the limit on metadata");
    [len.to_le_bytes().as_slice(), text.as_bytes(), &[0]].concat()
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    let uuid: tidemark_base::CollectionUuid = text.parse().ok()?;
    (text.len() == 36).then_some(*uuid.as_bytes())
}
