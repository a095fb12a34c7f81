//! The writer: sessions that put, sync, pin, checkpoint and publish without end.

use crate::data::{put_own, put_tree};
use crate::line::Line;
use tidemark_base::{BlockId, SeededEntropy};
use tidemark_blockstore::{Expect, NewRef, RefChange, Result, Session, Store};

/// How many refs a writer has.
const REFS: u64 = 10;

/// Writes until killed.
pub(crate) fn run(store: Store, name: &str, seed: u64) -> Result<()> {
    let value = seed << 32;
    Writer { store, name: name.to_owned(), random: SeededEntropy::new(seed), value }.run()
}

struct Writer {
    store: Store,
    name: String,
    random: SeededEntropy,
    /// The value of the last publish: never the same twice, over all processes.
    value: u64,
}

impl Writer {
    fn run(mut self) -> Result<()> {
        loop {
            // What the pinned ref reaches may become a child without being put again.
            let base = format!("{}/base", self.name);
            let pinned = self.store.get_ref(&base)?.map(|found| found.roots[0]);
            let pins: &[&str] = if pinned.is_some() { &[base.as_str()] } else { &[] };
            let session = self.store.session(pins)?;
            let held = put_own(&session, &mut self.random)?;
            for _ in 0..1 + self.random.below(8) {
                self.publish(&session, pinned)?;
            }
            self.must_read(&[held], "of a living session");
            if self.random.below(3) == 0 {
                session.checkpoint(&[], &[])?;
                self.publish(&session, None)?;
            }
            if self.random.below(4) == 0 {
                let ids = put_tree(&session, &mut self.random, None)?;
                self.publish_changes(&session, &[(base, ids.last().copied())])?;
            }
            session.close()?;
        }
    }

    /// One publish of one ref, or of two, or the deletion of one.
    fn publish(&mut self, session: &Session, pinned: Option<BlockId>) -> Result<()> {
        let below = pinned.filter(|_| self.random.below(3) == 0);
        let ids = put_tree(session, &mut self.random, below)?;
        if self.random.below(3) == 0 {
            session.sync()?;
            self.must_read(&ids, "synced");
        }
        let root = ids.last().copied();
        let first = self.random.below(REFS);
        let mut changes = vec![(format!("{}/{first}", self.name), root)];
        match self.random.below(6) {
            0 => changes[0].1 = None,
            1 => changes.push((format!("{}/{}", self.name, (first + 1) % REFS), root)),
            2 => changes.push((format!("{}/{}", self.name, (first + 1) % REFS), None)),
            _ => {}
        }
        self.publish_changes(session, &changes)?;
        self.must_read(&ids, "published");
        Ok(())
    }

    fn publish_changes(&mut self, session: &Session, changes: &[(String, Option<BlockId>)]) -> Result<()> {
        self.value += 1;
        let set = |root: BlockId| NewRef { roots: vec![root], value: self.value.to_le_bytes().to_vec() };
        let all: Vec<RefChange> = changes
            .iter()
            .map(|(name, root)| RefChange { name: name.clone(), expect: Expect::Any, set: root.map(set) })
            .collect();
        Line::Try(self.value, changes.to_vec()).say();
        session.publish(&all)?;
        Line::Done.say();
        Ok(())
    }

    /// What a living session protects is there, whatever the collector does.
    fn must_read(&self, ids: &[BlockId], what: &str) {
        for (id, block) in ids.iter().zip(self.store.get(ids)) {
            if let Err(e) = block {
                Line::Failed(format!("{}: block {id}, {what}: {e}", self.name)).say();
                std::process::exit(1);
            }
        }
    }
}
