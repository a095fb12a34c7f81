//! Reading the oplog into slices.
//!
//! The first entry must be the tip's own: it is compared, not sent. A slice ends when it is long enough, or soon after
//! its first entry; while an earlier one is still waiting to be sent it grows on instead.

use crate::set::told;
use crate::source::{Batches, Reply, Source};
use crate::{Error, Result};
use std::time::Duration;
use tidemark_base::bson::Doc;
use tidemark_base::protocol::Tip;
use tidemark_oplog::slice::{Link, Slice, SliceWriter, optime};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// How long an entry waits for others to go with it.
const GATHER: Duration = Duration::from_millis(500);
/// How long a cursor may give nothing before the primary is asked where it is: it writes at least every 10 s.
const QUIET: Duration = Duration::from_secs(15);

/// Why reading ended. Everything read has been handed on.
#[derive(Debug)]
pub(super) enum Ended {
    /// It was told to.
    Stopped,
    /// The cursor broke or is gone: an election, mostly.
    Cursor(Error),
    /// What comes first is not the tip's entry, or the source's history has gone another way.
    OtherEntry,
}

/// Reads from one tip on.
pub(super) struct Reader<'a> {
    set: &'a str,
    source: &'a Source,
    tip: &'a Tip,
    stop: watch::Receiver<bool>,
    /// Away while its slice is compressed.
    writer: Option<SliceWriter>,
    /// When the first entry of the slice was read.
    since: Option<Instant>,
    /// A reply that does not fit the slice, and how many of its entries are taken.
    waiting: Option<(Reply, usize)>,
    tip_was_seen: bool,
    /// When the cursor gave something, or the primary was asked instead.
    heard: Instant,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        set: &'a str,
        source: &'a Source,
        tip: &'a Tip,
        after: Link,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let writer = Some(SliceWriter::new(after));
        let heard = Instant::now();
        Self { set, source, tip, stop, writer, since: None, waiting: None, tip_was_seen: false, heard }
    }

    /// Reads until something ends it.
    ///
    /// # Errors
    /// If what is read cannot be a slice.
    pub(super) async fn run(mut self, slices: mpsc::Sender<Slice>) -> Result<Ended> {
        let mut cursor = match self.source.tail(self.tip.at.ts).await {
            Ok(cursor) => cursor,
            Err(error) => return Ok(Ended::Cursor(error)),
        };
        let ended = self.read(&mut cursor, &slices).await?;
        // What a majority has stays true, whatever became of the cursor.
        loop {
            self.take()?;
            let Some(slice) = self.finish().await? else { return Ok(ended) };
            if slices.send(slice).await.is_err() {
                return Ok(ended);
            }
        }
    }

    async fn read(&mut self, cursor: &mut Batches, slices: &mpsc::Sender<Slice>) -> Result<Ended> {
        loop {
            self.take()?;
            let is_full = self.waiting.is_some() || self.writer.as_ref().is_some_and(SliceWriter::is_full);
            let due = self.since.map(|since| since + GATHER);
            let is_due = is_full || due.is_some_and(|due| due <= Instant::now());
            tokio::select! {
                biased;
                () = told(&mut self.stop) => return Ok(Ended::Stopped),
                room = slices.reserve(), if is_due => {
                    // Gone only if sending has failed, which its own error says.
                    let Ok(room) = room else { return Ok(Ended::Stopped) };
                    if let Some(slice) = self.finish().await? {
                        room.send(slice);
                    }
                }
                reply = cursor.next(), if !is_full => match reply {
                    Ok(Some(reply)) => if let Some(ended) = self.begin(reply).await? {
                        return Ok(ended);
                    },
                    Ok(None) => return Ok(Ended::Cursor(Error::unexpected("the oplog's cursor", "the server closed it"))),
                    Err(error) => return Ok(Ended::Cursor(error)),
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() && !is_due => {}
            }
        }
    }

    /// Takes a reply in; the first entry of the first one must be the tip's.
    async fn begin(&mut self, reply: Reply) -> Result<Option<Ended>> {
        let first = reply.documents()?.first_element()?.and_then(|it| it.as_object());
        match first {
            None => return self.nothing().await,
            Some(entry) if !self.tip_was_seen => {
                if !is_tip(entry, self.tip)? {
                    return Ok(Some(Ended::OtherEntry));
                }
                self.tip_was_seen = true;
                tracing::info!(set = self.set, "tailing from {}", self.tip.at);
                self.waiting = Some((reply, 1));
            }
            Some(_) => self.waiting = Some((reply, 0)),
        }
        self.heard = Instant::now();
        Ok(None)
    }

    /// An empty reply. A new primary may not know yet what a majority has; but a later term whose entries are earlier
    /// than the tip is another history. And a cursor outlives the reign of its member: one that was cut off from the
    /// others then gives nothing for ever, while they go on without it.
    async fn nothing(&mut self) -> Result<Option<Ended>> {
        let is_quiet = self.heard.elapsed() >= QUIET;
        if self.tip_was_seen && !is_quiet {
            return Ok(None);
        }
        let hello = match self.source.primary_hello().await {
            Ok(hello) => hello,
            Err(error) => return Ok(Some(Ended::Cursor(error))),
        };
        let Some(majority) = hello.majority else { return Ok(None) };
        if !self.tip_was_seen && majority.term > self.tip.at.term && majority.ts < self.tip.at.ts {
            return Ok(Some(Ended::OtherEntry));
        }
        if is_quiet {
            self.heard = Instant::now();
            let last = self.writer.as_ref().map_or(self.tip.at, SliceWriter::last);
            let is_ahead = if self.tip_was_seen { majority.ts > last.ts } else { majority.ts >= last.ts };
            if is_ahead {
                let found = format!(
                    "nothing for {} s, though a majority is at {majority} by the primary and this ends at {last}",
                    QUIET.as_secs()
                );
                return Ok(Some(Ended::Cursor(Error::unexpected("the oplog's cursor", found))));
            }
        }
        Ok(None)
    }

    /// Moves entries from the reply that waits into the slice, as far as there is room.
    fn take(&mut self) -> Result<()> {
        let Some((reply, taken)) = self.waiting.take() else { return Ok(()) };
        let writer = self.writer.as_mut().expect("compressing gives it back");
        for (index, element) in reply.documents()?.elements().enumerate().skip(taken) {
            let entry = element?.as_object();
            let entry =
                entry.ok_or_else(|| Error::unexpected("the oplog", "an entry that is no document"))?;
            if writer.is_full() || !writer.would_fit(entry) {
                self.waiting = Some((reply, index));
                return Ok(());
            }
            writer.push(entry)?;
            self.since.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// The slice, compressed beside the other tasks.
    async fn finish(&mut self) -> Result<Option<Slice>> {
        self.since = None;
        let mut writer = self.writer.take().expect("compressing gives it back");
        if writer.is_empty() {
            self.writer = Some(writer);
            return Ok(None);
        }
        let packed = tokio::task::spawn_blocking(move || {
            let slice = writer.finish();
            (writer, slice)
        });
        let (writer, slice) =
            packed.await.map_err(|error| Error::unexpected("compressing a slice", error))?;
        self.writer = Some(writer);
        Ok(slice)
    }
}

/// Whether an entry is the one that the tip names.
pub(super) fn is_tip(entry: Doc<'_>, tip: &Tip) -> Result<bool> {
    let is_alike = |wanted: &String| *wanted == blake3::hash(entry.as_bytes()).to_hex().as_str();
    Ok(optime(entry)? == tip.at && tip.entry.as_ref().is_none_or(is_alike))
}
