//! Slices written, read back, damaged and forged.

use super::*;
use crate::payload::Codec;
use proptest::collection::vec;
use proptest::prelude::*;
use tidemark_base::bson::{Doc, DocWriter};
use tidemark_base::limits::{MAX_BLOCK_BYTES, MAX_BSON_BYTES, MAX_SLICE_ENTRIES, MAX_SLICE_PLAIN_BYTES};
use tidemark_base::{Entropy as _, OpTime, SeededEntropy, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

fn at(ts: u64, term: i64) -> OpTime {
    OpTime { ts: Timestamp::from_u64(ts), term }
}

/// An entry with a payload; its position in front of it or, as servers write it, behind.
fn entry_of(at: OpTime, payload: &[u8], in_front: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = DocWriter::new(&mut out);
    let open = writer.begin();
    let position = |writer: &mut DocWriter<'_>| {
        writer.timestamp(b"ts", at.ts);
        if at.term != OpTime::NO_TERM {
            writer.int64(b"t", at.term);
        }
    };
    if in_front {
        position(&mut writer);
    }
    writer.string(b"op", b"n");
    let o = writer.begin_field(3, b"o");
    // Nested fields of these names are no position.
    writer.int64(b"t", 99);
    writer.binary(b"ts", 0, payload);
    writer.end(o);
    if !in_front {
        position(&mut writer);
    }
    writer.end(open);
    out
}

fn entry(ts: u64) -> Vec<u8> {
    entry_of(at(ts, 1), b"payload payload payload", false)
}

fn written(after: Link, entries: &[Vec<u8>]) -> Slice {
    let mut writer = SliceWriter::new(after);
    for entry in entries {
        writer.push(Doc::new(entry).unwrap()).unwrap();
    }
    writer.finish().unwrap()
}

fn start() -> Link {
    Link::genesis(at(5, 1))
}

fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, SliceError> {
    let mut plain = vec![7; 100];
    let outcome: Result<Vec<Vec<u8>>, _> = SliceReader::open(bytes)
        .and_then(|slice| Ok(slice.decode(&mut plain)?.iter().map(|it| it.as_bytes().to_vec()).collect()));
    assert!(outcome.is_ok() || plain.is_empty() || plain == [7; 100], "nothing doubtful is left behind");
    let (mut again, mut ends) = (vec![7; 100], vec![7]);
    let split = SliceReader::open(bytes).and_then(|slice| slice.decode_split(&mut again, &mut ends));
    assert_eq!(again, plain);
    if let Ok(entries) = &outcome {
        let sums = entries.iter().scan(0, |sum, entry| {
            *sum += entry.len();
            Some(*sum)
        });
        assert_eq!(ends, sums.collect::<Vec<_>>());
    } else {
        assert_eq!(ends.is_empty(), plain.is_empty());
    }
    assert_eq!(split.err(), outcome.as_ref().err().cloned());
    outcome
}

/// A slice of these entries with a header changed at will, right sums, and the digest to match.
fn forged(entries: &[Vec<u8>], change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let plain = entries.concat();
    let mut header = written(start(), &[entry(10), entry(20)]).header;
    header.entries = u32::try_from(entries.len()).unwrap();
    header.plain_len = u32::try_from(plain.len()).unwrap();
    header.codec = Codec::Raw;
    header.payload_len = header.plain_len;
    header.payload_sum = xxh3_64(&plain);
    change(&mut header);
    header.digest = header.digest_of(&plain);
    [header.encode(), plain].concat()
}

/// A slice of two entries whose payload is this instead.
fn with_payload(payload: &[u8]) -> Vec<u8> {
    let mut header = written(start(), &[entry(10), entry(20)]).header;
    header.codec = Codec::Zstd;
    header.payload_len = u32::try_from(payload.len()).unwrap();
    header.payload_sum = xxh3_64(payload);
    [&header.encode()[..], payload].concat()
}

fn two_entries() -> Vec<u8> {
    [entry(10), entry(20)].concat()
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        entries in vec((1u64..1 << 33, prop::option::of(0i64..2), vec(any::<u8>(), 0..300), any::<bool>()), 1..60),
        digest in any::<[u8; 32]>(),
    ) {
        let mut position = at(0, OpTime::NO_TERM);
        let after = Link { at: position, digest: Digest(digest) };
        let mut bytes = Vec::new();
        for (step, term, payload, in_front) in entries {
            position.ts = Timestamp::from_u64(position.ts.to_u64() + step);
            position.term += term.unwrap_or(0);
            bytes.push(entry_of(position, &payload, in_front));
            prop_assert_eq!(optime(Doc::new(bytes.last().unwrap()).unwrap()), Ok(position));
        }
        let slice = written(after, &bytes);
        prop_assert_eq!(slice.header.previous, after);
        prop_assert_eq!(slice.header.last, position);
        prop_assert_eq!(Header::decode(&slice.header.encode()), Ok(slice.header));
        prop_assert_eq!(read(&slice.bytes), Ok(bytes));
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in vec(any::<u8>(), 0..400)) {
        prop_assert!(read(&bytes).is_err());
        prop_assert!(read(&with_payload(&bytes)).is_err());
    }

    #[test]
    fn any_entries_are_read_or_refused(plain in vec(any::<u8>(), 1..400), count in 1u32..4) {
        let _ = read(&forged(&[plain], |header| header.entries = count));
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_found() {
    let compressible: Vec<Vec<u8>> = (10..30).map(entry).collect();
    let mut noise = [0; 200];
    SeededEntropy::new(1).fill(&mut noise);
    for (slice, codec) in [
        (written(start(), &compressible), Codec::Zstd),
        (written(start(), &[entry_of(at(10, 1), &noise, true)]), Codec::Raw),
    ] {
        assert_eq!(slice.header.codec, codec);
        read(&slice.bytes).unwrap();
        for byte in 0..slice.bytes.len() {
            read(&slice.bytes[..byte]).expect_err("cut");
            for bit in 0..8 {
                let mut bytes = slice.bytes.clone();
                bytes[byte] ^= 1 << bit;
                assert!(read(&bytes).is_err(), "bit {bit} of byte {byte}");
            }
        }
        read(&[&slice.bytes[..], b"\0"].concat()).expect_err("one byte too many");
    }
}

#[test]
fn the_digest_is_of_what_a_slice_says_and_follows_and_not_of_how_it_is_stored() {
    let entries = [entry(10), entry(20)];
    let slice = written(start(), &entries);
    let raw = forged(&entries, |_| {});
    assert_ne!(raw, slice.bytes);
    assert_eq!(SliceReader::open(&raw).unwrap().header().digest, slice.header.digest);
    let other = Link { digest: Digest([1; 32]), ..start() };
    assert_ne!(written(other, &entries).header.digest, slice.header.digest);
    let other = Link::genesis(at(4, 1));
    assert_ne!(written(other, &entries).header.digest, slice.header.digest);
}

#[test]
fn a_forged_header_is_found_out_by_the_entries() {
    let two = [entry(10), entry(20)];
    assert_eq!(read(&forged(&two, |_| {})), Ok(two.to_vec()));
    let wrong = |change: fn(&mut Header)| read(&forged(&[entry(10), entry(20)], change)).unwrap_err();
    let text = |change| wrong(change).to_string();
    assert!(text(|it| it.first = at(9, 1)).ends_with("its first entry is not where its header says"));
    assert!(text(|it| it.last = at(21, 1)).ends_with("its last entry is not where its header says"));
    assert!(text(|it| it.entries = 3).ends_with("as many entries as its header says"));
    let mut header = written(start(), &two).header;
    header.digest.0[31] ^= 1;
    let other = [&header.encode()[..], &written(start(), &two).bytes[HEADER_LEN..]].concat();
    assert!(read(&other).unwrap_err().to_string().ends_with("its digest is wrong"));
    assert!(matches!(wrong(|it| it.first = at(5, 1)), SliceError::Contradiction(_)));
    assert!(matches!(wrong(|it| it.first = at(10, 0)), SliceError::Contradiction(_)));
    assert!(matches!(wrong(|it| it.last = at(9, 1)), SliceError::Contradiction(_)));
    assert!(matches!(wrong(|it| it.entries = 1), SliceError::Contradiction(_)));
    assert!(matches!(wrong(|it| it.entries = 0), SliceError::Contradiction(_)));
    assert!(matches!(wrong(|it| it.codec = Codec::Zstd), SliceError::Contradiction(_)));
    assert!(matches!(wrong(|it| it.plain_len += 1), SliceError::Contradiction(_)));
    assert!(matches!(wrong(|it| it.entries = u32::MAX), SliceError::Header(_)));
    assert!(matches!(wrong(|it| it.plain_len = u32::MAX), SliceError::Header(_)));
    assert!(matches!(wrong(|it| it.payload_len = u32::MAX), SliceError::Header(_)));
    assert!(matches!(wrong(|it| it.payload_sum ^= 1), SliceError::Payload { .. }));
}

#[test]
fn entries_out_of_order_are_refused() {
    for (entries, index) in [
        ([entry(10), entry(15), entry(15), entry(20)], 2),
        ([entry(10), entry(16), entry(15), entry(20)], 2),
        ([entry(10), entry_of(at(15, 0), b"", false), entry(16), entry(20)], 1),
        ([entry(10), entry_of(at(15, 2), b"", false), entry(16), entry(20)], 2),
    ] {
        let error = read(&forged(&entries, |_| {})).unwrap_err();
        assert!(matches!(error, SliceError::Order { index: found, .. } if found == index), "{error}");
    }
}

#[test]
fn entries_without_a_sound_position_are_refused() {
    let mut no_ts = entry(15);
    let place = no_ts.windows(4).rposition(|it| it == b"\x11ts\0").unwrap();
    no_ts[place] = 0x12;
    let mut bad_term = entry(15);
    let place = bad_term.windows(3).rposition(|it| it == b"\x12t\0").unwrap();
    bad_term[place] = 0x01;
    for bad in [no_ts, bad_term, vec![5, 0, 0, 0, 0], vec![6, 0, 0, 0, 1, 0], vec![4, 0, 0, 0], vec![0; 9]] {
        let error = read(&forged(&[entry(10), bad.clone(), entry(20)], |_| {})).unwrap_err();
        assert!(matches!(error, SliceError::Entry { index: 1, .. }), "{bad:?}: {error}");
        if let Ok(bad) = Doc::new(&bad) {
            let mut writer = SliceWriter::new(start());
            writer.push(bad).unwrap_err();
            assert!(writer.is_empty());
        }
    }
}

#[test]
fn frames_that_are_not_what_the_header_says_are_refused() {
    let good = zstd::bulk::compress(&two_entries(), 19).unwrap();
    assert!(read(&with_payload(&good)).is_ok(), "another level is no harm");
    let bomb = zstd::bulk::compress(&vec![0; MAX_SLICE_PLAIN_BYTES], 3).unwrap();
    for (claimed, bomb) in [(bomb.len() + 1, bomb.clone()), (100_000, bomb.repeat(20))] {
        let mut plain = Vec::new();
        let mut forged = SliceReader::open(&with_payload(b"")).unwrap().header().to_owned();
        forged.plain_len = u32::try_from(claimed).unwrap();
        forged.payload_len = u32::try_from(bomb.len()).unwrap();
        forged.payload_sum = xxh3_64(&bomb);
        let bytes = [&forged.encode()[..], &bomb].concat();
        SliceReader::open(&bytes).unwrap().decode(&mut plain).expect_err("longer than the header says");
        assert_eq!(plain.capacity(), 0, "nothing was allocated for it");
    }
    let shorter = zstd::bulk::compress(&two_entries()[1..], 3).unwrap();
    read(&with_payload(&shorter)).expect_err("shorter than the header says");
    let without_size = zstd::stream::encode_all(&two_entries()[..], 3).unwrap();
    read(&with_payload(&without_size)).expect_err("a frame that does not tell its length");
    read(&with_payload(b"\x50\x2a\x4d\x18\x04\0\0\0rest")).expect_err("a frame to be skipped");
    for more in [&b"\x50\x2a\x4d\x18\0\0\0\0"[..], &zstd::bulk::compress(b"", 3).unwrap(), b"\0"] {
        read(&with_payload(&[&good, more].concat())).expect_err("something behind the frame");
    }
}

#[test]
fn a_frame_that_lies_about_its_length_is_refused() {
    let len = two_entries().len();
    for count in [len + 1, len - 1, 255] {
        let mut frame = zstd::bulk::compress(&vec![0; count], 3).unwrap();
        // Magic, descriptor (one segment, length in one byte), length.
        assert_eq!((frame[4] & 0xe0, usize::from(frame[5])), (0x20, count));
        frame[5] = u8::try_from(len).unwrap();
        let text = read(&with_payload(&frame)).unwrap_err().to_string();
        assert!(text.ends_with("it does not decompress"), "{text}");
    }
}

#[test]
fn other_versions_and_other_files_are_told_apart_from_damage() {
    let slice = written(start(), &[entry(10)]);
    let mut newer = slice.bytes.clone();
    newer[8] = 2;
    assert_eq!(read(&newer), Err(SliceError::NewerFormat { found: 2, supported: 1 }));
    assert_eq!(read(b"TIDEPACK and so on"), Err(SliceError::NotASlice));
    let error = read(&slice.bytes[..100]).unwrap_err();
    assert_eq!(error.to_string(), "slice header: slice header at byte 0: needs 152 bytes, 100 are left");
}

#[test]
fn the_writer_refuses_what_breaks_the_order_and_goes_on_as_if_nothing_was() {
    let mut writer = SliceWriter::new(start());
    assert!(writer.finish().is_none());
    let refused = [at(5, 1), at(4, 1), at(6, 0)];
    for position in refused {
        let error = writer.push(Doc::new(&entry_of(position, b"", false)).unwrap()).unwrap_err();
        assert_eq!(error, SliceError::Order { index: 0, at: position, after: at(5, 1) });
    }
    writer.push(Doc::new(&entry(10)).unwrap()).unwrap();
    writer.push(Doc::new(&entry(10)).unwrap()).unwrap_err();
    writer.push(Doc::new(&entry(20)).unwrap()).unwrap();
    let first = writer.finish().unwrap();
    assert_eq!(first, written(start(), &[entry(10), entry(20)]));
    assert!(writer.is_empty());
    writer.push(Doc::new(&entry(20)).unwrap()).unwrap_err();
    writer.push(Doc::new(&entry(21)).unwrap()).unwrap();
    let second = writer.finish().unwrap();
    assert_eq!(second.header.previous, first.header.end());
    writer.push(Doc::new(&entry(30)).unwrap()).unwrap();
    writer.reset(first.header.end());
    writer.push(Doc::new(&entry(21)).unwrap()).unwrap();
    assert_eq!(writer.finish().unwrap(), second);
}

#[test]
fn the_largest_slice_of_noise_fits_one_block_and_one_more_byte_does_not_fit_the_slice() {
    let mut random = SeededEntropy::new(2);
    let mut noise = |len: usize| {
        let mut bytes = vec![0; len];
        random.fill(&mut bytes);
        bytes
    };
    let overhead = entry_of(at(10, 1), b"", false).len();
    let largest = entry_of(at(10, 1), &noise(MAX_BSON_BYTES - overhead), false);
    let rest = entry_of(at(11, 1), &noise(MAX_SLICE_PLAIN_BYTES - largest.len() - overhead), false);
    let longer = entry_of(at(11, 1), &noise(MAX_SLICE_PLAIN_BYTES - largest.len() - overhead + 1), false);
    let mut writer = SliceWriter::new(start());
    writer.push(Doc::new(&largest).unwrap()).unwrap();
    assert!(writer.is_full());
    assert_eq!(writer.push(Doc::new(&longer).unwrap()), Err(SliceError::Full));
    writer.push(Doc::new(&rest).unwrap()).unwrap();
    let slice = writer.finish().unwrap();
    assert_eq!(slice.header.codec, Codec::Raw);
    assert!(slice.bytes.len() <= MAX_BLOCK_BYTES);
    assert_eq!(read(&slice.bytes), Ok(vec![largest, rest]));
}

#[test]
fn a_slice_holds_no_more_entries_than_the_limit() {
    let mut writer = SliceWriter::new(start());
    let mut entry = Vec::new();
    for ts in 0..MAX_SLICE_ENTRIES as u64 {
        assert!(!writer.is_full() || ts * 17 >= TARGET_BYTES as u64);
        entry.clear();
        let mut doc = DocWriter::new(&mut entry);
        let open = doc.begin();
        doc.timestamp(b"ts", Timestamp::from_u64(10 + ts));
        doc.end(open);
        if ts == 0 {
            writer.reset(Link::genesis(OpTime::NULL));
        }
        writer.push(Doc::new(&entry).unwrap()).unwrap();
    }
    assert!(writer.is_full());
    assert_eq!(writer.push(Doc::new(&super::tests::entry(u64::MAX)).unwrap()), Err(SliceError::Full));
    let slice = writer.finish().unwrap();
    assert_eq!(read(&slice.bytes).unwrap().len(), MAX_SLICE_ENTRIES);
}
