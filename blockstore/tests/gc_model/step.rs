//! The names of the steps, for traces, and the one list of what can happen next.
//!
//! The explorer calls [`successors`]. Each step is one transaction, one system call, or one accident.

use crate::canonical::settle;
use crate::state::{Blocks, Pack, State};
use crate::world::World;
use crate::{collector, sessions, writer};

/// What happened. Writers are numbered from 0; packs are named by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    ReadEpoch { writer: usize },
    Open { writer: usize, pins: Blocks },
    PutHit { writer: usize, block: Blocks, pack: usize },
    LookUp { writer: usize, block: Blocks, pack: usize },
    TouchLate { writer: usize, block: Blocks, pack: usize },
    TrustTouch { writer: usize, block: Blocks, pack: usize },
    LookAgain { writer: usize },
    PutMiss { writer: usize, block: Blocks },
    Sync { writer: usize },
    InsertRows { writer: usize },
    Seal { writer: usize },
    Checkpoint { writer: usize, pins: Blocks },
    Publish { writer: usize, refs: Blocks },
    Close { writer: usize },
    Fenced { writer: usize },
    Crash { writer: usize },
    Expire { writer: usize },
    ReaderOpens { pins: Blocks },
    ReaderEnds,
    ReadRoots,
    Begin,
    Mark,
    Condemn { pack: usize },
    RewriteCopy { pack: usize, target: usize },
    RewriteMove { pack: usize, target: usize, block: Blocks },
    RewriteEnd { pack: usize, done: bool },
    RewriteSync { target: usize },
    Delete { pack: usize },
    Unlink { pack: usize },
    CollectorStops,
}

/// The steps that lead on from a state, with the states they lead to.
pub(crate) type Next = Vec<(Step, State)>;

/// Lists everything that can happen in a state.
pub(crate) fn successors(world: &World, state: &State, next: &mut Next) {
    for writer in 0..world.writers {
        sessions::writer_steps(world, state, writer, next);
        writer::steps(world, state, writer, next);
    }
    if world.reader {
        sessions::reader_steps(world, state, next);
    }
    collector::steps(world, state, next);
    next.iter_mut().for_each(|(_, after)| settle(world, after));
}

impl Step {
    /// The name without its particulars.
    pub(crate) fn name(&self) -> String {
        let text = format!("{self:?}");
        text.split(' ').next().unwrap_or_default().to_owned()
    }
}

/// A trace to read: the steps in order, and what is there at the end. Blocks are sets: 1 is A, 2 is B.
pub(crate) fn describe(trace: &[(Step, State)]) -> String {
    let mut text: String =
        trace.iter().enumerate().map(|(at, (step, _))| format!("{:4}. {step:?}\n", at + 1)).collect();
    if let Some((_, state)) = trace.last() {
        let packs: Vec<_> = state.packs.iter().filter(|pack| **pack != Pack::default()).collect();
        text += &format!(
            "  then: E = {}, refs {}, pins {}, packs {packs:?}\n",
            state.epoch,
            state.refs,
            state.pins()
        );
    }
    text
}
