//! Work given to rayon's pool whose result is asked for later.
//!
//! Whoever waits on a thread of the pool works meanwhile: even a pool of one thread gets everything done.

use super::buffer::Meter;
use rayon::{Scope, ThreadPool};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::Duration;

/// How long a thread of a pool that finds no other work sleeps before it looks again.
const NAP: Duration = Duration::from_millis(1);

/// The result of work that somebody does.
#[derive(Debug)]
pub(crate) struct Task<T>(Receiver<T>);

impl<T: Send + 'static> Task<T> {
    /// Gives work to the pool. It counts as a task of the meter until all that it held is let go.
    pub(crate) fn begin(meter: &Arc<Meter>, work: impl FnOnce() -> T + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(1);
        let count = meter.task();
        rayon::spawn(move || {
            // Whoever asked may be gone, after an error.
            let _ = sender.send(work());
            drop(count);
        });
        Self(receiver)
    }

    /// The same of work that waits for a disk now and then, to threads that may.
    pub(crate) fn begin_on(
        pool: &ThreadPool,
        meter: &Arc<Meter>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Self {
        let (sender, receiver) = sync_channel(1);
        let count = meter.task();
        pool.spawn(move || {
            let _ = sender.send(work());
            drop(count);
        });
        Self(receiver)
    }

    /// Gives work to the pool that ends with a scope.
    pub(in crate::run) fn begin_in<'scope>(
        scope: &Scope<'scope>,
        work: impl FnOnce() -> T + Send + 'scope,
    ) -> Self {
        let (sender, receiver) = sync_channel(1);
        scope.spawn(move |_| {
            let _ = sender.send(work());
        });
        Self(receiver)
    }

    /// The result, if there is one already.
    pub(crate) fn try_take(&self) -> Option<T> {
        match self.0.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => panic!("{LOST}"),
        }
    }

    /// The result, as soon as there is one.
    pub(crate) fn wait(self) -> T {
        loop {
            if let Some(result) = self.try_take() {
                return result;
            }
            match rayon::yield_now() {
                None => return self.0.recv().expect(LOST),
                Some(rayon::Yield::Executed) => {}
                Some(rayon::Yield::Idle) => match self.0.recv_timeout(NAP) {
                    Ok(result) => return result,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => panic!("{LOST}"),
                },
            }
        }
    }
}

const LOST: &str = "a task sends its result, or has panicked";
