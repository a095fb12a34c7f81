//! An entry behind everything that the scans can have seen.

use super::member::Member;
use crate::error::codes;
use crate::source::{self, Source};
use crate::{Error, Result};
use tidemark_base::Timestamp;

/// Taken after the last scan: a note of our own, read back; or, where we may write none, the last entry of the member
/// that was copied. What it is ahead of the majority, the tail awaits.
pub(super) async fn until(source: &Source, member: &Member) -> Result<Timestamp> {
    match source.note_read_back().await {
        Ok(at) => Ok(at.ts),
        Err(error) if error.mongo_code() == Some(codes::UNAUTHORIZED) => {
            let last = source::hello(&member.client).await?.last;
            Ok(last
                .ok_or_else(|| Error::unexpected("the last entry of the member that was copied", "none"))?
                .ts)
        }
        Err(error) => Err(error),
    }
}
