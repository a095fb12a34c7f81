//! An entry behind everything that the scans can have seen.

use crate::error::codes;
use crate::source::Source;
use crate::{Error, Result};
use tidemark_base::Timestamp;

/// Taken after the last scan: a note of our own, read back; or, where we may write none, the last entry of the primary,
/// which has all that a majority has, whichever members were copied. What it is ahead of the majority, the tail awaits.
pub(super) async fn until(source: &Source) -> Result<Timestamp> {
    match source.note_read_back().await {
        Ok(at) => Ok(at.ts),
        Err(error) if error.mongo_code() == Some(codes::UNAUTHORIZED) => {
            let last = source.primary_hello().await?.last;
            Ok(last.ok_or_else(|| Error::unexpected("the last entry of the primary", "none"))?.ts)
        }
        Err(error) => Err(error),
    }
}
