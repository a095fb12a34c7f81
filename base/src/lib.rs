//! The words every part of Tidemark shares: ids, optimes, block names, codecs, raw BSON, limits, clock, error kinds, and the
//! agents' messages.
//!
//! Used by every crate; uses none of ours and does no I/O. The three things a program can take from its
//! surroundings without being given them — time, randomness, threads — have their one door here
//! ([`clock`], [`entropy`], [`threads`]), so that everything else can be tested without them.

pub mod bson;
pub mod clock;
pub mod codec;
pub mod entropy;
pub mod limits;
pub mod protocol;
pub mod threads;

mod error;
mod hash;
mod id;
mod optime;

pub use clock::{Clock, SystemClock, UnixMillis};
pub use entropy::{Entropy, OsEntropy, SeededEntropy};
pub use error::ErrorKind;
pub use hash::{BlockId, BlockKind};
pub use id::{CollectionUuid, ParseIdError, StoreId};
pub use optime::{OpTime, ParseTimestampError, Timestamp};
