//! What a writer does inside its session: put (look up and touch, or append), sync, insert rows, seal, publish.
//!
//! A writer whose session expired goes on until a step asks for the session: it may still touch packs and
//! sync its own, and must then meet the fence (`sessions.rs`). Children are put before their parents.

use crate::state::{A, B, Blocks, Epoch, NONE, Pack, PackId, PackState, Process, ROOT_SETS, State, Writer};
use crate::step::{Next, Step};
use crate::world::{Guard, Rows, World};

impl Writer {
    /// Whether a put of it has looked a block up and not answered yet.
    pub(crate) fn is_looking(&self) -> bool {
        self.seen.0 != NONE
    }

    /// What it may build on: what it put, and what its pins reach, which it does not touch.
    pub(crate) fn has(&self, world: &World) -> Blocks {
        self.put | world.reach(self.session.pins)
    }
}

/// Everything a running writer can do next, apart from its session's changes.
pub(crate) fn steps(world: &World, state: &State, writer: usize, next: &mut Next) {
    let me = state.writers[writer];
    if me.process != Process::Running {
        return;
    }
    for block in [A, B] {
        let children = world.reach(block) & !block;
        let in_hand = me.has(world) | me.appended | me.synced | me.seen.0;
        if block & in_hand == NONE && children & !in_hand == NONE {
            put(world, state, writer, block, next);
        }
    }
    touch_late(world, state, writer, next);
    sync(world, state, writer, next);
    insert_rows(world, state, writer, next);
    if let Some(pack) = me.pack.place().filter(|_| me.session.open && me.appended | me.synced == NONE) {
        let mut after = *state;
        after.packs[pack].seal();
        after.writers[writer].pack = PackId::NONE;
        next.push((Step::Seal { writer }, after));
    }
    if !me.is_looking() {
        publish(world, state, writer, next);
    }
}

/// Looks a block up and touches its pack, in one step; or appends it to the open pack.
fn put(world: &World, state: &State, writer: usize, block: Blocks, next: &mut Next) {
    let me = state.writers[writer];
    let mut hit = false;
    for pack in world.places().filter(|&place| is_hit(world, &state.packs[place], block)) {
        hit = true;
        let in_two_steps = !world.keeps(Guard::TouchInOneStep);
        let condemned = state.packs[pack].state == PackState::Condemned;
        if !in_two_steps || condemned {
            let mut after = *state;
            touch(world, &mut after.packs[pack], me.session.epoch);
            after.writers[writer].put |= block;
            next.push((Step::PutHit { writer, block, pack }, after));
        }
        if (in_two_steps || world.trust) && !condemned && !me.is_looking() {
            let mut after = *state;
            after.writers[writer].seen = (block, PackId::of(pack));
            next.push((Step::LookUp { writer, block, pack }, after));
        }
    }
    if hit {
        return;
    }
    let mut after = *state;
    if me.pack == PackId::NONE {
        // A pack is opened for a living session only.
        let Some(new) = state.free_place(world).filter(|_| me.session.open) else { return };
        let touched = if world.keeps(Guard::NewPacksAreTouched) { me.session.epoch } else { 0 };
        after.packs[new] = Pack::new(touched);
        after.writers[writer].pack = PackId::of(new);
    }
    after.writers[writer].appended |= block;
    next.push((Step::PutMiss { writer, block }, after));
}

/// The second half of a put in two steps. It may trust what it read if the pack was touched since the
/// session's epoch, and must look again if not. (Without the guard it touches whatever is there by now.)
fn touch_late(world: &World, state: &State, writer: usize, next: &mut Next) {
    let me = state.writers[writer];
    let (block, Some(pack)) = (me.seen.0, me.seen.1.place()) else { return };
    let mut after = *state;
    after.writers[writer].seen = (NONE, PackId::NONE);
    let is_trusted = state.packs[pack].touched >= me.session.epoch;
    if world.keeps(Guard::TouchInOneStep) && !is_trusted {
        next.push((Step::LookAgain { writer }, after));
        return;
    }
    after.writers[writer].put |= block;
    if is_trusted {
        next.push((Step::TrustTouch { writer, block, pack }, after));
        return;
    }
    if matches!(state.packs[pack].state, PackState::Open | PackState::Live | PackState::Condemned) {
        raise(world, &mut after.packs[pack], me.session.epoch);
    }
    next.push((Step::TouchLate { writer, block, pack }, after));
}

/// Whether a put of the block can use this pack's copy.
fn is_hit(world: &World, pack: &Pack, block: Blocks) -> bool {
    let usable = match pack.state {
        PackState::Open | PackState::Live | PackState::Condemned => true,
        PackState::Deleting => !world.keeps(Guard::DeletingIsNoHit),
        PackState::Unused | PackState::Gone => false,
    };
    usable && pack.rows & block != NONE
}

/// A hit: a condemned pack lives again, and the touch epoch rises.
fn touch(world: &World, pack: &mut Pack, epoch: Epoch) {
    if pack.state == PackState::Condemned && world.keeps(Guard::Resurrect) {
        pack.state = PackState::Live;
    }
    raise(world, pack, epoch);
}

fn raise(world: &World, pack: &mut Pack, epoch: Epoch) {
    let floor = if world.keeps(Guard::TouchRaises) { pack.touched } else { 0 };
    pack.touched = epoch.max(floor);
}

/// What was appended is in the file for good, if the pack is still open: past a closed pack's end nothing counts.
fn sync(world: &World, state: &State, writer: usize, next: &mut Next) {
    let me = state.writers[writer];
    let Some(pack) = me.pack.place() else { return };
    let early_rows = if world.keeps(Guard::SyncBeforeInsert) { NONE } else { state.packs[pack].rows };
    let fresh = me.appended | (early_rows & !state.packs[pack].bytes);
    if fresh == NONE {
        return;
    }
    let mut after = *state;
    if state.packs[pack].state == PackState::Open {
        after.packs[pack].bytes |= fresh;
    }
    after.writers[writer].appended = NONE;
    after.writers[writer].synced |= me.appended;
    next.push((Step::Sync { writer }, after));
}

/// Inserts the rows of what is synced, for a pack that is open for a living session.
fn insert_rows(world: &World, state: &State, writer: usize, next: &mut Next) {
    let me = state.writers[writer];
    let early = if world.keeps(Guard::SyncBeforeInsert) { NONE } else { me.appended };
    let fresh = me.synced | early;
    let Some(pack) = me.pack.place().filter(|_| fresh != NONE) else { return };
    if !me.session.open && world.keeps(Guard::InsertFence) {
        return;
    }
    let mut after = *state;
    for block in [A, B].into_iter().filter(|block| block & fresh != NONE) {
        let other = world
            .places()
            .find(|&place| world.rows == Rows::One && is_hit(world, &state.packs[place], block));
        match other {
            // Somebody else was first: the insert is a hit, and this copy is dead weight.
            Some(other) => touch(world, &mut after.packs[other], me.session.epoch),
            None => insert_row(world, &mut after.packs[pack], block, me.session.epoch),
        }
    }
    after.writers[writer].put |= fresh;
    after.writers[writer].synced = NONE;
    after.writers[writer].appended &= !fresh;
    next.push((Step::InsertRows { writer }, after));
}

/// One row. Only without the fence can the pack be anything but open; a row of a pack that is gone dangles.
fn insert_row(world: &World, pack: &mut Pack, block: Blocks, epoch: Epoch) {
    if matches!(pack.state, PackState::Deleting | PackState::Gone) {
        return;
    }
    pack.rows |= block;
    if world.keeps(Guard::InsertTouches) && world.keeps(Guard::NewPacksAreTouched) {
        raise(world, pack, epoch);
    }
}

/// Sets, replaces and deletes refs in one transaction, if the session still exists.
fn publish(world: &World, state: &State, writer: usize, next: &mut Next) {
    let me = state.writers[writer];
    if !me.session.open && world.keeps(Guard::PublishFence) {
        return;
    }
    let early = if world.keeps(Guard::InsertBeforePublish) { NONE } else { me.appended | me.synced };
    let has = me.has(world) | early;
    for refs in ROOT_SETS {
        if refs != state.refs && world.reach(refs & !state.refs) & !has == NONE {
            next.push((Step::Publish { writer, refs }, State { refs, ..*state }));
        }
    }
}
