//! What a place that keeps a store must offer: transactions over small rows, and packs of bytes.
//!
//! Sessions, puts, publishes and collections are written once, in [`crate::state`], as functions on a
//! [`Txn`]; a backend only has to make transactions atomic, isolated and durable, and packs append-only.
//! Implemented by [`crate::memory`], [`crate::local`] and, around another, [`crate::fault`]; the
//! conformance suite in `tests/conformance` runs over all of them.

use crate::error::Result;
use crate::ids::{OwnerId, PackId};
use crate::scratch::Scratch;
use crate::superblock::Superblock;

/// One transaction over the rows of a store. Keys and values are bytes; keys are ordered bytewise.
pub trait Txn {
    /// The value of a key.
    ///
    /// # Errors
    /// Damage or failure of the backend.
    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Sets a key.
    ///
    /// # Errors
    /// Failure of the backend.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()>;

    /// If the key's value begins with `prefix`, sets it to `new`, or removes it. Whether it did.
    ///
    /// # Errors
    /// Failure of the backend.
    fn replace_if(&mut self, key: &[u8], prefix: &[u8], new: Option<&[u8]>) -> Result<bool> {
        let fits = self.get(key)?.is_some_and(|value| value.starts_with(prefix));
        match (fits, new) {
            (true, Some(new)) => self.put(key, new)?,
            (true, None) => self.delete(key)?,
            (false, _) => {}
        }
        Ok(fits)
    }

    /// Removes a key, present or not.
    ///
    /// # Errors
    /// Failure of the backend.
    fn delete(&mut self, key: &[u8]) -> Result<()>;

    /// Up to `limit` keys that start with `prefix` and are greater than `after`, in order, with values.
    ///
    /// # Errors
    /// Damage or failure of the backend.
    fn scan(&mut self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Row>>;

    /// Hands over the record of a publish, to be kept apart from the rows and durable no later than the
    /// commit, so that refs survive the loss of the rows. At most once per transaction, before
    /// any row of a ref changes in it.
    ///
    /// # Errors
    /// Failure of the backend.
    fn journal(&mut self, publish: &[u8]) -> Result<()>;

    /// Drops what a publish that died before its commit has left in the journal, so that it can't come true
    /// later.
    ///
    /// # Errors
    /// Failure of the backend.
    fn drop_dead_publish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// The body of a transaction. It may run more than once if the backend has to retry.
pub type TxnBody<'a> = dyn FnMut(&mut dyn Txn) -> Result<()> + 'a;

/// Where a store lives.
pub trait Backend: Send + Sync {
    /// The store's identity and parameters.
    fn superblock(&self) -> &Superblock;

    /// Runs a transaction that only reads: one consistent state.
    ///
    /// # Errors
    /// What the body returns, or failure of the backend.
    fn read(&self, body: &mut TxnBody<'_>) -> Result<()>;

    /// Runs a transaction that may write: alone, all or nothing, durable when this returns. If the body
    /// returns an error, nothing happened.
    ///
    /// # Errors
    /// What the body returns, or failure of the backend; after a failure during the commit itself the
    /// outcome is unknown until the rows are read again.
    fn write(&self, body: &mut TxnBody<'_>) -> Result<()>;

    /// As [`Self::write`], but durable only with the next [`Self::write`]: for steps that may be lost
    /// together with all after them, as long as nothing outside the rows depends on them.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn write_relaxed(&self, body: &mut TxnBody<'_>) -> Result<()> {
        self.write(body)
    }

    /// Makes an empty pack; the id was never used before.
    ///
    /// # Errors
    /// Failure of the backend.
    fn create_pack(&self, id: PackId) -> Result<Box<dyn PackWriter>>;

    /// Reads exactly `len` bytes of a pack. `None` if there is no such pack, or it is shorter.
    ///
    /// # Errors
    /// Failure of the backend.
    fn read_pack(&self, id: PackId, offset: u32, len: u32) -> Result<Option<Vec<u8>>>;

    /// Removes a pack, present or not; durable when this returns.
    ///
    /// # Errors
    /// Failure of the backend.
    fn remove_pack(&self, id: PackId) -> Result<()>;

    /// The packs that exist, with their lengths in bytes, in no order.
    ///
    /// # Errors
    /// Failure of the backend.
    fn list_packs(&self) -> Result<Vec<(PackId, u64)>>;

    /// Who this opening of the store is.
    fn owner(&self) -> OwnerId;

    /// Whether another opening of the store still lives. Must never say no of one that does.
    ///
    /// # Errors
    /// Failure of the backend.
    fn owner_alive(&self, owner: OwnerId) -> Result<bool>;

    /// The right to be the store's one collector, until the guard is dropped.
    ///
    /// # Errors
    /// [`crate::Error::CollectionRunning`] if another has it.
    fn lock_collection(&self) -> Result<Box<dyn Send>>;

    /// Gives up space kept back for this moment, so that deletion can work on a full disk. Whether there
    /// was any.
    ///
    /// # Errors
    /// Failure of the backend.
    fn release_reserve(&self) -> Result<bool> {
        Ok(false)
    }

    /// Asked before blocks are put: an error while the reserve is given up and there is no room to keep it
    /// back again, so that a writer that tries again and again does not use it up.
    ///
    /// # Errors
    /// [`crate::Error::Full`]; failure of the backend.
    fn require_reserve(&self) -> Result<()> {
        Ok(())
    }

    /// A file for what is read back before long, where this backend keeps large files.
    ///
    /// # Errors
    /// Failure of the operating system.
    fn scratch(&self) -> Result<Scratch>;

    /// What is wrong with the parts of the store that only the backend knows, in words; empty if nothing.
    ///
    /// # Errors
    /// Failure of the backend.
    fn audit(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Tries to keep back the reserve again; quietly does nothing while there is no room.
    fn restore_reserve(&self) {}
}

/// The one who appends to a pack. Dropping it leaves the pack as it is.
pub trait PackWriter: Send {
    /// Appends bytes.
    ///
    /// # Errors
    /// Failure of the backend; the pack must not be appended to afterwards.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;

    /// Makes everything appended so far, and the pack's existence, durable.
    ///
    /// # Errors
    /// Failure of the backend; the pack must not be appended to afterwards.
    fn sync(&mut self) -> Result<()>;
}
