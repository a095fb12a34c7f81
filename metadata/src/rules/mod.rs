//! Decisions as pure functions: of what is known and the time, to what is to be done. Nothing here reads or writes.

pub mod backoff;
pub mod clock_watch;
pub mod lease;
pub mod matters;
pub mod retention;
pub mod roles;
pub mod schedule;
pub mod second_thoughts;
