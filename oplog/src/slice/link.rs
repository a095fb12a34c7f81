//! Digests, and the links by which a chain of slices holds together.
//!
//! A digest is of what a slice says, never of how it is stored: recompressing a slice changes nothing. It
//! takes in the digest of the slice before, so that one digest stands for the whole chain up to it.

use std::fmt;
use tidemark_base::OpTime;

/// The digest of a slice, and with it of all slices before.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; Self::LEN]);

impl Digest {
    /// Length in bytes.
    pub const LEN: usize = 32;
    /// Where a chain begins there is no slice to take the digest of.
    pub const NONE: Self = Self([0; Self::LEN]);

    /// The digest of a slice: of the header's leading fields, the digest before among them, and the entries.
    ///
    /// Hashing the entries by themselves first keeps them at offset 0, where BLAKE3 is at its fastest, and
    /// lets the header be of any length.
    pub(crate) fn of(leading_fields: &[u8], plain: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(leading_fields);
        hasher.update(blake3::hash(plain).as_bytes());
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    /// The first eight hex digits: enough to tell slices apart in a failed assertion.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Digest({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

/// A place between two slices: what a slice follows, or where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// The last entry before this place.
    pub at: OpTime,
    /// The digest of the slice that ends here; [`Digest::NONE`] where a chain begins.
    pub digest: Digest,
}

impl Link {
    /// Where a chain begins, for instance at the entry at which an initial sync began.
    #[must_use]
    pub const fn genesis(at: OpTime) -> Self {
        Self { at, digest: Digest::NONE }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.digest.0;
        write!(f, "{} (digest {a:02x}{b:02x}{c:02x}{d:02x}…)", self.at)
    }
}
