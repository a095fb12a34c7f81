//! What a store holds after each step of a script: the measure of everything that happens to it with trouble.

use crate::rig::{Failure, Rig, name};
use crate::script::Script;
use std::collections::BTreeMap;
use tidemark_base::{BlockId, Timestamp};
use tidemark_blockstore::Store;
use tidemark_head::HeadError;
use tidemark_head::head::look_up;

/// A ref: its roots and its value.
type Value = (Vec<BlockId>, Vec<u8>);

/// All refs of a head. The head's own is taken apart, since its epoch grows with every claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refs {
    head: Option<(BlockId, u64)>,
    others: BTreeMap<String, Value>,
}

/// A store after a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) refs: Refs,
    /// The epoch of the head, 0 if there is none.
    pub(crate) epoch: u64,
    /// How far the holder has applied, in memory.
    pub(crate) applied: Option<Timestamp>,
}

impl Refs {
    /// Reads them, and the epoch.
    pub(crate) fn read(store: &Store) -> Result<(Self, u64), Failure> {
        let (head, epoch) = match look_up(store, &name()) {
            Ok(found) => (Some((found.root, found.holder.next_snapshot)), found.holder.epoch),
            Err(HeadError::NoHead { .. }) => (None, 0),
            Err(error) => return Err(error.into()),
        };
        let others = store.list_refs("")?.into_iter().filter(|(full, _)| *full != name().head());
        let others = others.map(|(full, found)| (full, (found.roots, found.value))).collect();
        Ok((Self { head, others }, epoch))
    }

    /// Whether there is a head.
    pub(crate) const fn has_head(&self) -> bool {
        self.head.is_some()
    }
}

impl std::fmt::Display for Refs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |id: &BlockId| id.to_string().chars().take(8).collect::<String>();
        if let Some((root, next)) = &self.head {
            write!(f, "head {} (next snapshot {next})", short(root))?;
        }
        self.others.iter().try_for_each(|(name, (roots, value))| {
            let roots: Vec<String> = roots.iter().map(short).collect();
            write!(f, ", {name} {roots:?} {} bytes", value.len())
        })
    }
}

/// The pictures of a script that runs without trouble: the first before its first step, and one after each.
pub(crate) fn of_script(script: &Script, store: Store) -> Vec<Picture> {
    let mut rig = Rig::new(script, store);
    let mut pictures = vec![Picture::default()];
    for step in &script.steps {
        rig.run(step).unwrap_or_else(|error| panic!("{step:?}: {error:?}"));
        let (refs, epoch) = Refs::read(rig.store()).unwrap();
        pictures.push(Picture { refs, epoch, applied: rig.applied() });
    }
    rig.assert_documents();
    pictures
}
