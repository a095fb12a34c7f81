//! What a writer was promised, kept by the one who kills it: its refs as last acknowledged, and the publish
//! that may or may not have happened when it died.

use crate::line::Line;
use std::collections::BTreeMap;
use tidemark_base::BlockId;
use tidemark_blockstore::{Depth, Quiet, Store};

/// A ref's root, and the value it was set with.
type Refs = BTreeMap<String, (BlockId, u64)>;
/// The value of a publish, and the new roots of its refs.
type Publish = (u64, Vec<(String, Option<BlockId>)>);

/// One writer's account, over all its lives.
#[derive(Debug, Default)]
pub(crate) struct Account {
    refs: Refs,
    in_flight: Option<Publish>,
    /// Publishes acknowledged.
    pub(crate) publishes: u64,
    /// Publishes that had happened though nobody had been told.
    pub(crate) unheard: u64,
}

impl Account {
    /// Notes what the writer says.
    pub(crate) fn note(&mut self, line: Line) {
        match line {
            Line::Opened | Line::Held(_) | Line::Collected(..) => {}
            Line::Try(value, changes) => {
                assert_eq!(self.in_flight, None, "one publish at a time");
                self.in_flight = Some((value, changes));
            }
            Line::Done => {
                self.refs = self.with_in_flight();
                self.in_flight = None;
                self.publishes += 1;
            }
            Line::Failed(why) => panic!("{why}"),
        }
    }

    fn with_in_flight(&self) -> Refs {
        let mut refs = self.refs.clone();
        if let Some((value, changes)) = &self.in_flight {
            for (name, root) in changes {
                match root {
                    Some(root) => drop(refs.insert(name.clone(), (*root, *value))),
                    None => drop(refs.remove(name)),
                }
            }
        }
        refs
    }

    /// The dead writer's refs are those last acknowledged, or those with the publish in flight, and all they
    /// reach can be read. From now on what was found counts.
    pub(crate) fn settle(&mut self, store: &Store, name: &str) {
        let found: Refs = store
            .list_refs(&format!("{name}/"))
            .unwrap()
            .into_iter()
            .map(|(name, found)| {
                let value = u64::from_le_bytes(found.value.try_into().unwrap());
                (name, (found.roots[0], value))
            })
            .collect();
        if found != self.refs {
            assert_eq!(
                found,
                self.with_in_flight(),
                "{name}: neither as acknowledged nor as in flight: {self:?}"
            );
            self.unheard += 1;
        }
        self.refs = found;
        self.in_flight = None;
        let roots: Vec<BlockId> = self.refs.values().map(|(root, _)| *root).collect();
        let report = store.verify_roots(&roots, &Quiet).unwrap();
        assert!(report.is_clean(), "{name} lost: {:#?}", report.damage);
    }
}

/// The whole store is sound.
pub(crate) fn assert_clean(store: &Store) {
    let report = store.verify(Depth::Full, &Quiet).unwrap();
    assert!(report.is_clean(), "{:#?}", report.damage);
}
