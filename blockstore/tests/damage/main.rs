//! Damaged blocks do not fail the rest: verify names each with its place and the refs it hurts, everything
//! else is read, collections leave damage alone, and repair keeps what is whole.

#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test")]

mod collection;
mod fixture;
mod naming;
mod rebuilding;
