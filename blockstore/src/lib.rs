//! Content-addressed, compressed, verified and collected blocks, and the refs that keep them.
//!
//! The one place where a user's last copy lives; everything above it may crash. A [`Store`] is opened on a
//! [`Backend`]: [`LocalBackend`] (a folder, several processes at once) or [`MemoryBackend`]. Blocks are
//! written through a [`Session`] and named by their contents; small named [`Ref`]s keep what they reach;
//! garbage collection removes the rest without stopping writers and without trusting clocks.
//!
//! Knows nothing of documents: only a block's kind, and a node's children. Synchronous; parallel work runs
//! on rayon's pool. Formats: `docs/format.md`. Order of writes and crash windows: `docs/ordering.md`.

mod backend;
mod buffers;
mod checksum;
mod codec;
mod cutter;
pub mod disk;
mod error;
pub mod fault;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod gc;
mod ids;
mod local;
mod memory;
mod node;
mod observer;
mod pack;
mod record;
mod refs_log;
mod scratch;
mod session;
mod state;
mod stats;
mod store;
mod superblock;
mod verify;
mod walk;
mod writer;

pub use backend::{Backend, PackWriter, Row, Txn, TxnBody};
pub use codec::{Block, BlockRef};
pub use cutter::Cutter;
pub use error::{Error, Place, Result};
pub use gc::{GcFigures, GcOptions, GcReport};
pub use ids::{Epoch, OwnerId, PackId, RefVersion, SessionId};
pub use local::{Healed, LocalBackend, OpenOptions, RepairReport, repair};
pub use memory::MemoryBackend;
pub use node::{Node, encode_node};
pub use observer::{Considerate, Observer, Others, Quiet, Stage};
pub use record::{Codec, HEADER_LEN as RECORD_HEADER_LEN, Header, Record};
pub use scratch::{Chunk, Scratch, Spot};
pub use session::Session;
pub use state::packs::{PackRow, PackState};
pub use state::refs::{Expect, NewRef, Ref, RefChange};
pub use stats::{RefStats, Stats};
pub use store::Store;
pub use superblock::{CutSizes, Superblock};
pub use verify::{Damage, Depth, VerifyReport};
