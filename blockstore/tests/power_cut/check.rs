//! Opens an image as any user would, and holds it against the account.

use crate::account::{Account, Contents, Refs, names};
use crate::world::{options, refs_of};
use std::path::Path;
use std::sync::Arc;
use tidemark_base::BlockId;
use tidemark_blockstore::{
    BlockRef, Depth, Expect, GcOptions, Healed, NewRef, Quiet, RefChange, Store, VerifyReport, encode_node,
    repair,
};

/// What is wrong with an image, in words.
pub(crate) type Problem = String;

/// What is done to the image before it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Index {
    /// Nothing: it stands as SQLite left it.
    Kept,
    /// It is deleted, and the store repaired from packs and `refs.log`.
    Lost,
    /// It may be in any state, and is healed when the store is opened.
    Doubtful,
}

fn told<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Problem {
    let what = what.to_owned();
    move |e| format!("{what}: {e}")
}

/// Opens the store in `root` and checks everything that was promised.
pub(crate) fn check(
    root: &Path,
    account: &Account,
    contents: &Contents,
    index: Index,
) -> Result<(), Problem> {
    if index == Index::Lost {
        for name in ["index.db", "index.db-wal", "index.db-shm"] {
            let _ = std::fs::remove_file(root.join(name));
        }
        repair(root).map_err(told("repairing"))?;
    }
    let backend = options().open(root).map_err(told("opening"))?;
    let healed = backend.healed().to_vec();
    let store = Store::new(Arc::new(backend));
    let refs = refs_of(&store).map_err(told("listing refs"))?;
    if !account.allows(&refs) {
        return Err(format!("refs are {}, not {account}", names(&refs)));
    }
    match healed.as_slice() {
        [] => {}
        // The cut came between the record in the log and the commit: as good as acknowledged.
        [Healed::PublishCompleted] if account.possible.contains(&refs) => {}
        _ if index == Index::Doubtful => {}
        other => return Err(format!("opening healed {other:?}")),
    }
    let promised = account.synced.iter().flatten().copied();
    let reached = contents.reach(refs.values().flat_map(|(roots, _)| roots));
    let wanted: Vec<BlockId> = promised.chain(reached.iter().copied()).collect();
    read(&store, contents, &wanted)?;
    is_sound(&store, index).map_err(told("before collecting"))?;
    let sweep = GcOptions { dry_run: false, sweep: true };
    store.collect(sweep, &Quiet).map_err(told("collecting"))?;
    is_sound(&store, index).map_err(told("after collecting"))?;
    goes_on(&store, refs)?;
    let reached: Vec<BlockId> = reached.into_iter().collect();
    read(&store, contents, &reached)
}

fn read(store: &Store, contents: &Contents, wanted: &[BlockId]) -> Result<(), Problem> {
    for (id, block) in wanted.iter().zip(store.get(wanted)) {
        let block = block.map_err(told("reading what was promised"))?;
        let content = contents.get(id);
        if *block.bytes() != *content.bytes || block.kind() != content.kind {
            return Err(format!("block {id} has other bytes than were put"));
        }
    }
    Ok(())
}

/// An index rebuilt from packs also covers what no sync ever promised: a torn record among the unsynced ones
/// is damage then, perhaps of a second copy of a block. What refs reach is read by the caller.
fn is_sound(store: &Store, index: Index) -> Result<(), Problem> {
    let VerifyReport { mut damage, .. } = store.verify(Depth::Full, &Quiet).map_err(told("verifying"))?;
    if index == Index::Lost {
        damage.retain(|damage| damage.block.is_none_or(|id| store.get_one(id).is_err()));
        damage.retain(|damage| !damage.hurts.is_empty());
    }
    if damage.is_empty() { Ok(()) } else { Err(format!("verify found {damage:?}")) }
}

/// The store is as good as any other: it takes blocks and refs, and collects.
fn goes_on(store: &Store, mut refs: Refs) -> Result<(), Problem> {
    let session = store.session(&[]).map_err(told("opening a session"))?;
    let leaf = session.put(&[BlockRef::leaf(b"after the cut")]).map_err(told("putting"))?;
    let node = encode_node(&leaf, b"").map_err(told("encoding"))?;
    let root = session.put(&[BlockRef::node(&node)]).map_err(told("putting a node"))?;
    let new = NewRef { roots: root.clone(), value: b"after".to_vec() };
    let change = RefChange { name: "after".into(), expect: Expect::Absent, set: Some(new) };
    session.publish(&[change]).map_err(told("publishing"))?;
    session.close().map_err(told("closing the session"))?;
    store.collect(GcOptions::default(), &Quiet).map_err(told("collecting once more"))?;
    refs.insert("after".into(), (root, b"after".to_vec()));
    if refs_of(store).map_err(told("listing refs"))? != refs {
        return Err("the new ref did not stay as it was set".into());
    }
    match store.get_one(leaf[0]) {
        Ok(block) if *block.bytes() == *b"after the cut" => Ok(()),
        other => Err(format!("a block put after the cut reads as {other:?}")),
    }
}
