//! Mistakes that were made once: of histories, of what does not fit, of the order of capped collections.

#![expect(clippy::unwrap_used, reason = "a test")]

mod capped;
mod divergences;
mod histories;
mod rig;
mod sizes;
