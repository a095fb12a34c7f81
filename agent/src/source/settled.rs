//! An entry behind everything that the source has done so far, and before which nothing can be undone.
//!
//! Used where a copy begins and ends, and before anything is made of what a member's catalog shows: catalogs are read as
//! they are, and what they show may be rolled back as long as a majority does not have it.

use super::connect::Source;
use crate::error::codes;
use crate::{Error, Result};
use std::time::Duration;
use tidemark_base::OpTime;
use tidemark_base::bson::Doc;
use tidemark_oplog::slice::optime;

/// How long a majority may take to have what the primary has.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

impl Source {
    /// An entry that a majority has, behind all that the primary had done when it was asked: a note of our own, read
    /// back; or, where none may be written, the primary's last entry, once a majority has it.
    pub(crate) async fn settled(&self) -> Result<OpTime> {
        match self.note_read_back().await {
            Err(error) if error.mongo_code() == Some(codes::UNAUTHORIZED) => self.last_awaited().await,
            read_back => read_back,
        }
    }

    async fn last_awaited(&self) -> Result<OpTime> {
        let last = self.primary_hello().await?.last;
        let last = last.ok_or_else(|| Error::unexpected("the last entry of the primary", "it names none"))?;
        let awaited = async {
            loop {
                if let Some(entry) = self.entry_at(last.ts).await? {
                    let found = optime(Doc::new(&entry)?)?;
                    if found != last {
                        return Err(Error::unexpected(
                            format!("waiting for a majority to have {last}"),
                            format!("it was rolled back, and {found} stands there"),
                        ));
                    }
                    return Ok(last);
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let late =
            |_| Error::unexpected(format!("waiting for a majority to have {last}"), "it has not in a minute");
        tokio::time::timeout(PATIENCE, awaited).await.map_err(late)?
    }
}
