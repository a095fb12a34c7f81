//! Buffers that are used again: what one reader has let go of, the next block is read into.
//!
//! A reader that asks for block after block otherwise pays for fresh memory with each, page by page: a
//! quarter of the cost of reading (measured with blocks of 64 KiB). Used for stored and for plain bytes.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most memory kept, in bytes.
const KEPT_BYTES: usize = 32 << 20;
/// Buffers larger than this are not kept.
const LARGEST_BYTES: usize = 1 << 20;

struct Kept {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { buffers: Vec::new(), bytes: 0 });

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An empty buffer with room for `len` bytes.
pub(crate) fn take(len: usize) -> Vec<u8> {
    let found = {
        let mut kept = kept();
        let found = kept.buffers.pop().unwrap_or_default();
        kept.bytes -= found.capacity();
        found
    };
    let mut buffer = found;
    buffer.reserve(len);
    buffer
}

/// Takes a buffer back.
pub(crate) fn give(mut buffer: Vec<u8>) {
    let capacity = buffer.capacity();
    if capacity == 0 || capacity > LARGEST_BYTES {
        return;
    }
    buffer.clear();
    let mut kept = kept();
    if kept.bytes + capacity <= KEPT_BYTES {
        kept.bytes += capacity;
        kept.buffers.push(buffer);
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
}
