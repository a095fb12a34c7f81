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
struct OpenPack {
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

    /// Whether a full pack waits.
    pub(crate) fn has_full(&self) -> bool {
        !self.full.is_empty()
    }

    /// Makes everything appended durable, and hands it to `index` in one go; full packs are complete then.
    /// With `only_full`, the open pack is left for later. With `finish`, it is complete as well.
    pub(crate) fn sync(
        &mut self,
        extent: Extent,
        index: impl FnOnce(&[Written<'_>]) -> Result<()>,
    ) -> Result<()> {
        if extent == Extent::Finish {
            self.full.extend(self.current.take());
        }
        let mut packs: Vec<&mut OpenPack> = self.full.iter_mut().collect();
        if extent == Extent::All {
            packs.extend(self.current.as_mut().filter(|pack| !pack.unindexed.is_empty()));
        }
        if packs.is_empty() {
            return Ok(());
        }
        for pack in &mut packs {
            pack.file.sync()?;
        }
        let current = self.current.as_ref().map(|pack| pack.id);
        let written: Vec<Written<'_>> = self
            .full
            .iter()
            .chain(&self.current)
            .filter(|pack| extent == Extent::All || Some(pack.id) != current)
            .map(|pack| Written {
                pack: pack.id,
                len_bytes: pack.len_bytes,
                records: pack.records,
                complete: Some(pack.id) != current,
                blocks: &pack.unindexed,
            })
            .collect();
        index(&written)?;
        self.full.clear();
        if extent == Extent::All
            && let Some(pack) = &mut self.current
        {
            pack.unindexed.clear();
        }
        Ok(())
    }
}

/// What a sync covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Only packs that are full.
    Full,
    /// Everything appended; the open pack stays open.
    All,
    /// Everything appended; the open pack is complete.
    Finish,
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
