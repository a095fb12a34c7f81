//! What to do when the source's oplog does not hold the tip's entry: it has fallen off, or history went another way.
//!
//! Asked with majority reads, whose entries are never rolled back: so what is not there is not there. The newest end of
//! a stored slice that the source holds, entry for entry alike, is the common point.

use super::Tail;
use super::reader::is_tip;
use crate::{Error, Result};
use tidemark_base::bson::Doc;
use tidemark_base::protocol::{End, ForkRequest, LostReason, LostRequest, Tip};

/// What became of it.
#[derive(Debug)]
pub(super) enum Resolved {
    /// The tail goes on, from the tip as it is now.
    GoesOn,
    /// A new copy is needed, and the server knows.
    Lost,
}

impl Tail<'_> {
    /// Finds out why the tip's entry is not there, and tells the server.
    pub(super) async fn resolve(&self) -> Result<Resolved> {
        let tip = self.tip.borrow().clone();
        let (id, _) = self.source.config().await?;
        if id != self.set {
            // Another set under the same name: nothing about it is true of ours.
            return Err(Error::unexpected(
                "the replica set's id",
                format!("it was {} and is now {id}", self.set),
            ));
        }
        if self.has(&tip).await? {
            return Err(Error::unexpected("the tip's entry", "it was not found, and now it is"));
        }
        let oldest = self.source.oldest().await?;
        if oldest.ts > tip.at.ts {
            let detail =
                format!("the oldest entry of the primary's oplog is {oldest}, and {} is wanted", tip.at);
            return self.lose(tip, LostReason::FellOff, detail).await;
        }
        let mut before = tip.at.ts;
        loop {
            let ends = self.mothership.ends(self.set, before).await?;
            let Some(last) = ends.last().map(|end| end.at.ts) else { break };
            for common in ends {
                if common.at.ts >= oldest.ts && self.has(&tip_of(&tip, &common)).await? {
                    return self.fork(tip, common).await;
                }
            }
            // Always further back, whatever the server says.
            if last <= oldest.ts || last >= before {
                break;
            }
            before = last;
        }
        let detail = format!(
            "no end of a stored slice up to {} is in the primary's oplog, which begins at {oldest}",
            tip.at
        );
        self.lose(tip, LostReason::NoCommonPoint, detail).await
    }

    async fn has(&self, tip: &Tip) -> Result<bool> {
        match self.source.entry_at(tip.at.ts).await? {
            Some(entry) => is_tip(Doc::new(&entry)?, tip),
            None => Ok(false),
        }
    }

    async fn fork(&self, tip: Tip, common: End) -> Result<Resolved> {
        tracing::warn!(set = self.set, "the source was rolled back from {} to {}", tip.at, common.at);
        let message = ForkRequest { chain: tip.chain, tip: tip.at, common };
        self.tip.send_replace(self.mothership.fork(self.set, &message).await?);
        Ok(Resolved::GoesOn)
    }

    async fn lose(&self, tip: Tip, reason: LostReason, detail: String) -> Result<Resolved> {
        tracing::error!(set = self.set, "the oplog cannot be gone on with: {detail}");
        let message = LostRequest { chain: tip.chain, tip: tip.at, reason, detail };
        self.mothership.lost(self.set, &message).await?;
        Ok(Resolved::Lost)
    }
}

/// An end, to be compared as a tip is.
fn tip_of(tip: &Tip, end: &End) -> Tip {
    Tip { chain: tip.chain, at: end.at, digest: String::new(), entry: Some(end.entry.clone()) }
}
