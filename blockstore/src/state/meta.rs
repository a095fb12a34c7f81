//! The store's counters: the collection epoch and the next numbers to hand out.

use super::row;
use crate::backend::Txn;
use crate::error::Result;
use crate::ids::{Epoch, PackId, RefVersion, SessionId};
use tidemark_base::codec::{Put, Reader};

const KEY: &[u8] = b"m";

/// The counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Raised by every collection.
    pub(crate) epoch: Epoch,
    /// The next pack's id.
    pub(crate) next_pack: PackId,
    /// The next session's id.
    pub(crate) next_session: SessionId,
    /// The last publish.
    pub(crate) last_version: RefVersion,
}

impl Default for Meta {
    fn default() -> Self {
        Self {
            epoch: Epoch(1),
            next_pack: PackId(1),
            next_session: SessionId(1),
            last_version: RefVersion(0),
        }
    }
}

/// Reads the counters; a store without the row is new.
pub(crate) fn load(txn: &mut dyn Txn) -> Result<Meta> {
    let decode = |reader: &mut Reader<'_>| {
        Ok(Meta {
            epoch: Epoch(reader.u64("epoch")?),
            next_pack: PackId(reader.u64("next pack")?),
            next_session: SessionId(reader.u64("next session")?),
            last_version: RefVersion(reader.u64("last version")?),
        })
    };
    Ok(row::get(txn, KEY, decode)?.unwrap_or_default())
}

/// Writes the counters.
pub(crate) fn store(txn: &mut dyn Txn, meta: &Meta) -> Result<()> {
    let mut body = Vec::with_capacity(40);
    body.put_u64(meta.epoch.0);
    body.put_u64(meta.next_pack.0);
    body.put_u64(meta.next_session.0);
    body.put_u64(meta.last_version.0);
    txn.put(KEY, &row::seal(KEY, body))
}
