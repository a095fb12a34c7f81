//! Breadth-first search over every state the model can reach, with an exact visited set.
//!
//! Called by the tests of this target. States are found in order of distance, so the first wanted state is
//! one of those nearest to the start and its trace is a shortest one. The set holds whole canonical forms,
//! never only their hashes: nothing is left out by chance. It does not know what the steps mean.

use crate::canonical::{key, representative};
use crate::state::State;
use crate::step::{Step, successors};
use crate::world::World;

/// What a search found.
pub(crate) struct Outcome {
    /// How many different states were reached.
    pub(crate) states: usize,
    /// How many steps from the start the search went.
    pub(crate) depth: usize,
    /// A shortest way to a wanted state: each step and the state after it.
    pub(crate) trace: Option<Vec<(Step, State)>>,
}

/// Searches until a step to a new state is `wanted`, all states are known, or the world's steps are up.
pub(crate) fn explore(world: &World, wanted: impl Fn(&Step, &State) -> bool) -> Outcome {
    let mut visited = Visited { keys: Vec::new(), parents: Vec::new(), slots: vec![EMPTY; 1 << 10] };
    visited.insert(key(world, &State::initial()), 0);
    let (mut next, mut goal) = (Vec::new(), None);
    let (mut at, mut depth, mut level_end) = (0, 0, 1);
    while at < visited.keys.len() && goal.is_none() {
        if at == level_end {
            level_end = visited.keys.len();
            depth += 1;
        }
        if Some(depth) == world.steps {
            break;
        }
        next.clear();
        successors(world, &representative(visited.keys[at]), &mut next);
        for (step, state) in &next {
            if visited.insert(key(world, state), at) && wanted(step, state) {
                goal = Some(visited.keys.len() - 1);
                break;
            }
        }
        at += 1;
    }
    let trace = goal.map(|goal| visited.trace(world, goal));
    Outcome { states: visited.keys.len(), depth, trace }
}

const EMPTY: u32 = u32::MAX;

/// The forms found, the number of the one each was found from, and an open hash table of their numbers.
struct Visited {
    keys: Vec<u128>,
    parents: Vec<u32>,
    slots: Vec<u32>,
}

impl Visited {
    /// Adds a form; false if it was there.
    fn insert(&mut self, key: u128, parent: usize) -> bool {
        let slot = self.slot_of(key);
        if self.slots[slot] != EMPTY {
            return false;
        }
        self.slots[slot] = number(self.keys.len());
        self.keys.push(key);
        self.parents.push(number(parent));
        if self.keys.len() * 2 > self.slots.len() {
            self.slots = vec![EMPTY; self.slots.len() * 2];
            for at in 0..self.keys.len() {
                let slot = self.slot_of(self.keys[at]);
                self.slots[slot] = number(at);
            }
        }
        true
    }

    /// The slot that holds this form's number, or the free one where it belongs.
    fn slot_of(&self, key: u128) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash(key) & mask;
        while self.slots[slot] != EMPTY && self.keys[self.slots[slot] as usize] != key {
            slot = (slot + 1) & mask;
        }
        slot
    }

    /// The numbers of the forms from the start to this one.
    fn path(&self, mut at: usize) -> Vec<usize> {
        let mut path = vec![at];
        while at != 0 {
            at = self.parents[at] as usize;
            path.push(at);
        }
        path.reverse();
        path
    }

    /// The way to a form, walked again without renaming, so that the names in the steps stay what they were.
    fn trace(&self, world: &World, goal: usize) -> Vec<(Step, State)> {
        let mut state = State::initial();
        let walk = self.path(goal).into_iter().skip(1).map(|at| {
            let mut next = Vec::new();
            successors(world, &state, &mut next);
            let taken = next.into_iter().find(|(_, after)| key(world, after) == self.keys[at]);
            let (step, after) = taken.expect("equal forms have equal futures");
            state = after;
            (step, after)
        });
        walk.collect()
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).ok().filter(|&number| number != EMPTY).expect("fewer than 4 billion states")
}

/// Two rounds of multiply and fold; the keys are small numbers in fixed places, so every bit must travel.
#[expect(clippy::cast_possible_truncation, reason = "a hash takes any bits")]
fn hash(key: u128) -> usize {
    let folded = (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (key >> 64) as u64;
    let wide = u128::from(folded) * 0xd6e8_feb8_6659_fd93;
    (wide ^ (wide >> 64)) as usize
}
