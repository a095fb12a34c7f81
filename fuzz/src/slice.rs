//! Slices of oplog, and the chains they make.
//!
//! The digest and the sums are put in by the words of `docs/format.md` alone, so that the crate and the page
//! are held against each other.

use tidemark_base::{OpTime, Timestamp};
use tidemark_blockstore::fuzzing::checksum;
use tidemark_oplog::chain::{self, Judgement, judge};
use tidemark_oplog::slice::{Digest, HEADER_LEN, Header, Link, SliceReader, SliceWriter, optime};

/// A whole slice.
#[must_use]
pub fn slice(bytes: &[u8]) -> bool {
    let decoded = decode(bytes);
    let summed = repaired(bytes, None);
    // The digest can only be put right if the entries are at hand: as they stand, or from the frame.
    let payload = bytes.get(HEADER_LEN..).unwrap_or_default();
    let raw = repaired(bytes, Some(payload));
    let plain_len =
        bytes.get(96..100).and_then(|len| len.first_chunk().copied()).map_or(0, u32::from_le_bytes);
    let unpacked = zstd::bulk::decompress(payload, (plain_len as usize).min(1 << 20)).unwrap_or_default();
    let frame = repaired(bytes, Some(&unpacked));
    decode(&summed) | decode(&raw) | decode(&frame) | decoded
}

fn decode(bytes: &[u8]) -> bool {
    let Ok(reader) = SliceReader::open(bytes) else { return false };
    let header = *reader.header();
    assert_eq!(header.encode(), bytes[..HEADER_LEN]);
    assert_eq!(Header::decode(&bytes[..HEADER_LEN]), Ok(header));
    let mut plain = Vec::new();
    let Ok(entries) = reader.decode(&mut plain) else {
        assert!(plain.is_empty());
        return false;
    };
    // What decodes can be written, and says the same then.
    let mut writer = SliceWriter::new(header.previous);
    let mut last = header.previous.at;
    for entry in entries.iter() {
        last = optime(entry).expect("every position was read");
        writer.push(entry).expect("what is in a slice fits one");
    }
    assert_eq!(last, header.last);
    let again = writer.finish().expect("a slice is not empty").header;
    assert_eq!((again.previous, again.end(), again.first), (header.previous, header.end(), header.first));
    assert_eq!((again.entries, again.plain_len), (header.entries, header.plain_len));
    true
}

/// The bytes with right sums and lengths, and, if the entries are given, the right digest.
fn repaired(bytes: &[u8], plain: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let Some((header, payload)) = bytes.split_first_chunk_mut::<HEADER_LEN>() else { return bytes };
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    header[104..108].copy_from_slice(&len(payload));
    if let Some(plain) = plain {
        header[96..100].copy_from_slice(&len(plain));
        let mut hasher = blake3::Hasher::new();
        hasher.update(&header[..100]).update(blake3::hash(plain).as_bytes());
        header[112..144].copy_from_slice(hasher.finalize().as_bytes());
    }
    header[144..152].copy_from_slice(&checksum(payload).to_le_bytes());
    let sum = checksum(&header[..152]);
    header[152..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// A chain: eight bytes for each slice, of which headers are made.
#[must_use]
pub fn chain(bytes: &[u8]) -> bool {
    let headers: Vec<Header> = bytes.chunks_exact(8).filter_map(|it| header(it.try_into().ok()?)).collect();
    let chained = headers.windows(2).all(|pair| pair[0].end() == pair[1].previous);
    let problems = chain::check(&headers);
    assert_eq!(problems.is_empty(), chained, "{problems:?}");
    for problem in &problems {
        let slice = headers[problem.index];
        assert_ne!(problem.judgement, Judgement::Appends);
        assert_eq!((problem.first, problem.last), (slice.first, slice.last));
        assert!(!problem.to_string().is_empty());
    }
    for stored in &headers {
        for slice in &headers {
            check_judgement(stored, slice);
        }
    }
    headers.len() > 1
}

/// What holds whatever the two headers are, the chain being just the one.
fn check_judgement(stored: &Header, slice: &Header) {
    let tip = stored.end();
    let known = (stored.first.ts == slice.first.ts).then_some(stored);
    let judgement = judge(&tip, known, slice);
    match judgement {
        Judgement::Appends => assert_eq!(slice.previous, tip),
        Judgement::Duplicate => assert_eq!(stored.digest, slice.digest),
        Judgement::Gap { .. } => assert!(slice.previous.at.ts > tip.at.ts),
        Judgement::Overlap { .. } => assert!(slice.previous.at.ts < tip.at.ts),
        Judgement::Fork { at } => {
            let positions =
                [slice.previous.at, slice.first, slice.last, stored.previous.at, stored.first, tip.at];
            assert!(positions.contains(&at));
        }
    }
    if slice.previous == tip {
        assert_eq!(judgement, Judgement::Appends);
    }
}

/// A header from: the position it follows, steps to its first and last entry, terms, and two digests. Small
/// numbers, so that slices meet.
fn header(bytes: [u8; 8]) -> Option<Header> {
    let [previous, first, last, terms, digest_before, digest, entries, _] = bytes;
    let at = |ts: u64, term: u8| OpTime { ts: Timestamp::from_u64(ts), term: i64::from(term) };
    let previous_ts = u64::from(previous);
    let first_ts = previous_ts + u64::from(first);
    let mut whole = vec![0; HEADER_LEN];
    whole[..8].copy_from_slice(b"TIDESLIC");
    whole[8] = 1;
    whole[12] = entries;
    let positions = [
        at(previous_ts, terms & 3),
        at(first_ts, terms >> 2 & 3),
        at(first_ts + u64::from(last), terms >> 4 & 3),
    ];
    for (position, place) in positions.into_iter().zip([16, 32, 48]) {
        whole[place..place + 8].copy_from_slice(&position.ts.to_u64().to_le_bytes());
        whole[place + 8..place + 16].copy_from_slice(&position.term.to_le_bytes());
    }
    let Link { digest: before, .. } = Link { at: positions[0], digest: Digest([digest_before; 32]) };
    whole[64..96].copy_from_slice(&before.0);
    whole[96] = 100;
    whole[104] = 100;
    whole[112..144].copy_from_slice(&[digest; 32]);
    let sum = checksum(&whole[..152]);
    whole[152..].copy_from_slice(&sum.to_le_bytes());
    Header::decode(&whole).ok()
}
