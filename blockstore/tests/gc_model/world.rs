//! How large the searched world is, and which guard of the protocol is left out of it.
//!
//! Every test names one [`World`]; the steps read it. Guards are the sentences of docs/ordering.md that keep
//! blocks alive; a world without one of them must lose a block, or the sentence would be idle.

use crate::state::{A, B, Blocks, MAX_PACKS};

/// The bounds of a search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    /// How many packs can exist at once.
    pub(crate) packs: usize,
    /// How many writers there are, 1 or 2.
    pub(crate) writers: usize,
    /// Whether there is a reader: a session with pins that puts and publishes nothing.
    pub(crate) reader: bool,
    /// Whether B is a child of A, so that a root A reaches both.
    pub(crate) child: bool,
    /// How many index rows a block may have.
    pub(crate) rows: Rows,
    /// Whether a put may trust a row that it read before, if its pack has been touched since the session's epoch.
    pub(crate) trust: bool,
    /// How many steps from the start the search goes; without a number, until there is nothing new.
    pub(crate) steps: Option<usize>,
    /// The guard that is left out, if any.
    pub(crate) without: Option<Guard>,
}

/// What the index holds of a block that two writers wrote into two packs at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// The row of the first; for the second the insert is a hit, and its copy is dead weight in its pack.
    One,
    /// A row for each copy.
    Many,
}

impl World {
    /// What the tests start from: two writers, two packs, A over B.
    pub(crate) const fn usual() -> Self {
        Self {
            packs: 2,
            writers: 2,
            reader: false,
            child: true,
            rows: Rows::One,
            trust: false,
            steps: None,
            without: None,
        }
    }

    /// The same world without a guard.
    pub(crate) const fn without(self, guard: Guard) -> Self {
        Self { without: Some(guard), ..self }
    }

    /// Whether the protocol of this world has the guard.
    pub(crate) fn keeps(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    /// Everything that these roots reach.
    pub(crate) const fn reach(&self, roots: Blocks) -> Blocks {
        if self.child && roots & A != 0 { roots | B } else { roots }
    }

    /// The places for packs.
    pub(crate) fn places(&self) -> std::ops::Range<usize> {
        assert!(self.packs <= MAX_PACKS, "the state holds {MAX_PACKS} packs");
        0..self.packs
    }
}

/// A guard of the protocol. The comment says what is done when it is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Packs are condemned and rewritten whatever their touch epoch.
    TouchTest,
    /// The test is `te <= m`.
    StrictlyOlder,
    /// The test is made when the plan is, not again when the pack is condemned.
    TestWhenCondemning,
    /// `m` is the new epoch, whatever sessions are open.
    MinimumOfSessions,
    /// Refs and pins are read in a step before the one that moves the epoch.
    RootsWithEpoch,
    /// Only refs are roots.
    PinsAreRoots,
    /// A session may pin what is readable but no longer a root.
    PinsWereLive,
    /// A session's epoch is read in one step and the session is inserted in a later one.
    OpenInOneStep,
    /// A put looks the block up in one step and touches its pack in a later one.
    TouchInOneStep,
    /// A touch sets `te` to the session's epoch, even if that lowers it.
    TouchRaises,
    /// A put that hits a condemned pack leaves it condemned.
    Resurrect,
    /// A new pack starts with `te` 0, and an insert of rows does not raise it.
    NewPacksAreTouched,
    /// An insert of rows leaves the `te` of the pack's first day, also after a checkpoint.
    InsertTouches,
    /// Rows are inserted without asking whether the session lives and its pack is open.
    InsertFence,
    /// Rows are inserted before the pack is synced.
    SyncBeforeInsert,
    /// A checkpoint of a session that is gone makes it again.
    CheckpointFence,
    /// After a checkpoint the writer still counts as put what it did not pin.
    CheckpointForgets,
    /// A publish does not ask whether the session still exists.
    PublishFence,
    /// A ref may be set when its blocks are appended, not yet indexed.
    InsertBeforePublish,
    /// A rewrite commits whatever the touch epoch is by then.
    TestWhenRewriting,
    /// The pack that a rewrite copies to starts with `te` 0 (this matters only where touches are trusted).
    CopiesAreTouched,
    /// A rewrite commits before its copies are synced.
    SyncBeforeRewrite,
    /// A pack is deleted in the collection that condemned it.
    DeleteLater,
    /// A pack of the plan is deleted even if it is no longer condemned.
    DeleteComparesState,
    /// Deleting a pack removes the rows of the blocks in it, wherever these rows point.
    DeleteByPack,
    /// A pack is unlinked before its state *deleting* is committed.
    StateBeforeUnlink,
    /// A deleting pack keeps its rows, and a put takes them for hits.
    DeletingIsNoHit,
}
