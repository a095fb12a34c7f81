//! Raw BSON: walking over documents and writing them, byte for byte.
//!
//! For every part that handles users' documents or what servers send. Structure is checked as far as one
//! looks (lengths, terminators, types), contents are not: servers hold documents with invalid UTF-8, odd
//! array index names, repeated fields and 200 levels, and all of them must pass through unchanged. Nothing
//! here panics, or allocates by a length it has read. Format: <https://bsonspec.org>.

mod check;
mod element;
pub mod kind;
mod value;
mod write;

pub use check::{Checker, check, check_value};
pub use element::{Doc, Element, Elements, split};
pub use write::{DocWriter, Open};

#[cfg(test)]
mod tests;
