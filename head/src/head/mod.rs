//! A head: the image of a replica set that follows its oplog, as one holder works on it.
//!
//! Used by the daemon and by the operator's commands. A head is a ref that names a root and an epoch. Whoever
//! works on it claims it first, which raises the epoch before anything else is done; every later change of
//! the ref is a compare-and-set with what that claim found, so a holder that was taken over can change
//! nothing any more, however late it notices ([`HeadError::Fenced`]). Everything in memory can be thrown
//! away: a crash costs what was applied since the last flush, and that is applied again.

mod copy;
mod cover;
mod line;
mod names;
mod place;
mod replace;
mod rewind;

pub use cover::Taken;
pub use line::{Line, stands_on_line};
pub use names::HeadName;
pub(crate) use names::check_name;
pub use place::Holder;

use crate::compaction::{Pace, Plan};
use crate::divergences::Divergences;
use crate::error::{HeadError, Result};
use crate::snapshot::{self, Snapshot};
use crate::state::State;
use tidemark_base::bson::Doc;
use tidemark_base::codec::{CodecError, CodecProblem};
use tidemark_base::{BlockId, Clock, OpTime};
use tidemark_blockstore::{Error, Expect, NewRef, RefChange, RefVersion, Session, Store};
use tidemark_oplog::slice::Link;

/// How often a claim that lost a race is tried again. Each loss is another's success.
const ATTEMPTS: usize = 16;

/// A head, as its holder has it.
#[derive(Debug)]
pub struct Head {
    store: Store,
    name: HeadName,
    holder: Holder,
    version: RefVersion,
    root: BlockId,
    state: State,
}

/// What a head's ref says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The root.
    pub root: BlockId,
    /// Whose it is.
    pub holder: Holder,
    version: RefVersion,
}

/// Looks a head up, without claiming it.
///
/// # Errors
/// [`HeadError::NoHead`]; [`HeadError::BadRef`]; failures of the store.
pub fn look_up(store: &Store, name: &HeadName) -> Result<Found> {
    let found = store.get_ref(&name.head())?.ok_or_else(|| HeadError::NoHead { name: name.head() })?;
    let bad = |problem| HeadError::BadRef { name: name.head(), problem };
    let holder = Holder::decode(&found.value).map_err(bad)?;
    let [root] = found.roots.as_slice() else {
        let problem = CodecProblem::Unknown { value: found.roots.len() as u64 };
        return Err(bad(CodecError { what: "number of roots of a head", offset: 0, problem }));
    };
    Ok(Found { root: *root, holder, version: found.version })
}

impl Head {
    /// Makes a new head of a root that this session has put, and claims it.
    ///
    /// # Errors
    /// [`HeadError::HeadExists`]; damage of the root; failures of the store.
    pub fn create(session: &Session, name: &HeadName, root: BlockId) -> Result<Self> {
        let holder = Holder { epoch: 1, next_snapshot: 1 };
        // What cannot be opened is not made a head.
        let state = State::open(session, root)?;
        let version = match session.publish(&[change(name, Expect::Absent, holder, root)]) {
            Err(Error::RefConflict { .. }) => return Err(HeadError::HeadExists { name: name.head() }),
            other => other?,
        };
        let store = session.store().clone();
        Ok(Self { store, name: name.clone(), holder, version, root, state })
    }

    /// Takes a head over, from whoever had it, and opens its state.
    ///
    /// # Errors
    /// [`HeadError::NoHead`]; damage; failures of the store.
    pub fn claim(store: &Store, name: &HeadName) -> Result<Self> {
        let mut attempt = 1;
        loop {
            let Found { root, holder, version } = look_up(store, name)?;
            let holder = Holder { epoch: holder.epoch + 1, ..holder };
            let session = store.session(&[&name.head()])?;
            match session.publish(&[change(name, Expect::Version(version), holder, root)]) {
                Err(Error::RefConflict { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error.into()),
                Ok(version) => {
                    let state = State::open(store, root)?;
                    return Ok(Self {
                        store: store.clone(),
                        name: name.clone(),
                        holder,
                        version,
                        root,
                        state,
                    });
                }
            }
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &HeadName {
        &self.name
    }

    /// The epoch of this holder.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.holder.epoch
    }

    /// The root that the ref names: what was flushed last.
    #[must_use]
    pub const fn root(&self) -> BlockId {
        self.root
    }

    /// The store it lies in.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The state, with what was applied and not flushed.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The last entry that is applied.
    #[must_use]
    pub const fn at(&self) -> OpTime {
        self.state.at()
    }

    /// What was found not to fit since this was asked last.
    pub fn take_divergences(&mut self) -> Divergences {
        self.state.take_divergences()
    }

    /// Applies entries: [`State::apply`].
    ///
    /// # Errors
    /// As there; [`HeadError::Fenced`] if the store fails and somebody else has the head by now.
    pub fn apply(&mut self, entries: &[Doc<'_>]) -> Result<()> {
        let outcome = self.state.apply(&self.store, entries);
        // What the state of a fenced holder stands on may be gone: that is no damage.
        outcome.map_err(|error| match error {
            HeadError::Store(_) | HeadError::Run(_) => self.fenced().unwrap_or(error),
            error => error,
        })
    }

    /// Notes that a slice ends at the last entry.
    ///
    /// # Errors
    /// [`HeadError::Fork`] if the head stands elsewhere.
    pub fn pass_slice(&mut self, end: Link) -> Result<()> {
        self.state.pass_slice(end)
    }

    /// Writes what was applied, and moves the head to it.
    ///
    /// # Errors
    /// [`HeadError::Fenced`]; failures of the store. After any error the head is claimed again before it is
    /// used on.
    pub fn flush(&mut self) -> Result<BlockId> {
        let session = self.session()?;
        let root = self.state.flush(&session)?;
        self.advance(&session, root, Vec::new())
    }

    /// Folds everything into bases, and moves the head to the result.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn compact(&mut self) -> Result<BlockId> {
        let session = self.session()?;
        let root = self.state.compact(&session)?;
        self.advance(&session, root, Vec::new())
    }

    /// Folds stretches of collections into their bases, and moves the head to the result.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn compact_by(&mut self, plan: &Plan, pace: Pace<'_>) -> Result<BlockId> {
        let session = self.session()?;
        let root = self.state.compact_by(&session, plan, pace)?;
        self.advance(&session, root, Vec::new())
    }

    /// Flushes, folds what is worth it, if anything is, and moves the head to the result: so that reading it costs at
    /// most a quarter more than reading the same documents in bases alone. Called now and then, best before a
    /// snapshot is taken; `pace` limits the rate of the work. Returns what was folded.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn compact_if_worth(&mut self, pace: Pace<'_>) -> Result<Plan> {
        let session = self.session()?;
        let (root, plan) = self.state.compact_if_worth(&session, pace)?;
        self.advance(&session, root, Vec::new())?;
        Ok(plan)
    }

    /// Flushes, and keeps the root as a snapshot. The clock is asked when it was taken and how long it took, both
    /// for people.
    ///
    /// # Errors
    /// [`HeadError::Fuzzy`] if the state is not consistent yet; else as [`Self::flush`].
    pub fn snapshot(&mut self, clock: &dyn Clock) -> Result<(u64, Snapshot)> {
        self.state.require_consistent()?;
        let (now, began) = (clock.now(), clock.monotonic());
        let before = snapshot::newest(&self.store, &self.name, self.holder.next_snapshot)?;
        let previous = before.map(|(_, snapshot)| snapshot.root);
        let session = self.session()?;
        let root = self.state.flush(&session)?;
        let stored = Snapshot::stored(&session, root, previous, now);
        let took = clock.monotonic().saturating_sub(began);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let taken = stored.map(|it| Snapshot { took_ms, ..it });
        let outcome = taken.and_then(|taken| self.keep(&session, root, taken));
        self.state.break_off_unless(outcome.is_ok());
        outcome
    }

    /// Keeps a root as a snapshot, and moves the head to it.
    fn keep(&mut self, session: &Session, root: BlockId, taken: Snapshot) -> Result<(u64, Snapshot)> {
        let id = self.holder.next_snapshot;
        let keep = RefChange {
            name: self.name.snapshot(id),
            expect: Expect::Absent,
            set: Some(NewRef { roots: vec![root], value: taken.encode() }),
        };
        self.holder.next_snapshot += 1;
        self.advance(session, root, vec![keep])?;
        Ok((id, Snapshot { version: self.version, ..taken }))
    }

    /// A session that pins what the head's ref names: all that the state stands on, as long as it is ours.
    fn session(&mut self) -> Result<Session> {
        self.state.check_usable()?;
        let session = self.store.session(&[&self.name.head()]);
        // Looked at after it was pinned. Another's root does not keep what our state stands on, and what is
        // read from there may be gone by now: that is no damage.
        if let Some(fenced) = self.fenced() {
            self.state.break_off_unless(false);
            return Err(fenced);
        }
        Ok(session?)
    }

    /// Moves the head to a root, with other changes, in one publish; only if it is still ours. If that fails,
    /// nothing keeps what the state in memory stands on: it is not used on.
    fn advance(&mut self, session: &Session, root: BlockId, mut with: Vec<RefChange>) -> Result<BlockId> {
        with.push(change(&self.name, Expect::Version(self.version), self.holder, root));
        let published = session.publish(&with);
        self.state.break_off_unless(published.is_ok());
        match published {
            Ok(version) => {
                (self.version, self.root) = (version, root);
                Ok(root)
            }
            Err(error @ Error::RefConflict { .. }) => Err(self.fenced().unwrap_or_else(|| error.into())),
            Err(error) => Err(error.into()),
        }
    }

    /// Who has the head now, if it is somebody else.
    fn fenced(&self) -> Option<HeadError> {
        let (name, ours) = (self.name.head(), self.holder.epoch);
        match look_up(&self.store, &self.name) {
            Ok(found) if found.holder.epoch == ours => None,
            Ok(found) => Some(HeadError::Fenced { name, ours, found: found.holder.epoch }),
            Err(HeadError::NoHead { .. }) => Some(HeadError::Fenced { name, ours, found: 0 }),
            Err(_) => None,
        }
    }
}

fn change(name: &HeadName, expect: Expect, holder: Holder, root: BlockId) -> RefChange {
    let set = Some(NewRef { roots: vec![root], value: holder.encode() });
    RefChange { name: name.head(), expect, set }
}
