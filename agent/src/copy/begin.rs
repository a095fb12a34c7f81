//! Where a copy begins: an entry before everything that the copies may have missed.
//!
//! That is an entry of our own that a majority has, or, if a transaction is open whose first entry lies before that, the
//! entry before its first one: its end may come long after, and without the beginning nobody could apply it.

use crate::error::codes;
use crate::source::Source;
use crate::{Error, Result};
use tidemark_base::OpTime;

/// The entry to begin a copy at.
pub(crate) async fn begin(source: &Source) -> Result<OpTime> {
    // Looked for before and after: one that begins between is found after, one that ends between was found before.
    let before = source.oldest_open_transaction().await?;
    let majority = settled(source).await?;
    let after = source.oldest_open_transaction().await?;
    match before.into_iter().chain(after).min() {
        Some(start) if start <= majority.ts => {
            let entry = source.entry_before(start).await?;
            entry.ok_or_else(|| {
                let found =
                    format!("a transaction is open since {start}, and the oplog does not reach behind it");
                Error::unexpected("where to begin a copy", found)
            })
        }
        _ => Ok(majority),
    }
}

/// An entry that a majority has, behind all that the primary has done so far: a transaction that it has just ended, and a
/// majority does not know of yet, must not be cut in two. Where no note may be written, only what a majority has; if that
/// cuts one, the head finds that a part is missing, and another copy is made.
async fn settled(source: &Source) -> Result<OpTime> {
    match source.note_read_back().await {
        Err(error) if error.mongo_code() == Some(codes::UNAUTHORIZED) => {
            let majority = source.primary_hello().await?.majority;
            majority.ok_or_else(|| Error::unexpected("the primary's majority point", "it names none"))
        }
        read_back => read_back,
    }
}
