//! A stack cut into segments of keys, with what lies in each, by what is known of its runs. Pure.
//!
//! Segments begin where parts of runs do, so that few leaves are cut through. A part of a run that reaches over
//! several segments is shared out among them by how much of the base lies in each.

#![warn(clippy::indexing_slicing)]

use super::plan::Segment;
use crate::run::{KeyRange, OutlinePart as Part};

/// About so many segments have the base to themselves, and so many again the patches: where patches are dense,
/// segments are small.
pub(super) const SEGMENTS: u64 = 32;
/// What a segment has at least, in bytes; but the last.
const FEWEST_BYTES: u64 = 256 << 10;

/// What is known of a run.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Its parts, by key.
    pub(super) parts: Vec<Part>,
    /// They are single items, each of which lies where it begins; else each reaches up to the next.
    pub(super) is_exact: bool,
    /// The last key, if it is known.
    pub(super) last: Option<Vec<u8>>,
    /// How much of its leaves was looked at, in bytes, and how much that is as it is stored.
    pub(super) plain_bytes: u64,
    pub(super) stored_bytes: u64,
    /// How long a leaf of it is, in bytes.
    pub(super) leaf_bytes: u64,
}

impl Measured {
    fn total(&self) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.plain_bytes))
    }
}

/// How much shorter something is as it is stored.
#[derive(Clone, Copy, Debug)]
struct Ratio {
    plain: u64,
    stored: u64,
}

impl Ratio {
    fn of<'m>(runs: impl Iterator<Item = &'m Measured>) -> Self {
        let sum = runs.fold((0_u64, 0_u64), |(plain, stored), run| {
            (plain.saturating_add(run.plain_bytes), stored.saturating_add(run.stored_bytes))
        });
        match sum {
            (0, _) | (_, 0) => Self { plain: 1, stored: 1 },
            (plain, stored) => Self { plain, stored },
        }
    }

    fn stored(self, plain: u64) -> u64 {
        share(plain, self.stored, self.plain)
    }
}

/// `amount` · `part` / `whole`.
fn share(amount: u64, part: u64, whole: u64) -> u64 {
    let shared = u128::from(amount) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(shared).unwrap_or(u64::MAX)
}

/// What lies in a segment of one run.
#[derive(Clone, Copy, Debug, Default)]
struct Lies {
    items: u64,
    plain_bytes: u64,
    gone: u64,
    fresh_bytes: u64,
}

/// The segments of a stack, from the first key to the last.
pub(crate) fn segments(base: Option<&Measured>, patches: &[Measured]) -> Vec<(KeyRange, Segment)> {
    let starts = starts(base, patches);
    let count = starts.len() + 1;
    let base_lies = base.map_or_else(|| vec![Lies::default(); count], |run| spread(run, &starts, None));
    let weights: Vec<u64> = base_lies.iter().map(|it| it.plain_bytes).collect();
    let patches_lie: Vec<Vec<Lies>> =
        patches.iter().map(|run| spread(run, &starts, Some(&weights))).collect();
    let base_ratio = Ratio::of(base.into_iter());
    // What was folded before tells best how documents compress; else what there is.
    let base_ratio =
        if base.is_some_and(|it| it.stored_bytes > 0) { base_ratio } else { Ratio::of(patches.iter()) };
    let items = base_lies.iter().map(|it| it.items).sum();
    let mean_bytes = share(weights.iter().sum(), 1, items);
    let mut found = Vec::with_capacity(count);
    for (number, base) in base_lies.iter().enumerate() {
        let mut stack_bytes = base_ratio.stored(base.plain_bytes);
        let (mut documents, mut cut_bytes) = (base.plain_bytes, 0_u64);
        let mut gone = 0_u64;
        for (run, lies) in patches.iter().zip(&patches_lie) {
            let Some(here) = lies.get(number) else { continue };
            let ratio = if run.stored_bytes > 0 { Ratio::of([run].into_iter()) } else { base_ratio };
            stack_bytes = stack_bytes.saturating_add(ratio.stored(here.plain_bytes));
            documents = documents.saturating_add(here.fresh_bytes);
            gone = gone.saturating_add(here.gone);
            let before = number.checked_sub(1).and_then(|before| lies.get(before));
            if here.plain_bytes > 0 && before.is_some_and(|before| before.plain_bytes > 0) {
                cut_bytes = cut_bytes.saturating_add(ratio.stored(run.leaf_bytes));
            }
        }
        let mean = base.plain_bytes.checked_div(base.items).unwrap_or(mean_bytes);
        let left = documents.saturating_sub(gone.saturating_mul(mean));
        let compacted_bytes = base_ratio.stored(left);
        let from = number.checked_sub(1).and_then(|at| starts.get(at)).cloned();
        let range = KeyRange { from, before: starts.get(number).cloned() };
        found.push((range, Segment { stack_bytes, compacted_bytes, cut_bytes }));
    }
    found
}

/// Where segments begin, but the first.
fn starts(base: Option<&Measured>, patches: &[Measured]) -> Vec<Vec<u8>> {
    let in_base = base.map_or(0, Measured::total);
    let in_patches = patches.iter().fold(0, |sum: u64, run| sum.saturating_add(run.total()));
    let of_base = base.into_iter().flat_map(|run| &run.parts).map(|part| (part, in_base));
    let of_patches = patches.iter().flat_map(|run| &run.parts).map(|part| (part, in_patches));
    let mut parts: Vec<(&Part, u64)> = of_base.chain(of_patches).collect();
    parts.sort_by(|(a, _), (b, _)| a.from.cmp(&b.from));
    let unit = 1 << 20;
    let (mut weight, mut bytes, mut starts) = (0_u64, 0_u64, Vec::<Vec<u8>>::new());
    for (part, whole) in parts {
        let is_later = starts.last().map_or(&[][..], Vec::as_slice) < part.from.as_slice();
        if weight >= unit && bytes >= FEWEST_BYTES && is_later {
            starts.push(part.from.clone());
            (weight, bytes) = (0, 0);
        }
        weight = weight.saturating_add(share(part.plain_bytes, SEGMENTS * unit, whole));
        bytes = bytes.saturating_add(part.plain_bytes);
    }
    starts
}

/// What of a run lies in each segment. Where a part reaches over several, they share it by `weights`, or evenly.
fn spread(run: &Measured, starts: &[Vec<u8>], weights: Option<&[u64]>) -> Vec<Lies> {
    let mut found = vec![Lies::default(); starts.len() + 1];
    let mut parts = run.parts.iter().peekable();
    while let Some(part) = parts.next() {
        let first = starts.partition_point(|start| *start <= part.from);
        let end = match (parts.peek(), &run.last) {
            _ if run.is_exact => first,
            (Some(next), _) => starts.partition_point(|start| *start < next.from),
            (None, Some(last)) => starts.partition_point(|start| start <= last),
            (None, None) => starts.len(),
        };
        let over = first..=end.max(first);
        let weight =
            |at: usize| weights.and_then(|weights| weights.get(at)).copied().unwrap_or(0).saturating_add(1);
        let whole = over.clone().fold(0_u64, |sum, at| sum.saturating_add(weight(at)));
        let mut before = 0_u64;
        for at in over {
            let upto = before.saturating_add(weight(at));
            // By sums, so that nothing is lost by rounding.
            let of = |amount: u64| share(amount, upto, whole) - share(amount, before, whole);
            if let Some(lies) = found.get_mut(at) {
                lies.items += of(part.items);
                lies.plain_bytes += of(part.plain_bytes);
                lies.gone += of(part.gone);
                lies.fresh_bytes += of(part.fresh_bytes);
            }
            before = upto;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A run of parts of 1 MiB that begin at these keys; of patches, each with so much that is new and so many
    /// that leave nothing.
    fn run(from: impl Iterator<Item = u16>, fresh_bytes: u64, gone: u64) -> Measured {
        let part = |from: u16| {
            let from = if from == 0 { Vec::new() } else { from.to_be_bytes().to_vec() };
            Part::made_up(from, 1024, MIB, gone, fresh_bytes)
        };
        let parts = from.map(part).collect();
        Measured { parts, is_exact: false, last: None, plain_bytes: 100, stored_bytes: 50, leaf_bytes: 1000 }
    }

    fn sums(segments: &[(KeyRange, Segment)]) -> (u64, u64) {
        let sum = |of: fn(&Segment) -> u64| segments.iter().map(|(_, it)| of(it)).sum();
        (sum(|it| it.stack_bytes), sum(|it| it.compacted_bytes))
    }

    #[test]
    fn segments_lie_on_each_other_without_gaps_and_have_everything() {
        let base = run(0..640, 0, 0);
        let patches = [run((0..640).step_by(10), 0, 0), run(600..640, 0, 0)];
        let found = segments(Some(&base), &patches);
        assert!((40..80).contains(&found.len()), "{}", found.len());
        assert!(found[0].0.from.is_none() && found[found.len() - 1].0.before.is_none());
        assert!(found.windows(2).all(|pair| pair[0].0.before == pair[1].0.from));
        let (stack, compacted) = sums(&found);
        // All is stored in half its length; rounding may lose a byte for each run and segment.
        assert!((744 * MIB / 2 - 200..=744 * MIB / 2).contains(&stack), "{stack}");
        assert!((640 * MIB / 2 - 100..=640 * MIB / 2).contains(&compacted), "{compacted}");
        // Where patches are dense, segments are smaller.
        let from_600 =
            found.iter().filter(|(range, _)| range.from.as_deref() >= Some(&600_u16.to_be_bytes()[..]));
        assert!(from_600.count() > 10);
    }

    #[test]
    fn new_documents_are_no_burden_and_deleted_ones_are() {
        let base = run(0..64, 0, 0);
        let (stack, compacted) = sums(&segments(Some(&base), &[run(64..80, MIB, 0)]));
        assert!(stack - compacted < 200, "{stack} {compacted}");
        // 512 of the 1024 documents in every fourth part.
        let (stack, compacted) = sums(&segments(Some(&base), &[run((0..64).step_by(4), 0, 512)]));
        let expected = 64 * MIB / 2 - 16 * MIB / 4;
        assert!(compacted.abs_diff(expected) < 1000, "{stack} {compacted} {expected}");
        // Without a base, too.
        let (stack, compacted) = sums(&segments(None, &[run(0..16, MIB, 0), run(0..2, 0, 0)]));
        assert!((stack - compacted).abs_diff(MIB) < 200, "{stack} {compacted}");
    }

    #[test]
    fn patches_burden_the_segments_they_lie_in() {
        let base = run(0..64, 0, 0);
        let key = |n: u16| n.to_be_bytes().to_vec();
        let burdened = |patches: &Measured| {
            let found = segments(Some(&base), std::slice::from_ref(patches));
            let over = found.into_iter().filter(|(_, it)| it.stack_bytes > it.compacted_bytes + 1000);
            over.map(|(range, _)| range).collect::<Vec<_>>()
        };
        // A few items far apart.
        let parts = [5, 50].map(|n| Part::made_up(key(n), 1, MIB, 0, 0)).to_vec();
        let found = burdened(&Measured { parts, is_exact: true, ..base.clone() });
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains(&key(5)) && found[1].contains(&key(50)));
        // A leaf in a narrow stretch.
        let parts = vec![Part::made_up(key(30), 1000, MIB, 0, 0)];
        let found = burdened(&Measured { parts, last: Some(key(31)), ..base.clone() });
        assert!(found.len() <= 2 && found.iter().any(|range| range.contains(&key(30))), "{found:?}");
    }

    #[test]
    fn a_small_stack_is_one_segment() {
        let mut base = run(0..1, 0, 0);
        base.parts[0].plain_bytes = 1000;
        assert_eq!(segments(Some(&base), &[]).len(), 1);
        assert_eq!(segments(None, &[]).len(), 1);
    }
}
