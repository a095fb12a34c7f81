//! Bringing a head on: entries become slices, durable and part of the head's chain, and are applied then.
//!
//! Used by `head apply` and by imports of dumps that hold an oplog. What always holds: nothing is applied that
//! is not in the slice store, so a crash at any place is mended by applying what is stored ([`Applying::catch_up`]);
//! entries are understood before they are stored, so that no wrong file becomes part of the chain.

use super::divergences::Divergences;
use crate::exit::{Exit, Problem};
use crate::oplog_file::OplogFile;
use crate::output::Output;
use crate::place::short;
use crate::progress::Progress;
use crate::times::At;
use anyhow::{Context, Result, anyhow};
use rayon::prelude::*;
use serde::Serialize;
use std::cmp::Ordering;
use std::fmt;
use tidemark_base::bson::{Doc, split};
use tidemark_base::{OpTime, Timestamp};
use tidemark_blockstore::Session;
use tidemark_head::follow::follow;
use tidemark_head::head::Head;
use tidemark_oplog::entry::{Entry, Fuzzy};
use tidemark_oplog::slice::{Digest, Link, Slice, SliceWriter, optime};
use tidemark_oplog::store::SliceStore;

/// How much is held in memory before it is flushed.
const BUDGET_BYTES: usize = 256 << 20;
/// After so many slices the session lets go of what refs keep by now.
const SLICES_PER_CHECKPOINT: u64 = 64;

/// A head that is being brought on.
pub(super) struct Applying<'p> {
    head: Head,
    slices: SliceStore,
    session: Session,
    /// The last entry that is in the store, or that the head has. None as long as entries from before the
    /// head's position may still be fed in.
    known: Option<OpTime>,
    until: Timestamp,
    /// The last entry of the file so far.
    last: Option<OpTime>,
    writer: Option<SliceWriter>,
    /// The entries that the writer holds.
    plain: Vec<u8>,
    /// Whether any file held an entry that was known: then nothing can be missing before the next.
    overlaps: bool,
    first_new: Option<OpTime>,
    before: OpTime,
    applied: Applied,
    out: Output,
    progress: &'p Progress,
}

/// What was done.
#[derive(Debug, Serialize)]
pub(super) struct Applied {
    name: String,
    pub(super) at: At,
    entries_applied: u64,
    /// The head, or its stored oplog, had them.
    entries_skipped: u64,
    /// From before the head's position.
    entries_fed: u64,
    slices_stored: u64,
    open_transactions: usize,
    consistent_from: Option<At>,
    divergences: Divergences,
}

impl Applied {
    pub(super) fn exit(&self) -> Exit {
        if self.divergences.count == 0 { Exit::Done } else { Exit::Found }
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, at, entries_applied, entries_skipped, entries_fed, .. } = self;
        writeln!(f, "{name} is at {at}")?;
        write!(f, "{entries_applied} entries applied, {entries_skipped} skipped that it had")?;
        if *entries_fed > 0 {
            write!(f, ", {entries_fed} from before its position")?;
        }
        writeln!(f)?;
        if self.open_transactions > 0 {
            writeln!(f, "{} transactions are open", self.open_transactions)?;
        }
        if let Some(from) = &self.consistent_from {
            writeln!(f, "not consistent yet, only from {from} on: apply more oplog")?;
        }
        write!(f, "{}", self.divergences)
    }
}

impl<'p> Applying<'p> {
    pub(super) fn new(head: Head, until: Timestamp, out: Output, progress: &'p Progress) -> Result<Self> {
        let slices = head.name().slices(head.store());
        let session = head.store().session(&[])?;
        let known = match (slices.tip()?, head.state().taken_in()) {
            (Some(tip), _) if tip.link.digest != Digest::NONE => Some(tip.link.at),
            (_, taken_in) => taken_in.map(|link| link.at),
        };
        let applied = Applied {
            name: short(head.name()),
            at: At::of(head.at()),
            entries_applied: 0,
            entries_skipped: 0,
            entries_fed: 0,
            slices_stored: 0,
            open_transactions: 0,
            consistent_from: None,
            divergences: Divergences::default(),
        };
        let before = known.unwrap_or(head.at());
        Ok(Self {
            head,
            slices,
            session,
            known,
            until,
            last: None,
            writer: None,
            plain: Vec::new(),
            overlaps: false,
            first_new: None,
            before,
            applied,
            out,
            progress,
        })
    }

    /// Applies what is stored and was not applied, because a run before this was stopped.
    pub(super) fn catch_up(&mut self) -> Result<()> {
        let Some(tip) = self.slices.tip()? else { return Ok(()) };
        let position = self.head.state().position();
        let (head, applied) = (&mut self.head, &mut self.applied);
        follow(&self.slices, &tip, position, self.until, &mut |entries, end| {
            apply(head, entries, end, applied)
        })?;
        Ok(())
    }

    /// Takes the entries of a file, up to the end that was asked for.
    pub(super) fn take(&mut self, mut file: OplogFile) -> Result<()> {
        let name = file.name().to_owned();
        self.last = None;
        let mut previous: Option<OpTime> = None;
        while let Some((offset, entry)) = file.next()? {
            let place = || format!("{name}: at byte {offset}");
            let at = optime(entry).with_context(place)?;
            if let Some(previous) = previous.filter(|it| it.ts >= at.ts) {
                let what = format!(
                    "{}: the entry of {at} comes after that of {previous}: entries must be in the oplog's order",
                    place()
                );
                return Err(Problem::Damaged(what).into());
            }
            previous = Some(at);
            self.progress.add(entry.as_bytes().len() as u64);
            if at.ts > self.until {
                break;
            }
            self.take_entry(at, entry).with_context(place)?;
        }
        Ok(())
    }

    fn take_entry(&mut self, at: OpTime, entry: Doc<'_>) -> Result<()> {
        if let Some(known) = self.known {
            self.check_history(known, at)?;
            self.last = Some(at);
            if at.ts <= known.ts {
                self.overlaps = true;
                self.applied.entries_skipped += 1;
                return Ok(());
            }
        }
        if self.writer.as_ref().is_some_and(|writer| !writer.would_fit(entry)) {
            self.store_and_apply()?;
        }
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => SliceWriter::new(self.chain_end(at)?),
        };
        writer.push(entry)?;
        let is_full = writer.is_full();
        self.writer = Some(writer);
        self.plain.extend_from_slice(entry.as_bytes());
        self.known = Some(at);
        if at.ts > self.before.ts {
            self.first_new.get_or_insert(at);
        } else {
            self.overlaps = true;
        }
        if is_full { self.store_and_apply() } else { Ok(()) }
    }

    /// Fails if an entry cannot be of the history that is known up to `known`: its term is too high or too low,
    /// or the file goes on from before the last known entry without having it.
    fn check_history(&self, known: OpTime, at: OpTime) -> Result<()> {
        let has_terms = at.term != OpTime::NO_TERM && known.term != OpTime::NO_TERM;
        let is_other = match at.ts.cmp(&known.ts) {
            Ordering::Less => has_terms && at.term > known.term,
            Ordering::Equal => has_terms && at.term != known.term,
            Ordering::Greater => {
                has_terms && at.term < known.term || self.last.is_some_and(|last| last.ts < known.ts)
            }
        };
        if is_other {
            return Err(anyhow!(
                "the entry of {at} is of another history: the head has the entry of {known}; is it the oplog of \
                 the same replica set, and was it rolled back?"
            ));
        }
        Ok(())
    }

    /// Where the chain ends; if there is none, it begins at the head's position, or before the first entry that
    /// is fed in.
    fn chain_end(&self, first: OpTime) -> Result<Link> {
        if let Some(tip) = self.slices.tip()? {
            return Ok(tip.link);
        }
        let start = self.head.state().link();
        if self.head.state().taken_in().is_none() && first.ts <= start.at.ts {
            let ts = Timestamp::from_u64(first.ts.to_u64().saturating_sub(1));
            return Ok(Link::genesis(OpTime { ts, term: OpTime::NO_TERM }));
        }
        Ok(start)
    }

    /// Makes what was collected a slice of the chain, and applies it.
    fn store_and_apply(&mut self) -> Result<()> {
        let Some(Slice { header, bytes }) = self.writer.as_mut().and_then(SliceWriter::finish) else {
            return Ok(());
        };
        let plain = std::mem::take(&mut self.plain);
        let entries: Vec<Doc<'_>> = split(&plain).collect::<Result<_, _>>()?;
        let fuzzy = Fuzzy { until: self.head.state().fuzzy_until() };
        entries.par_iter().try_for_each(|entry| Entry::parse(*entry, fuzzy).map(drop))?;
        if self.slices.tip()?.is_none() {
            self.slices.start(&self.session, header.previous)?;
        }
        self.slices.append(&self.session, &bytes)?;
        self.applied.slices_stored += 1;
        if self.applied.slices_stored.is_multiple_of(SLICES_PER_CHECKPOINT) {
            self.session.checkpoint(&[], &[])?;
        }
        apply(&mut self.head, &entries, Some(header.end()), &mut self.applied)?;
        self.plain = plain;
        self.plain.clear();
        Ok(())
    }

    /// Applies what is left, flushes, and says how things stand.
    pub(super) fn finish(mut self) -> Result<Applied> {
        self.store_and_apply()?;
        self.head.flush()?;
        let divergences = self.head.take_divergences();
        let state = self.head.state();
        self.applied.divergences.add(&divergences);
        self.applied.at = At::of(state.at());
        self.applied.open_transactions = state.open_transactions();
        self.applied.consistent_from =
            state.fuzzy_until().filter(|until| *until > state.at().ts).map(At::of_timestamp);
        if let Some(first) = self.first_new.filter(|_| !self.overlaps) {
            self.out.note(&format!(
                "no file held the entry of {}, so it cannot be seen whether entries between it and the first one \
                 applied, {first}, are missing",
                self.before
            ));
        }
        Ok(self.applied)
    }
}

/// Applies entries that are stored.
fn apply(
    head: &mut Head,
    entries: &[Doc<'_>],
    end: Option<Link>,
    applied: &mut Applied,
) -> Result<(), tidemark_head::HeadError> {
    let (at, taken_in) = (head.at(), head.state().read_to());
    for entry in entries {
        let ts = optime(*entry)?.ts;
        if ts > at.ts {
            applied.entries_applied += 1;
        } else if ts > taken_in {
            applied.entries_fed += 1;
        }
    }
    head.apply(entries)?;
    if let Some(end) = end {
        head.pass_slice(end)?;
    }
    applied.divergences.add(&head.take_divergences());
    if head.state().delta_bytes() > BUDGET_BYTES {
        head.flush()?;
    }
    Ok(())
}
