//! Progress of long work: a bar on a terminal, and nothing anywhere else.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Mutex;
use std::sync::PoisonError;
use tidemark_blockstore::{Observer, Stage};

/// How often a bar is drawn, at most, in times per second.
const RATE_HZ: u8 = 8;

/// A bar that may be hidden. It goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    stage: Mutex<Option<Stage>>,
}

impl Progress {
    /// Counts bytes; `total` if it is known.
    pub(crate) fn bytes(out: Output, what: &'static str, total: Option<u64>) -> Self {
        let amount = if total.is_some() { "{bytes}/{total_bytes} {bar:30}" } else { "{bytes}" };
        Self::new(out, what, total, &format!("{{msg}}: {amount} {{binary_bytes_per_sec}}"))
    }

    /// Counts things.
    pub(crate) fn things(out: Output, what: &'static str) -> Self {
        Self::new(out, what, None, "{msg}: {human_pos}")
    }

    fn new(out: Output, what: &'static str, total: Option<u64>, template: &str) -> Self {
        let target = match out.shows_progress() {
            true => ProgressDrawTarget::stderr_with_hz(RATE_HZ),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(total, target).with_message(what);
        bar.set_style(ProgressStyle::with_template(template).expect("the templates are ours"));
        Self { bar, stage: Mutex::new(None) }
    }

    pub(crate) fn add(&self, amount: u64) {
        self.bar.inc(amount);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Progress {
    fn progress(&self, stage: Stage, done: u64, total: Option<u64>) {
        let mut shown = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown != Some(stage) {
            *shown = Some(stage);
            self.bar.set_message(match stage {
                Stage::Mark => "finding what is in use, blocks",
                Stage::Delete => "deleting packs",
                Stage::Condemn => "condemning packs",
                Stage::Rewrite => "rewriting packs",
                Stage::Verify => "checking packs",
            });
        }
        self.bar.set_position(done);
        total.into_iter().for_each(|total| self.bar.set_length(total));
    }
}
