//! Records in a few large pieces of memory, which come and go whole.
//!
//! Used by a shard for its patches: millions of small ones, which would cost the allocator more than they cost
//! to apply, and of which it would give nothing back until the last one of a page is gone. A record is appended,
//! overwritten where it stands, or given up; what is given up is counted, and gone when the shard copies what it
//! still needs to a new arena. Long pieces go from one arena to the next: the system's allocator would keep them
//! apart for each thread that asked for one, and so hold the more beyond what is in use the more threads there are.

use std::sync::{Mutex, PoisonError};

/// How long the first piece is, in bytes. Each is twice as long as the one before, up to the longest.
const FIRST_BYTES: usize = 8 << 10;
const LONGEST_BITS: u32 = 18;
const LONGEST_BYTES: usize = 1 << LONGEST_BITS;

/// Records begin at multiples of this, so that a place fits into 32 bits.
const ALIGN_BITS: u32 = 3;
const ALIGN: usize = 1 << ALIGN_BITS;

/// Longest record, in bytes. It fits into any piece.
pub(super) const MAX_RECORD_BYTES: usize = 4 << 10;

/// The longest pieces that no arena has any more, empty, of all deltas of the process. Together with those in use they
/// are never more than were once in use at a time, which is what [`crate::budget`] bounds.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Where a record begins; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At(pub(super) u32);

/// The records.
#[derive(Debug, Default)]
pub(super) struct Arena {
    pieces: Vec<Vec<u8>>,
    held_bytes: usize,
    garbage_bytes: usize,
}

impl Arena {
    /// How much memory it takes, in bytes, with what is given up and what is not filled yet.
    pub(super) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether more than a third of it was given up, and it is worth the work to get that back: to copy two bytes
    /// for each.
    pub(super) const fn has_much_garbage(&self) -> bool {
        self.garbage_bytes > self.held_bytes / 3 && self.garbage_bytes > FIRST_BYTES
    }

    /// Appends a record made of parts, of at most [`MAX_RECORD_BYTES`] together.
    pub(super) fn push(&mut self, parts: [&[u8]; 4]) -> At {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let is_full = self.pieces.last().is_none_or(|piece| piece.len() + len > piece.capacity());
        if is_full {
            self.add_piece();
        }
        let number = self.pieces.len() - 1;
        let piece = self.pieces.last_mut().expect("one was just added if there was none");
        let at = number << (LONGEST_BITS - ALIGN_BITS) | piece.len() >> ALIGN_BITS;
        parts.iter().for_each(|part| piece.extend_from_slice(part));
        // Not beyond what it holds: that would move it.
        piece.resize(piece.len().next_multiple_of(ALIGN).min(piece.capacity()), 0);
        At(u32::try_from(at).expect("a delta is flushed long before one shard has 32 GiB"))
    }

    fn add_piece(&mut self) {
        let before = self.pieces.last().map_or(FIRST_BYTES / 2, Vec::capacity);
        let len = (before * 2).min(LONGEST_BYTES);
        let spare = if len == LONGEST_BYTES { spare().pop() } else { None };
        let mut piece = spare.unwrap_or_else(|| Vec::with_capacity(len));
        self.held_bytes += piece.capacity();
        if self.pieces.is_empty() {
            // So that no record is at zero.
            piece.resize(ALIGN, 0);
        }
        self.pieces.push(piece);
    }

    /// The bytes from a record's first one on.
    #[inline]
    pub(super) fn bytes(&self, At(at): At) -> &[u8] {
        let (number, offset) = split(at);
        self.pieces.get(number).and_then(|piece| piece.get(offset..)).unwrap_or_default()
    }

    /// The same, to overwrite what is there.
    #[inline]
    pub(super) fn bytes_mut(&mut self, At(at): At) -> &mut [u8] {
        let (number, offset) = split(at);
        self.pieces.get_mut(number).and_then(|piece| piece.get_mut(offset..)).unwrap_or_default()
    }

    /// Gives up so many bytes of a record, or all.
    pub(super) const fn give_up(&mut self, bytes: usize) {
        self.garbage_bytes += bytes;
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let is_longest = |piece: &mut Vec<u8>| piece.capacity() == LONGEST_BYTES;
        let mut longest: Vec<_> = self.pieces.extract_if(.., is_longest).collect();
        longest.iter_mut().for_each(Vec::clear);
        spare().append(&mut longest);
    }
}

fn spare() -> std::sync::MutexGuard<'static, Vec<Vec<u8>>> {
    // Whoever panicked has left a whole list.
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

const fn split(at: u32) -> (usize, usize) {
    let bits = LONGEST_BITS - ALIGN_BITS;
    ((at >> bits) as usize, ((at & ((1 << bits) - 1)) << ALIGN_BITS) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stay_where_they_were_put() {
        let mut arena = Arena::default();
        let record = |n: usize| vec![u8::try_from(n % 251).unwrap(); 1 + n * 37 % MAX_RECORD_BYTES];
        let places: Vec<At> = (0..2000).map(|n| arena.push([&record(n), &[], &[], &[]])).collect();
        let mut bytes = 0;
        for (n, at) in places.iter().enumerate() {
            assert!(at.0 != 0 && arena.bytes(*at).starts_with(&record(n)), "record {n}");
            bytes += record(n).len();
        }
        assert!(arena.held_bytes() >= bytes && arena.held_bytes() < bytes + bytes / 20 + LONGEST_BYTES);
        let pieces: usize = arena.pieces.iter().map(Vec::capacity).sum();
        assert_eq!(pieces, arena.held_bytes());
    }

    /// Other tests may take some of them meanwhile, and bring others.
    #[test]
    fn long_pieces_go_from_one_arena_to_the_next() {
        let fill = || {
            let mut arena = Arena::default();
            for _ in 0..10_000 {
                arena.push([&[1; MAX_RECORD_BYTES], &[], &[], &[]]);
            }
            arena.held_bytes() as u64
        };
        let mut held = 0;
        let taken = [(); 2].map(|()| allocation_counter::measure(|| held = fill()).bytes_total);
        assert!(held > 32 << 20 && taken[1] < held / 2, "{taken:?} of {held}");
    }

    #[test]
    fn it_has_much_garbage_when_more_than_a_third_is_given_up() {
        let mut arena = Arena::default();
        for _ in 0..100 {
            arena.push([&[1; 1000], &[], &[], &[]]);
        }
        arena.give_up(arena.held_bytes() / 3);
        assert!(!arena.has_much_garbage());
        arena.give_up(1);
        assert!(arena.has_much_garbage());
    }
}
