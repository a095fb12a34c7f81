//! What can be wrong with Extended JSON, read or to be written.

use tidemark_base::ErrorKind;
use tidemark_base::codec::CodecError;

/// A text that is not Extended JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset} of the JSON text: {problem}")]
pub struct JsonError {
    /// Where it was noticed, in bytes from the start of the text.
    pub offset: usize,
    /// What is wrong.
    pub problem: JsonProblem,
}

/// The ways in which a text can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonProblem {
    /// The text is not UTF-8.
    #[error("not valid UTF-8")]
    NotUtf8,
    /// Something else should stand here.
    #[error("expected {wanted}")]
    Expected {
        /// What should stand here.
        wanted: &'static str,
    },
    /// A value is not what the name of its type promises.
    #[error("not a value of {wrapper}: {why}")]
    Wrapper {
        /// The name of the type, for instance `$date`.
        wrapper: &'static str,
        /// What is wrong with the value.
        why: &'static str,
    },
    /// A name holds NUL, which BSON cannot say.
    #[error("a field's name, or the text of a regular expression, must not hold NUL")]
    Nul,
    /// A number no double can hold.
    #[error("the number is out of range")]
    Range,
    /// Nested too deeply.
    #[error("nested deeper than 250 levels")]
    Depth,
    /// The document gets too large.
    #[error("as BSON it is larger than 16 MiB + 16 KiB")]
    Large,
}

/// A document that Extended JSON cannot say exactly, or that is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The document is no BSON.
    #[error(transparent)]
    Bson(#[from] CodecError),
    /// JSON holds text; this is none.
    #[error("a text that is not valid UTF-8 cannot be written as JSON: '{text}'")]
    NotUtf8 {
        /// The text, with replacement characters, escaped and cut to 80 characters.
        text: String,
    },
    /// JSON leaves out the inner length of old binary data.
    #[error("binary data of subtype 2 with a wrong inner length cannot be written as JSON")]
    OldBinary,
    /// Nested too deeply.
    #[error("nested deeper than 250 levels")]
    Depth,
}

impl WriteError {
    /// What the caller should do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Bson(_) => ErrorKind::Corrupt,
            Self::NotUtf8 { .. } | Self::OldBinary | Self::Depth => ErrorKind::Invalid,
        }
    }
}
