//! One state of the modelled store: what is on disk, what is in the database, what the processes remember.
//!
//! The steps make new states from old ones; the explorer compares and hashes them. Fields that mean nothing
//! in a state are zero, so that equal situations are equal values.

use crate::world::World;

/// A set of blocks or roots.
pub(crate) type Blocks = u8;
/// The block that may be a node over [`B`].
pub(crate) const A: Blocks = 1;
/// The other block.
pub(crate) const B: Blocks = 2;
/// No block.
pub(crate) const NONE: Blocks = 0;

/// Every set of roots.
pub(crate) const ROOT_SETS: [Blocks; 4] = [NONE, A, B, A | B];

/// How many packs can exist at once.
pub(crate) const MAX_PACKS: usize = 4;

/// A number of the collections that have begun. 0 is before all of them.
pub(crate) type Epoch = u8;

/// The id of a pack, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PackId(pub(crate) u8);

impl PackId {
    /// No pack.
    pub(crate) const NONE: Self = Self(0);

    /// The id of the pack in this place.
    pub(crate) fn of(place: usize) -> Self {
        Self(u8::try_from(place + 1).expect("few packs"))
    }

    /// The place of the pack.
    pub(crate) fn place(self) -> Option<usize> {
        usize::from(self.0).checked_sub(1)
    }
}

/// One state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// `E`.
    pub(crate) epoch: Epoch,
    /// What refs name.
    pub(crate) refs: Blocks,
    pub(crate) packs: [Pack; MAX_PACKS],
    pub(crate) writers: [Writer; 2],
    pub(crate) reader: Session,
    pub(crate) collector: Collector,
}

/// A pack: file, database row and index rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pack {
    pub(crate) state: PackState,
    /// `te`.
    pub(crate) touched: Epoch,
    /// Blocks whose bytes are in the file for good.
    pub(crate) bytes: Blocks,
    /// Blocks whose index row names this pack.
    pub(crate) rows: Blocks,
}

/// What the database says of a pack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PackState {
    #[default]
    Unused,
    Open,
    Live,
    Condemned,
    Deleting,
    Gone,
}

/// A session as the database has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) open: bool,
    pub(crate) epoch: Epoch,
    pub(crate) pins: Blocks,
}

/// A writer's process and its session. The process may be gone while the session is there (a crash), and the
/// session may be gone while the process still works (an expiry); then `epoch` and `pins` of the session are
/// what the process remembers of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Writer {
    pub(crate) process: Process,
    pub(crate) session: Session,
    /// The pack it opened and did not seal.
    pub(crate) pack: PackId,
    /// Appended to that pack, not synced.
    pub(crate) appended: Blocks,
    /// Synced, without index rows.
    pub(crate) synced: Blocks,
    /// Put: indexed or hit since the session's epoch.
    pub(crate) put: Blocks,
    /// Looked up and not yet touched, block and pack (only when the two are not one step).
    pub(crate) seen: (Blocks, PackId),
}

/// How far a process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Process {
    #[default]
    Down,
    /// It has read the epoch and not inserted its session (only when the two are not one step).
    Opening,
    Running,
}

/// What the collector remembers. Nothing of it survives the collection, or its crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Collector {
    pub(crate) phase: Phase,
    /// `m`.
    pub(crate) oldest: Epoch,
    /// Roots until the mark, then everything they reach.
    pub(crate) marked: Blocks,
    pub(crate) plan: [Plan; MAX_PACKS],
    /// The pack being rewritten and the pack it is copied to.
    pub(crate) source: PackId,
    pub(crate) target: PackId,
    /// The target of a rewrite that committed with unsynced copies (only when that is allowed).
    pub(crate) unsynced: PackId,
}

/// How far a collection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Idle,
    /// It has read the roots and not moved the epoch (only when the two are not one step).
    RootsRead,
    Begun,
    Marked,
}

/// What the collection means to do with a pack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Plan {
    #[default]
    Keep,
    Condemn,
    Rewrite,
    Delete,
}

impl State {
    /// An empty store.
    pub(crate) fn initial() -> Self {
        Self { epoch: 1, ..Self::default() }
    }

    /// All sessions, open or not.
    pub(crate) fn sessions(&self) -> [Session; 3] {
        [self.writers[0].session, self.writers[1].session, self.reader]
    }

    /// What open sessions pin.
    pub(crate) fn pins(&self) -> Blocks {
        self.sessions().iter().filter(|session| session.open).fold(NONE, |all, session| all | session.pins)
    }

    /// What a session may pin: what a ref names or another session pins.
    pub(crate) fn live_roots(&self) -> Blocks {
        self.refs | self.pins()
    }

    /// A place for a new pack. Ids are not used again in the store, and a place that had another pack is as
    /// good as a new id once nobody remembers the old one.
    pub(crate) fn free_place(&self, world: &World) -> Option<usize> {
        world.places().find(|&place| match self.packs[place].state {
            PackState::Unused => true,
            PackState::Gone => !self.is_remembered(place),
            _ => false,
        })
    }

    /// Whether some process still names this pack.
    pub(crate) fn is_remembered(&self, place: usize) -> bool {
        let (id, collector) = (PackId::of(place), &self.collector);
        self.writers.iter().any(|writer| writer.pack == id || writer.seen.1 == id)
            || [collector.source, collector.target, collector.unsynced].contains(&id)
            || collector.plan[place] != Plan::Keep
    }

    /// The invariant: whatever a ref or an open pin reaches has a row to an open or live pack with its bytes.
    pub(crate) fn is_safe(&self, world: &World) -> bool {
        self.all_reached(world, |pack| matches!(pack.state, PackState::Open | PackState::Live))
    }

    /// The disaster: something that a ref or an open pin reaches can no longer be read from any pack.
    pub(crate) fn has_loss(&self, world: &World) -> bool {
        !self.all_reached(world, |pack| pack.state != PackState::Gone)
    }

    /// Whether all that is reached has its row and bytes in some pack that is good enough.
    fn all_reached(&self, world: &World, good: impl Fn(&Pack) -> bool) -> bool {
        let reached = world.reach(self.live_roots());
        let packs = self.packs.iter().filter(|pack| good(pack));
        reached & !packs.fold(NONE, |all, pack| all | (pack.rows & pack.bytes)) == NONE
    }
}

impl Pack {
    /// A new, empty, open pack.
    pub(crate) fn new(touched: u8) -> Self {
        Self { state: PackState::Open, touched, ..Self::default() }
    }

    /// Closes the pack if it is open: no more bytes, but rows stay.
    pub(crate) fn seal(&mut self) {
        if self.state == PackState::Open {
            self.state = PackState::Live;
        }
    }
}
