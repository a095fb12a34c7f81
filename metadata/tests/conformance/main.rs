//! What every store must do, run against each: a new implementation gets a line in `stores` and nothing else.

#![expect(clippy::unwrap_used, reason = "a test")]

mod batches;
mod model;
mod queries;
mod racing;
mod stores;
