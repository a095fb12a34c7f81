//! Where a copy begins: an entry before everything that the copies may have missed.
//!
//! That is an entry that a majority has, behind all that the primary has done so far: a transaction that it has just
//! ended, and a majority does not know of yet, must not be cut in two. Or, if a transaction is open whose first entry lies
//! before that, the entry before its first one: its end may come long after, and without the beginning nobody could apply
//! it.

use crate::source::Source;
use crate::{Error, Result};
use tidemark_base::OpTime;

/// The entry to begin a copy at.
pub(crate) async fn begin(source: &Source) -> Result<OpTime> {
    // Looked for before and after: one that begins between is found after, one that ends between was found before.
    let before = source.oldest_open_transaction().await?;
    let settled = source.settled().await?;
    let after = source.oldest_open_transaction().await?;
    match before.into_iter().chain(after).min() {
        Some(start) if start <= settled.ts => {
            let entry = source.entry_before(start).await?;
            entry.ok_or_else(|| {
                let found =
                    format!("a transaction is open since {start}, and the oplog does not reach behind it");
                Error::unexpected("where to begin a copy", found)
            })
        }
        _ => Ok(settled),
    }
}
