//! The session that uploads are put through: one for all of them, since opening one costs a transaction.
//!
//! What is put is kept by refs as soon as it is acknowledged, so a session may be replaced at any time; it is after a
//! minute, so that it never holds back a collection of garbage for long, and after every failure, since nothing is known
//! of what it has put then. Whoever is still at work with the old one ends it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidemark_base::Clock;
use tidemark_blockstore::{Error, Session, Store};
use tidemark_oplog::store::StoreError;
use tidemark_oplog::store::initial_sync::SyncStoreError;

const MAX_AGE: Duration = Duration::from_secs(60);

/// The present session, if there is one.
#[derive(Default)]
pub(crate) struct Appends {
    present: Mutex<Option<Opened>>,
}

struct Opened {
    session: Arc<Session>,
    at: Duration,
}

/// An error after which nothing is known of what a session has put.
pub(crate) trait MayBreak {
    fn breaks(&self) -> bool;
}

impl MayBreak for StoreError {
    fn breaks(&self) -> bool {
        matches!(self, Self::Blocks(_))
    }
}

impl MayBreak for SyncStoreError {
    fn breaks(&self) -> bool {
        match self {
            Self::Blocks(_) => true,
            Self::Log(error) => error.breaks(),
            _ => false,
        }
    }
}

impl Appends {
    /// Does something with a session; after a failure of the store nobody else gets it.
    pub(crate) fn with<T, E: From<Error> + MayBreak>(
        &self,
        store: &Store,
        clock: &dyn Clock,
        work: impl FnOnce(&Session) -> Result<T, E>,
    ) -> Result<T, E> {
        let session = self.session(store, clock)?;
        let done = work(&session);
        if done.as_ref().is_err_and(MayBreak::breaks) {
            self.forget(&session);
        }
        done
    }

    /// Lets go of a session that nobody has needed for long. Called now and then.
    pub(crate) fn rest(&self, clock: &dyn Clock) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let old = present.take_if(|it| clock.monotonic() > it.at + MAX_AGE);
        drop(present);
        // Its end is a transaction: not under the lock.
        drop(old);
    }

    fn session(&self, store: &Store, clock: &dyn Clock) -> Result<Arc<Session>, Error> {
        self.rest(clock);
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = &*present {
            return Ok(Arc::clone(&opened.session));
        }
        let session = Arc::new(store.session(&[])?);
        *present = Some(Opened { session: Arc::clone(&session), at: clock.monotonic() });
        Ok(session)
    }

    fn forget(&self, session: &Arc<Session>) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let broken = present.take_if(|it| Arc::ptr_eq(&it.session, session));
        drop(present);
        drop(broken);
    }
}
