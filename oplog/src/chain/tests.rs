//! The judgements, by name and against a plain account that knows every entry.

use super::*;
use crate::slice::{Digest, Slice, SliceWriter};
use proptest::collection::vec;
use proptest::prelude::*;
use tidemark_base::bson::{Doc, DocWriter};

fn at(ts: u64, term: i64) -> OpTime {
    OpTime { ts: Timestamp::from_u64(ts), term }
}

/// An entry: where it stands, and what it says.
type Entry = (OpTime, i64);

fn slice(after: Link, entries: &[Entry]) -> Slice {
    let mut writer = SliceWriter::new(after);
    for (at, says) in entries {
        let mut bytes = Vec::new();
        let mut doc = DocWriter::new(&mut bytes);
        let open = doc.begin();
        doc.timestamp(b"ts", at.ts);
        doc.int64(b"t", at.term);
        doc.int64(b"o", *says);
        doc.end(open);
        writer.push(Doc::new(&bytes).unwrap()).unwrap();
    }
    writer.finish().unwrap()
}

/// Slices of the entries, cut before these numbers.
fn cut(start: Link, entries: &[Entry], cuts: &[usize]) -> Vec<Header> {
    let mut headers = Vec::new();
    let mut after = start;
    let mut from = 0;
    for to in cuts.iter().copied().chain([entries.len()]) {
        if from < to && to <= entries.len() {
            let header = slice(after, &entries[from..to]).header;
            after = header.end();
            headers.push(header);
            from = to;
        }
    }
    headers
}

/// Twelve entries at 10, 20, … 120 in four slices of three, after a beginning at 5.
fn twelve() -> (Link, Vec<Entry>, Vec<Header>) {
    let entries: Vec<Entry> = (1..=12).map(|it| (at(10 * it, 1), 0)).collect();
    let start = Link::genesis(at(5, 1));
    let headers = cut(start, &entries, &[3, 6, 9]);
    (start, entries, headers)
}

fn found(slices: &[Header]) -> Vec<(usize, Judgement)> {
    check(slices).into_iter().map(|it| (it.index, it.judgement)).collect()
}

#[test]
fn a_whole_chain_has_no_problems() {
    let (start, _, headers) = twelve();
    assert_eq!(headers.len(), 4);
    assert_eq!(check(&headers), []);
    assert_eq!(check(&headers[1..]), []);
    assert_eq!(judge(&start, None, &headers[0]), Judgement::Appends);
}

#[test]
fn a_missing_slice_is_a_gap_with_both_ends() {
    let (_, _, mut headers) = twelve();
    headers.remove(1);
    let gap = Judgement::Gap { expected: at(30, 1), found: at(60, 1) };
    assert_eq!(found(&headers), [(1, gap)]);
    let text = check(&headers)[0].to_string();
    assert_eq!(
        text,
        "slice 1 of 0,70 term 1 to 0,90 term 1: gap: entries after 0,30 term 1 up to 0,60 term 1 are missing"
    );
}

#[test]
fn a_slice_that_comes_again_is_a_duplicate() {
    let (_, _, headers) = twelve();
    let [a, b, c, d] = headers[..] else { panic!("four slices") };
    assert_eq!(found(&[a, b, b, c, d]), [(2, Judgement::Duplicate)]);
    assert_eq!(found(&[a, b, c, a, d]), [(3, Judgement::Duplicate)]);
}

#[test]
fn a_slice_cut_otherwise_is_an_overlap() {
    let (_, entries, headers) = twelve();
    let from_inside = slice(headers[0].end(), &entries[3..8]).header;
    let overlap = Judgement::Overlap { until: at(60, 1) };
    assert_eq!(found(&[headers[0], headers[1], from_inside]), [(2, overlap)]);
    // The tail of what is there, with the digest of nobody.
    let tail = slice(Link { at: at(50, 1), digest: Digest([9; 32]) }, &entries[5..6]).header;
    assert_eq!(judge(&headers[1].end(), None, &tail), overlap);
    // The chain goes on as if it had not come between.
    assert_eq!(found(&[headers[0], headers[1], tail, headers[2]]), [(2, overlap)]);
    // One that ends later is what the chain goes on from.
    let next = slice(from_inside.end(), &entries[8..10]).header;
    assert_eq!(found(&[headers[0], headers[1], from_inside, next]), [(2, overlap)]);
}

#[test]
fn after_a_rollback_slices_of_the_new_history_are_forks() {
    let (start, entries, headers) = twelve();
    let tip = headers[3].end();
    // The common point is 60; from there on a new term.
    let mut other = entries[..6].to_vec();
    other.extend([(at(80, 2), 1), (at(90, 2), 1), (at(125, 2), 1)]);
    let forked = cut(start, &other, &[3, 6]);
    assert_eq!(forked[..2], headers[..2]);
    let fork = |judgement| matches!(judgement, Judgement::Fork { .. });
    assert!(fork(judge(&tip, None, &forked[2])), "its end is newer, its term is");
    // The new history goes on beyond the tip: no gap.
    let later = slice(forked[2].end(), &[(at(130, 2), 1)]).header;
    assert!(matches!(judge(&tip, None, &later), Judgement::Gap { .. }), "headers cannot tell");
    let older = slice(Link { at: at(125, 0), digest: Digest([9; 32]) }, &[(at(130, 0), 1)]).header;
    assert_eq!(judge(&tip, None, &older), Judgement::Fork { at: at(125, 0) });
    // The same timestamp under another term.
    let same = slice(Link { at: at(120, 2), digest: tip.digest }, &[(at(130, 2), 1)]).header;
    assert_eq!(judge(&tip, None, &same), Judgement::Fork { at: at(120, 2) });
    // The same position, reached otherwise.
    let same = slice(Link { at: at(120, 1), digest: Digest([9; 32]) }, &[(at(130, 1), 1)]).header;
    assert_eq!(judge(&tip, None, &same), Judgement::Fork { at: at(120, 1) });
    // It says that nothing lies between 110 and 130.
    let hole = slice(Link { at: at(110, 1), digest: Digest([9; 32]) }, &[(at(130, 1), 1)]).header;
    assert_eq!(judge(&tip, None, &hole), Judgement::Fork { at: at(120, 1) });
    // Cut alike, and other entries between.
    let inside = slice(headers[2].end(), &[entries[9], (at(115, 1), 0), entries[11]]).header;
    assert_eq!(judge(&tip, Some(&headers[3]), &inside), Judgement::Fork { at: at(100, 1) });
    // What is stored says that nothing lies between 60 and 70.
    let after = Link { at: at(65, 1), digest: Digest([9; 32]) };
    let inside = slice(after, &[entries[6], (at(75, 1), 0)]).header;
    assert_eq!(judge(&tip, Some(&headers[2]), &inside), Judgement::Fork { at: at(65, 1) });
}

/// The chain and a slice, every entry known.
#[derive(Debug)]
struct World {
    chain: Vec<Header>,
    entries: Vec<Entry>,
    slice: Header,
    slice_entries: Vec<Entry>,
}

impl World {
    /// Whether one history can hold both: every position up to the shorter one's end, from where the slice
    /// begins to tell, is in both or in neither, and says the same.
    fn one_history(&self, start: Link) -> bool {
        let known_from = self.slice.previous.at;
        let until = self.chain.last().map_or(start, Header::end).at.ts.min(self.slice.last.ts);
        let told = |entries: &[Entry]| -> Vec<Entry> {
            entries.iter().copied().filter(|(at, _)| at.ts > known_from.ts && at.ts <= until).collect()
        };
        let begins_right = known_from == start.at
            || known_from.ts > until
            || self.entries.iter().any(|(at, _)| *at == known_from);
        let terms_grow = self.entries.last().is_none_or(|(at, _)| {
            at.ts > self.slice.previous.at.ts || at.term <= self.slice.previous.at.term
        });
        begins_right && terms_grow && told(&self.entries) == told(&self.slice_entries)
    }
}

fn history(steps: &[(u64, bool)], from: OpTime) -> Vec<Entry> {
    let mut position = from;
    let step = |&(step, election): &(u64, bool)| {
        position = at(position.ts.to_u64() + step, position.term + i64::from(election));
        (position, position.term)
    };
    steps.iter().map(step).collect()
}

fn worlds() -> impl Strategy<Value = World> {
    let steps = || vec((1u64..4, prop::bool::weighted(0.15)), 2..16);
    let cuts = || vec(0usize..16, 0..5);
    (steps(), steps(), cuts(), cuts(), 0usize..16, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(steps, other, mut cuts, mut other_cuts, common, pick, forks)| {
            cuts.sort_unstable();
            other_cuts.sort_unstable();
            let start = Link::genesis(at(5, 1));
            let whole = history(&steps, start.at);
            // The chain is the beginning of the whole history; the slice is cut from all of it, or from one
            // that leaves it at some point.
            let entries = whole[..whole.len().div_ceil(2)].to_vec();
            let theirs = if forks {
                let common = &whole[..common.min(whole.len())];
                let from = common.last().map_or(start.at, |(at, _)| *at);
                [common, &history(&other, at(from.ts.to_u64(), from.term + 1))].concat()
            } else {
                whole
            };
            let slices = cut(start, &theirs, if pick.index(2) == 0 { &cuts } else { &other_cuts });
            let slice = slices[pick.index(slices.len())];
            let within = |(at, _): &Entry| at.ts >= slice.first.ts && at.ts <= slice.last.ts;
            let slice_entries = theirs.into_iter().filter(within).collect();
            World { chain: cut(start, &entries, &cuts), entries, slice, slice_entries }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_judgement_is_true_of_the_entries(world in worlds()) {
        let start = Link::genesis(at(5, 1));
        let tip = world.chain.last().map_or(start, Header::end);
        let stored = world.chain.iter().find(|it| it.first.ts == world.slice.first.ts);
        let there = world.chain.iter().any(|it| it.digest == world.slice.digest);
        let same = world.one_history(start);
        match judge(&tip, stored, &world.slice) {
            Judgement::Appends => prop_assert!(same && world.slice.previous == tip),
            Judgement::Duplicate => prop_assert!(there && same),
            Judgement::Gap { expected, found } => {
                prop_assert!(expected == tip.at && found == world.slice.previous.at && found.ts > tip.at.ts);
            }
            Judgement::Overlap { until } => {
                prop_assert!(until == tip.at && world.slice.previous.at.ts < tip.at.ts && !there);
            }
            Judgement::Fork { .. } => {
                // Of another history; or cut otherwise, and the tip reached another way.
                let other_way = world.slice.previous.at == tip.at && world.slice.previous != tip;
                prop_assert!(!same || other_way, "{same}");
                prop_assert!(!there);
            }
        }
        // And the other way round, where there is only one right answer.
        if world.slice.previous == tip {
            prop_assert_eq!(judge(&tip, stored, &world.slice), Judgement::Appends);
        }
        if there {
            prop_assert_eq!(judge(&tip, stored, &world.slice), Judgement::Duplicate);
        }
    }

    #[test]
    fn nothing_is_found_exactly_where_each_follows_the_one_before(
        world in worlds(), order in vec(any::<prop::sample::Index>(), 0..6), shuffle in any::<bool>(),
    ) {
        let mut list = world.chain.clone();
        if shuffle {
            list.push(world.slice);
            list = order.iter().map(|it| list[it.index(list.len())]).collect();
        }
        let chained = list.windows(2).all(|pair| pair[0].end() == pair[1].previous);
        prop_assert_eq!(check(&list).is_empty(), chained);
    }
}
