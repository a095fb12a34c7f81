//! What all measurements share: a stopwatch that can be stopped, the process's memory and CPU, and results
//! kept as lines of JSON.
//!
//! A figure is a ratio against a peer that ran in the same process, alternating with it piece by piece, so
//! that a machine that slows down slows down both.

pub mod bare;
pub mod child;
pub mod engine;
pub mod machine;
pub mod mongo;
pub mod page;
pub mod plot;
pub mod process;
pub mod results;
pub mod shop;
pub mod targets;

use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;
use tidemark_base::{Clock as _, SystemClock};

/// A stopwatch that adds up only what it is asked to time.
pub struct Stopwatch {
    clock: SystemClock,
    /// The sum so far.
    pub total: Duration,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self { clock: SystemClock::new(), total: Duration::ZERO }
    }
}

impl Stopwatch {
    /// Runs `work` and adds its time.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = self.clock.monotonic();
        let result = work();
        self.total += self.clock.monotonic() - start;
        result
    }

    /// Seconds so far.
    #[must_use]
    pub fn secs(&self) -> f64 {
        self.total.as_secs_f64()
    }
}

/// The largest resident memory of this process so far, in MiB; 0 where `/proc` does not tell.
#[must_use]
pub fn peak_rss_mib() -> u64 {
    process::peak_rss_mib(process::Which::Own)
}

/// Seconds of CPU that all threads of this process used so far, user and system, in steps of 10 ms.
#[must_use]
pub fn cpu_secs() -> f64 {
    process::cpu_secs(process::Which::Own)
}

/// Starts the measurement of peak memory anew, where the kernel allows it.
pub fn reset_peak_rss() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Whether this program was asked for a part of the data only.
#[must_use]
pub fn is_quick() -> bool {
    std::env::args().any(|word| word == "--quick")
}

/// Appends a result to `benches/results/<suite>.jsonl` and returns the line.
///
/// # Errors
/// Those of the file.
pub fn keep(suite: &str, case: &str, figures: &Value) -> std::io::Result<String> {
    let commit = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let line = json!({
        "unix_ms": SystemClock::new().now().0,
        "commit": commit.unwrap_or_default(),
        "threads": rayon::current_num_threads(),
        "case": case,
        "quick": is_quick(),
        // The run of all suites that this is part of.
        "run": std::env::var(results::RUN).ok(),
        "machine": machine::kind(),
        "figures": figures,
    })
    .to_string();
    let path = results::folder().join(format!("{suite}.jsonl"));
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(file, "{line}")?;
    Ok(line)
}
