//! Compaction: stretches folded one after the other come to what folding everything does, and what is folded when
//! it is worth it keeps reading and writing within their bounds. Counted in bytes, never in time.

#![expect(clippy::unwrap_used, reason = "a test")]

mod bounds;
mod rig;
mod stretches;
