//! MongoDB, as the agent sees it: how to get in, what is there, the oplog, and raw batches of documents.
//!
//! Used by the conf loop (what to report), the copy, the tail and the check. One [`Source`] for each replica set: a
//! client that finds the primary, and clients of single members, made when they are first needed. Documents pass
//! through as bytes; only what is about the server itself is decoded.

mod connect;
mod cursor;
mod facts;
mod listing;
mod oplog;
mod settled;

pub(crate) use connect::{Reach, Source, node};
pub(crate) use cursor::{Batches, Read, Reply, first_of};
pub(crate) use facts::{Hello, MemberFacts, hello};
pub(crate) use listing::{Found, Storage, by_uuid, collections, is_there, storage};
