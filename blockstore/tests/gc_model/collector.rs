//! The collector: begin, mark and plan, condemn, rewrite, delete, unlink, each pack in any order.
//!
//! A collection may stop at any moment, by a crash or because it is done; what it remembers is lost then.
//! Packs condemned in this collection are not in its plan to delete: only a later one deletes them.

use crate::state::{A, B, Blocks, Collector, NONE, Pack, PackId, PackState, Phase, Plan, State};
use crate::step::{Next, Step};
use crate::world::{Guard, Rows, World};

/// Everything the collector can do next.
pub(crate) fn steps(world: &World, state: &State, next: &mut Next) {
    let mut after = *state;
    match state.collector.phase {
        Phase::Idle if !world.keeps(Guard::RootsWithEpoch) => {
            after.collector.phase = Phase::RootsRead;
            after.collector.marked = roots(world, state);
            next.push((Step::ReadRoots, after));
        }
        Phase::Idle => {
            after.collector.marked = roots(world, state);
            begin(world, &mut after);
            next.push((Step::Begin, after));
        }
        Phase::RootsRead => {
            begin(world, &mut after);
            next.push((Step::Begin, after));
        }
        Phase::Begun => {
            mark(world, &mut after);
            next.push((Step::Mark, after));
        }
        Phase::Marked => work(world, state, next),
    }
    // A file whose state is committed may go at any time: a later collection finishes what one left behind.
    for pack in world.places().filter(|&place| state.packs[place].state == PackState::Deleting) {
        let mut after = *state;
        after.packs[pack] = Pack { state: PackState::Gone, ..Pack::default() };
        next.push((Step::Unlink { pack }, after));
    }
    if state.collector.phase != Phase::Idle {
        let mut after = *state;
        if let Some(target) = state.collector.target.place() {
            after.packs[target].seal();
        }
        after.collector = Collector::default();
        next.push((Step::CollectorStops, after));
    }
}

/// All refs and pins.
fn roots(world: &World, state: &State) -> Blocks {
    if world.keeps(Guard::PinsAreRoots) { state.live_roots() } else { state.refs }
}

/// `E := E+1`, `m :=` the smallest start epoch of open sessions and `E`.
fn begin(world: &World, after: &mut State) {
    after.epoch += 1;
    after.collector.phase = Phase::Begun;
    let open = after.sessions().into_iter().filter(|session| session.open);
    let oldest = open.map(|session| session.epoch).min().unwrap_or(after.epoch);
    after.collector.oldest =
        if world.keeps(Guard::MinimumOfSessions) { oldest.min(after.epoch) } else { after.epoch };
}

/// Marks what the roots reach, over the index as it is now, and plans from the marks.
fn mark(world: &World, after: &mut State) {
    after.collector.phase = Phase::Marked;
    after.collector.marked = world.reach(after.collector.marked);
    for at in world.places() {
        let pack = after.packs[at];
        let alive = pack.rows & after.collector.marked;
        after.collector.plan[at] = match pack.state {
            PackState::Condemned => Plan::Delete,
            PackState::Live if !is_old(world, &after.collector, &pack) => Plan::Keep,
            PackState::Live if alive == NONE => Plan::Condemn,
            PackState::Live => Plan::Rewrite,
            _ => Plan::Keep,
        };
    }
}

/// `te < m`: no open session rests on the pack.
fn is_old(world: &World, collector: &Collector, pack: &Pack) -> bool {
    if !world.keeps(Guard::TouchTest) {
        return true;
    }
    let bound = if world.keeps(Guard::StrictlyOlder) { collector.oldest } else { collector.oldest + 1 };
    pack.touched < bound
}

/// Carries the plan out, pack by pack.
fn work(world: &World, state: &State, next: &mut Next) {
    for pack in world.places() {
        match state.collector.plan[pack] {
            Plan::Keep => {}
            Plan::Condemn => condemn(world, state, pack, next),
            Plan::Rewrite => rewrite_copy(world, state, pack, next),
            Plan::Delete => delete(world, state, pack, next),
        }
    }
    rewrite_commit(world, state, next);
    if let Some(target) = state.collector.unsynced.place() {
        let mut after = *state;
        after.packs[target].bytes |= state.packs[target].rows;
        after.collector.unsynced = PackId::NONE;
        next.push((Step::RewriteSync { target }, after));
    }
}

/// Condemns a pack by compare-and-set: it is live and old still.
fn condemn(world: &World, state: &State, pack: usize, next: &mut Next) {
    if !can_condemn(world, state, pack) {
        return;
    }
    let mut after = *state;
    after.packs[pack].state = PackState::Condemned;
    after.collector.plan[pack] = if world.keeps(Guard::DeleteLater) { Plan::Keep } else { Plan::Delete };
    next.push((Step::Condemn { pack }, after));
}

/// The compare before the set.
pub(crate) fn can_condemn(world: &World, state: &State, pack: usize) -> bool {
    let is_old =
        is_old(world, &state.collector, &state.packs[pack]) || !world.keeps(Guard::TestWhenCondemning);
    state.packs[pack].state == PackState::Live && is_old
}

/// Copies the marked blocks of a pack into a new one and syncs it. One pack at a time.
fn rewrite_copy(world: &World, state: &State, pack: usize, next: &mut Next) {
    if !can_rewrite(world, state, pack) {
        return;
    }
    let Some(target) = state.free_place(world).filter(|_| state.collector.source == PackId::NONE) else {
        return;
    };
    let mut after = *state;
    let touched = if world.keeps(Guard::CopiesAreTouched) { state.epoch } else { 0 };
    after.packs[target] = Pack::new(touched);
    if world.keeps(Guard::SyncBeforeRewrite) {
        after.packs[target].bytes = state.packs[pack].rows & state.packs[pack].bytes & state.collector.marked;
    }
    after.collector.plan[pack] = Plan::Keep;
    after.collector.source = PackId::of(pack);
    after.collector.target = PackId::of(target);
    next.push((Step::RewriteCopy { pack, target }, after));
}

/// Whether a rewrite may commit, and so whether it is worth a copy.
pub(crate) fn can_rewrite(world: &World, state: &State, pack: usize) -> bool {
    let is_old =
        is_old(world, &state.collector, &state.packs[pack]) || !world.keeps(Guard::TestWhenRewriting);
    state.packs[pack].state == PackState::Live && is_old
}

/// Moves the rows to the copy, one by one, and then condemns the source: each step only if the source is live
/// and old still. A rewrite given up on leaves two live packs, each with its rows.
fn rewrite_commit(world: &World, state: &State, next: &mut Next) {
    let collector = &state.collector;
    let (Some(pack), Some(target)) = (collector.source.place(), collector.target.place()) else { return };
    let rest = state.packs[pack].rows & collector.marked & !state.packs[target].rows;
    let can = can_rewrite(world, state, pack);
    for block in [A, B].into_iter().filter(|block| can && block & rest != NONE) {
        let mut after = *state;
        after.packs[target].rows |= block;
        if world.rows == Rows::One {
            after.packs[pack].rows &= !block;
        }
        next.push((Step::RewriteMove { pack, target, block }, after));
    }
    if can && rest != NONE {
        return;
    }
    let mut after = *state;
    if can {
        after.packs[pack].state = PackState::Condemned;
    }
    if !world.keeps(Guard::SyncBeforeRewrite) {
        after.collector.unsynced = PackId::of(target);
    }
    after.packs[target].seal();
    after.collector.source = PackId::NONE;
    after.collector.target = PackId::NONE;
    next.push((Step::RewriteEnd { pack, done: can }, after));
}

/// Commits the state *deleting* and removes the pack's rows; the file goes in a later step.
fn delete(world: &World, state: &State, pack: usize, next: &mut Next) {
    if !can_delete(world, state, pack) {
        return;
    }
    let mut after = *state;
    if !world.keeps(Guard::StateBeforeUnlink) && state.packs[pack].bytes != NONE {
        after.packs[pack].bytes = NONE;
        next.push((Step::Unlink { pack }, after));
        return;
    }
    after.packs[pack].state = PackState::Deleting;
    after.packs[pack].touched = 0;
    if world.keeps(Guard::DeletingIsNoHit) {
        after.packs[pack].rows = NONE;
    }
    if !world.keeps(Guard::DeleteByPack) {
        let named = state.packs[pack].bytes;
        after.packs.iter_mut().for_each(|other| other.rows &= !named);
    }
    after.collector.plan[pack] = Plan::Keep;
    next.push((Step::Delete { pack }, after));
}

/// The compare before the set.
pub(crate) fn can_delete(world: &World, state: &State, pack: usize) -> bool {
    match state.packs[pack].state {
        PackState::Condemned => true,
        PackState::Live => !world.keeps(Guard::DeleteComparesState),
        _ => false,
    }
}
