//! The member that is copied: what may be made of what it shows. Which one it is, is chosen in `choice.rs`.

use crate::source::{self, Source};
use crate::{Error, Result};
use mongodb::Client;
use std::time::Duration;
use tidemark_base::OpTime;

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// The member that is copied.
pub(super) struct Member {
    /// Connected to it alone.
    pub(super) client: Client,
    /// What it is called.
    pub(super) node: String,
}

impl Member {
    /// Looks at its catalog, and answers when all that it shows is what a majority has.
    ///
    /// Catalogs show a drop, a rename or an index as soon as this member knows of it, and what is rolled back then is in
    /// no oplog. So an entry is awaited that the primary made after the look. If its term is that of the member's last
    /// entry before the look, one primary has made it and all that was seen, in one history: there was none with a later
    /// term to take anything from, or a majority would not have the entry.
    pub(super) async fn settled<T>(
        &self,
        source: &Source,
        look: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let before = source::hello(&self.client).await?.last;
        let seen = look.await?;
        let settled = source.settled().await?;
        if before.is_none_or(|before| before.term != settled.term) {
            let found = "there was an election meanwhile: what was seen may be undone";
            return Err(Error::unexpected(format!("the collections of {}", self.node), found));
        }
        Ok(seen)
    }

    /// Waits until it has, and knows a majority to have, everything up to an entry: else its copy would miss some.
    pub(super) async fn await_majority(&self, at: OpTime) -> Result<()> {
        let reached = async {
            loop {
                let hello = source::hello(&self.client).await?;
                if hello.majority.is_some_and(|majority| majority.ts >= at.ts) {
                    return Ok(());
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let late = |_| {
            Error::unexpected(format!("waiting for {} to reach {at}", self.node), "it is a minute behind")
        };
        tokio::time::timeout(PATIENCE, reached).await.map_err(late)?
    }
}
