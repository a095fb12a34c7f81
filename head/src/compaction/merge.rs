//! Which patch runs of a stack are merged with each other when there are too many.
//!
//! Merging runs gains nothing in bytes, only in cursors, and what snapshots keep of the old runs stays. So it is
//! done late, and small runs are merged with small ones: each byte is written again about once for each factor of
//! [`FACTOR`] that its run grows by.

use std::ops::Range;

/// So many are merged at least, so that it is not done at every flush.
const FEWEST: usize = 16;

/// Runs whose lengths are within this factor of each other are alike.
const FACTOR: u64 = 8;

/// Which runs, of these lengths, oldest first, are merged into one: of the smallest size of which there are enough in
/// a row, the longest row of them, with what is smaller between them. All, if there are few.
pub(crate) fn window(bytes: &[u64]) -> Range<usize> {
    let sizes: Vec<u32> = bytes.iter().map(|bytes| bytes.max(&1).ilog(FACTOR)).collect();
    let mut known = sizes.clone();
    known.sort_unstable();
    known.dedup();
    let rows = known.into_iter().filter_map(|most| longest_row(&sizes, most));
    let mut enough = rows.filter(|row| row.len() >= FEWEST);
    enough.next().unwrap_or(0..bytes.len())
}

/// The longest row of sizes that are at most `most`; the first of these.
fn longest_row(sizes: &[u32], most: u32) -> Option<Range<usize>> {
    let mut longest: Option<Range<usize>> = None;
    let mut start = 0;
    for row in sizes.split(|size| *size > most) {
        if longest.as_ref().is_none_or(|longest| row.len() > longest.len()) {
            longest = Some(start..start + row.len());
        }
        start += row.len() + 1;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::SeededEntropy;

    #[test]
    fn small_runs_are_merged_and_large_ones_left_alone() {
        assert_eq!(window(&[]), 0..0);
        assert_eq!(window(&[5, 5]), 0..2);
        assert_eq!(window(&[vec![1000; 20], vec![3; 20]].concat()), 20..40);
        assert_eq!(window(&[vec![3; 17], vec![1000], vec![2; 18]].concat()), 18..36);
        // Of neither are there enough alone.
        assert_eq!(window(&[vec![9; 10], vec![1000; 5], vec![9; 10]].concat()), 0..25);
    }

    #[test]
    fn many_flushes_cost_few_writes() {
        let mut random = SeededEntropy::new(1);
        for most in [1, 10_000] {
            let (mut runs, mut written, mut flushed) = (Vec::new(), 0_u64, 0_u64);
            for _ in 0..20_000 {
                let bytes = 100 + random.below(most) * random.below(most);
                runs.push(bytes);
                flushed += bytes;
                if runs.len() >= 64 {
                    let window = window(&runs);
                    let merged = runs[window.clone()].iter().sum();
                    runs.splice(window, [merged]);
                    written += merged;
                }
                assert!(runs.len() < 64);
            }
            assert!(written < 4 * flushed, "{written} of {flushed}");
        }
    }
}
