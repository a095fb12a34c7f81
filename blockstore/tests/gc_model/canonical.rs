//! The canonical form of a state, packed into 128 bits: what the explorer stores and compares.
//!
//! Situations that differ only in names have the same form, so the search meets each of them once:
//! epochs are only ever compared, so they are renumbered in their order; a `te` older than everything that
//! it can be compared with is 0; packs and writers are sorted; a pack that is gone and that nobody remembers
//! gives its place to a new id; what a plan can no longer do is dropped. The number of collections and of
//! packs ever made is therefore not bounded, only the number of packs that exist at once.

use crate::collector::{can_condemn, can_delete, can_rewrite};
use crate::packed::{pack, unpack};
use crate::state::{Collector, Epoch, MAX_PACKS, NONE, Pack, PackId, PackState, Phase, Plan, Process, State};
use crate::world::World;

/// The packed canonical form.
pub(crate) fn key(world: &World, state: &State) -> u128 {
    let mut state = *state;
    renumber_epochs(&mut state);
    let mut other = state;
    other.writers.swap(0, 1);
    sort_packs(world, &mut state);
    sort_packs(world, &mut other);
    pack(&state).min(pack(&other))
}

/// A state of this form.
pub(crate) fn representative(key: u128) -> State {
    unpack(key)
}

/// Drops what can have no more effect: dead plans, a collection with nothing left to do, forgotten packs.
pub(crate) fn settle(world: &World, state: &mut State) {
    if state.collector.phase == Phase::Marked {
        for id in 0..MAX_PACKS {
            let alive = match state.collector.plan[id] {
                Plan::Keep => true,
                Plan::Condemn => can_condemn(world, state, id),
                Plan::Rewrite => can_rewrite(world, state, id),
                Plan::Delete => can_delete(world, state, id),
            };
            if !alive {
                state.collector.plan[id] = Plan::Keep;
            }
        }
        let collector = &mut state.collector;
        let rewrites = collector.plan.contains(&Plan::Rewrite) || collector.source.place().is_some();
        if !rewrites {
            collector.marked = NONE;
        }
        let tests = rewrites || collector.plan.contains(&Plan::Condemn);
        if !tests {
            collector.oldest = 0;
        }
        if !tests && !collector.plan.contains(&Plan::Delete) && collector.unsynced == PackId::NONE {
            *collector = Collector::default();
        }
    }
    for id in 0..MAX_PACKS {
        if state.packs[id].state == PackState::Gone && !state.is_remembered(id) {
            state.packs[id] = Pack::default();
        }
    }
}

/// Renumbers all epochs from 1 in their order; a `te` below all sessions, `m` and `E` becomes 0.
fn renumber_epochs(state: &mut State) {
    let mut floor = state.epoch;
    let mut used = 1_u64 << state.epoch;
    let mut holders: [Epoch; 4] = [0; 4];
    for (holder, writer) in holders.iter_mut().zip(&state.writers) {
        if writer.process != Process::Down || writer.session.open {
            *holder = writer.session.epoch;
        }
    }
    if state.reader.open {
        holders[2] = state.reader.epoch;
    }
    holders[3] = state.collector.oldest;
    for &holder in holders.iter().filter(|&&holder| holder != 0) {
        floor = floor.min(holder);
        used |= 1 << holder;
    }
    for pack in &mut state.packs {
        pack.touched = if pack.touched < floor { 0 } else { pack.touched };
        used |= 1 << pack.touched;
    }
    used &= !1;
    let rank = |epoch: &mut Epoch| {
        if *epoch != 0 {
            let below = used & ((1 << *epoch) - 1);
            *epoch = 1 + u8::try_from(below.count_ones()).expect("fewer than 64 epochs");
        }
    };
    rank(&mut state.epoch);
    rank(&mut state.collector.oldest);
    rank(&mut state.reader.epoch);
    state.writers.iter_mut().for_each(|writer| rank(&mut writer.session.epoch));
    state.packs.iter_mut().for_each(|pack| rank(&mut pack.touched));
}

/// Sorts the packs and carries everything that names one along.
fn sort_packs(world: &World, state: &mut State) {
    let old = *state;
    let mut order: [usize; MAX_PACKS] = std::array::from_fn(|place| place);
    order[..world.packs].sort_by_key(|&place| rank_of_pack(&old, place));
    let mut moved = [PackId::NONE; MAX_PACKS];
    for (to, &from) in order.iter().enumerate() {
        state.packs[to] = old.packs[from];
        state.collector.plan[to] = old.collector.plan[from];
        moved[from] = PackId::of(to);
    }
    let follow = |id: &mut PackId| *id = id.place().map_or(PackId::NONE, |place| moved[place]);
    for writer in &mut state.writers {
        follow(&mut writer.pack);
        follow(&mut writer.seen.1);
    }
    follow(&mut state.collector.source);
    follow(&mut state.collector.target);
    follow(&mut state.collector.unsynced);
}

/// All that tells a pack from another: packs of equal rank can change places unseen.
fn rank_of_pack(state: &State, place: usize) -> u32 {
    let (pack, collector, id) = (&state.packs[place], &state.collector, PackId::of(place));
    let [first, second] = &state.writers;
    let names = [
        first.pack,
        second.pack,
        first.seen.1,
        second.seen.1,
        collector.source,
        collector.target,
        collector.unsynced,
    ];
    let fields = [pack.state as u8, pack.touched, pack.bytes, pack.rows, collector.plan[place] as u8];
    let rank = fields.iter().fold(0, |rank, &field| rank << 4 | u32::from(field));
    names.iter().fold(rank, |rank, &name| rank << 1 | u32::from(name == id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explorer::explore;
    use crate::step::successors;
    use std::collections::BTreeSet;

    /// The keys of everything that can follow.
    fn futures(world: &World, state: &State) -> BTreeSet<u128> {
        let mut next = Vec::new();
        successors(world, state, &mut next);
        next.iter().map(|(_, after)| key(world, after)).collect()
    }

    #[test]
    fn a_state_and_its_form_have_the_same_future() {
        for (writers, packs) in [(1, 2), (2, 1)] {
            let world = World { writers, packs, trust: true, steps: Some(14), ..World::usual() };
            explore(&world, |step, state| {
                let form = representative(key(&world, state));
                assert_eq!(key(&world, &form), key(&world, state), "{step:?} to {state:?}");
                assert_eq!(futures(&world, &form), futures(&world, state), "{step:?} to {state:?}");
                assert_eq!(form.is_safe(&world), state.is_safe(&world), "{step:?} to {state:?}");
                false
            });
        }
    }
}
