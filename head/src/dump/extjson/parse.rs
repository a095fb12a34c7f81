//! From Extended JSON to raw BSON, in one pass.
//!
//! The first name of an object decides whether it is a document or a value with its type ([`super::wrapper`]).
//! Recursion is bounded by the nesting that is accepted; what is written is bounded by the largest document.

use super::error::{JsonError, JsonProblem};
use super::lexer::Lexer;
use super::wrapper::Wrapper;
use tidemark_base::bson::{DocWriter, kind};
use tidemark_base::limits::{MAX_BSON_BYTES, MAX_BSON_DEPTH};

pub(super) type Result<T> = std::result::Result<T, JsonError>;

/// Reads one document.
///
/// # Errors
/// If the text is not UTF-8, no JSON, no document, too deep or too large, or a value is not what its type
/// says.
pub fn parse_document(text: &[u8]) -> Result<Vec<u8>> {
    let text = std::str::from_utf8(text)
        .map_err(|error| JsonError { offset: error.valid_up_to(), problem: JsonProblem::NotUtf8 })?;
    let mut parser = Parser { lexer: Lexer::new(text) };
    let out = parser.document(1)?;
    parser.lexer.finish()?;
    Ok(out)
}

/// Reads values, writing as it goes.
#[derive(Debug)]
pub(super) struct Parser<'t> {
    pub(super) lexer: Lexer<'t>,
}

impl Parser<'_> {
    /// A document on its own.
    pub(super) fn document(&mut self, depth: usize) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        self.lexer.expect(b'{', "a document")?;
        let first = self.first_name()?;
        if first.as_deref().and_then(Wrapper::named).is_some() {
            return Err(self.lexer.error(JsonProblem::Expected { wanted: "a document, not a single value" }));
        }
        let mut w = DocWriter::new(&mut out);
        let open = w.begin();
        self.members(&mut w, first, depth)?;
        w.end(open);
        self.check_size(&w)?;
        Ok(out)
    }

    /// Any value, as a field of this name.
    pub(super) fn value(&mut self, w: &mut DocWriter<'_>, name: &[u8], depth: usize) -> Result<()> {
        self.check_size(w)?;
        match self.lexer.peek() {
            Some(b'{') => self.object(w, name, depth + 1),
            Some(b'[') => self.array(w, name, depth + 1),
            Some(b'"') => {
                let text = self.lexer.string()?;
                w.string(name, text.as_bytes());
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => self.number(w, name),
            _ if self.lexer.takes_word("null") => {
                w.null(name);
                Ok(())
            }
            _ if self.lexer.takes_word("true") => {
                w.bool(name, true);
                Ok(())
            }
            _ if self.lexer.takes_word("false") => {
                w.bool(name, false);
                Ok(())
            }
            _ => Err(self.lexer.error(JsonProblem::Expected { wanted: "a value" })),
        }
    }

    fn check_size(&self, w: &DocWriter<'_>) -> Result<()> {
        if w.len_bytes() > MAX_BSON_BYTES { Err(self.lexer.error(JsonProblem::Large)) } else { Ok(()) }
    }

    fn check_depth(&self, depth: usize) -> Result<()> {
        if depth > MAX_BSON_DEPTH { Err(self.lexer.error(JsonProblem::Depth)) } else { Ok(()) }
    }

    fn object(&mut self, w: &mut DocWriter<'_>, name: &[u8], depth: usize) -> Result<()> {
        self.check_depth(depth)?;
        self.lexer.expect(b'{', "an object")?;
        let first = self.first_name()?;
        if let Some(wrapper) = first.as_deref().and_then(Wrapper::named) {
            return self.wrapped(wrapper, w, name, depth);
        }
        let open = w.begin_field(kind::OBJECT, name);
        self.members(w, first, depth)?;
        w.end(open);
        Ok(())
    }

    /// The first name of an object that has been opened, with its colon; None if the object is empty, and
    /// closed then.
    fn first_name(&mut self) -> Result<Option<String>> {
        if self.lexer.takes(b'}') { Ok(None) } else { self.name().map(Some) }
    }

    /// A name and its colon.
    pub(super) fn name(&mut self) -> Result<String> {
        let name = self.lexer.string()?;
        self.lexer.expect(b':', "a colon")?;
        if name.contains('\0') { Err(self.lexer.error(JsonProblem::Nul)) } else { Ok(name) }
    }

    /// The members of an object after its first name, and its end.
    fn members(&mut self, w: &mut DocWriter<'_>, first: Option<String>, depth: usize) -> Result<()> {
        let Some(mut name) = first else { return Ok(()) };
        loop {
            self.value(w, name.as_bytes(), depth)?;
            if self.lexer.takes(b'}') {
                return Ok(());
            }
            self.lexer.expect(b',', "a comma or the end of an object")?;
            name = self.name()?;
        }
    }

    fn array(&mut self, w: &mut DocWriter<'_>, name: &[u8], depth: usize) -> Result<()> {
        self.check_depth(depth)?;
        self.lexer.expect(b'[', "an array")?;
        let open = w.begin_field(kind::ARRAY, name);
        if !self.lexer.takes(b']') {
            let mut index = 0_u32;
            loop {
                self.value(w, index.to_string().as_bytes(), depth)?;
                if self.lexer.takes(b']') {
                    break;
                }
                self.lexer.expect(b',', "a comma or the end of an array")?;
                index += 1;
            }
        }
        w.end(open);
        Ok(())
    }

    /// A number of relaxed JSON: the narrowest type that holds it as it is written.
    fn number(&mut self, w: &mut DocWriter<'_>, name: &[u8]) -> Result<()> {
        let text = self.lexer.number()?;
        let is_whole = !text.contains(['.', 'e', 'E']);
        if let Some(value) = text.parse::<i32>().ok().filter(|_| is_whole) {
            w.int32(name, value);
        } else if let Some(value) = text.parse::<i64>().ok().filter(|_| is_whole) {
            w.int64(name, value);
        } else {
            let value = super::double::parse(text).ok_or_else(|| self.lexer.error(JsonProblem::Range))?;
            w.raw(kind::DOUBLE, name, &value.to_le_bytes());
        }
        Ok(())
    }
}
