//! The agent against real replica sets and a Backup HTTP server that only keeps what it is sent.
//!
//! The server of these tests ([`server`]) enforces order and answers as `docs/protocol.md` says, so that what the agent
//! sends is checked as it comes: each slice follows the last, each batch is sound and the next of its scan.

#![expect(clippy::unwrap_used, reason = "a failure is a panic in tests")]

mod agent;
mod binary;
mod checks;
mod copies;
mod elections;
mod members;
mod server;
mod tails;
