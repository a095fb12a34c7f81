//! The words of JSON: strings, numbers, marks. Strict, as RFC 8259 has it.

use super::error::{JsonError, JsonProblem};

/// A place in a text.
#[derive(Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

type Result<T> = std::result::Result<T, JsonError>;

impl<'t> Lexer<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) const fn error(&self, problem: JsonProblem) -> JsonError {
        JsonError { offset: self.at, problem }
    }

    fn expected(&self, wanted: &'static str) -> JsonError {
        self.error(JsonProblem::Expected { wanted })
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next byte that is not white space; it stays.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = self.rest();
        let space = rest.bytes().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += space;
        rest.as_bytes().get(space).copied()
    }

    /// Takes this mark, if it is next; says whether it was.
    pub(super) fn takes(&mut self, mark: u8) -> bool {
        let found = self.peek() == Some(mark);
        self.at += usize::from(found);
        found
    }

    /// Takes this mark.
    pub(super) fn expect(&mut self, mark: u8, wanted: &'static str) -> Result<()> {
        if self.takes(mark) { Ok(()) } else { Err(self.expected(wanted)) }
    }

    /// Takes a word such as `true`, if it is next; says whether it was.
    pub(super) fn takes_word(&mut self, word: &str) -> bool {
        self.peek();
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Only white space may be left.
    pub(super) fn finish(&mut self) -> Result<()> {
        if self.peek().is_none() { Ok(()) } else { Err(self.expected("the end of the text")) }
    }

    /// The text of a number.
    pub(super) fn number(&mut self) -> Result<&'t str> {
        self.peek();
        let rest = self.rest();
        let digits =
            |from: usize| rest.get(from..).unwrap_or_default().bytes().take_while(u8::is_ascii_digit).count();
        let byte = |at: usize| rest.as_bytes().get(at).copied();
        let start = usize::from(byte(0) == Some(b'-'));
        let mut end = start + digits(start);
        let starts_with_zero = byte(start) == Some(b'0') && end > start + 1;
        if end == start || starts_with_zero {
            return Err(self.expected("a number"));
        }
        if byte(end) == Some(b'.') {
            let fraction = digits(end + 1);
            if fraction == 0 {
                return Err(self.expected("a number with digits after its point"));
            }
            end += 1 + fraction;
        }
        if matches!(byte(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(byte(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent == 0 {
                return Err(self.expected("a number with digits in its exponent"));
            }
            end += 1 + sign + exponent;
        }
        self.at += end;
        Ok(rest.get(..end).unwrap_or_default())
    }

    /// A string, unescaped.
    pub(super) fn string(&mut self) -> Result<String> {
        self.expect(b'"', "a string")?;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let plain = rest.bytes().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count();
            text.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match rest.as_bytes().get(plain) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.expected("no control characters within a string")),
                None => return Err(self.expected("the end of a string")),
            }
        }
    }

    /// What a backslash and that which follows it mean.
    fn escape(&mut self) -> Result<char> {
        let meant = match self.rest().as_bytes().get(1) {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.expected("a known escape")),
        };
        self.at += 2;
        Ok(meant)
    }

    /// `\uXXXX`, or two of them that are one character.
    fn unicode_escape(&mut self) -> Result<char> {
        let unit = |at: usize| {
            let digits = self.rest().get(at..)?.strip_prefix("\\u")?.get(..4)?;
            // Rust's own reading would take a sign.
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hex.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
        };
        let units = [unit(0), unit(6)];
        let [Some(first), second] = units else { return Err(self.expected("four hexadecimal digits")) };
        let mut decoded = char::decode_utf16([first].into_iter().chain(second));
        match decoded.next() {
            Some(Ok(meant)) => {
                self.at += 6 * meant.len_utf16();
                Ok(meant)
            }
            _ => Err(self.expected("both halves of a surrogate pair")),
        }
    }
}
