//! What can happen to a head, at random.

use proptest::prelude::*;

/// What happens next. Whether an operation fits is decided by the state it meets.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write {
        collection: usize,
        id: i32,
        spelling: u8,
        what: What,
    },
    /// Operations of one transaction, in parts.
    Transaction(Vec<(usize, i32, i32)>),
    /// Updates of one document that are much larger than it, with a flush behind each few.
    Hot {
        collection: usize,
        id: i32,
        bytes: usize,
        flushes: u8,
    },
    /// What was applied becomes a slice.
    Slice,
    Flush,
    Compact,
    /// A stretch of a collection alone, between two `_id`s; open at an end where there is none.
    CompactRange {
        collection: usize,
        from: Option<i32>,
        before: Option<i32>,
    },
    CompactIfWorth,
    /// What was not flushed is lost and applied again.
    Crash,
    Snapshot,
    Rewind(usize),
    Collect,
    /// A state is read, and exported if that is wanted.
    Look(From, Option<Export>),
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Put(i32),
    Set(i32),
    Append(u8, i32),
    Replace(i32),
    Delete,
}

/// Which state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    /// The head's own, with what is not flushed.
    Memory,
    /// A fork of the head.
    Head,
    /// A fork of a snapshot, of a dead branch too.
    Snapshot(usize),
    /// A fork at a point in time: so many thousandths of the way from the beginning to the end, and a bit beyond.
    Moment { thousandths: u32, whole_second: bool },
}

/// An export, read back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Export {
    pub(crate) archive: bool,
    pub(crate) gzip: bool,
    pub(crate) chosen: Chosen,
}

/// What is exported.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Chosen {
    All,
    /// One collection by its name.
    Only(usize),
    /// All but one.
    Without(usize),
    /// A database that is not there.
    Nothing,
}

impl Chosen {
    /// The names that are left out, and those that are taken, as a filter has them.
    pub(crate) fn names(self) -> [Vec<String>; 2] {
        match self {
            Self::All => [vec![], vec!["app".to_owned()]],
            Self::Only(number) => [vec![], vec![format!("app.c{number}")]],
            Self::Without(number) => [vec![format!("app.c{number}")], vec![]],
            Self::Nothing => [vec![], vec!["other".to_owned()]],
        }
    }

    /// The collections, by number.
    pub(crate) fn numbers(self) -> Vec<usize> {
        match self {
            Self::All => vec![0, 1],
            Self::Only(number) => vec![number],
            Self::Without(number) => vec![1 - number],
            Self::Nothing => vec![],
        }
    }
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let what = prop_oneof![
        4 => any::<i32>().prop_map(What::Put),
        3 => any::<i32>().prop_map(What::Set),
        3 => (0_u8..3, any::<i32>()).prop_map(|(field, value)| What::Append(field, value)),
        1 => any::<i32>().prop_map(What::Replace),
        3 => Just(What::Delete),
    ];
    let write = (0_usize..2, 0_i32..12, 0_u8..3, what);
    prop_oneof![
        40 => write.prop_map(|(collection, id, spelling, what)| Step::Write { collection, id, spelling, what }),
        4 => prop::collection::vec((0_usize..2, 100_i32..200, any::<i32>()), 1..5).prop_map(Step::Transaction),
        // As much as may wait in a patch of a run, and more; as many runs as are merged, and more.
        1 => (0_usize..2, 0_i32..12, prop_oneof![Just(40 << 10), Just(600 << 10)], 1_u8..36)
            .prop_map(|(collection, id, bytes, flushes)| Step::Hot { collection, id, bytes, flushes }),
        6 => Just(Step::Slice),
        4 => Just(Step::Flush),
        1 => Just(Step::Compact),
        3 => (0_usize..2, prop::option::of(-1_i32..13), prop::option::of(-1_i32..13))
            .prop_map(|(collection, from, before)| Step::CompactRange { collection, from, before }),
        2 => Just(Step::CompactIfWorth),
        2 => Just(Step::Crash),
        2 => Just(Step::Snapshot),
        1 => (0_usize..4).prop_map(Step::Rewind),
        1 => Just(Step::Collect),
        4 => (from(), prop::option::of(export())).prop_map(|(from, export)| Step::Look(from, export)),
    ]
}

fn from() -> impl Strategy<Value = From> {
    prop_oneof![
        1 => Just(From::Memory),
        1 => Just(From::Head),
        1 => (0_usize..4).prop_map(From::Snapshot),
        4 => (0_u32..1100, any::<bool>())
            .prop_map(|(thousandths, whole_second)| From::Moment { thousandths, whole_second }),
    ]
}

fn export() -> impl Strategy<Value = Export> {
    let chosen = prop_oneof![
        4 => Just(Chosen::All),
        2 => (0_usize..2).prop_map(Chosen::Only),
        2 => (0_usize..2).prop_map(Chosen::Without),
        1 => Just(Chosen::Nothing),
    ];
    (any::<bool>(), any::<bool>(), chosen).prop_map(|(archive, gzip, chosen)| Export {
        archive,
        gzip,
        chosen,
    })
}
