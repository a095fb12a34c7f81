//! The daemon at work, against a plain account of what its source held at each entry. No server: what agents and
//! front-ends would write is written here, and time is moved by hand.

#![expect(clippy::unwrap_used, reason = "a test")]

mod clocks;
mod crashes;
mod damage;
mod deletion;
mod failing;
mod forks;
mod life;
mod restores;
mod rig;
mod room;
mod source;
mod termination;
mod two;
