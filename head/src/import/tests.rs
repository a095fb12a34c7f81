//! The memory of an import, counted where it is taken.

use super::*;
use tidemark_base::bson::DocWriter;
use tidemark_base::{Entropy as _, SeededEntropy};
use tidemark_blockstore::MemoryBackend;

const UUID: CollectionUuid = CollectionUuid::from_bytes([1; 16]);
const BUDGET_BYTES: usize = 16 << 20;

fn document(number: u64, ascends: bool, value_bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; value_bytes];
    SeededEntropy::new(number).fill(&mut noise);
    let id = if ascends { number } else { number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1 };
    let mut bytes = Vec::new();
    let mut w = DocWriter::new(&mut bytes);
    let open = w.begin();
    w.int64(b"_id", id.cast_signed());
    w.binary(b"value", 0, &noise);
    w.end(open);
    bytes
}

/// The most memory that an import of these documents held at once, in bytes.
fn most_bytes(documents: u64, ascends: bool, value_bytes: usize) -> usize {
    let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1))));
    let mut import = Import::begin(&store, OpTime::NULL, Filter::default(), BUDGET_BYTES).unwrap();
    let (database, name) = ("app".to_owned(), "c".to_owned());
    let collection = Collection { database, name, options: vec![5, 0, 0, 0, 0], indexes: Vec::new() };
    import.collection(UUID, collection).unwrap();
    for number in 0..documents {
        let document = document(number, ascends, value_bytes);
        import.documents(UUID, &[Doc::new(&document).unwrap()]).unwrap();
    }
    import.build(None).unwrap();
    import.tools.meter.wait_for_tasks();
    assert_eq!(import.tools.meter.bytes(), 0, "all memory is given back");
    import.tools.meter.most_bytes()
}

#[test]
fn an_import_keeps_to_its_memory_whatever_the_order_and_the_sizes() {
    for (documents, value_bytes) in [(60_000, 600), (100_000, 20), (20, 4 << 20)] {
        for ascends in [true, false] {
            let most = most_bytes(documents, ascends, value_bytes);
            // Batches are whole documents: one in each stage may be longer than its share.
            let most_allowed = BUDGET_BYTES + 2 * value_bytes;
            assert!(most <= most_allowed, "{documents} of {value_bytes} bytes, ascending {ascends}: {most}");
        }
    }
}

/// The most memory that an import of many collections, one after the other, held at once, in bytes.
fn most_bytes_of_many(collections: u32, documents: u64, value_bytes: usize) -> usize {
    let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1))));
    let mut import = Import::begin(&store, OpTime::NULL, Filter::default(), BUDGET_BYTES).unwrap();
    for number in 0..collections {
        let mut uuid = [1; 16];
        uuid[..4].copy_from_slice(&number.to_be_bytes());
        let uuid = CollectionUuid::from_bytes(uuid);
        let (database, name) = ("app".to_owned(), format!("c{number}"));
        let collection = Collection { database, name, options: vec![5, 0, 0, 0, 0], indexes: Vec::new() };
        import.collection(uuid, collection).unwrap();
        for n in 0..documents {
            let document = document(u64::from(number) * documents + n, true, value_bytes);
            import.documents(uuid, &[Doc::new(&document).unwrap()]).unwrap();
        }
    }
    import.build(None).unwrap();
    import.tools.meter.most_bytes()
}

#[test]
fn collections_that_are_complete_hold_no_memory_until_the_end() {
    // Documents after each of which a leaf ends, and others.
    for (collections, documents, value_bytes) in [(200, 4, 100 << 10), (200, 600, 600)] {
        let most = most_bytes_of_many(collections, documents, value_bytes);
        assert!(most <= BUDGET_BYTES, "{collections} of {documents} of {value_bytes} bytes: {most}");
    }
}

#[test]
fn more_than_the_memory_in_random_order_is_put_aside() {
    let ascending = most_bytes(40_000, true, 600);
    let random = most_bytes(40_000, false, 600);
    assert!(ascending < BUDGET_BYTES / 3 && random > ascending, "{ascending}, {random}");
}
