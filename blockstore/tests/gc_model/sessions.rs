//! Sessions come and go: open, checkpoint, close, crash, expiry, the fence; and the reader, who does no more.
//!
//! What a writer does inside its session is in `writer.rs`. An expiry takes the session's row away and closes
//! its pack at its valid length; the process may go on without knowing. Leases and clocks are not modelled:
//! a session may expire at any moment, so nothing here rests on time.

use crate::state::{Blocks, NONE, Process, ROOT_SETS, Session, State, Writer};
use crate::step::{Next, Step};
use crate::world::{Guard, World};

/// The ways a writer's session can change.
pub(crate) fn writer_steps(world: &World, state: &State, writer: usize, next: &mut Next) {
    let me = state.writers[writer];
    match me.process {
        Process::Down if !me.session.open => open(world, state, writer, next),
        Process::Down => {}
        Process::Opening => {
            for pins in allowed_pins(world, state) {
                let mut after = *state;
                after.writers[writer].process = Process::Running;
                after.writers[writer].session = Session { open: true, pins, ..me.session };
                next.push((Step::Open { writer, pins }, after));
            }
        }
        Process::Running => {
            if !me.is_looking() {
                checkpoint(world, state, writer, next);
            }
            leave(state, writer, next);
        }
    }
    if me.session.open {
        let mut after = *state;
        close_pack(&mut after, writer);
        after.writers[writer].session.open = false;
        if me.process == Process::Down {
            after.writers[writer] = Writer::default();
        }
        next.push((Step::Expire { writer }, after));
    }
}

/// Epoch and session in one step, which the begin of a collection cannot divide.
fn open(world: &World, state: &State, writer: usize, next: &mut Next) {
    let epoch = state.epoch;
    if !world.keeps(Guard::OpenInOneStep) {
        let mut after = *state;
        after.writers[writer].process = Process::Opening;
        after.writers[writer].session.epoch = epoch;
        next.push((Step::ReadEpoch { writer }, after));
        return;
    }
    for pins in allowed_pins(world, state) {
        let mut after = *state;
        after.writers[writer].process = Process::Running;
        after.writers[writer].session = Session { open: true, epoch, pins };
        next.push((Step::Open { writer, pins }, after));
    }
}

/// Pins must be live roots at the moment the session is opened.
fn allowed_pins(world: &World, state: &State) -> impl Iterator<Item = Blocks> {
    let readable = state.packs.iter().fold(NONE, |all, pack| all | (pack.rows & pack.bytes));
    let (roots, world) = (state.live_roots(), *world);
    ROOT_SETS.into_iter().filter(move |&pins| {
        pins & !roots == NONE || (!world.keeps(Guard::PinsWereLive) && world.reach(pins) & !readable == NONE)
    })
}

/// Pins what is finished or what a ref names, takes a newer epoch, forgets what it put.
fn checkpoint(world: &World, state: &State, writer: usize, next: &mut Next) {
    let me = state.writers[writer];
    if !me.session.open && world.keeps(Guard::CheckpointFence) {
        return;
    }
    let is_kept = |pins: Blocks| world.reach(pins & !state.refs) & !me.has(world) == NONE;
    for pins in ROOT_SETS.into_iter().filter(|&pins| is_kept(pins)) {
        let mut after = *state;
        let session = Session { open: true, epoch: state.epoch, pins };
        after.writers[writer].session = session;
        if world.keeps(Guard::CheckpointForgets) {
            after.writers[writer].put = NONE;
        }
        if after != *state {
            next.push((Step::Checkpoint { writer, pins }, after));
        }
    }
}

/// The ends of a process: in order, by the fence when its session is gone, or by a crash at any moment.
fn leave(state: &State, writer: usize, next: &mut Next) {
    let me = state.writers[writer];
    let mut after = *state;
    if !me.session.open {
        after.writers[writer] = Writer::default();
        next.push((Step::Fenced { writer }, after));
        return;
    }
    after.writers[writer] = Writer { session: me.session, pack: me.pack, ..Writer::default() };
    next.push((Step::Crash { writer }, after));
    close_pack(&mut after, writer);
    after.writers[writer] = Writer::default();
    next.push((Step::Close { writer }, after));
}

/// Closes the pack that the writer has open. For a dead session's pack the real store does so in a later step
/// of its own; until then the pack is open for nobody, and nothing but a hit can change it.
fn close_pack(after: &mut State, writer: usize) {
    if let Some(pack) = after.writers[writer].pack.place() {
        after.packs[pack].seal();
    }
}

/// A reader opens a session with pins and ends it, or loses it.
pub(crate) fn reader_steps(world: &World, state: &State, next: &mut Next) {
    let mut after = *state;
    if state.reader.open {
        after.reader = Session::default();
        next.push((Step::ReaderEnds, after));
        return;
    }
    for pins in allowed_pins(world, state).filter(|&pins| pins != NONE) {
        after.reader = Session { open: true, epoch: state.epoch, pins };
        next.push((Step::ReaderOpens { pins }, after));
    }
}
