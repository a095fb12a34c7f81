//! The applier: claims the head and does everything that is done with one, until it is killed. When it is taken
//! over it claims the head again, as no daemon would: the more often, the better.

use crate::job::{Failure, catch_up};
use crate::line::Line;
use crate::log::{documents_at, documents_of, name, slice};
use std::time::Duration;
use tidemark_base::{ErrorKind, SeededEntropy, UnixMillis};
use tidemark_blockstore::{Error, GcOptions, Quiet, Store};
use tidemark_head::HeadError;
use tidemark_head::head::Head;
use tidemark_head::snapshot;

/// So many snapshots are kept.
const SNAPSHOTS: usize = 3;
/// Claims in a row that came to nothing before this counts as stuck.
const CLAIMS: usize = 200;
/// Longest pause after having been taken over, in milliseconds: the other shall come to something.
const PAUSE_MS: u64 = 40;

/// Works until killed.
pub(crate) fn run(store: Store, seed: u64) -> Result<(), Failure> {
    let mut applier = Applier { store, random: SeededEntropy::new(seed), idle_claims: 0 };
    loop {
        let error = match applier.hold() {
            Ok(never) => match never {},
            Err(error) => error,
        };
        if let Failure::Head(HeadError::Fenced { ours, found, .. }) = error {
            Line::Fenced(ours, found).say();
        }
        // What another has changed or removed meanwhile. Loss would be seen by the one who kills.
        let is_race = matches!(
            error.kind(),
            ErrorKind::Fenced | ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::Retry
        );
        applier.idle_claims += 1;
        if !is_race || applier.idle_claims > CLAIMS {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(applier.random.below(PAUSE_MS)));
    }
}

struct Applier {
    store: Store,
    random: SeededEntropy,
    idle_claims: usize,
}

impl Applier {
    /// Claims the head, and works on it until an error.
    fn hold(&mut self) -> Result<std::convert::Infallible, Failure> {
        let mut head = Head::claim(&self.store, &name())?;
        Line::Claimed(head.epoch()).say();
        catch_up(&self.store, &mut head)?;
        loop {
            self.step(&mut head)?;
            let divergences = head.take_divergences();
            if !divergences.is_empty() {
                return Err(Failure::Divergences(format!("{divergences:?}")));
            }
            self.idle_claims = 0;
        }
    }

    fn step(&mut self, head: &mut Head) -> Result<(), Failure> {
        match self.random.below(40) {
            0..14 => self.append()?,
            14..24 => catch_up(&self.store, head)?,
            24..31 => {
                head.flush()?;
                Line::Flushed(head.at().ts.secs).say();
            }
            31..33 => {
                head.compact()?;
                Line::Flushed(head.at().ts.secs).say();
            }
            33..36 => self.keep(head)?,
            36 => {
                let session = self.store.session(&[])?;
                let root = tidemark_head::root::Root::read(&self.store, head.root())?;
                name().slices(&self.store).expire(&session, root.at.ts)?;
            }
            37 => {
                let options = GcOptions { dry_run: false, sweep: self.random.below(2) == 0 };
                match self.store.collect(options, &Quiet) {
                    Err(Error::CollectionRunning) => {}
                    other => drop(other?),
                }
            }
            _ => {
                let secs = head.at().ts.secs;
                if documents_of(&self.store, head.state())? != documents_at(secs) {
                    return Err(Failure::Documents(secs));
                }
            }
        }
        Ok(())
    }

    fn append(&self) -> Result<(), Failure> {
        let slices = name().slices(&self.store);
        let tip = slices.tip()?.expect("the log was begun before");
        let session = self.store.session(&[])?;
        let appended = slices.append(&session, &slice(tip.link))?;
        Line::Appended(appended.tip().link.at.ts.secs).say();
        Ok(())
    }

    fn keep(&self, head: &mut Head) -> Result<(), Failure> {
        let (id, taken) = head.snapshot(&UnixMillis(0))?;
        Line::Kept(id, taken.at.ts.secs).say();
        let kept = snapshot::list(&self.store, &name())?;
        for (id, _) in kept.iter().take(kept.len().saturating_sub(SNAPSHOTS)) {
            Line::Deleting(*id).say();
            snapshot::delete(&self.store, &name(), *id)?;
        }
        Ok(())
    }
}
