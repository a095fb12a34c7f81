//! What was acknowledged to anybody, kept by the one who kills.

use crate::job::catch_up;
use crate::line::Line;
use crate::log::{START_SECS, documents_at, documents_of, name};
use std::collections::{BTreeMap, BTreeSet};
use tidemark_blockstore::{Depth, Quiet, Store};
use tidemark_head::head::{Head, look_up};
use tidemark_head::root::Root;
use tidemark_head::snapshot;
use tidemark_head::state::State;

/// Promises of all processes together.
#[derive(Debug)]
pub(crate) struct Account {
    /// The last slice acknowledged ends here.
    appended: u32,
    /// Flushed up to here, by whomever.
    flushed: u32,
    /// The highest epoch that was claimed.
    claimed: u64,
    /// Snapshots and their positions.
    kept: BTreeMap<u64, u32>,
    /// Those that somebody was about to delete are not promised any more.
    deleting: BTreeSet<u64>,
    /// The number of the last snapshot.
    last_kept: u64,
    /// How often somebody was fenced.
    pub(crate) fenced: u64,
    pub(crate) slices: u64,
    pub(crate) flushes: u64,
}

impl Account {
    pub(crate) const fn new() -> Self {
        Self {
            appended: START_SECS,
            flushed: START_SECS,
            claimed: 1,
            kept: BTreeMap::new(),
            deleting: BTreeSet::new(),
            last_kept: 0,
            fenced: 0,
            slices: 0,
            flushes: 0,
        }
    }

    /// Notes what a process says.
    pub(crate) fn note(&mut self, line: Line) {
        match line {
            Line::Claimed(epoch) => self.claimed = self.claimed.max(epoch),
            Line::Appended(secs) => {
                self.appended = self.appended.max(secs);
                self.slices += 1;
            }
            Line::Flushed(secs) => {
                self.flushed = self.flushed.max(secs);
                self.flushes += 1;
            }
            Line::Kept(id, secs) => {
                assert_eq!(self.kept.insert(id, secs), None, "snapshot {id} was taken twice");
                self.last_kept = self.last_kept.max(id);
                self.flushed = self.flushed.max(secs);
            }
            Line::Deleting(id) => drop(self.deleting.insert(id)),
            Line::Fenced(ours, found) => {
                assert!(ours < found, "fenced by {found}, and was {ours}");
                self.fenced += 1;
            }
            Line::Failed(why) => panic!("{why}"),
        }
    }

    /// Holds a store against what only grows; others may be at work on it.
    pub(crate) fn check_growing(&self, store: &Store) {
        let tip = name().slices(store).tip().unwrap().unwrap();
        assert!(tip.link.at.ts.secs >= self.appended, "slices up to {} end at {}", self.appended, tip.link);
        let found = look_up(store, &name()).unwrap();
        assert!(found.holder.epoch >= self.claimed, "epoch {:?}, not {}", found.holder, self.claimed);
        assert!(found.holder.next_snapshot > self.last_kept, "{:?}, not {}", found.holder, self.last_kept);
    }

    /// Holds a store against all promises. Nobody is at work on it.
    pub(crate) fn check_at_rest(&self, store: &Store) {
        self.check_growing(store);
        let found = look_up(store, &name()).unwrap();
        let root = Root::read(store, found.root).unwrap();
        assert!(root.at.ts.secs >= self.flushed, "flushed up to {}, and stands at {}", self.flushed, root.at);
        let listed: BTreeMap<_, _> = snapshot::list(store, &name()).unwrap().into_iter().collect();
        for (id, secs) in self.kept.iter().filter(|(id, _)| !self.deleting.contains(id)) {
            let found = listed.get(id).unwrap_or_else(|| panic!("snapshot {id} of {secs} is gone"));
            assert_eq!(found.at.ts.secs, *secs, "snapshot {id}");
        }
        for (id, kept) in listed {
            let state = State::open(store, kept.root).unwrap();
            let documents = documents_of(store, &state).unwrap();
            assert_eq!(documents, documents_at(kept.at.ts.secs), "snapshot {id}");
        }
        // The state and the slices after it make what the source had.
        let mut head = Head::claim(store, &name()).unwrap();
        assert_eq!(documents_of(store, head.state()).unwrap(), documents_at(head.at().ts.secs));
        catch_up(store, &mut head).unwrap();
        assert!(head.at().ts.secs >= self.appended);
        assert_eq!(documents_of(store, head.state()).unwrap(), documents_at(head.at().ts.secs));
        assert!(head.take_divergences().is_empty());
        let report = store.verify(Depth::Full, &Quiet).unwrap();
        assert!(report.is_clean(), "{:#?}", report.damage);
    }
}
