//! Sending slices, one after the other: the next one only when the last one is durable.

use super::Tail;
use crate::{Error, Result};
use bytes::Bytes;
use tidemark_oplog::slice::Slice;
use tokio::sync::mpsc;

impl Tail<'_> {
    /// Sends what comes until nothing comes any more.
    pub(super) async fn send(&self, mut slices: mpsc::Receiver<Slice>) -> Result<()> {
        while let Some(slice) = slices.recv().await {
            let header = slice.header;
            let tip = self.mothership.slice(self.set, Bytes::from(slice.bytes)).await?;
            let is_as_sent = tip.at == header.last && tip.digest == header.digest.to_string();
            let (at, chain) = (tip.at, tip.chain);
            self.tip.send_replace(tip);
            tracing::debug!(
                set = self.set,
                entries = header.entries,
                bytes = header.plain_len,
                "acknowledged to {at}"
            );
            if !is_as_sent {
                // Somebody else has sent more: what is on the way here would not fit.
                let found = format!("it is at {at} of chain {chain}, not at {}", header.last);
                return Err(Error::unexpected("the end of the oplog in the store", found));
            }
        }
        Ok(())
    }
}
