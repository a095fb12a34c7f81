//! Session rows: who is at work, since which epoch, relying on which roots.
//!
//! A session protects from garbage collection what it puts or touches from its start epoch on, and what its
//! pins reach. It lives as long as its owner does; there is no clock in it.

use super::packs::{self, PackState};
use super::{blocks, meta, refs, row};
use crate::backend::Txn;
use crate::error::{Error, Result};
use crate::ids::{Epoch, OwnerId, SessionId};
use tidemark_base::BlockId;
use tidemark_base::codec::{Put, Reader};
use tidemark_base::limits::MAX_SESSION_PINS;

/// What is known of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionRow {
    /// Its start epoch, or that of its last checkpoint.
    pub(crate) epoch: Epoch,
    /// Who holds it.
    pub(crate) owner: OwnerId,
    /// Roots that are kept for it.
    pub(crate) pins: Vec<BlockId>,
}

const PREFIX: u8 = b's';

fn decode(reader: &mut Reader<'_>) -> Result<SessionRow, tidemark_base::codec::CodecError> {
    let epoch = Epoch(reader.u64("epoch")?);
    let owner = OwnerId(reader.array("owner")?);
    let count = reader.len_u32("pins", MAX_SESSION_PINS)?;
    let pins = (0..count).map(|_| reader.array("pin").map(BlockId::from_bytes)).collect::<Result<_, _>>()?;
    Ok(SessionRow { epoch, owner, pins })
}

pub(crate) fn store(txn: &mut dyn Txn, id: SessionId, session: &SessionRow) -> Result<()> {
    let key = row::number_key(PREFIX, id.0);
    let mut body = Vec::with_capacity(40 + BlockId::LEN * session.pins.len());
    body.put_u64(session.epoch.0);
    body.extend_from_slice(&session.owner.0);
    body.put_u32(u32::try_from(session.pins.len()).expect("checked against MAX_SESSION_PINS"));
    for pin in &session.pins {
        body.extend_from_slice(pin.as_bytes());
    }
    txn.put(&key, &row::seal(&key, body))
}

/// The session's row, or [`Error::SessionGone`]: the fence that every write of a session passes.
pub(crate) fn require(txn: &mut dyn Txn, id: SessionId) -> Result<SessionRow> {
    row::get(txn, &row::number_key(PREFIX, id.0), decode)?.ok_or(Error::SessionGone { id })
}

/// All sessions, by id.
pub(crate) fn all(txn: &mut dyn Txn) -> Result<Vec<(SessionId, SessionRow)>> {
    let mut sessions = Vec::new();
    row::scan(txn, &[PREFIX], |key, value| {
        sessions.push((SessionId(row::key_number(key)?), row::open(key, value, decode)?));
        Ok(())
    })?;
    Ok(sessions)
}

/// Opens a session in the present epoch that pins the roots of the named refs.
pub(crate) fn open(txn: &mut dyn Txn, owner: OwnerId, pinned_refs: &[&str]) -> Result<(SessionId, Epoch)> {
    let pins = roots_of(txn, pinned_refs)?;
    let mut meta = meta::load(txn)?;
    let id = meta.next_session;
    meta.next_session = SessionId(row::next(id.0, "the counter of sessions")?);
    meta::store(txn, &meta)?;
    store(txn, id, &SessionRow { epoch: meta.epoch, owner, pins })?;
    Ok((id, meta.epoch))
}

/// Pins what is finished and moves to the present epoch: what is neither pinned nor put again from now on
/// is no longer protected. `finished` must have been put and synced by this session since it opened or
/// since its last checkpoint, or be pinned by it already.
pub(crate) fn checkpoint(
    txn: &mut dyn Txn,
    id: SessionId,
    pinned_refs: &[&str],
    finished: &[BlockId],
) -> Result<Epoch> {
    let mut session = require(txn, id)?;
    let mut pins = roots_of(txn, pinned_refs)?;
    for block in finished {
        blocks::require_kept(txn, *block)?;
        pins.push(*block);
    }
    check_count(pins.len())?;
    session.pins = pins;
    session.epoch = meta::load(txn)?.epoch;
    store(txn, id, &session)?;
    Ok(session.epoch)
}

fn roots_of(txn: &mut dyn Txn, names: &[&str]) -> Result<Vec<BlockId>> {
    let mut pins = Vec::new();
    for name in names {
        let found = refs::load(txn, name)?.ok_or_else(|| Error::NoSuchRef { name: (*name).into() })?;
        pins.extend(found.roots);
    }
    check_count(pins.len())?;
    Ok(pins)
}

fn check_count(pins: usize) -> Result<()> {
    if pins > MAX_SESSION_PINS {
        return Err(Error::invalid(format!(
            "{pins} pins are over the limit of {MAX_SESSION_PINS} per session"
        )));
    }
    Ok(())
}

/// Ends a session, whether by its owner or because its owner is dead: its packs are closed at their valid
/// length, its protection ends. Ending one that is not there is no error.
pub(crate) fn end(txn: &mut dyn Txn, id: SessionId) -> Result<()> {
    for (pack_id, mut pack) in packs::all(txn)? {
        if pack.state == PackState::Open && pack.session == id {
            packs::close(txn, pack_id, &mut pack)?;
        }
    }
    txn.delete(&row::number_key(PREFIX, id.0))
}
