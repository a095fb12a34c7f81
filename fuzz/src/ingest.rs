//! What agents send: slices, batches, descriptions of collections, and the messages of the protocol.
//!
//! One target for all, as one server takes them all; what it is shows in its first bytes. Sums and digests of batches
//! are put in by the words of `docs/format.md` alone, as [`crate::slice`] does for slices.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemark_base::bson::{self, Doc};
use tidemark_base::protocol::{
    BeginSync, ConfRequest, Connection, EndScan, EndSync, ForkRequest, LostRequest, Rescan, ResumePoint,
};
use tidemark_blockstore::fuzzing::checksum;
use tidemark_oplog::initial_sync::{BatchHeader, BatchReader, BatchWriter, HEADER_LEN};
use tidemark_oplog::store::initial_sync::read_description;

/// The body of any request.
#[must_use]
pub fn ingest(bytes: &[u8]) -> bool {
    batch(bytes) | crate::slice(bytes) | description(bytes) | messages(bytes)
}

fn batch(bytes: &[u8]) -> bool {
    let payload = bytes.get(HEADER_LEN..).unwrap_or_default();
    let plain_len =
        bytes.get(44..48).and_then(|len| len.first_chunk().copied()).map_or(0, u32::from_le_bytes);
    let unpacked = zstd::bulk::decompress(payload, (plain_len as usize).min(1 << 20)).unwrap_or_default();
    let [summed, raw, frame] =
        [None, Some(payload), Some(unpacked.as_slice())].map(|plain| decode(&repaired(bytes, plain)));
    decode(bytes) | summed | raw | frame
}

fn decode(bytes: &[u8]) -> bool {
    let Ok(reader) = BatchReader::open(bytes) else { return false };
    let header = *reader.header();
    assert_eq!(header.encode(), bytes[..HEADER_LEN]);
    assert_eq!(BatchHeader::decode(&bytes[..HEADER_LEN]), Ok(header));
    let mut plain = Vec::new();
    let Ok(documents) = reader.decode(&mut plain) else {
        assert!(plain.is_empty());
        return false;
    };
    // What decodes can be written, and says the same then.
    let mut writer = BatchWriter::new(header.id);
    for document in documents.iter() {
        assert_eq!(bson::check(document), Ok(()), "sound to the bottom");
        writer.push(document).expect("what is in a batch fits one");
    }
    let again = writer.finish().expect("a batch is not empty").header;
    assert_eq!((again.id, again.digest), (header.id, header.digest));
    assert_eq!((again.documents, again.plain_len), (header.documents, header.plain_len));
    true
}

/// The bytes with right sums and lengths, and, if the documents are given, the right digest.
fn repaired(bytes: &[u8], plain: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let Some((header, payload)) = bytes.split_first_chunk_mut::<HEADER_LEN>() else { return bytes };
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    header[52..56].copy_from_slice(&len(payload));
    if let Some(plain) = plain {
        header[44..48].copy_from_slice(&len(plain));
        let mut hasher = blake3::Hasher::new();
        hasher.update(&header[..48]).update(blake3::hash(plain).as_bytes());
        header[64..96].copy_from_slice(hasher.finalize().as_bytes());
    }
    header[96..104].copy_from_slice(&checksum(payload).to_le_bytes());
    let sum = checksum(&header[..104]);
    header[104..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn description(bytes: &[u8]) -> bool {
    let Ok(collection) = read_description(bytes) else { return false };
    for name in [&collection.database, &collection.name] {
        assert!(!name.is_empty() && !name.contains('\0'));
    }
    for document in collection.indexes.iter().chain([&collection.options]) {
        let document = Doc::new(document).expect("what was read is a document");
        assert_eq!(bson::check(document), Ok(()));
    }
    true
}

fn messages(bytes: &[u8]) -> bool {
    message::<ConfRequest>(bytes)
        | message::<BeginSync>(bytes)
        | message::<Rescan>(bytes)
        | message::<EndScan>(bytes)
        | message::<EndSync>(bytes)
        | message::<ForkRequest>(bytes)
        | message::<LostRequest>(bytes)
        | message::<ResumePoint>(bytes)
        | message::<Connection>(bytes)
}

/// What is understood is written so that it is understood alike.
fn message<T: Serialize + DeserializeOwned + PartialEq>(bytes: &[u8]) -> bool {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else { return false };
    let written = serde_json::to_vec(&read).expect("what was read can be written");
    assert!(serde_json::from_slice::<T>(&written).is_ok_and(|again| again == read));
    true
}
