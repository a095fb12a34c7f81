//! Power cuts and failing operations while a head is worked on: what was acknowledged is there, and what was not
//! is there whole or not at all.
//!
//! A script ([`script`]) of everything that is done with a head runs once without trouble; what the refs are
//! after each step, and which documents there should be at each optime, is the measure ([`picture`]). Then it
//! runs again on a machine whose power is cut at every operation ([`cuts`]), whose disk fails at every operation
//! ([`disk_errors`]), and on a backend of which every call fails ([`calls`]). Whoever comes after the trouble
//! claims the head, applies the oplog again, does the rest of the script, and must come to the same roots. Those who go on where they must not change nothing ([`used_on`]).

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, and one that says what it did")]

mod calls;
mod check;
mod cuts;
mod disk_errors;
mod entries;
mod picture;
mod rig;
mod script;
mod source;
mod used_on;
