//! `docs/format.md`, checked: stores built by hand from the page are read, and the code writes the same.
//!
//! Nothing here uses the crate's encoders. If a test fails, either the format was changed by mistake, or the
//! page, the version and the golden store have to change with it.

#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test")]

mod by_hand;
mod read;
mod written;
