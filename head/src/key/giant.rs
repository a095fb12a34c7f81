//! Encodings too long to be keys: their first bytes, and the hash of all of them.
//!
//! Used by the writer of keys. A server takes `_id`s whose encoding is of many megabytes (one megabyte of the
//! smallest doubles comes to 24), and what it takes must not stop a head. Equality is kept, and the order among
//! all that differ in the first megabyte; only among giants that do not is it lost. Memory is bounded, since
//! what is beyond the first bytes is hashed while it is written.

use tidemark_base::limits::MAX_WHOLE_KEY_BYTES;

/// How much is written beyond what is kept before it is hashed.
const AT_ONCE_BYTES: usize = 64 << 10;

/// Watches over the length of one encoding at the end of a vector.
#[derive(Debug)]
pub(super) struct Giant {
    /// Where the encoding begins.
    start: usize,
    /// Of what was taken off, and what stands before it; none as long as nothing was.
    hasher: Option<Box<blake3::Hasher>>,
}

impl Giant {
    /// For an encoding that begins at `start`.
    pub(super) const fn new(start: usize) -> Self {
        Self { start, hasher: None }
    }

    const fn kept(&self) -> usize {
        self.start.saturating_add(MAX_WHOLE_KEY_BYTES)
    }

    /// Takes off what is too much. Cheap as long as nothing is.
    #[inline]
    pub(super) fn bound(&mut self, out: &mut Vec<u8>) {
        if out.len() > self.kept().saturating_add(AT_ONCE_BYTES) {
            self.take_off(out);
        }
    }

    #[cold]
    fn take_off(&mut self, out: &mut Vec<u8>) {
        let (before, excess) = out.split_at(self.kept().min(out.len()));
        let hasher = self.hasher.get_or_insert_with(|| {
            let mut hasher = Box::new(blake3::Hasher::new());
            hasher.update(before.get(self.start..).unwrap_or_default());
            hasher
        });
        hasher.update(excess);
        out.truncate(self.kept());
    }

    /// Ends the encoding.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        if out.len() > self.kept() {
            self.take_off(out);
        }
        if let Some(hasher) = self.hasher {
            out.extend_from_slice(hasher.finalize().as_bytes());
        }
    }
}
