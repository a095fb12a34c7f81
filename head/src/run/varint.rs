//! Numbers of varying length (LEB128): seven bits to a byte, the lowest first, the high bit says that more follow.
//!
//! Used by the blocks of runs, most of whose numbers are small. Each number has one form: a reader refuses
//! zeros at the end, so that what decodes encodes to the same bytes.

#![warn(clippy::indexing_slicing)]

use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};

/// Appends a number.
pub(crate) fn put(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.put_u8(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
        value >>= 7;
    }
    out.put_u8(u8::try_from(value).expect("seven bits"));
}

/// Appends a length and that many bytes.
pub(crate) fn put_prefixed(bytes: &[u8], out: &mut Vec<u8>) {
    put(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// How many bytes a number takes.
pub(crate) const fn len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros()).div_ceil(7) as usize
}

/// Reads a number.
///
/// # Errors
/// If it is cut short, has more than 64 bits, or ends with zeros.
#[inline]
pub(crate) fn read(reader: &mut Reader<'_>, what: &'static str) -> Result<u64, CodecError> {
    let before = reader.clone();
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = reader.u8(what)?;
        let bits = u64::from(byte & 0x7f);
        let overflows = shift == 63 && bits > 1;
        let not_shortest = byte == 0 && shift > 0;
        value |= bits << shift;
        if overflows || not_shortest {
            break;
        }
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(before.error(what, CodecProblem::Unknown { value }))
}

/// Reads a length or count of at most `limit`.
///
/// # Errors
/// As [`read`], and [`CodecProblem::OverLimit`].
#[inline]
pub(crate) fn read_len(
    reader: &mut Reader<'_>,
    what: &'static str,
    limit: usize,
) -> Result<usize, CodecError> {
    let before = reader.clone();
    let value = read(reader, what)?;
    match usize::try_from(value) {
        Ok(len) if len <= limit => Ok(len),
        _ => Err(before.error(what, CodecProblem::OverLimit { value, limit: limit as u64 })),
    }
}

/// Reads a length of at most `limit`, and that many bytes.
///
/// # Errors
/// As [`read_len`], and if fewer bytes are left.
#[inline]
pub(crate) fn read_prefixed<'a>(
    reader: &mut Reader<'a>,
    what: &'static str,
    limit: usize,
) -> Result<&'a [u8], CodecError> {
    let len = read_len(reader, what, limit)?;
    reader.bytes(what, len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn edges_have_the_bytes_of_leb128() {
        for (value, bytes) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut out = Vec::new();
            put(value, &mut out);
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn other_forms_are_refused() {
        let overlong = [0x80; 11];
        for bad in [
            &[][..],
            &[0x80],
            &[0x80, 0],
            &[0xff, 0x80, 0],
            &overlong,
            &[[0xff; 9].as_slice(), &[2]].concat(),
        ] {
            assert!(read(&mut Reader::new(bad), "number").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused() {
        let mut out = Vec::new();
        put(1001, &mut out);
        let error = read_prefixed(&mut Reader::new(&out), "name", 1000).unwrap_err();
        assert_eq!(error.to_string(), "name at byte 0: 1001 is over the limit of 1000");
    }

    proptest! {
        #[test]
        fn every_number_round_trips_in_as_many_bytes_as_said(value: u64, shift in 0..64) {
            let value = value >> shift;
            let mut out = Vec::new();
            put(value, &mut out);
            prop_assert_eq!(out.len(), len(value));
            let mut reader = Reader::new(&out);
            prop_assert_eq!(read(&mut reader, "number"), Ok(value));
            prop_assert!(reader.rest().is_empty());
        }

        #[test]
        fn what_decodes_encodes_to_the_same_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = Reader::new(&bytes);
            if let Ok(value) = read(&mut reader, "number") {
                let mut out = Vec::new();
                put(value, &mut out);
                prop_assert_eq!(&out[..], &bytes[..reader.offset()]);
            }
        }
    }
}
