//! The tail: everything that a majority has, from the server's tip on, as slices in their order.
//!
//! Run by a set's task while it is the active one, in a copy too. [`Tail::run`] ends when it is told to, or with an
//! error after which the state must be read anew. Elections, lost cursors and pauses of the server are dealt with here:
//! each time it goes on from the last slice that was acknowledged, and looks first whether the source's oplog still
//! holds that entry (`lineage.rs`). Reading (`reader.rs`) and sending (`sender.rs`) go on at the same time: a slice is
//! filled while one waits and one is sent, and no more.

mod lineage;
mod reader;
mod sender;

use crate::backoff::Backoff;
use crate::mothership::Mothership;
use crate::set::told;
use crate::source::Source;
use crate::{Error, Result};
use lineage::Resolved;
use reader::{Ended, Reader};
use tidemark_base::protocol::Tip;
use tidemark_oplog::slice::{Digest, Link};
use tokio::sync::{mpsc, watch};

/// One tail of one set.
#[derive(Debug)]
pub(crate) struct Tail<'a> {
    pub(crate) set: &'a str,
    pub(crate) source: &'a Source,
    pub(crate) mothership: &'a Mothership,
    /// The end of the oplog in the store, as far as it is known: moved by every acknowledgement.
    pub(crate) tip: watch::Sender<Tip>,
    /// Becomes true when everything that was read is to be sent, and no more read.
    pub(crate) stop: watch::Receiver<bool>,
}

impl Tail<'_> {
    /// Tails until it is told to stop.
    ///
    /// # Errors
    /// What the server refuses, but for another tip: the state must be read again.
    pub(crate) async fn run(&self) -> Result<()> {
        let mut backoff = Backoff::default();
        loop {
            let before = self.tip.borrow().at;
            let error = match self.round().await {
                Ok(Ended::Stopped) => return Ok(()),
                Ok(Ended::Cursor(error)) => error,
                Ok(Ended::OtherEntry) => match self.resolve().await {
                    Ok(Resolved::GoesOn) => continue,
                    Ok(Resolved::Lost) => return Ok(()),
                    Err(error) if error.refusal().is_some() => return Err(error),
                    Err(error) => error,
                },
                Err(error) => self.moved(error)?,
            };
            if self.tip.borrow().at != before {
                backoff.reset();
            }
            let pause = backoff.next();
            tracing::warn!(
                set = self.set,
                "the tail is interrupted: {error}; again in {} ms",
                pause.as_millis()
            );
            let mut stop = self.stop.clone();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = told(&mut stop) => return Ok(()),
            }
        }
    }

    /// From the tip until something ends it. What was read is acknowledged then, unless sending it is what failed.
    async fn round(&self) -> Result<Ended> {
        let tip = self.tip.borrow().clone();
        let reader = Reader::new(self.set, self.source, &tip, link(&tip)?, self.stop.clone());
        let (slices, sending) = mpsc::channel(1);
        let (ended, ()) = tokio::try_join!(reader.run(slices), self.send(sending))?;
        Ok(ended)
    }

    /// If the server has another tip than was thought, goes on from there. Other refusals are for who called.
    fn moved(&self, error: Error) -> Result<Error> {
        match error.refusal() {
            Some(refusal) => match refusal.tip.clone() {
                Some(tip) => {
                    self.tip.send_replace(tip);
                    Ok(error)
                }
                None => Err(error),
            },
            None => Ok(error),
        }
    }
}

/// What the next slice follows.
fn link(tip: &Tip) -> Result<Link> {
    let mut digest = [0; Digest::LEN];
    hex::decode_to_slice(&tip.digest, &mut digest)
        .map_err(|_| Error::unexpected("the tip's digest, as the server gives it", &tip.digest))?;
    Ok(Link { at: tip.at, digest: Digest(digest) })
}
