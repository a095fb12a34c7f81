//! The Backup HTTP server as agents meet it, honest and hostile ones: a router over stores in memory, and listeners.

#![expect(clippy::unwrap_used, reason = "a test")]

mod conf;
mod copies;
mod crashes;
mod hostile;
mod install;
mod make;
mod metrics;
mod secrets;
mod turns;
mod wire;
mod world;
