//! How long work tells what it does, is slowed down, and is stopped: given by the caller, so that nothing
//! here needs a clock or a terminal.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tidemark_base::Clock;

/// The part of a job that is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Finding everything that is in use.
    Mark,
    /// Deleting packs condemned earlier.
    Delete,
    /// Condemning packs without use.
    Condemn,
    /// Copying what is in use out of packs with little use.
    Rewrite,
    /// Checking records.
    Verify,
}

/// Whether anybody else is at work on the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// No session is open but the work's own.
    Away,
    /// Sessions are open, and may be writing.
    AtWork,
}

/// What a caller of long work wants to know and decide.
pub trait Observer: Sync {
    /// So much is done, in blocks while marking and in packs otherwise; `total` if it is known.
    fn progress(&self, _stage: Stage, _done: u64, _total: Option<u64>) {}

    /// Called after each short piece of work with the disk traffic it made, in bytes; may sleep, to hold a
    /// rate or to leave the machine to others.
    fn pace(&self, _bytes: u64, _others: Others) {}

    /// Whether to stop; asked often. What was done stays done and is safe.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Nobody looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Observer for Quiet {}

/// While others are at work, one part in so many of the time is worked.
const SHARE_BESIDE_OTHERS: u32 = 5;

/// Lets others go first: while their sessions are open, work fills one fifth of its time and sleeps for the
/// rest; alone, it runs at full speed. For collections and checks in the background.
pub struct Considerate<'a> {
    inner: &'a dyn Observer,
    clock: &'a dyn Clock,
    /// When the present piece of work began.
    began: Mutex<Duration>,
}

impl<'a> Considerate<'a> {
    /// Tells `inner` everything, and sleeps in between.
    pub fn new(inner: &'a dyn Observer, clock: &'a dyn Clock) -> Self {
        Self { inner, clock, began: Mutex::new(clock.monotonic()) }
    }

    /// Begins a piece of work anew: for who has slept on his own account.
    pub fn resume(&self) {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = self.clock.monotonic();
    }
}

impl std::fmt::Debug for Considerate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Considerate").finish_non_exhaustive()
    }
}

/// How long to rest after so much work.
fn rest_after(worked: Duration, others: Others) -> Duration {
    match others {
        Others::Away => Duration::ZERO,
        Others::AtWork => worked * (SHARE_BESIDE_OTHERS - 1),
    }
}

impl Observer for Considerate<'_> {
    fn progress(&self, stage: Stage, done: u64, total: Option<u64>) {
        self.inner.progress(stage, done, total);
    }

    fn pace(&self, bytes: u64, others: Others) {
        self.inner.pace(bytes, others);
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        std::thread::sleep(rest_after(self.clock.monotonic().saturating_sub(*began), others));
        *began = self.clock.monotonic();
    }

    fn cancelled(&self) -> bool {
        self.inner.cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_others_four_fifths_of_the_time_are_rested_and_alone_none() {
        let worked = Duration::from_millis(10);
        assert_eq!(rest_after(worked, Others::AtWork), Duration::from_millis(40));
        assert_eq!(rest_after(worked, Others::Away), Duration::ZERO);
    }
}
