//! Separators: what nodes hold in place of their children's first keys.
//!
//! The separator of a child is the shortest string that is greater than every key before the child and at most
//! the child's first key. Since an `_id` can have megabytes, a separator is cut to [`MAX_SEPARATOR_BYTES`]; one
//! of that length decides only by that many bytes of a key, and keys which begin with it may lie on both sides.

#![warn(clippy::indexing_slicing)]

use tidemark_base::limits::MAX_SEPARATOR_BYTES;

/// The separator between `before`, the last key of what precedes, and `first`, the first key after it.
pub(super) fn between<'k>(before: &[u8], first: &'k [u8]) -> &'k [u8] {
    let common = before.iter().zip(first).take_while(|(a, b)| a == b).count();
    // The first byte that differs, or the first one more: `first` is greater, so there is one.
    let len = (common + 1).min(MAX_SEPARATOR_BYTES);
    first.get(..len).unwrap_or(first)
}

/// Whether everything before this separator is smaller than `key`, so that nothing equal to it lies there.
pub(super) fn is_passed(separator: &[u8], key: &[u8]) -> bool {
    match key.get(..MAX_SEPARATOR_BYTES) {
        Some(start) if separator.len() == MAX_SEPARATOR_BYTES => start > separator,
        _ => key >= separator,
    }
}

/// Whether `next` can follow `separator` in a node.
pub(super) fn may_follow(separator: &[u8], next: &[u8]) -> bool {
    next > separator || (next == separator && next.len() == MAX_SEPARATOR_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_the_shortest_that_tells_two_keys_apart() {
        assert_eq!(between(b"abc", b"abd"), b"abd");
        assert_eq!(between(b"abc", b"b"), b"b");
        assert_eq!(between(b"abc", b"bcd"), b"b");
        assert_eq!(between(b"abc", b"abcdef"), b"abcd");
        assert_eq!(between(b"", b"x"), b"x");
    }

    #[test]
    fn keys_that_begin_with_a_cut_separator_may_lie_before_it() {
        let long = |last: u8| [vec![7; MAX_SEPARATOR_BYTES], vec![last]].concat();
        let (before, first) = (long(1), long(2));
        let separator = between(&before, &first);
        assert_eq!(separator, vec![7; MAX_SEPARATOR_BYTES]);
        assert!(!is_passed(separator, &before) && !is_passed(separator, &first));
        assert!(is_passed(separator, &[8]) && !is_passed(separator, &[6; 2000]));
        assert!(may_follow(separator, separator) && !may_follow(b"a", b"a"));
    }

    #[test]
    fn one_of_exactly_the_longest_length_counts_as_cut() {
        let key = vec![7; MAX_SEPARATOR_BYTES];
        let separator = between(&key[..MAX_SEPARATOR_BYTES - 1], &key);
        assert_eq!(separator, key);
        // Nothing is said of keys that begin with it: they are looked for on both sides.
        assert!(!is_passed(separator, &key));
    }

    proptest! {
        #[test]
        fn it_stands_between(a in "[ab]{0,6}", b in "[ab]{0,6}") {
            prop_assume!(a != b);
            let (low, high) = if a < b { (&a, &b) } else { (&b, &a) };
            let separator = between(low.as_bytes(), high.as_bytes());
            prop_assert!(low.as_bytes() < separator && separator <= high.as_bytes());
            prop_assert!(is_passed(separator, high.as_bytes()) && !is_passed(separator, low.as_bytes()));
            let shorter = &separator[..separator.len() - 1];
            prop_assert!(shorter <= low.as_bytes());
        }
    }
}
