//! Dumps: hostile archives, and hostile metadata.

use std::collections::BTreeMap;
use tidemark_base::bson::{Doc, check, split};
use tidemark_head::dump::metadata::{self, Metadata};
use tidemark_head::dump::{
    ArchiveReader, ArchiveWriter, Compression, DumpError, Item, Namespace, Part, Sink, Source, Versions,
    extjson,
};

/// A whole archive.
#[must_use]
pub fn archive(bytes: &[u8]) -> bool {
    let decoded = decode(bytes);
    decode(&repaired(bytes)) || decoded
}

/// What an archive holds.
#[derive(Debug, PartialEq, Eq)]
struct Whole {
    versions: Versions,
    namespaces: BTreeMap<(String, String), Namespace>,
    documents: BTreeMap<(String, String), Vec<u8>>,
}

fn read(bytes: &[u8]) -> Result<Whole, DumpError> {
    let mut reader = ArchiveReader::new(bytes, "fuzz")?;
    let named = |it: &Namespace| ((it.database.clone(), it.collection.clone()), it.clone());
    let namespaces = reader.namespaces().iter().map(named).collect();
    let versions = reader.versions().clone();
    let mut documents: BTreeMap<_, Vec<u8>> = BTreeMap::new();
    while let Some(item) = reader.next()? {
        let (database, collection, some) = match item {
            Item::Documents { database, collection, documents } => (database, collection, documents),
            Item::End { database, collection } => (database, collection, &[][..]),
            Item::Oplog(entries) => {
                assert!(split(entries).all(|it| it.is_ok()));
                continue;
            }
        };
        assert!(split(some).all(|it| it.is_ok()));
        documents.entry((database.to_owned(), collection.to_owned())).or_default().extend_from_slice(some);
    }
    Ok(Whole { versions, namespaces, documents })
}

/// What can be read to its end is written again, and read as the same.
fn decode(bytes: &[u8]) -> bool {
    let whole = match read(bytes) {
        Ok(whole) => whole,
        Err(error) => {
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
            return false;
        }
    };
    let mut parts: Vec<Part> = whole.namespaces.values().cloned().map(Part::of).collect();
    Part::put_in_order(&mut parts);
    for part in &mut parts {
        let Namespace { database, collection, .. } = &part.namespace;
        // The documents of a time-series collection may stand under its own name.
        let own = (database.clone(), collection.clone());
        if part.stream.is_some() && whole.documents.contains_key(&own) {
            part.stream = Some(own.1);
        }
    }
    let writer = ArchiveWriter::new(Vec::new(), "fuzz", Compression::Plain, &whole.versions, parts.clone());
    let mut writer = writer.expect("what was read can be written");
    for part in parts {
        writer.begin(&part).expect("in their order");
        let name = part.stream.map(|stream| (part.namespace.database, stream));
        let documents = name.and_then(|name| whole.documents.get(&name));
        writer.documents(documents.map_or(&[], Vec::as_slice)).expect("whole documents were read");
        writer.end().expect("one was begun");
    }
    let again = writer.finish().expect("all were written");
    assert_eq!(read(&again).expect("what was written is read"), whole);
    true
}

/// The bytes with the right checksum at the end of each collection, put in by the words of the format alone.
fn repaired(bytes: &[u8]) -> Vec<u8> {
    const TERMINATOR: &[u8] = &[0xff; 4];
    let mut out = bytes.to_vec();
    let mut sums: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut at = 4;
    let document = |at: usize| Doc::first(bytes.get(at..)?).ok().map(|(document, _)| document);
    // The header, the contents, and their end.
    while let Some(one) = document(at) {
        at += one.as_bytes().len();
    }
    at += TERMINATOR.len();
    while let Some(header) = document(at) {
        let name = header.elements().flatten().take(2).flat_map(|it| it.value.to_vec()).collect();
        let documents: &mut Vec<u8> = sums.entry(name).or_default();
        at += header.as_bytes().len();
        // The checksum stands last, before the terminator of the header.
        if header.get("EOF").is_ok_and(|it| it.is_some_and(|it| it.as_bool() == Some(true)))
            && let Some(field) = out.get_mut(at.saturating_sub(9)..at - 1)
        {
            field.copy_from_slice(&crc_64(documents).to_le_bytes());
        }
        while let Some(one) = document(at) {
            at += one.as_bytes().len();
            documents.extend_from_slice(one.as_bytes());
        }
        at += TERMINATOR.len();
    }
    out
}

/// CRC-64/XZ, bit by bit.
fn crc_64(bytes: &[u8]) -> u64 {
    let mut crc = u64::MAX;
    for byte in bytes {
        crc ^= u64::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xC96C_5795_D787_0F42 } else { crc >> 1 };
        }
    }
    !crc
}

/// The text of a metadata file; and any document as Extended JSON.
#[must_use]
pub fn metadata(bytes: &[u8]) -> bool {
    let Ok(raw) = extjson::parse_document(bytes) else { return false };
    let document = Doc::new(&raw).expect("what is parsed is a document");
    check(document).expect("what is parsed is sound to the bottom");
    let mut text = Vec::new();
    extjson::write_document(document, &mut text).expect("what came from text can be text");
    assert_eq!(extjson::parse_document(&text).expect("what was written is read"), raw);
    let Ok(parsed) = Metadata::parse(bytes) else { return false };
    let name = parsed.collection.clone().unwrap_or_else(|| "c".to_owned());
    let namespace = parsed.named("d", &name).expect("it has this name");
    let again = metadata::write(&namespace).expect("what came from text can be text");
    let again = Metadata::parse(&again).expect("what was written is read").named("d", &name);
    assert_eq!(again.expect("it has this name"), namespace);
    true
}
