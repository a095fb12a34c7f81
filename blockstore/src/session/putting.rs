//! Putting blocks: named, told apart from those that are there, compressed, appended, a step at a time.
//!
//! What is put is protected from then on, durable only with the session's next sync.

use super::{Session, lock};
use crate::codec::{self, BlockRef, Effort};
use crate::error::Result;
use crate::ids::PackId;
use crate::record::Record;
use crate::state::blocks::{self, BlockRow};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use tidemark_base::BlockId;

/// How much of a put is worked on at once, in plain bytes. Twice this is the memory a put needs.
const STEP_BYTES: usize = 4 << 20;

impl Session {
    /// Puts blocks: those the store has already are protected, the others compressed and appended. Returns
    /// their names in the order given. Durable only after [`Self::sync`]. Blocks until the bytes are handed
    /// to the backend, and needs about twice 4 MiB (or one larger block) of memory. Works on all threads of
    /// rayon's pool, but from within one of its tasks on that thread alone: a task that waited for others
    /// there could be given one that puts as well.
    ///
    /// # Errors
    /// [`crate::Error::TooLarge`], [`crate::Error::BadNode`] before anything was written; [`crate::Error::SessionGone`]; failures
    /// of the backend, after which the session is broken ([`crate::Error::SessionBroken`]).
    pub fn put(&self, blocks: &[BlockRef<'_>]) -> Result<Vec<BlockId>> {
        self.put_with(blocks, Effort::Compress)
    }

    /// As [`Self::put`], but less is spent on compressing: for what is written often and made into something else
    /// before long. A block that may be put again to be kept for good must not be put so, since it is not stored anew
    /// then.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn put_quickly(&self, blocks: &[BlockRef<'_>]) -> Result<Vec<BlockId>> {
        self.put_with(blocks, Effort::CompressQuickly)
    }

    fn put_with(&self, blocks: &[BlockRef<'_>], effort: Effort) -> Result<Vec<BlockId>> {
        blocks.iter().try_for_each(BlockRef::check)?;
        let _putting = self.puts.enter();
        self.check_usable()?;
        let mut ids = Vec::with_capacity(blocks.len());
        let outcome = self.put_in_steps(blocks, effort, &mut ids);
        self.note(outcome)?;
        Ok(ids)
    }

    /// Compresses one step while the one before is being appended.
    fn put_in_steps(&self, blocks: &[BlockRef<'_>], effort: Effort, ids: &mut Vec<BlockId>) -> Result<()> {
        let mut claimed = HashSet::new();
        if rayon::current_thread_index().is_some() {
            return steps(blocks).try_for_each(|step| {
                let names: Vec<BlockId> = step.iter().map(BlockRef::id).collect();
                let fresh = self.claim_missing(&names, &mut claimed)?;
                let records: Vec<Record> = fresh
                    .iter()
                    .filter_map(|&i| Some(codec::encode(*names.get(i)?, *step.get(i)?, effort)))
                    .collect();
                ids.extend(names);
                self.append(&records)
            });
        }
        let mut ready: Vec<Record> = Vec::new();
        for step in steps(blocks) {
            let mut prepared = None;
            let mut appended = Ok(());
            rayon::in_place_scope(|scope| {
                scope.spawn(|_| prepared = Some(self.prepare(step, effort, &mut claimed)));
                appended = self.append(&ready);
            });
            appended?;
            let (names, records) = prepared.expect("the scope waits for it")?;
            ids.extend(names);
            ready = records;
        }
        self.append(&ready)
    }

    /// Names a step's blocks, and compresses those that the store lacks.
    fn prepare(
        &self,
        step: &[BlockRef<'_>],
        effort: Effort,
        claimed: &mut HashSet<BlockId>,
    ) -> Result<(Vec<BlockId>, Vec<Record>)> {
        let ids: Vec<BlockId> = step.par_iter().map(BlockRef::id).collect();
        let fresh = self.claim_missing(&ids, claimed)?;
        let records = fresh
            .par_iter()
            .filter_map(|&i| Some(codec::encode(*ids.get(i)?, *step.get(i)?, effort)))
            .collect();
        Ok((ids, records))
    }

    /// Which of these blocks must be written: neither in the store, nor appended, nor `claimed` by this put.
    /// What another put has just claimed is written twice, one of them garbage: waiting for the other could
    /// be for ever.
    fn claim_missing(&self, ids: &[BlockId], claimed: &mut HashSet<BlockId>) -> Result<Vec<usize>> {
        let mut fresh: Vec<usize> = {
            let pending = lock(&self.pending);
            let is_new =
                |id: &BlockId, claimed: &mut HashSet<_>| !pending.contains_key(id) && claimed.insert(*id);
            ids.iter().enumerate().filter(|(_, id)| is_new(id, claimed)).map(|(i, _)| i).collect()
        };
        let wanted: Vec<BlockId> = fresh.iter().filter_map(|&i| ids.get(i).copied()).collect();
        let mut kept = self.touch(&wanted)?.into_iter();
        fresh.retain(|_| !kept.next().unwrap_or(false));
        Ok(fresh)
    }

    /// For each block whether the store has it; if so, it is protected for this session.
    fn touch(&self, ids: &[BlockId]) -> Result<Vec<bool>> {
        let rows = self.store.locate(ids)?;
        let mut protection = lock(&self.protection);
        let safe = |row: &Option<BlockRow>, touched: &HashSet<PackId>| {
            row.is_some_and(|row| touched.contains(&row.place.pack))
        };
        let unsure: Vec<BlockId> = ids
            .iter()
            .zip(&rows)
            .filter(|(_, row)| row.is_some() && !safe(row, &protection.touched))
            .map(|(id, _)| *id)
            .collect();
        let mut kept: Vec<bool> = rows.iter().map(|row| safe(row, &protection.touched)).collect();
        if unsure.is_empty() {
            return Ok(kept);
        }
        let mut answers = Vec::new();
        let mut touched = HashSet::new();
        self.store.backend.write(&mut |txn| {
            touched = protection.touched.clone();
            answers = blocks::touch(txn, self.id, protection.epoch, &unsure, &mut touched)?;
            Ok(())
        })?;
        protection.touched = touched;
        let answers: HashMap<BlockId, bool> = unsure.into_iter().zip(answers).collect();
        for (id, kept) in ids.iter().zip(&mut kept) {
            *kept |= answers.get(id).copied().unwrap_or(false);
        }
        Ok(kept)
    }
}

/// Splits a batch into steps of about [`STEP_BYTES`].
fn steps<'a, 'b>(blocks: &'a [BlockRef<'b>]) -> impl Iterator<Item = &'a [BlockRef<'b>]> {
    let mut rest = blocks;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let len = rest
            .iter()
            .take_while(|block| {
                let first = bytes == 0;
                bytes += block.bytes.len().max(1);
                first || bytes <= STEP_BYTES
            })
            .count();
        let (step, after) = rest.split_at(len);
        rest = after;
        (!step.is_empty()).then_some(step)
    })
}
