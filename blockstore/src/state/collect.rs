//! The transactional steps of a collection. What they guard against, and in which order they must come, is
//! in `docs/ordering.md`; `tests/gc_model` checks every interleaving of them.

use super::blocks::{self, BlockRow};
use super::packs::{self, PackState};
use super::{meta, refs, row, sessions};
use crate::backend::Txn;
use crate::error::{Place, Result};
use crate::ids::{Epoch, OwnerId, PackId, SessionId};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
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
///
/// In the same step goes what a publish that died before its commit has left in the journal: whoever opens
/// the store next would else carry it over, after its blocks were found to be reached by nothing.
pub(crate) fn begin(txn: &mut dyn Txn, dead: &dyn Fn(OwnerId) -> Result<bool>) -> Result<Begun> {
    txn.drop_dead_publish()?;
    for (id, session) in sessions::all(txn)? {
        if dead(session.owner)? {
            sessions::end(txn, id)?;
        }
    }
    let mut meta = meta::load(txn)?;
    meta.epoch = Epoch(row::next(meta.epoch.0, "the counter of collections")?);
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

/// A record of a pack that is being emptied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    pub(crate) id: BlockId,
    pub(crate) from: Place,
    /// Where it was copied, if it is marked; else its row goes.
    pub(crate) to: Option<BlockRow>,
}

/// Moves the rows of marked blocks to where they were copied and removes those of the others, but for packs
/// that were touched meanwhile. Returns how many marked rows were moved out of each pack, none for those.
///
/// The copies are durable, and lie in packs whose touch epoch is that of this collection: a session that
/// relies on a block in the old pack, and has noted that pack as touched, is as safe with the copy. A block
/// that is not marked, in a pack that nobody has touched since the oldest session began, is relied on by
/// nobody; who puts it later does not find it and writes it.
pub(crate) fn move_rows(
    txn: &mut dyn Txn,
    begun: &Begun,
    session: SessionId,
    moved: &[Moved],
) -> Result<HashMap<PackId, Option<u32>>> {
    sessions::require(txn, session)?;
    let mut counts = HashMap::new();
    for Moved { id, from, to } in moved {
        let count = match counts.entry(from.pack) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let pack = packs::load(txn, from.pack)?;
                let unprotected = pack.is_some_and(|pack| is_unprotected(&pack, begun.safe_before));
                new.insert(unprotected.then_some(0))
            }
        };
        let Some(count) = count else { continue };
        match to {
            Some(to) => *count += u32::from(blocks::move_from(txn, id, *from, to)?),
            None => drop(blocks::remove_from(txn, id, *from)?),
        }
    }
    Ok(counts)
}

/// Condemns a pack to which no row points any more, unless it was touched meanwhile. Whether it did.
pub(crate) fn condemn_emptied(txn: &mut dyn Txn, begun: &Begun, id: PackId) -> Result<bool> {
    let condemned = condemn(txn, begun, id)?;
    if condemned && let Some(mut pack) = packs::load(txn, id)? {
        pack.records = 0;
        packs::store(txn, id, &pack)?;
    }
    Ok(condemned)
}

/// Whether a pack may go now: condemned by an earlier collection and not touched since.
pub(crate) fn is_deletable(pack: &packs::PackRow, cycle: Epoch) -> bool {
    pack.state == PackState::Deleting || (pack.state == PackState::Condemned && pack.condemned_at < cycle)
}

/// Takes the last way back: the pack can no longer be touched. Whether it may be deleted. Must be durable,
/// as must the removal of the rows that point to the pack, before the pack is removed.
pub(crate) fn start_delete(txn: &mut dyn Txn, cycle: Epoch, id: PackId) -> Result<bool> {
    let Some(mut pack) = packs::load(txn, id)? else { return Ok(false) };
    if !is_deletable(&pack, cycle) {
        return Ok(false);
    }
    pack.state = PackState::Deleting;
    packs::store(txn, id, &pack)?;
    Ok(true)
}

/// Forgets a pack whose bytes are gone.
pub(crate) fn finish_delete(txn: &mut dyn Txn, id: PackId) -> Result<()> {
    packs::remove(txn, id)
}
