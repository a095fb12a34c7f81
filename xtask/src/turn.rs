//! Tests that start processes take turns.
//!
//! While one test has a script open for writing, a process started by another inherits that file for a
//! moment, and the script can't be run then ("text file busy").

use std::sync::{Mutex, MutexGuard, PoisonError};

static TURN: Mutex<()> = Mutex::new(());

pub(crate) fn take() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
