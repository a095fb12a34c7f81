//! Histories: what processes do with a store, one step after the other, chosen by a seed.

use crate::sim::machine::Death;
use tidemark_base::SeededEntropy;

/// One step of a process. A step that needs an open store or session opens it first.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Opens a session; with a pin on one of the refs, if there are any.
    Session { pin: Option<u64> },
    /// Puts some leaves, from `first` on, and perhaps a node over what the session has.
    Put { first: u64, count: u64, node: bool },
    /// Makes durable what was put.
    Sync,
    /// Sets some refs to a node over what the session has, and deletes some.
    Publish { set: u64, delete: u64, value_len: u64 },
    /// Deletes a ref.
    Delete { name: u64 },
    /// Keeps only the newest node of the session.
    Checkpoint,
    /// Ends the session.
    End,
    /// Collects garbage.
    Collect { sweep: bool },
    /// Closes the store, its session first.
    Close,
    /// The process is killed after some more operations of the disk.
    Kill { after: u64, death: Death },
}

/// A step and who does it.
pub(crate) type Act = (usize, Step);

/// A history. Sizes and contents are few, so that blocks are shared and packs become sparse.
pub(crate) fn history(seed: u64, len: usize, with_kills: bool) -> Vec<Act> {
    let mut random = SeededEntropy::new(seed);
    (0..len).map(|_| (usize::from(random.below(4) == 0), step(&mut random, with_kills))).collect()
}

fn step(random: &mut SeededEntropy, with_kills: bool) -> Step {
    match random.below(100) {
        0..8 => Step::Session { pin: (random.below(3) == 0).then(|| random.below(4)) },
        8..34 => {
            Step::Put { first: random.below(24), count: 1 + random.below(4), node: random.below(3) == 0 }
        }
        34..46 => Step::Sync,
        46..64 => {
            Step::Publish { set: 1 + random.below(3), delete: random.below(2), value_len: random.below(1500) }
        }
        64..67 => Step::Delete { name: random.below(4) },
        67..71 => Step::Checkpoint,
        71..79 => Step::End,
        79..90 => Step::Collect { sweep: random.below(3) == 0 },
        90..94 => Step::Close,
        _ if with_kills => {
            let death = [Death::Before, Death::Within, Death::After][random.below(3) as usize];
            Step::Kill { after: random.below(12), death }
        }
        _ => Step::Sync,
    }
}
