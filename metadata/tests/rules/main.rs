//! The rules that span several records, on every store: people, sessions, keys, jobs, links, events.

#![expect(clippy::unwrap_used, reason = "a test")]

mod bench;
mod events;
mod jobs;
mod keys;
mod links;
mod people;
mod sessions;
