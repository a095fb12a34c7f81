//! Following an oplog: a head that is held for as long as its backup runs.
//!
//! Claims the head, which fences whoever had it, and then in a circle: applies what came, flushes, takes the snapshots
//! that are due, compacts. Nothing in memory is precious: whatever fails, the job is laid down, and whoever takes it up
//! claims the head again and goes on from its root.

mod following;
mod orders;
mod snapshots;

use crate::error::Result;
use crate::place::Place;
use crate::work::Work;
use following::Followed;
use snapshots::Snapshots;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tidemark_base::OpTime;
use tidemark_head::budget::Share;
use tidemark_head::compaction::Pace;
use tidemark_head::head::Head;
use tidemark_head::{Divergences, HeadError};
use tidemark_metadata::{BackupConfig, JobKind, Outcome, Status};
use tidemark_oplog::store::{ChainNumber, SliceStore};

/// What was applied is written after this time at the latest.
const FLUSH_EVERY: Duration = Duration::from_secs(600);
/// How often it is looked whether compaction is worth it.
const COMPACT_EVERY: Duration = Duration::from_secs(3600);
/// Documents are compacted no faster than this, so that applying and serving have the machine, too.
const COMPACT_BYTES_PER_SECOND: u64 = 96 << 20;
/// People are told of what does not fit so often at most: it may be every entry.
const TELL_EVERY: Duration = Duration::from_secs(600);
/// So many of those are told in full.
const MOST_TOLD: usize = 3;
/// While something comes, it is looked for more so often.
const SOON: Duration = Duration::from_millis(250);

/// The event that says so when there is little room.
const SPACE_LOW: &str = "SPACE_LOW";

/// A head in work.
pub(super) struct Applying<'w> {
    work: &'w Work,
    place: Place,
    head: Head,
    share: Share,
    slices: SliceStore,
    /// The chain that the head was last compared with.
    chain: Option<ChainNumber>,
    snapshots: Snapshots,
    flushed: Flushed,
    compacted: Duration,
    /// When people were last told of what does not fit.
    told: Option<Duration>,
    /// Whether people know that there is little room; none before that was looked up, since it may have been another
    /// daemon that told them.
    is_short: Option<bool>,
}

/// What was flushed last.
struct Flushed {
    at: OpTime,
    /// When, by the monotonic clock.
    when: Duration,
    /// Whether anything was written since it was last looked whether compaction is worth it.
    since_compaction: bool,
}

pub(super) fn run(work: &Work) -> Result<Outcome> {
    let place = Place::of(&work.job)?;
    if backup(work, &place)?.is_none() {
        return Ok(Outcome::Done);
    }
    let head = match Head::claim(&work.shared.store, &place.name) {
        Err(error @ HeadError::NoHead { .. }) => {
            work.shared.resync(&place, &error.to_string())?;
            return Ok(Outcome::Done);
        }
        head => head?,
    };
    let snapshots = Snapshots::look(work, &place, head.state())?;
    let (share, slices) = (work.shared.budget.share(), place.name.slices(&work.shared.store));
    let when = work.shared.clock.monotonic();
    let flushed = Flushed { at: head.at(), when, since_compaction: false };
    let mut applying = Applying {
        work,
        place,
        head,
        share,
        slices,
        chain: None,
        snapshots,
        flushed,
        compacted: when,
        told: None,
        is_short: None,
    };
    applying.circle()
}

/// The backup, while it runs.
fn backup(work: &Work, place: &Place) -> Result<Option<BackupConfig>> {
    Ok(place.backup(&work.shared.metadata)?.filter(|backup| backup.status == Status::Started))
}

impl Applying<'_> {
    fn circle(&mut self) -> Result<Outcome> {
        loop {
            if self.work.is_over() {
                // Somebody else's head is not written.
                if !self.work.is_fenced() {
                    self.flush()?;
                }
                return Ok(if self.work.is_cancelled() { Outcome::Cancelled } else { Outcome::Released });
            }
            let Some(backup) = backup(self.work, &self.place)? else {
                self.flush()?;
                return Ok(Outcome::Done);
            };
            let followed = self.follow()?;
            if let Followed::Lost(why) = &followed {
                self.work.shared.resync(&self.place, why)?;
                return Ok(Outcome::Done);
            }
            self.flush_if_due()?;
            self.tell_divergences();
            if self.has_room()? {
                let is_at_end = matches!(followed, Followed::ToTheEnd { .. });
                self.carry_out(JobKind::Compact, is_at_end, |it| it.compact().map(|()| Outcome::Done))?;
                self.compact_if_due()?;
                self.take_snapshots(&backup, is_at_end)?;
            }
            let doing = format!("at {}", self.head.at());
            self.work.say(&doing, 0, None);
            match followed {
                Followed::Partly => {}
                Followed::ToTheEnd { has_come: true } => {
                    self.work.rest(SOON.min(self.work.shared.config.poll));
                }
                _ => self.work.rest(self.work.shared.config.poll),
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        if self.head.at() != self.flushed.at {
            self.head.flush()?;
        }
        self.note_flush();
        Ok(())
    }

    fn note_flush(&mut self) {
        self.flushed.since_compaction |= self.flushed.at != self.head.at();
        self.flushed.at = self.head.at();
        self.flushed.when = self.work.shared.clock.monotonic();
        let _ = self.share.holds(self.head.state().held());
    }

    /// After a time, or because others need the memory.
    fn flush_if_due(&mut self) -> Result<()> {
        let is_late = self.work.shared.clock.monotonic() >= self.flushed.when + FLUSH_EVERY;
        if self.share.is_asked() && self.share.keep(&mut self.head)? {
            self.note_flush();
        }
        if is_late { self.flush() } else { Ok(()) }
    }

    fn tell_divergences(&mut self) {
        let now = self.work.shared.clock.monotonic();
        if self.told.is_some_and(|told| now < told + TELL_EVERY) {
            return;
        }
        let found = self.head.take_divergences();
        if !found.is_empty() {
            self.told = Some(now);
            let text = shown(&found);
            self.work.shared.note(Some(self.place.group), "HEAD_DIVERGED", Some(&self.place.subject), &text);
        }
    }

    /// Whether there is room for more than the oplog; people are told when that changes.
    fn has_room(&mut self) -> Result<bool> {
        let (shared, group) = (&self.work.shared, Some(self.place.group));
        let subject = Some(&self.place.subject);
        let shortage = shared.config.room.shortage();
        let known = match self.is_short {
            Some(known) => known,
            None => shared.metadata.is_open(group, SPACE_LOW, subject)?,
        };
        let is_told = match shortage {
            Some(free) if !known => {
                let text = format!(
                    "the store has {free} bytes left: no snapshots are taken and nothing is compacted until there is \
                     more; give it more room, or keep snapshots less long"
                );
                shared.note(group, SPACE_LOW, subject, &text)
            }
            None if known => {
                let text = "the store has room again: snapshots are taken as scheduled";
                shared.note(group, "SPACE_BACK", subject, text)
            }
            _ => true,
        };
        // What could not be noted is noted the next time.
        self.is_short = Some(if is_told { shortage.is_some() } else { known });
        Ok(shortage.is_none())
    }

    fn compact_if_due(&mut self) -> Result<()> {
        let is_due = self.work.shared.clock.monotonic() >= self.compacted + COMPACT_EVERY;
        if is_due && self.flushed.since_compaction { self.compact() } else { Ok(()) }
    }

    fn compact(&mut self) -> Result<()> {
        let work = self.work;
        let one_at_a_time = Mutex::new(());
        let pace: Pace<'_> = &|bytes| {
            // Whoever waits holds the others up: the rate is that of all threads together.
            let _alone = one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
            work.rest(Duration::from_millis(bytes.saturating_mul(1000) / COMPACT_BYTES_PER_SECOND));
        };
        self.head.compact_if_worth(pace)?;
        self.note_flush();
        self.flushed.since_compaction = false;
        self.compacted = work.shared.clock.monotonic();
        Ok(())
    }
}

/// What did not fit, for people.
fn shown(found: &Divergences) -> String {
    let first: Vec<String> = found.iter().take(MOST_TOLD).map(ToString::to_string).collect();
    let operations = found.diverged().operations;
    format!("{operations} operations did not fit what they met, so order a new copy: {}", first.join("; "))
}
