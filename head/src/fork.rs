//! Forks: a state of a head opened to be read, and brought to a point in time without leaving a trace.
//!
//! Used by exports and lookups. A fork pins the root that it stands on, and applies stored slices to it in
//! memory; what does not fit there is written as blocks that its session protects and no ref ever keeps. So a
//! fork needs no claim, disturbs nobody, and is garbage when it is dropped. Deliberately not here: changing a
//! head ([`crate::head`]).

use crate::divergences::Divergences;
use crate::error::{HeadError, Result};
use crate::export::Restorable;
use crate::follow::follow;
use crate::head::{HeadName, look_up};
use crate::root::Root;
use crate::run::Source;
use crate::snapshot;
use crate::state::State;
use tidemark_base::{BlockId, ErrorKind, OpTime, Timestamp};
use tidemark_blockstore::{Error, Session, Store};

/// How much is held in memory before it is written for the session.
const BUDGET_BYTES: usize = 256 << 20;
/// How often a head that moves is looked up again.
const ATTEMPTS: usize = 16;

/// A state to be read, and the session that keeps what it stands on.
#[derive(Debug)]
pub struct Fork {
    session: Session,
    state: State,
}

/// A root that a fork can begin at.
#[derive(Clone, Copy, Debug)]
enum Origin {
    Head { at: OpTime },
    Snapshot { id: u64, at: OpTime },
}

impl Origin {
    const fn at(self) -> OpTime {
        match self {
            Self::Head { at } | Self::Snapshot { at, .. } => at,
        }
    }
}

impl Fork {
    /// The head as it was flushed last.
    ///
    /// # Errors
    /// [`HeadError::NoHead`]; damage; failures of the store.
    pub fn of_head(store: &Store, name: &HeadName) -> Result<Self> {
        // What a session pins is what the ref names when it is opened, which somebody may move meanwhile.
        let mut root = look_up(store, name)?.root;
        for _ in 0..ATTEMPTS {
            let session = store.session(&[&name.head()])?;
            let now = look_up(store, name)?.root;
            if now == root {
                return Self::open(session, root);
            }
            root = now;
        }
        Err(HeadError::Moving { name: name.head() })
    }

    /// A snapshot.
    ///
    /// # Errors
    /// [`HeadError::NoSnapshot`]; damage; failures of the store.
    pub fn of_snapshot(store: &Store, name: &HeadName, id: u64) -> Result<Self> {
        let snapshot = snapshot::get(store, name, id)?;
        let session = store.session(&[&name.snapshot(id)])?;
        Self::open(session, snapshot.root)
    }

    /// A prepared restore, and what it is.
    ///
    /// # Errors
    /// [`HeadError::NoRestore`]; [`HeadError::BadName`]; damage; failures of the store.
    pub fn of_restore(store: &Store, name: &HeadName, id: &str) -> Result<(Self, Restorable)> {
        let missing = || HeadError::NoRestore { id: id.to_owned() };
        let found = Restorable::find(store, name, id)?.ok_or_else(missing)?;
        let session = store.session(&[&name.restore(id)]).map_err(|error| match error {
            Error::NoSuchRef { .. } => missing(),
            error => error.into(),
        })?;
        Ok((Self::open(session, found.root)?, found))
    }

    /// The state at a point in time, with all entries up to `until`, inclusive: from the nearest root before it,
    /// and the slices. An ordinal of `u32::MAX` stands for the whole second, as far as the oplog has it. Branches
    /// that the head went back from are never used, nor is a snapshot that is known to be damaged.
    ///
    /// # Errors
    /// [`HeadError::TooEarly`], [`HeadError::TooLate`], [`HeadError::Fuzzy`]; [`HeadError::Oplog`] if entries
    /// on the way are gone; what applying them meets; damage; failures of the store.
    pub fn at(store: &Store, name: &HeadName, until: Timestamp) -> Result<Self> {
        let slices = name.slices(store);
        let origins = origins(store, name)?;
        let tip = slices.tip()?;
        let last = origins.iter().map(|it| it.at()).chain(tip.map(|tip| tip.link.at)).max_by_key(|at| at.ts);
        let last = last.unwrap_or(OpTime::NULL);
        let is_in_last_second = until.ordinal == u32::MAX && until.secs == last.ts.secs;
        if until > last.ts && !is_in_last_second {
            return Err(HeadError::TooLate { asked: until, last });
        }
        let nearest = origins.iter().filter(|it| it.at().ts <= until).max_by_key(|it| it.at().ts);
        let Some(nearest) = nearest else {
            let oldest = origins.iter().map(|it| it.at()).min_by_key(|at| at.ts).unwrap_or(OpTime::NULL);
            return Err(HeadError::TooEarly { asked: until, oldest });
        };
        let mut fork = match nearest {
            Origin::Head { .. } => Self::of_head(store, name)?,
            Origin::Snapshot { id, .. } => Self::of_snapshot(store, name, *id)?,
        };
        if fork.state.at().ts > until {
            // The head has moved on since it was looked at.
            return Err(HeadError::Moving { name: name.head() });
        }
        if let Some(tip) = tip {
            let position = fork.state.position();
            follow(&slices, &tip, position, until, &mut |entries, _| {
                fork.state.apply(&fork.session, entries)?;
                if fork.state.delta_bytes() > BUDGET_BYTES {
                    fork.state.flush(&fork.session)?;
                }
                Ok(())
            })?;
        }
        // Later roots that came about without slices: what happened on the way to them is not known.
        let known = tip.map_or(fork.state.at().ts, |tip| tip.link.at.ts.max(fork.state.at().ts));
        if known < until.min(last.ts) {
            return Err(HeadError::NoEntries { asked: until, after: known, until: last });
        }
        fork.state.require_consistent()?;
        Ok(fork)
    }

    /// Writes what was applied, so that there is a root of this very state: its session protects it until a ref keeps
    /// it.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn flush(&mut self) -> Result<BlockId> {
        self.state.flush(&self.session)
    }

    fn open(session: Session, root: BlockId) -> Result<Self> {
        let state = State::open(&session, root)?;
        Ok(Self { session, state })
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// What its blocks are read from.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// What was found not to fit on the way to the point in time.
    pub fn take_divergences(&mut self) -> Divergences {
        self.state.take_divergences()
    }
}

/// Looks something up in the head as it was flushed last, or in a snapshot. Nothing is written for that, unless a block is
/// missing: then it is done again with a session, since a collection may have taken meanwhile what nobody kept.
///
/// # Errors
/// As [`Fork::of_head`] and [`Fork::of_snapshot`]; what `look` returns.
pub fn look_into<T>(
    store: &Store,
    name: &HeadName,
    snapshot: Option<u64>,
    look: impl Fn(&State, &dyn Source) -> Result<T>,
) -> Result<T> {
    let root = match snapshot {
        Some(id) => snapshot::get(store, name, id)?.root,
        None => look_up(store, name)?.root,
    };
    match State::open(store, root).and_then(|state| look(&state, store)) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => {}
        outcome => return outcome,
    }
    let fork = match snapshot {
        Some(id) => Fork::of_snapshot(store, name, id)?,
        None => Fork::of_head(store, name)?,
    };
    look(fork.state(), fork.session())
}

/// All roots of the branch that the head is on.
fn origins(store: &Store, name: &HeadName) -> Result<Vec<Origin>> {
    let head = Root::read(store, look_up(store, name)?.root)?;
    let snapshots = snapshot::list(store, name)?.into_iter().filter(|(_, it)| it.is_live());
    let snapshots = snapshots.map(|(id, it)| Origin::Snapshot { id, at: it.at });
    Ok(snapshots.chain([Origin::Head { at: head.at }]).collect())
}
