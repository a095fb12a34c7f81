//! A session's stream of records into packs: at most one pack is open, full ones wait to be indexed.
//!
//! Used by [`crate::Session`] and by the rewriting of packs in [`crate::gc`]. After any failure the writer
//! is not used again: a pack whose append or sync failed is never appended to.

use crate::backend::{Backend, PackWriter};
use crate::error::{Place, Result};
use crate::ids::{PackId, SessionId};
use crate::pack;
use crate::record::Header;
use crate::state::blocks::{BlockRow, Written};
use crate::state::packs;
use tidemark_base::BlockId;
use tidemark_base::limits::PACK_TARGET_BYTES;

/// One pack being written.
pub(crate) struct OpenPack {
    id: PackId,
    file: Box<dyn PackWriter>,
    len_bytes: u64,
    records: u32,
    /// What was appended since the last sync.
    unindexed: Vec<(BlockId, BlockRow)>,
}

/// The packs of one session.
#[derive(Default)]
pub(crate) struct Writer {
    current: Option<OpenPack>,
    full: Vec<OpenPack>,
    /// Kept for its memory; empty between calls.
    buffer: Vec<u8>,
}

impl Writer {
    /// Appends records, in order. Returns where each lies; nothing is durable yet.
    pub(crate) fn append<'r>(
        &mut self,
        backend: &dyn Backend,
        session: SessionId,
        records: impl IntoIterator<Item = (&'r Header, &'r [u8])>,
    ) -> Result<Vec<(BlockId, BlockRow)>> {
        let mut placed = Vec::new();
        let mut buffer = std::mem::take(&mut self.buffer);
        for (header, payload) in records {
            if self.current.is_none() {
                self.current = Some(OpenPack::create(backend, session)?);
            }
            let Some(pack) = &mut self.current else { unreachable!("made above") };
            let row = pack.place(header, buffer.len());
            buffer.extend_from_slice(&header.encode());
            buffer.extend_from_slice(payload);
            pack.unindexed.push((header.id, row));
            placed.push((header.id, row));
            if pack.len_bytes + buffer.len() as u64 >= PACK_TARGET_BYTES {
                pack.flush(&mut buffer)?;
                self.full.extend(self.current.take());
            }
        }
        if let Some(pack) = &mut self.current {
            pack.flush(&mut buffer)?;
        }
        self.buffer = buffer;
        Ok(placed)
    }

    /// The packs that may hold something that is not indexed.
    pub(crate) fn packs(&self) -> Vec<PackId> {
        self.full.iter().chain(&self.current).map(|pack| pack.id).collect()
    }

    /// The packs that are full, for [`complete`]: the writer has nothing more to do with them.
    pub(crate) fn take_full(&mut self) -> Vec<OpenPack> {
        std::mem::take(&mut self.full)
    }

    /// Makes everything appended durable, and hands it to `index` in one go; full packs are complete then. With
    /// `finish` the open one is as well.
    pub(crate) fn sync(
        &mut self,
        finish: bool,
        index: impl FnOnce(&[Written<'_>]) -> Result<()>,
    ) -> Result<()> {
        if finish {
            self.full.extend(self.current.take());
        }
        let current = self.current.as_mut().filter(|pack| !pack.unindexed.is_empty());
        sync(&mut self.full, current, index)?;
        self.full.clear();
        if let Some(pack) = &mut self.current {
            pack.unindexed.clear();
        }
        Ok(())
    }
}

/// Makes full packs durable, and hands them to `index` in one go: they are complete then.
pub(crate) fn complete(
    mut packs: Vec<OpenPack>,
    index: impl FnOnce(&[Written<'_>]) -> Result<()>,
) -> Result<()> {
    sync(&mut packs, None, index)
}

fn sync(
    full: &mut [OpenPack],
    mut open: Option<&mut OpenPack>,
    index: impl FnOnce(&[Written<'_>]) -> Result<()>,
) -> Result<()> {
    if full.is_empty() && open.is_none() {
        return Ok(());
    }
    for pack in full.iter_mut().chain(open.as_deref_mut()) {
        pack.file.sync()?;
    }
    let full = full.iter().map(|pack| pack.written(true));
    let written: Vec<Written<'_>> = full.chain(open.iter().map(|pack| pack.written(false))).collect();
    index(&written)
}

impl OpenPack {
    fn create(backend: &dyn Backend, session: SessionId) -> Result<Self> {
        let mut id = PackId(0);
        backend.write(&mut |txn| {
            id = packs::allocate(txn, session)?;
            Ok(())
        })?;
        let mut file = backend.create_pack(id)?;
        let header = pack::encode_header(backend.superblock().store, id);
        file.append(&header)?;
        Ok(Self { id, file, len_bytes: header.len() as u64, records: 0, unindexed: Vec::new() })
    }

    fn written(&self, complete: bool) -> Written<'_> {
        let Self { id, len_bytes, records, ref unindexed, .. } = *self;
        Written { pack: id, len_bytes, records, complete, blocks: unindexed }
    }

    /// The place of the next record, `buffered` bytes after what is written.
    fn place(&mut self, header: &Header, buffered: usize) -> BlockRow {
        let offset = self.len_bytes + buffered as u64;
        let row = BlockRow {
            place: Place { pack: self.id, offset: u32::try_from(offset).expect("packs end far below 4 GiB") },
            seq: self.records,
            kind: header.kind,
            stored_len: header.stored_len,
            plain_len: header.plain_len,
        };
        self.records += 1;
        row
    }

    fn flush(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        if !buffer.is_empty() {
            self.file.append(buffer)?;
            self.len_bytes += buffer.len() as u64;
            buffer.clear();
        }
        Ok(())
    }
}
