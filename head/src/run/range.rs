//! A stretch of keys.

/// Keys from one, inclusive, up to another, exclusive; open where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// The smallest key that belongs to it.
    pub from: Option<Vec<u8>>,
    /// The smallest key after it.
    pub before: Option<Vec<u8>>,
}

impl KeyRange {
    /// All keys.
    pub const ALL: Self = Self { from: None, before: None };

    /// One key alone.
    #[must_use]
    pub fn only(key: &[u8]) -> Self {
        // No key lies between one and the same with a zero behind it.
        Self { from: Some(key.to_vec()), before: Some([key, &[0]].concat()) }
    }

    /// Whether a key lies before the end.
    pub(crate) fn is_before_end(&self, key: &[u8]) -> bool {
        self.before.as_deref().is_none_or(|before| key < before)
    }

    /// Whether a key belongs to it.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.from.as_deref().is_none_or(|from| key >= from) && self.is_before_end(key)
    }
}
