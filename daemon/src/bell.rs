//! The bell that ends a daemon's work: whoever rests, rests until it rings.
//!
//! Rests are real time, whatever the clock says: they only say how soon something is looked at again.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Rung once, for all.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    is_rung: Mutex<bool>,
    rings: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.lock() = true;
        self.rings.notify_all();
    }

    pub(crate) fn is_rung(&self) -> bool {
        *self.lock()
    }

    /// Waits so long, or until it rings; whether it has.
    pub(crate) fn rest(&self, at_most: Duration) -> bool {
        let rested = self.rings.wait_timeout_while(self.lock(), at_most, |is_rung| !*is_rung);
        *rested.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_rests_is_woken() {
        let bell = std::sync::Arc::new(Bell::default());
        assert!(!bell.rest(Duration::from_millis(1)));
        let rests = std::sync::Arc::clone(&bell);
        let rest =
            tidemark_base::threads::spawn("rest", move || rests.rest(Duration::from_secs(3600))).unwrap();
        bell.ring();
        assert!(rest.join().unwrap() && bell.is_rung() && bell.rest(Duration::ZERO));
    }
}
