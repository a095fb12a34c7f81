//! The position of a raw entry, found without parsing the rest of it.
//!
//! Used for every entry that goes into or comes out of a slice, so it stops as soon as it has seen both
//! fields. Servers write them behind the payload, which is skipped by its length. Most entries are made of
//! short names and a few types: those are passed over quickly, all others by the walker that everything else
//! uses, with the same result.

#![warn(clippy::indexing_slicing)]

use crate::{EntryError, EntryProblem};
use tidemark_base::bson::{Doc, kind};
use tidemark_base::{OpTime, Timestamp};

/// The position of an entry: its `ts`, and its `t` or [`OpTime::NO_TERM`]. Of repeated fields the first
/// counts, and this may stop there: the parser of entries refuses them, so that nobody takes another.
///
/// # Errors
/// If the entry is broken as far as it is read, has no `ts`, or either is of the wrong type.
pub fn optime(entry: Doc<'_>) -> Result<OpTime, EntryError> {
    quick(entry.as_bytes()).map_or_else(|| walked(entry), Ok)
}

/// By the walker, which takes every document as it is.
fn walked(entry: Doc<'_>) -> Result<OpTime, EntryError> {
    let wrong = |field| EntryError::at(OpTime::NULL, EntryProblem::Field { field });
    let (mut ts, mut term) = (None, None);
    for element in entry.elements() {
        let element = element.map_err(|error| EntryError::at(OpTime::NULL, error))?;
        match element.name {
            b"ts" if ts.is_none() => ts = Some(element.as_timestamp().ok_or_else(|| wrong("ts"))?),
            b"t" if term.is_none() => term = Some(element.as_integer().ok_or_else(|| wrong("t"))?),
            _ => continue,
        }
        if ts.is_some() && term.is_some() {
            break;
        }
    }
    let ts = ts.ok_or_else(|| wrong("ts"))?;
    Ok(OpTime { ts, term: term.unwrap_or(OpTime::NO_TERM) })
}

/// A name and its terminator, as the low bytes of eight read at once.
const TS: u64 = u64::from_le_bytes(*b"ts\0\0\0\0\0\0");
const T: u64 = u64::from_le_bytes(*b"t\0\0\0\0\0\0\0");

/// The same for an entry that has both fields, and before them only names of up to fifteen bytes and the usual
/// types; `None` for all others, broken ones among them.
fn quick(entry: &[u8]) -> Option<OpTime> {
    let (_terminator, fields) = entry.get(4..)?.split_last()?;
    let mut rest = fields;
    let (mut ts, mut term) = (None, None);
    loop {
        let (kind, after) = rest.split_first()?;
        let word = u64::from_le_bytes(*after.first_chunk()?);
        // `txnNumber` stands before the position of most writes.
        let name_len = first_zero(word).or_else(|| {
            let more = u64::from_le_bytes(*after.get(8..)?.first_chunk()?);
            first_zero(more).map(|len| len + 8)
        })?;
        let value = after.get(name_len + 1..)?;
        let len = value_len(*kind, value)?;
        let (value, next) = value.split_at_checked(len)?;
        if word & 0xff_ffff == TS && ts.is_none() {
            ts = Some(number(*kind == kind::TIMESTAMP, value)?);
        } else if word & 0xffff == T && term.is_none() {
            term = Some(number(*kind == kind::INT64, value)?.cast_signed());
        }
        if let (Some(ts), Some(term)) = (ts, term) {
            return Some(OpTime { ts: Timestamp::from_u64(ts), term });
        }
        rest = next;
    }
}

/// The index of the first zero byte.
fn first_zero(word: u64) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The lowest marked byte is the first zero; only marks above it can be wrong.
    let marks = word.wrapping_sub(ONES) & !word & (ONES << 7);
    (marks != 0).then_some(marks.trailing_zeros() as usize / 8)
}

fn number(right_type: bool, value: &[u8]) -> Option<u64> {
    right_type.then(|| value.try_into().ok().map(u64::from_le_bytes)).flatten()
}

/// The length of a value of a usual type, if it is sound as far as the walker looks.
fn value_len(kind: u8, value: &[u8]) -> Option<usize> {
    let stated = || value.first_chunk().map(|len| u32::from_le_bytes(*len) as usize);
    let terminated = |len: usize| (*value.get(..len)?.last()? == 0).then_some(len);
    match kind {
        kind::TIMESTAMP | kind::INT64 | kind::DATE | kind::DOUBLE => Some(8),
        kind::INT32 => Some(4),
        kind::BOOL => (*value.first()? <= 1).then_some(1),
        kind::OBJECT_ID => Some(12),
        kind::OBJECT | kind::ARRAY => stated().filter(|len| *len >= 5).and_then(terminated),
        kind::STRING => stated().filter(|len| *len >= 1).and_then(|len| terminated(len + 4)),
        kind::BINARY => stated().map(|len| len + 5),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use tidemark_testkit::captures;

    #[test]
    fn the_quick_way_is_taken_by_nearly_all_captured_entries_and_gives_the_same() {
        let (mut quickly, mut all) = (0, 0);
        for name in captures::names().unwrap() {
            for raw in &captures::get(name).unwrap().entries {
                let entry = Doc::new(raw).unwrap();
                let position = walked(entry).unwrap();
                assert_eq!(optime(entry), Ok(position));
                all += 1;
                if let Some(quick) = quick(raw) {
                    assert_eq!(quick, position);
                    quickly += 1;
                }
            }
        }
        assert!(quickly * 100 > all * 90, "{quickly} of {all}");
    }

    /// Fields of all types, whole and broken, with names that matter.
    fn documents() -> impl Strategy<Value = Vec<u8>> {
        let name = prop::sample::select(vec![
            "ts",
            "t",
            "o",
            "",
            "ui",
            "seven77",
            "eighteen",
            "tst",
            "txnNumber",
            "fifteenfifteen1",
            "sixteen_sixteen6",
        ]);
        let kind = prop_oneof![0x01u8..0x14, Just(0x11), Just(0x12), Just(0x11), Just(0x12), any::<u8>()];
        let value = prop_oneof![
            vec(any::<u8>(), 8),
            vec(0u8..3, 0..14),
            Just(vec![5, 0, 0, 0, 0]),
            Just(vec![6, 0, 0, 0, 1, 0]),
            Just(vec![2, 0, 0, 0, b'x', 0]),
            Just(vec![255, 255, 255, 255, 0]),
        ];
        vec((kind, name, value), 0..7).prop_map(|fields| {
            let mut bytes = vec![0; 4];
            for (kind, name, value) in fields {
                bytes.push(kind);
                bytes.extend_from_slice(name.as_bytes());
                bytes.push(0);
                bytes.extend(value);
            }
            bytes.push(0);
            let len = u32::try_from(bytes.len()).unwrap().to_le_bytes();
            bytes[..4].copy_from_slice(&len);
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn the_quick_way_never_differs(bytes in documents()) {
            if let Some(quick) = quick(&bytes) {
                prop_assert_eq!(walked(Doc::new(&bytes).unwrap()), Ok(quick));
            }
        }

        #[test]
        fn the_first_zero_is_found(bytes in any::<[u8; 8]>(), mask in any::<u8>()) {
            let mut bytes = bytes;
            (0..8).filter(|bit| mask >> bit & 1 == 1).for_each(|bit| bytes[bit] &= 1);
            prop_assert_eq!(first_zero(u64::from_le_bytes(bytes)), bytes.iter().position(|it| *it == 0));
        }
    }
}
