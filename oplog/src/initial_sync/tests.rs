//! Sync slices written, read back, damaged and forged.

use super::*;
use crate::payload::Codec;
use proptest::collection::vec;
use proptest::prelude::*;
use tidemark_base::CollectionUuid;
use tidemark_base::bson::{Doc, DocWriter};
use tidemark_base::limits::{MAX_SLICE_ENTRIES, MAX_SLICE_PLAIN_BYTES};
use xxhash_rust::xxh3::xxh3_64;

const FIRST: BatchId =
    BatchId { sync: 3, collection: CollectionUuid::from_bytes([9; 16]), scan: 2, number: 0 };

fn document(id: i32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    w.int32(b"_id", id);
    w.binary(b"payload", 0, payload);
    w.end(open);
    out
}

fn written(documents: &[Vec<u8>]) -> Batch {
    let mut writer = BatchWriter::new(FIRST);
    documents.iter().for_each(|it| writer.push(Doc::new(it).unwrap()).unwrap());
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, BatchError> {
    let mut plain = vec![7; 100];
    let outcome = BatchReader::open(bytes)
        .and_then(|batch| Ok(batch.decode(&mut plain)?.iter().map(|it| it.as_bytes().to_vec()).collect()));
    assert!(outcome.is_ok() || plain.is_empty() || plain == [7; 100], "nothing doubtful is left behind");
    outcome
}

/// A batch of these bytes with a header changed at will, right sums, and the digest to match.
fn forged(plain: &[u8], change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let len = u32::try_from(plain.len()).unwrap();
    let mut header = written(&[document(1, b"")]).header;
    (header.codec, header.plain_len, header.payload_len) = (Codec::Raw, len, len);
    header.payload_sum = xxh3_64(plain);
    change(&mut header);
    header.digest = header.digest_of(plain);
    [&header.encode()[..], plain].concat()
}

proptest! {
    #[test]
    fn what_is_written_is_read(payloads in vec(vec(any::<u8>(), 0..300), 1..60)) {
        let documents: Vec<Vec<u8>> = (0..).zip(&payloads).map(|(n, payload)| document(n, payload)).collect();
        let batch = written(&documents);
        prop_assert_eq!(batch.header.id, FIRST);
        prop_assert_eq!(BatchHeader::decode(&batch.header.encode()), Ok(batch.header));
        prop_assert_eq!(read(&batch.bytes), Ok(documents));
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in vec(any::<u8>(), 0..400)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn any_documents_are_read_or_refused(plain in vec(any::<u8>(), 1..400), count in 1_u32..4) {
        let _ = read(&forged(&plain, |header| header.documents = count));
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_found() {
    let many: Vec<Vec<u8>> = (0..20).map(|n| document(n, b"payload payload payload")).collect();
    let noise: Vec<u8> = (0..200_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    for (batch, codec) in [(written(&many), Codec::Zstd), (written(&[document(1, &noise)]), Codec::Raw)] {
        assert_eq!(batch.header.codec, codec);
        for len in 0..batch.bytes.len() {
            assert!(read(&batch.bytes[..len]).is_err(), "cut to {len}");
        }
        for bit in 0..batch.bytes.len() * 8 {
            let mut bad = batch.bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bad).is_err(), "bit {bit}");
        }
        assert!(read(&[&batch.bytes[..], &[0]].concat()).is_err(), "something follows it");
    }
}

#[test]
fn a_header_that_cannot_be_true_is_refused() {
    let plain = [document(1, b"a"), document(2, b"b")].concat();
    assert!(read(&forged(&plain, |header| header.documents = 2)).is_ok());
    for (number, bytes) in [
        forged(&plain, |header| header.documents = 1),
        forged(&plain, |header| header.documents = 3),
        forged(&plain, |header| header.documents = 0),
        forged(&plain, |header| (header.documents, header.id.sync) = (2, 0)),
        forged(&plain, |header| (header.documents, header.id.scan) = (2, 0)),
        forged(&plain, |header| (header.documents, header.codec) = (2, Codec::Zstd)),
        forged(&plain, |header| (header.documents, header.plain_len) = (2, header.plain_len - 1)),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(read(&bytes).is_err(), "{number}");
    }
    let mut other = forged(&plain, |header| header.documents = 2);
    other[8] = 2;
    assert!(matches!(read(&other), Err(BatchError::NewerFormat { found: 2, .. })));
}

#[test]
fn the_digest_is_of_which_batch_it_is_too() {
    let one = written(&[document(1, b"")]);
    for change in [
        (|id| id.sync += 1) as fn(&mut BatchId),
        |id| id.scan += 1,
        |id| id.number += 1,
        |id| id.collection = CollectionUuid::from_bytes([8; 16]),
    ] {
        let mut header = one.header;
        change(&mut header.id);
        let moved = [&header.encode()[..], &one.bytes[HEADER_LEN..]].concat();
        assert!(matches!(read(&moved), Err(BatchError::Payload { .. })), "{}", header.id);
    }
}

#[test]
fn a_document_that_is_broken_deep_inside_is_refused() {
    let mut broken = document(1, b"payload");
    // The length of the binary reaches beyond the document.
    let at = broken.len() - 1 - 7 - 1 - 4;
    broken[at] = 0xff;
    Doc::new(&broken).unwrap();
    let found = read(&forged(&[document(0, b""), broken].concat(), |header| header.documents = 2));
    assert!(matches!(found, Err(BatchError::Document { index: 1, id: FIRST, .. })), "{found:?}");
}

#[test]
fn a_batch_is_full_before_it_is_longer_than_a_block() {
    let mut writer = BatchWriter::new(FIRST);
    assert_eq!(writer.finish(), None);
    let large = document(1, &vec![0; 16_000_000]);
    writer.push(Doc::new(&large).unwrap()).unwrap();
    writer.push(Doc::new(&large).unwrap()).unwrap();
    assert_eq!(writer.push(Doc::new(&large).unwrap()), Err(BatchError::Full));
    assert!(writer.len_bytes() <= MAX_SLICE_PLAIN_BYTES);
    assert_eq!(writer.finish().unwrap().header.documents, 2);
    assert_eq!((writer.next().number, writer.is_empty()), (1, true));
    let small = Doc::EMPTY;
    (0..MAX_SLICE_ENTRIES).for_each(|_| writer.push(small).unwrap());
    assert_eq!(writer.push(small), Err(BatchError::Full));
}
