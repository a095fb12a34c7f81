//! Files as GridFS stores them: a document in `fs.files`, and chunks of 255 KiB in `fs.chunks`.
//!
//! Half of the files are incompressible. The others repeat a shared content, every second of those behind a
//! few bytes of its own, which shifts everything: what a chunker cutting by content must find again.

use super::words::stream;
use super::writer::{Index, document};
use tidemark_base::{Entropy, SeededEntropy};

/// Payload of a chunk, MongoDB's default.
pub const CHUNK_BYTES: usize = 255 << 10;
/// Files are this long at most.
const MAX_FILE_BYTES: u64 = 2 << 20;
/// How many shared contents there are per seed.
const SHARED_CONTENTS: u64 = 4;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Random bytes that occur in no other file.
    Incompressible,
    /// One of the shared contents.
    Shared,
    /// A few bytes of its own, then one of the shared contents.
    Shifted,
}

/// One file, as the documents that are stored.
#[derive(Clone, Debug)]
pub struct File {
    /// What it holds.
    pub content: Content,
    /// The document of `fs.files`.
    pub file: Vec<u8>,
    /// The documents of `fs.chunks`, in order.
    pub chunks: Vec<Vec<u8>>,
}

/// Makes file `n` of a seed, with up to `max_bytes` of content (2 MiB at most).
#[must_use]
pub fn file(seed: u64, n: u64, max_bytes: u64) -> File {
    let mut e = stream(seed, n, 0);
    let content = match n % 4 {
        1 => Content::Shared,
        3 => Content::Shifted,
        _ => Content::Incompressible,
    };
    let bytes = bytes(seed, content, max_bytes.min(MAX_FILE_BYTES), &mut e);
    let id = object_id(n, 0);
    let mut file = Vec::new();
    document(&mut file, |w| {
        w.object_id("_id", id);
        w.i64("length", i64::try_from(bytes.len()).expect("at most 2 MiB"));
        w.i32("chunkSize", i32::try_from(CHUNK_BYTES).expect("255 KiB"));
        w.date("uploadDate", 1_700_000_000_000 + i64::try_from(n % (1 << 40)).expect("40 bits"));
        w.strs("filename", &["file-", &Index::padded(n, 6), ".bin"]);
    });
    let chunks = bytes.chunks(CHUNK_BYTES).zip(0..).map(|(data, index)| {
        let mut chunk = Vec::with_capacity(data.len() + 80);
        document(&mut chunk, |w| {
            w.object_id("_id", object_id(n, 1 + u32::try_from(index).expect("a few")));
            w.object_id("files_id", id);
            w.i32("n", index);
            w.binary("data", 0, data);
        });
        chunk
    });
    File { content, chunks: chunks.collect(), file }
}

fn bytes(seed: u64, content: Content, max_bytes: u64, e: &mut SeededEntropy) -> Vec<u8> {
    let random = |len: u64, e: &mut SeededEntropy| {
        let mut bytes = vec![0; usize::try_from(len).expect("at most 2 MiB")];
        e.fill(&mut bytes);
        bytes
    };
    let len = 1 + e.below(max_bytes.max(1));
    if content == Content::Incompressible {
        return random(len, e);
    }
    let mut own = if content == Content::Shifted { random(1 + e.below(100), e) } else { Vec::new() };
    let which = e.below(SHARED_CONTENTS);
    own.extend(random(max_bytes.max(1), &mut stream(seed, which, 1)));
    own
}

/// Ascending with the file and, within it, with `part`.
fn object_id(n: u64, part: u32) -> [u8; 12] {
    let mut id = [0x65; 12];
    id[1..9].copy_from_slice(&n.to_be_bytes());
    id[9..].copy_from_slice(&part.to_be_bytes()[1..]);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(file: &File) -> Vec<u8> {
        let chunks = file.chunks.iter().map(|c| bson::Document::from_reader(c.as_slice()).unwrap());
        chunks.flat_map(|c| c.get_binary_generic("data").unwrap().clone()).collect()
    }

    #[test]
    fn a_file_is_as_long_as_its_chunks() {
        for n in 0..8 {
            let file = file(1, n, u64::MAX);
            let stored = bson::Document::from_reader(file.file.as_slice()).unwrap();
            assert_eq!(stored.get_i64("length").unwrap(), payload(&file).len() as i64);
            for (chunk, n) in file.chunks.iter().zip(0..) {
                let chunk = bson::Document::from_reader(chunk.as_slice()).unwrap();
                assert_eq!(chunk.get_i32("n").unwrap(), n);
                assert_eq!(chunk.get_object_id("files_id").unwrap(), stored.get_object_id("_id").unwrap());
            }
        }
    }

    #[test]
    fn shared_contents_return_and_others_do_not() {
        let all: Vec<_> = (0..40).map(|n| file(1, n, 10_000)).collect();
        let shared: Vec<_> = all.iter().filter(|f| f.content == Content::Shared).map(payload).collect();
        assert!(shared[1..].iter().any(|p| *p == shared[0]));
        for shifted in all.iter().filter(|f| f.content == Content::Shifted).map(payload) {
            assert!(shared.iter().any(|p| shifted.ends_with(p) && shifted != *p));
        }
        let random: Vec<_> =
            all.iter().filter(|f| f.content == Content::Incompressible).map(payload).collect();
        assert!(random[1..].iter().all(|p| *p != random[0]));
    }
}
