//! The slice store on real backends: appending, reading back, expiring, racing, failing.

#![expect(clippy::unwrap_used, reason = "a test")]

mod failing;
mod lines;
mod make;
mod operations;
mod places;
mod racing;
mod ranges;
