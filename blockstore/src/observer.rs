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
/// Longest rest at once: a piece of work that took very long was waiting for something, not working.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// How often a rest asks whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// Lets others go first: while their sessions are open, work fills one fifth of its time and sleeps for the
/// rest; alone, it runs at full speed. For collections and checks in the background, each with its own.
pub struct Considerate<'a> {
    inner: &'a dyn Observer,
    clock: &'a dyn Clock,
    /// When the present piece of work began; nothing before the first.
    began: Mutex<Option<Duration>>,
}

impl<'a> Considerate<'a> {
    /// Tells `inner` everything, and sleeps in between. What `inner` sleeps is not counted as work.
    pub fn new(inner: &'a dyn Observer, clock: &'a dyn Clock) -> Self {
        Self { inner, clock, began: Mutex::new(None) }
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
        Others::AtWork => (worked * (SHARE_BESIDE_OTHERS - 1)).min(LONGEST_REST),
    }
}

impl Observer for Considerate<'_> {
    fn progress(&self, stage: Stage, done: u64, total: Option<u64>) {
        self.inner.progress(stage, done, total);
    }

    fn pace(&self, bytes: u64, others: Others) {
        let began = self.began.lock().unwrap_or_else(PoisonError::into_inner).take();
        let worked = began.map(|began| self.clock.monotonic().saturating_sub(began));
        self.inner.pace(bytes, others);
        let mut rest = rest_after(worked.unwrap_or_default(), others);
        while !rest.is_zero() && !self.cancelled() {
            let nap = rest.min(NAP);
            std::thread::sleep(nap);
            rest -= nap;
        }
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.clock.monotonic());
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
        assert_eq!(rest_after(Duration::from_secs(60), Others::AtWork), LONGEST_REST);
    }

    /// Sleeps, as a limit of a rate would: by moving the clock.
    struct Limited<'a>(&'a tidemark_base::clock::ManualClock);

    impl Observer for Limited<'_> {
        fn pace(&self, _bytes: u64, _others: Others) {
            self.0.advance(Duration::from_secs(3600));
        }
    }

    #[test]
    fn what_the_inner_observer_sleeps_is_no_work() {
        let clock = tidemark_base::clock::ManualClock::default();
        let limited = Limited(&clock);
        let considerate = Considerate::new(&limited, &clock);
        for _ in 0..100 {
            // Would rest for the longest time each, and this test for minutes.
            considerate.pace(1, Others::AtWork);
        }
        assert_eq!(clock.monotonic(), Duration::from_secs(360_000));
    }
}
