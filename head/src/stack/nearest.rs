//! Which of many cursors is at the smallest key: a heap of their numbers, which does not hold the keys.

#![warn(clippy::indexing_slicing)]

/// Numbers, the smallest by an order that the caller gives on top. It must be the same each time, as far as the
/// numbers in it are concerned.
#[derive(Debug, Default)]
pub(super) struct Nearest {
    /// Each is smaller than the two at twice its place and one or two more.
    heap: Vec<usize>,
}

impl Nearest {
    pub(super) fn clear(&mut self) {
        self.heap.clear();
    }

    /// The smallest one.
    pub(super) fn first(&self) -> Option<usize> {
        self.heap.first().copied()
    }

    pub(super) fn push(&mut self, number: usize, is_less: impl Fn(usize, usize) -> bool) {
        let mut at = self.heap.len();
        self.heap.push(number);
        while at > 0 && self.swap_if_less(at, (at - 1) / 2, &is_less) {
            at = (at - 1) / 2;
        }
    }

    /// Takes the smallest one out.
    pub(super) fn pop(&mut self, is_less: impl Fn(usize, usize) -> bool) -> Option<usize> {
        let last = self.heap.len().checked_sub(1)?;
        self.heap.swap(0, last);
        let smallest = self.heap.pop();
        let mut at = 0;
        while let Some(&left) = self.heap.get(2 * at + 1) {
            let right_is_less = self.heap.get(2 * at + 2).is_some_and(|&right| is_less(right, left));
            let below = 2 * at + if right_is_less { 2 } else { 1 };
            if !self.swap_if_less(below, at, &is_less) {
                break;
            }
            at = below;
        }
        smallest
    }

    /// Swaps the number at one place with that at another above it, if it is the smaller one.
    fn swap_if_less(&mut self, below: usize, above: usize, is_less: &impl Fn(usize, usize) -> bool) -> bool {
        let (Some(&a), Some(&b)) = (self.heap.get(below), self.heap.get(above)) else { return false };
        let is_wrong = is_less(a, b);
        if is_wrong {
            self.heap.swap(below, above);
        }
        is_wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_come_by_their_keys_and_equal_ones_by_number(keys in prop::collection::vec(0..20_u8, 0..40)) {
            let is_less = |a: usize, b: usize| (keys[a], a) < (keys[b], b);
            let mut nearest = Nearest::default();
            (0..keys.len()).rev().for_each(|number| nearest.push(number, is_less));
            let mut found = Vec::new();
            while let Some(first) = nearest.first() {
                prop_assert_eq!(nearest.pop(is_less), Some(first));
                found.push((keys[first], first));
            }
            let mut expected: Vec<_> = keys.iter().copied().zip(0..).collect();
            expected.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
