//! A store in memory: for tests, and the plainest account of what a backend must do.
//!
//! Nothing survives but what was committed and synced, so that [`MemoryBackend::crash`] shows callers what
//! a crash would: unsynced bytes of packs are gone, and so is every owner but the one that asks.

use crate::backend::{Backend, PackWriter, Row, Txn, TxnBody};
use crate::error::{Error, Result};
use crate::ids::{OwnerId, PackId};
use crate::scratch::Scratch;
use crate::superblock::{CutSizes, Superblock};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidemark_base::Entropy;

#[derive(Default)]
struct Pack {
    bytes: Vec<u8>,
    synced_len: usize,
}

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
struct Shared {
    rows: Mutex<Rows>,
    packs: Mutex<HashMap<PackId, Pack>>,
    owners: Mutex<HashSet<OwnerId>>,
    collecting: Mutex<bool>,
}

/// A store in memory, as one process has opened it.
pub struct MemoryBackend {
    superblock: Superblock,
    owner: OwnerId,
    shared: Arc<Shared>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn new_owner(shared: &Shared, entropy: &mut dyn Entropy) -> OwnerId {
    let mut id = [0; 16];
    entropy.fill(&mut id);
    lock(&shared.owners).insert(OwnerId(id));
    OwnerId(id)
}

impl MemoryBackend {
    /// A new, empty store.
    pub fn new(entropy: &mut dyn Entropy) -> Self {
        Self::with_cut_sizes(entropy, CutSizes::DEFAULT)
    }

    /// The same, with other sizes of what is cut: small ones let little data have the shape of much.
    pub fn with_cut_sizes(entropy: &mut dyn Entropy, cut_sizes: CutSizes) -> Self {
        let shared = Arc::<Shared>::default();
        let superblock = Superblock { cut_sizes, ..Superblock::new(entropy) };
        let owner = new_owner(&shared, entropy);
        Self { superblock, owner, shared }
    }

    /// Opens the same store once more, as another process would.
    pub fn reopen(&self, entropy: &mut dyn Entropy) -> Self {
        let owner = new_owner(&self.shared, entropy);
        Self { superblock: self.superblock, owner, shared: Arc::clone(&self.shared) }
    }

    /// Loses what was not synced, as a crash of all processes would. Writers of before fail from now on.
    pub fn crash(&self) {
        lock(&self.shared.owners).retain(|owner| *owner == self.owner);
        for pack in lock(&self.shared.packs).values_mut() {
            pack.bytes.truncate(pack.synced_len);
        }
    }
}

impl std::fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryBackend").field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl Drop for MemoryBackend {
    fn drop(&mut self) {
        lock(&self.shared.owners).remove(&self.owner);
    }
}

/// A transaction: writes go to the map at once, `undo` takes them back.
struct MemoryTxn<'a> {
    rows: &'a mut Rows,
    undo: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl MemoryTxn<'_> {
    fn roll_back(self) {
        for (key, value) in self.undo.into_iter().rev() {
            match value {
                Some(value) => drop(self.rows.insert(key, value)),
                None => drop(self.rows.remove(&key)),
            }
        }
    }
}

impl Txn for MemoryTxn<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.rows.get(key).cloned())
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let before = self.rows.insert(key.to_vec(), value.to_vec());
        self.undo.push((key.to_vec(), before));
        Ok(())
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        let before = self.rows.remove(key);
        self.undo.push((key.to_vec(), before));
        Ok(())
    }

    fn scan(&mut self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Row>> {
        let from = after.map_or(Bound::Included(prefix), Bound::Excluded);
        let range = self.rows.range::<[u8], _>((from, Bound::Unbounded));
        let rows = range.take_while(|(key, _)| key.starts_with(prefix)).take(limit);
        Ok(rows.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn journal(&mut self, _publish: &[u8]) -> Result<()> {
        // The rows are as durable as anything here.
        Ok(())
    }
}

impl Backend for MemoryBackend {
    fn scratch(&self) -> Result<Scratch> {
        Scratch::create(&std::env::temp_dir())
    }

    fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    fn read(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.write(body)
    }

    fn write(&self, body: &mut TxnBody<'_>) -> Result<()> {
        let mut rows = lock(&self.shared.rows);
        let mut txn = MemoryTxn { rows: &mut rows, undo: Vec::new() };
        let outcome = body(&mut txn);
        if outcome.is_err() {
            txn.roll_back();
        }
        outcome
    }

    fn create_pack(&self, id: PackId) -> Result<Box<dyn PackWriter>> {
        let mut packs = lock(&self.shared.packs);
        if packs.insert(id, Pack::default()).is_some() {
            return Err(Error::invalid(format!("pack {id} exists already")));
        }
        Ok(Box::new(MemoryWriter { id, owner: self.owner, shared: Arc::clone(&self.shared) }))
    }

    fn read_pack(&self, id: PackId, offset: u32, len: u32) -> Result<Option<Vec<u8>>> {
        let packs = lock(&self.shared.packs);
        let Some(pack) = packs.get(&id) else { return Ok(None) };
        let from = offset as usize;
        Ok(pack.bytes.get(from..from + len as usize).map(<[u8]>::to_vec))
    }

    fn remove_pack(&self, id: PackId) -> Result<()> {
        lock(&self.shared.packs).remove(&id);
        Ok(())
    }

    fn list_packs(&self) -> Result<Vec<(PackId, u64)>> {
        Ok(lock(&self.shared.packs).iter().map(|(id, pack)| (*id, pack.bytes.len() as u64)).collect())
    }

    fn owner(&self) -> OwnerId {
        self.owner
    }

    fn owner_alive(&self, owner: OwnerId) -> Result<bool> {
        Ok(lock(&self.shared.owners).contains(&owner))
    }

    fn lock_collection(&self) -> Result<Box<dyn Send>> {
        let mut collecting = lock(&self.shared.collecting);
        if *collecting {
            return Err(Error::CollectionRunning);
        }
        *collecting = true;
        Ok(Box::new(CollectionGuard(Arc::clone(&self.shared))))
    }
}

struct CollectionGuard(Arc<Shared>);

impl Drop for CollectionGuard {
    fn drop(&mut self) {
        *lock(&self.0.collecting) = false;
    }
}

struct MemoryWriter {
    id: PackId,
    owner: OwnerId,
    shared: Arc<Shared>,
}

impl MemoryWriter {
    /// Runs `work` on the pack, if both it and the owner still exist.
    fn with_pack(&self, work: impl FnOnce(&mut Pack)) -> Result<()> {
        let mut packs = lock(&self.shared.packs);
        match packs.get_mut(&self.id) {
            Some(pack) if lock(&self.shared.owners).contains(&self.owner) => {
                work(pack);
                Ok(())
            }
            _ => Err(Error::invalid(format!("pack {} is gone, or its writer has crashed", self.id))),
        }
    }
}

impl PackWriter for MemoryWriter {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.with_pack(|pack| pack.bytes.extend_from_slice(bytes))
    }

    fn sync(&mut self) -> Result<()> {
        self.with_pack(|pack| pack.synced_len = pack.bytes.len())
    }
}
