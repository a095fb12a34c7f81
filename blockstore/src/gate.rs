//! A gate that many pass at once and that one can close when nobody is inside.
//!
//! Unlike a lock for readers and writers, who wants to close it holds nobody up: who is inside may need, to
//! get out, that others come in (tasks of one thread pool do). Used by [`crate::Session`].

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The gate; open at first.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    inside: usize,
    closed: bool,
}

/// Somebody is inside until this is dropped.
pub(crate) struct Inside<'a>(&'a Gate);

/// The gate is closed until this is dropped.
pub(crate) struct Closed<'a>(&'a Gate);

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, busy: impl FnMut(&mut State) -> bool) -> MutexGuard<'_, State> {
        self.changed.wait_while(self.state(), busy).unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes in; waits only while the gate is closed.
    pub(crate) fn enter(&self) -> Inside<'_> {
        self.wait_while(|state| state.closed).inside += 1;
        Inside(self)
    }

    /// Closes the gate; waits until nobody is inside.
    pub(crate) fn close(&self) -> Closed<'_> {
        self.wait_while(|state| state.closed || state.inside > 0).closed = true;
        Closed(self)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.state().inside -= 1;
        self.0.changed.notify_all();
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.state().closed = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tidemark_base::threads::spawn;

    #[test]
    fn who_waits_to_close_holds_nobody_up_and_closes_when_all_are_out() {
        let gate = Arc::new(Gate::default());
        let done = Arc::new(AtomicBool::new(false));
        let first = gate.enter();
        let closer = {
            let (gate, done) = (Arc::clone(&gate), Arc::clone(&done));
            spawn("closer", move || {
                let _closed = gate.close();
                done.store(true, Ordering::SeqCst);
            })
            .unwrap()
        };
        // With a lock that prefers writers this hangs as soon as the closer waits.
        for _ in 0..100 {
            drop(gate.enter());
            std::thread::yield_now();
        }
        assert!(!done.load(Ordering::SeqCst));
        drop(first);
        closer.join().unwrap();
        assert!(done.load(Ordering::SeqCst));
        drop(gate.enter());
    }
}
