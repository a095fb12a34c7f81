//! The program as an operator runs it: the real binary, on real folders, with what a real server wrote.
//!
//! Captures are written out as a dump and a file of oplog entries, and must come out as the capture's final
//! state. What a command refuses is tested with its exit code and its words.

#![expect(clippy::unwrap_used, reason = "a test")]

mod captured;
mod crash;
mod divergences;
mod mongo_tools;
mod names;
mod points;
mod refusals;
mod rig;
mod stores;
mod whole;
