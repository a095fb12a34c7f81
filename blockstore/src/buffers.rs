//! Buffers that are used again: what one reader has let go of, the next block is read into.
//!
//! A reader that asks for block after block otherwise pays for fresh memory with each, page by page: a
//! quarter of the cost of reading (measured with blocks of 64 KiB). Used for stored and for plain bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most memory kept, in bytes.
const KEPT_BYTES: usize = 32 << 20;
/// Buffers larger than this are not kept.
const LARGEST_BYTES: usize = 1 << 20;

/// How many of the buffers given last are looked through for one that fits.
const LOOKED_THROUGH: usize = 16;

struct Kept {
    /// Those given last at the end.
    buffers: VecDeque<Vec<u8>>,
    bytes: usize,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { buffers: VecDeque::new(), bytes: 0 });

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An empty buffer with room for `len` bytes, and not for so much more that keeping it would waste memory.
pub(crate) fn take(len: usize) -> Vec<u8> {
    let fits = |buffer: &Vec<u8>| (len..=2 * len + 4096).contains(&buffer.capacity());
    let mut kept = kept();
    let newest = kept.buffers.len();
    let found =
        (newest.saturating_sub(LOOKED_THROUGH)..newest).rfind(|&i| kept.buffers.get(i).is_some_and(fits));
    match found.and_then(|i| kept.buffers.remove(i)) {
        Some(buffer) => {
            kept.bytes -= buffer.capacity();
            buffer
        }
        None => Vec::with_capacity(len),
    }
}

/// Takes a buffer back.
pub(crate) fn give(mut buffer: Vec<u8>) {
    let capacity = buffer.capacity();
    if capacity == 0 || capacity > LARGEST_BYTES {
        return;
    }
    buffer.clear();
    let mut kept = kept();
    kept.bytes += capacity;
    kept.buffers.push_back(buffer);
    while kept.bytes > KEPT_BYTES {
        // The oldest: those of a size that nobody asks for any more.
        let Some(oldest) = kept.buffers.pop_front() else { break };
        kept.bytes -= oldest.capacity();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_empty_and_has_room_whatever_it_held() {
        give(vec![7; 1000]);
        give(vec![7; LARGEST_BYTES + 1]);
        for len in [0, 10, 100_000] {
            let buffer = take(len);
            assert!(buffer.is_empty() && buffer.capacity() >= len);
        }
    }

    #[test]
    fn a_small_block_does_not_hold_a_large_buffer() {
        for _ in 0..LOOKED_THROUGH {
            give(Vec::with_capacity(LARGEST_BYTES));
        }
        for len in [0, 5, 64, 19_000] {
            assert!(take(len).capacity() <= 2 * len + 4096);
        }
    }
}
