//! The power-cut model: whatever a cut leaves of unsynced bytes, sizes and names, nothing acknowledged is lost.
//!
//! A machine ([`sim`]) records what is durable and what is not; histories ([`script`], [`world`]) run on it,
//! and at every operation images are built of what a cut could leave ([`sim::image`]), opened as any user
//! would open them, and held against what had been promised ([`check`]). Leaving out any one sync is shown
//! to lose something. Failing disk operations are tested on the same model.

#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test")]

mod account;
mod check;
mod creation;
mod disk_errors;
mod healing;
mod histories;
mod kills;
mod mutations;
mod rebuilding;
mod script;
mod sim;
mod tails;
mod world;
