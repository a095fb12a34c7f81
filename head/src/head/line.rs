//! Going back to where the oplog goes on from: the source rolled back, and its oplog was begun again earlier.
//!
//! Used by the daemon whenever the chain has changed. The *line* is what leads to the tip: a root is on it if the last
//! slice that it took in is part of it, and the part of a slice behind that too. What was copied while the source
//! changed has seen entries up to the end of that time, so it is on no line that branches off before.

use super::{Head, HeadName, look_up};
use crate::error::Result;
use crate::root::Root;
use crate::snapshot;
use crate::state::State;
use std::cmp::Reverse;
use tidemark_base::{OpTime, Timestamp};
use tidemark_blockstore::Store;
use tidemark_oplog::slice::{Digest, Link, optime};
use tidemark_oplog::store::{SliceStore, Stored};

/// How a head stands to the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It is on it.
    Stands,
    /// It was not, and is now, at this entry.
    WentBack(OpTime),
    /// Nothing that is kept is on it: the source must be copied anew.
    Lost,
}

impl Head {
    /// Goes back to the newest root that is on the oplog's line, unless the head stands on it: what was not flushed is
    /// forgotten, then the head goes back to a snapshot, and later snapshots are marked as a dead branch. The oplog stays
    /// as it is.
    ///
    /// # Errors
    /// [`crate::HeadError::Fenced`]; damage; failures of the store, after which the head is claimed again.
    pub fn rewind_to_line(&mut self) -> Result<Line> {
        let slices = self.name.slices(&self.store);
        let Some(line) = Path::read(&slices)? else { return Ok(Line::Stands) };
        if line.has(&Place::of_state(&self.state))? {
            return Ok(Line::Stands);
        }
        if line.has(&Place::of_root(&Root::read(&self.store, self.root)?))? {
            self.state = State::open(&self.store, self.root)?;
            return Ok(Line::WentBack(self.at()));
        }
        let snapshots = snapshot::list(&self.store, &self.name)?;
        let mut live: Vec<_> = snapshots.iter().filter(|(_, it)| it.is_live()).collect();
        live.sort_by_key(|(id, it)| Reverse((it.at.ts, *id)));
        for (_, target) in live {
            if line.has(&Place::of_root(&Root::read(&self.store, target.root)?))? {
                let (session, _, changes) = self.leaving(&snapshots, target)?;
                self.go_to(&session, target.root, &changes)?;
                return Ok(Line::WentBack(self.at()));
            }
        }
        Ok(Line::Lost)
    }
}

/// Whether a head's root is on the line of its oplog: then what lies behind it there is all that it needs.
///
/// # Errors
/// [`crate::HeadError::NoHead`]; damage; failures of the store.
pub fn stands_on_line(store: &Store, name: &HeadName) -> Result<bool> {
    let root = Root::read(store, look_up(store, name)?.root)?;
    let slices = name.slices(store);
    Path::read(&slices)?.map_or(Ok(true), |line| line.has(&Place::of_root(&root)))
}

/// Where a state stands.
struct Place {
    at: OpTime,
    read_to: Timestamp,
    link: Link,
    fuzzy_until: Option<Timestamp>,
}

impl Place {
    fn of_root(root: &Root) -> Self {
        Self { at: root.at, read_to: root.read_to, link: root.link, fuzzy_until: root.fuzzy_until }
    }

    fn of_state(state: &State) -> Self {
        let (at, read_to, link) = (state.at(), state.read_to(), state.link());
        Self { at, read_to, link, fuzzy_until: state.fuzzy_until() }
    }
}

/// The line, as far back as slices are kept.
struct Path<'s> {
    store: &'s SliceStore,
    start: Link,
    end: Timestamp,
    slices: Vec<Stored>,
    /// Where it goes over from one chain to another.
    branches: Vec<Timestamp>,
}

impl<'s> Path<'s> {
    fn read(store: &'s SliceStore) -> Result<Option<Self>> {
        let Some(tip) = store.tip()? else { return Ok(None) };
        let slices = store.line(&tip, None, tip.link.at.ts)?;
        let start = slices.first().map_or(tip.start, |first| first.header.previous);
        let next =
            slices.iter().skip(1).map(|it| (it.chain, it.header.previous)).chain([(tip.chain, tip.link)]);
        let branches = slices.iter().zip(next).filter(|(before, (chain, _))| before.chain != *chain);
        let branches = branches.map(|(_, (_, link))| link.at.ts).collect();
        Ok(Some(Self { store, start, end: tip.link.at.ts, slices, branches }))
    }

    fn has(&self, place: &Place) -> Result<bool> {
        let Place { at, read_to, link, fuzzy_until } = place;
        // The copies may have seen what lies on the other branch.
        let is_seen =
            |branch: &Timestamp| *branch >= at.ts && fuzzy_until.is_some_and(|until| *branch < until);
        if self.branches.iter().any(is_seen) {
            return Ok(false);
        }
        // Slices reach back to a position of which none is the end.
        let reaches_back = self.start.at.ts <= link.at.ts && link.at.ts <= self.end;
        if *read_to == Timestamp::ZERO {
            return Ok(self.start.at.ts <= at.ts);
        }
        let next = if link.digest == Digest::NONE {
            if !reaches_back {
                return Ok(false);
            }
            self.slices.iter().position(|it| it.header.last.ts > link.at.ts)
        } else if *link == self.start {
            Some(0)
        } else {
            let Some(taken_in) = self.slices.iter().position(|it| it.header.end() == *link) else {
                return Ok(false);
            };
            Some(taken_in + 1)
        };
        if *read_to <= link.at.ts {
            return Ok(true);
        }
        match next.and_then(|next| self.slices.get(next)) {
            Some(next) => self.holds(next, *read_to, *at),
            None => Ok(false),
        }
    }

    /// Whether a slice has the very entry that was taken in last.
    fn holds(&self, slice: &Stored, read_to: Timestamp, at: OpTime) -> Result<bool> {
        let mut plain = Vec::new();
        for entry in self.store.read(slice, &mut plain)?.iter() {
            let found = optime(entry)?;
            if found.ts >= read_to {
                return Ok(found.ts == read_to && (at.ts != read_to || found == at));
            }
        }
        Ok(false)
    }
}
