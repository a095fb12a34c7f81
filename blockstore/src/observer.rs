//! How long work tells what it does, is slowed down, and is stopped: given by the caller, so that nothing
//! here needs a clock or a terminal.

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

/// What a caller of long work wants to know and decide.
pub trait Observer: Sync {
    /// So much is done, in blocks while marking and in packs otherwise; `total` if it is known.
    fn progress(&self, _stage: Stage, _done: u64, _total: Option<u64>) {}

    /// Called after each piece of disk traffic of so many bytes; may sleep to hold a rate.
    fn pace(&self, _bytes: u64) {}

    /// Whether to stop; asked often. What was done stays done and is safe.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Nobody looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Observer for Quiet {}
