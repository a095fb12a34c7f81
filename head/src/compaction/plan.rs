//! The decision: which segments of a stack are folded into its base, if any.
//!
//! A stack is left alone until reading it costs [`MOST_OVER_PERCENT`] more than reading the same documents in a
//! base. Then the segments with the most to gain for what they cost are folded, until it costs no more than that.
//! A segment's gain was written as patches (and deleted documents) since it was folded last, and what is folded
//! gains at least four fifths as much for its cost as the whole would: so bytes written are at most
//! 1 + 125 / [`MOST_OVER_PERCENT`] times the bytes of change; about 4 times where changes are spread evenly, and less
//! where they are not.

use std::ops::Range;

/// How much more than the same documents in a base alone a stack may have, in percent, before some of it is
/// folded. With room to the bound, 30, for what is flushed before compaction is asked for again.
pub(crate) const MOST_OVER_PERCENT: u64 = 25;

/// A stretch of a stack's keys, as it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    /// All that is read for it, in bytes.
    pub(crate) stack_bytes: u64,
    /// The same documents in a base, in bytes.
    pub(crate) compacted_bytes: u64,
    /// What is written again if the segment is folded and the one before it is not, or the other way round: the
    /// patches that share a leaf with it, in bytes.
    pub(crate) cut_bytes: u64,
}

impl Segment {
    const fn over_bytes(&self) -> u64 {
        self.stack_bytes.saturating_sub(self.compacted_bytes)
    }
}

/// Segments that are looked at as one.
struct Group {
    segments: Range<usize>,
    over: u128,
    compacted: u128,
}

/// What could be folded.
struct Choice {
    segments: Vec<Range<usize>>,
    gained: u128,
    written: u128,
}

/// Which of the segments, ascending and apart, are folded.
pub(crate) fn choose(segments: &[Segment]) -> Vec<Range<usize>> {
    let sum = |of: fn(&Segment) -> u64| segments.iter().map(|it| u128::from(of(it))).sum::<u128>();
    let (over, compacted) = (sum(Segment::over_bytes), sum(|it| it.compacted_bytes));
    let bound = compacted * u128::from(MOST_OVER_PERCENT) / 100;
    let Some(needed) = over.checked_sub(bound).filter(|needed| *needed > 0) else { return Vec::new() };
    // Where runs are short, small groups would cut through the same leaves over and over.
    let mut sizes = vec![1, 4, 16, segments.len()];
    sizes.retain(|size| *size <= segments.len());
    let choices = sizes.into_iter().map(|size| worst(segments, size, needed));
    // Small groups are better unless larger ones gain a quarter more for what they cost: the stretches of a stack
    // then come to be of different ages, and the next time there are worse ones among them.
    let better = |best: Choice, next: Choice| {
        let (next_worth, best_worth) =
            (next.gained.saturating_mul(best.written), best.gained.saturating_mul(next.written));
        if next_worth.saturating_mul(4) > best_worth.saturating_mul(5) { next } else { best }
    };
    choices.reduce(better).map_or_else(Vec::new, |best| best.segments)
}

/// Of groups of so many segments, those with the most to gain for their size, until enough is gained.
fn worst(segments: &[Segment], size: usize, needed: u128) -> Choice {
    let mut groups: Vec<Group> = Vec::new();
    for (number, some) in segments.chunks(size).enumerate() {
        let start = number * size;
        groups.push(Group {
            segments: start..start + some.len(),
            over: some.iter().map(|it| u128::from(it.over_bytes())).sum(),
            compacted: some.iter().map(|it| u128::from(it.compacted_bytes)).sum(),
        });
    }
    let worth = |of: &Group, beside: &Group| of.over.saturating_mul(beside.compacted + 1);
    groups.sort_by(|a, b| worth(b, a).cmp(&worth(a, b)));
    let mut gained = 0;
    let mut chosen = Vec::new();
    for group in groups {
        if gained >= needed {
            break;
        }
        gained += group.over;
        chosen.push(group.segments);
    }
    chosen.sort_by_key(|range| range.start);
    chosen.dedup_by(|later, earlier| {
        let touches = later.start == earlier.end;
        if touches {
            earlier.end = later.end;
        }
        touches
    });
    let cut = |at: usize| segments.get(at).map_or(0, |it| u128::from(it.cut_bytes));
    let written = |range: &Range<usize>| {
        let inside = segments.get(range.clone()).unwrap_or_default().iter();
        inside.map(|it| u128::from(it.compacted_bytes)).sum::<u128>() + cut(range.start) + cut(range.end)
    };
    let written = chosen.iter().map(written).sum::<u128>().max(1);
    Choice { segments: chosen, gained, written }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "stretches are expected")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidemark_testkit::rounds;

    fn segment(base: u64, patches: u64) -> Segment {
        Segment { stack_bytes: base + patches, compacted_bytes: base, cut_bytes: 0 }
    }

    #[test]
    fn nothing_is_folded_before_it_is_worth_it() {
        assert!(choose(&[]).is_empty());
        assert!(choose(&[segment(1000, 250), segment(1000, 0)]).is_empty());
        // A hot stretch alone does not make the whole expensive to read.
        assert!(choose(&[segment(10, 200), segment(1000, 0)]).is_empty());
        assert!(choose(&[segment(0, 0)]).is_empty());
    }

    #[test]
    fn hot_stretches_are_folded_and_cold_ones_are_not() {
        let cold = segment(1000, 10);
        assert_eq!(choose(&[cold, segment(1000, 900), cold]), [1..2]);
        assert_eq!(
            choose(&[cold, segment(500, 900), segment(1000, 1100), cold, segment(100, 800)]),
            [1..3, 4..5]
        );
    }

    #[test]
    fn no_more_is_folded_than_it_takes() {
        let found = choose(&[segment(1000, 400), segment(1000, 240), segment(1000, 390)]);
        assert_eq!(found, [0..1]);
    }

    #[test]
    fn sizes_that_cannot_be_are_no_panic() {
        let huge = Segment { stack_bytes: u64::MAX, compacted_bytes: u64::MAX / 2, cut_bytes: u64::MAX };
        assert_eq!(choose(&[huge; 64]).first().map(|range| range.start), Some(0));
    }

    #[test]
    fn deleted_documents_count() {
        let deleted = Segment { stack_bytes: 1010, compacted_bytes: 100, cut_bytes: 0 };
        assert_eq!(choose(&[segment(1000, 0), deleted]), [1..2]);
        assert_eq!(choose(&[Segment { stack_bytes: 10, ..Segment::default() }]), [0..1]);
    }

    #[test]
    fn what_would_be_cut_out_of_the_same_leaves_again_and_again_is_folded_at_once() {
        let mixed = Segment { cut_bytes: 50_000, ..segment(1000, 300) };
        assert_eq!(choose(&[mixed; 64]), [0..64]);
    }

    /// A stack as the planner sees it: for each segment, base and patches.
    struct Simulated {
        base: Vec<u64>,
        patches: Vec<u64>,
        /// Of a run, when it is cut.
        leaf_bytes: u64,
        changed: u64,
        written: u64,
    }

    impl Simulated {
        fn segments(&self) -> Vec<Segment> {
            let cut_bytes = self.leaf_bytes;
            let both = self.base.iter().zip(&self.patches);
            both.map(|(base, patches)| Segment { cut_bytes, ..segment(*base, *patches) }).collect()
        }

        fn change(&mut self, at: usize, bytes: u64) {
            self.patches[at] += bytes;
            self.changed += bytes;
            self.written += bytes;
        }

        fn compact(&mut self) {
            for range in choose(&self.segments()) {
                let edges = [range.start > 0, range.end < self.base.len()];
                self.written += self.leaf_bytes * edges.into_iter().filter(|it| *it).count() as u64;
                for at in range {
                    self.written += self.base[at];
                    self.patches[at] = 0;
                }
            }
        }

        fn over_percent(&self) -> u64 {
            let base = self.base.iter().sum::<u64>().max(1);
            self.patches.iter().sum::<u64>() * 100 / base
        }
    }

    /// Where changes fall: everywhere, in some places, at the end, ever further on.
    fn places() -> impl Strategy<Value = Vec<Vec<(usize, u64)>>> {
        let everywhere = (1_u64..40_000).prop_map(|bytes| (0..48).map(|at| (at, bytes)).collect::<Vec<_>>());
        let some = prop::collection::vec((0_usize..48, 1_u64..200_000), 1..10);
        let last = (1_u64..500_000).prop_map(|bytes| vec![(47, bytes)]);
        let round = prop_oneof![3 => everywhere, 2 => some, 1 => last];
        prop::collection::vec(round, 1..120)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(rounds(200)))]

        #[test]
        fn reading_and_writing_stay_bounded_whatever_happens(
            bases in prop::collection::vec(0_u64..1_000_000, 48),
            leaf_bytes in prop_oneof![Just(0_u64), 1_u64..20_000],
            rounds in places(),
        ) {
            let mut stack = Simulated { base: bases, patches: vec![0; 48], leaf_bytes, changed: 0, written: 0 };
            for round in rounds {
                for (at, bytes) in round {
                    stack.change(at, bytes);
                }
                stack.compact();
                prop_assert!(stack.over_percent() <= MOST_OVER_PERCENT);
                prop_assert!(stack.written <= stack.changed * 6 + 6, "{} of {}", stack.written, stack.changed);
            }
        }
    }

    #[test]
    fn even_changes_are_folded_a_part_at_a_time_and_cost_less_than_the_bound() {
        let mut stack = Simulated {
            base: vec![1_000_000; 32],
            patches: vec![0; 32],
            leaf_bytes: 0,
            changed: 0,
            written: 0,
        };
        let mut most = 0;
        for round in 0..200 {
            (0..32).for_each(|at| stack.change(at, 20_000));
            let before = stack.written;
            stack.compact();
            if round > 100 {
                most = most.max(stack.written - before);
            }
            assert!(stack.over_percent() <= MOST_OVER_PERCENT);
        }
        assert!(stack.written < stack.changed * 4, "{} of {}", stack.written, stack.changed);
        assert!(most < 8_000_000, "{most} bytes at once");
    }
}
