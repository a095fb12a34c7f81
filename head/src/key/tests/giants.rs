//! Encodings that are too long to be keys as they stand.

use super::*;
use tidemark_base::limits::{MAX_KEY_BYTES, MAX_WHOLE_KEY_BYTES};

/// The smallest doubles: each has over 380 bytes in a key, and 12 in a document.
fn tiny(odd: u64) -> Value {
    double(f64::from_bits((1 << 52) - 1 - 2 * odd))
}

fn array(elements: impl Iterator<Item = Value>) -> Value {
    document(kind::ARRAY, &elements.map(|element| (b"".as_slice(), element)).collect::<Vec<_>>())
}

#[test]
fn an_id_of_a_megabyte_of_the_smallest_doubles_has_a_key() {
    let id = document(kind::OBJECT, &[(b"a", array((0..66_000).map(|_| tiny(0))))]);
    let mut out = vec![7];
    encode(element(&id), &mut out).unwrap();
    assert_eq!(out.len(), 1 + MAX_KEY_BYTES);
    assert!(out.capacity() < 4 << 20, "{} bytes were held at once", out.capacity());
}

#[test]
fn a_longer_encoding_is_its_beginning_and_the_hash_of_all_of_it() {
    for len in [MAX_WHOLE_KEY_BYTES - 2, MAX_WHOLE_KEY_BYTES - 1, 2 << 20, 16 << 20] {
        let encoding = [&[0x28], vec![b'x'; len].as_slice(), &[0]].concat();
        let expected = match encoding.get(..MAX_WHOLE_KEY_BYTES) {
            Some(beginning) if encoding.len() > MAX_WHOLE_KEY_BYTES => {
                [beginning, blake3::hash(&encoding).as_bytes()].concat()
            }
            _ => encoding,
        };
        assert!(key(&string(kind::STRING, &vec![b'x'; len])) == expected, "{len}");
    }
}

#[test]
fn zeros_that_double_in_the_encoding_take_no_more_memory_than_the_key() {
    let mut out = Vec::new();
    encode(element(&string(kind::STRING, &vec![0; 16 << 20])), &mut out).unwrap();
    assert_eq!(out.len(), MAX_KEY_BYTES);
    assert!(out.capacity() < 4 << 20, "{} bytes were held at once", out.capacity());
}

#[test]
fn giants_are_equal_where_the_slow_comparison_says_so_and_stand_where_it_says_among_all_others() {
    let many = 4000;
    let with = |changed: u64, at: usize, last: Value| {
        let elements = (0..many).map(move |n| if n == at { tiny(changed) } else { tiny(0) });
        array(elements.chain([last]))
    };
    let giants = [
        with(0, 0, int32(1)),
        with(0, 0, double(1.0)),
        with(0, 0, decimal(false, 10, -1)),
        with(0, 0, int32(2)),
        with(9, many - 1, int32(1)),
        with(9, 0, int32(1)),
        with(9, 1000, int64(1)),
    ];
    for a in &giants {
        for b in &giants {
            let slow = order::compare((a.0, &a.1), (b.0, &b.1)).unwrap();
            assert_eq!(key(a) == key(b), slow == Ordering::Equal);
            // All but the last differ in their first megabyte, or not at all.
            assert!(key(a).len() == MAX_KEY_BYTES);
        }
        for other in [with(9, 0, int32(1)), with(1, 1000, int32(1)), array([tiny(0)].into_iter()), int32(1)] {
            agree(a, &other);
        }
    }
}
