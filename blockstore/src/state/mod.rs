//! The transactional heart of a store: sessions, touches, publishes and collections as functions on a
//! [`Txn`](crate::backend::Txn).
//!
//! Called by [`crate::Session`], [`crate::Store`] and [`crate::gc`]; each public function here is one step
//! of `docs/ordering.md` and is atomic because its caller runs it inside one transaction. Nothing here
//! touches packs, clocks or threads.

pub(crate) mod blocks;
pub(crate) mod collect;
pub(crate) mod meta;
pub(crate) mod packs;
pub(crate) mod refs;
pub(crate) mod row;
pub(crate) mod sessions;
