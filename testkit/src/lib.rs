//! What the tests of every crate stand on. Never shipped; used as a dev-dependency only.
//!
//! Three kinds of things: real servers (`live` and `workload`, behind the feature `live`; [`parts`]), what a real
//! server wrote ([`captures`], [`dumps`], [`corpus`]), and plain accounts of what is right, written to be
//! obviously so rather than fast ([`order`], [`model`], [`dbhash`]). [`generate`] makes deterministic data
//! for tests and benches; `power`, a feature as well, is a machine whose power can be cut, and `service` a whole
//! installation. Nothing here reads
//! anything outside the repository but the cached parts.

pub mod captures;
pub mod corpus;
pub mod data_error;
pub mod dbhash;
pub mod dump_dir;
pub mod dumps;
#[cfg(feature = "live")]
pub mod everything;
pub mod generate;
#[cfg(feature = "live")]
pub mod live;
pub mod model;
pub mod order;
pub mod parts;
#[cfg(feature = "power")]
pub mod power;
pub mod raw;
#[cfg(feature = "service")]
pub mod service;
pub mod state;
#[cfg(feature = "live")]
pub mod workload;

mod archive;
mod rounds;

pub use rounds::{rounds, rounds_asked_for};
