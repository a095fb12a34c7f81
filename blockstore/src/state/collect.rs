//! The transactional steps of a collection. What they guard against, and in which order they must come, is
//! in `docs/ordering.md`; `tests/gc_model` checks every interleaving of them.

use super::blocks::{self, BlockRow};
use super::packs::{self, PackState};
use super::{meta, refs, sessions};
use crate::backend::Txn;
use crate::error::Result;
use crate::ids::{Epoch, OwnerId, PackId, SessionId};
use tidemark_base::BlockId;

/// What a collection works from, read in one atomic step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    /// The epoch that this collection began.
    pub(crate) cycle: Epoch,
    /// The smallest epoch that may still rely on something unmarked: packs touched in it or later stay.
    pub(crate) safe_before: Epoch,
    /// Everything that must be kept, with all it reaches.
    pub(crate) roots: Vec<BlockId>,
}

/// Begins a collection: ends the sessions of dead owners, raises the epoch, and reads the roots.
pub(crate) fn begin(txn: &mut dyn Txn, dead: &dyn Fn(OwnerId) -> Result<bool>) -> Result<Begun> {
    for (id, session) in sessions::all(txn)? {
        if dead(session.owner)? {
            sessions::end(txn, id)?;
        }
    }
    let mut meta = meta::load(txn)?;
    meta.epoch = Epoch(meta.epoch.0 + 1);
    meta::store(txn, &meta)?;
    peek(txn)
}

/// What [`begin`] would work from, changing nothing: for a dry run.
pub(crate) fn peek(txn: &mut dyn Txn) -> Result<Begun> {
    let cycle = meta::load(txn)?.epoch;
    let mut safe_before = cycle;
    let mut roots = Vec::new();
    for (_, session) in sessions::all(txn)? {
        safe_before = safe_before.min(session.epoch);
        roots.extend(session.pins);
    }
    for (_, found) in refs::list(txn, "")? {
        roots.extend(found.roots);
    }
    roots.sort_unstable();
    roots.dedup();
    Ok(Begun { cycle, safe_before, roots })
}

/// Whether nobody who may still rely on unmarked blocks of the pack has touched it.
fn is_unprotected(pack: &packs::PackRow, safe_before: Epoch) -> bool {
    pack.state == PackState::Live && pack.touch_epoch < safe_before
}

/// Condemns a pack in which nothing is marked, unless it was touched meanwhile. Whether it did.
pub(crate) fn condemn(txn: &mut dyn Txn, begun: &Begun, id: PackId) -> Result<bool> {
    let Some(mut pack) = packs::load(txn, id)? else { return Ok(false) };
    if !is_unprotected(&pack, begun.safe_before) {
        return Ok(false);
    }
    pack.state = PackState::Condemned;
    pack.condemned_at = begun.cycle;
    packs::store(txn, id, &pack)?;
    Ok(true)
}

/// Brings back a condemned pack in which something is marked after all.
pub(crate) fn absolve(txn: &mut dyn Txn, id: PackId) -> Result<()> {
    if let Some(mut pack) = packs::load(txn, id)?
        && pack.state == PackState::Condemned
    {
        pack.state = PackState::Live;
        packs::store(txn, id, &pack)?;
    }
    Ok(())
}

/// Moves marked blocks of `source` to where they were copied, and with the last of them condemns `source`,
/// unless it was touched meanwhile. Whether it did.
///
/// The copies are durable, and lie in packs whose touch epoch is that of this collection: a session that
/// relies on a block in `source` is as safe with the copy.
pub(crate) fn move_rows(
    txn: &mut dyn Txn,
    begun: &Begun,
    session: SessionId,
    source: PackId,
    moved: &[(BlockId, BlockRow)],
    last: bool,
) -> Result<bool> {
    sessions::require(txn, session)?;
    let unprotected = packs::load(txn, source)?.is_some_and(|pack| is_unprotected(&pack, begun.safe_before));
    if !unprotected {
        return Ok(false);
    }
    for (id, row) in moved {
        if blocks::load(txn, id)?.is_some_and(|found| found.place.pack == source) {
            blocks::store(txn, id, row)?;
        }
    }
    if last { condemn(txn, begun, source) } else { Ok(true) }
}

/// Whether a pack may go now: condemned by an earlier collection and not touched since.
fn is_deletable(pack: &packs::PackRow, cycle: Epoch) -> bool {
    pack.state == PackState::Deleting || (pack.state == PackState::Condemned && pack.condemned_at < cycle)
}

/// Takes the last step back: the pack can no longer be touched, and its rows are gone. `ids` are the blocks
/// whose records it holds; a row that points elsewhere stays. Whether the pack may be removed.
pub(crate) fn start_delete(txn: &mut dyn Txn, cycle: Epoch, id: PackId, ids: &[BlockId]) -> Result<bool> {
    let Some(mut pack) = packs::load(txn, id)? else { return Ok(false) };
    if !is_deletable(&pack, cycle) {
        return Ok(false);
    }
    pack.state = PackState::Deleting;
    packs::store(txn, id, &pack)?;
    for block in ids {
        if blocks::load(txn, block)?.is_some_and(|found| found.place.pack == id) {
            txn.delete(&blocks::key(block))?;
        }
    }
    Ok(true)
}

/// Forgets a pack whose bytes are gone.
pub(crate) fn finish_delete(txn: &mut dyn Txn, id: PackId) -> Result<()> {
    packs::remove(txn, id)
}
