//! The whole service as its programs, on real replica sets: under load and kills, when the source's history turns, and when
//! the machine it runs on fails it.
//!
//! Servers and agents run as an operator starts them, what they say is read by the public API, and what is restored comes
//! through the stock mongorestore. Equality is by the servers' own `dbHash`, and by documents where that looks away
//! (`state`). Long forms: `cargo xtask long service` and `cargo xtask long service-disk-full`.

#![expect(clippy::unwrap_used, reason = "a test")]

mod backup;
mod clock;
mod handover;
mod load;
mod locked;
mod older;
mod state;
mod turns;
mod writer;
