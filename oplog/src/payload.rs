//! What slices of both kinds carry behind their headers: the plain bytes, or one zstd frame of them.
//!
//! A header says which, how long it is before and after, and has its checksum. Nothing is allocated by a
//! length that the header's reader has not held against the limits.

#![warn(clippy::indexing_slicing)]

use std::cell::RefCell;
use tidemark_base::codec::{CodecError, CodecProblem, Reader};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{find_frame_compressed_size, get_frame_content_size};

thread_local! {
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// zstd's default, and the level all measurements are made with.
const LEVEL: i32 = 3;

/// How plain bytes are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// As they are.
    Raw,
    /// As one zstd frame.
    Zstd,
}

impl Codec {
    pub(crate) const fn to_byte(self) -> u8 {
        match self {
            Self::Raw => 0,
            Self::Zstd => 1,
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match reader.u8("codec")? {
            0 => Ok(Self::Raw),
            1 => Ok(Self::Zstd),
            other => Err(reader.error("codec", CodecProblem::Unknown { value: u64::from(other) })),
        }
    }

    /// Whether a payload of this length can be what plain bytes of that length are stored as.
    pub(crate) const fn fits(self, payload_len: u32, plain_len: u32) -> bool {
        match self {
            Self::Raw => payload_len == plain_len,
            Self::Zstd => payload_len < plain_len,
        }
    }
}

/// Bytes of a header that mean nothing yet, and must be zero.
pub(crate) fn reserved(reader: &mut Reader<'_>, zeros: &[u8]) -> Result<(), CodecError> {
    match reader.bytes("reserved bytes", zeros.len())? {
        found if found == zeros => Ok(()),
        _ => Err(reader.error("reserved bytes", CodecProblem::Unknown { value: 1 })),
    }
}

/// A length that was held against a limit far below 4 GiB.
pub(crate) fn narrow(len: usize) -> u32 {
    u32::try_from(len).expect("it was held against a limit far below 4 GiB")
}

/// Compresses, with memory that is used again.
pub(crate) struct Packer {
    compressor: Compressor<'static>,
    /// Kept for its memory.
    compressed: Vec<u8>,
}

impl Packer {
    pub(crate) fn new() -> Self {
        let compressor = Compressor::new(LEVEL).expect("a zstd context can be allocated");
        Self { compressor, compressed: Vec::new() }
    }

    /// The payload for plain bytes: compressed, unless that would not make it shorter.
    pub(crate) fn pack<'p>(&'p mut self, plain: &'p [u8]) -> (Codec, &'p [u8]) {
        self.compressed.clear();
        // No more room than a compressed form may take: zstd fails early on what does not get shorter.
        self.compressed.reserve(plain.len());
        match self.compressor.compress_to_buffer(plain, &mut self.compressed) {
            Ok(len) if len < plain.len() => (Codec::Zstd, &self.compressed),
            _ => (Codec::Raw, plain),
        }
    }
}

/// Appends what the payload holds to `plain`, which is empty; that must be `len` bytes. Otherwise says what is
/// wrong.
pub(crate) fn unpack(
    codec: Codec,
    payload: &[u8],
    len: usize,
    plain: &mut Vec<u8>,
) -> Result<(), &'static str> {
    if codec == Codec::Raw {
        plain.extend_from_slice(payload);
        return Ok(());
    }
    // zstd reads several frames, and some that hold nothing, as one stream: here it must be one.
    if !matches!(get_frame_content_size(payload), Ok(Some(size)) if size == len as u64) {
        return Err("its frame does not have the length its header says");
    }
    if find_frame_compressed_size(payload) != Ok(payload.len()) {
        return Err("its payload is not exactly one zstd frame");
    }
    plain.reserve_exact(len);
    // The buffer's capacity bounds what a hostile frame can make us write.
    let outcome = DECOMPRESSOR.with_borrow_mut(|slot| {
        slot.get_or_insert_with(|| Decompressor::new().expect("a zstd context can be allocated"))
            .decompress_to_buffer(payload, plain)
    });
    match outcome {
        Ok(found) if found == len => Ok(()),
        Ok(_) => Err("it does not decompress to the length its header says"),
        Err(_) => Err("it does not decompress"),
    }
}
