//! A whole installation for tests and the demo: `tidemark serve`, or its parts, and agents as their own processes, a client of the
//! public API, restores by mongorestore.
//!
//! The programs are the real ones, from a folder of built programs. Everything lies in a folder given, ends with its
//! value, and says in its log what it did. Errors are for people: they name the log to look at.

mod agent;
mod api;
mod process;
mod restore;
mod served;

pub use agent::{AgentSetUp, start_agent};
pub use api::Api;
pub use process::Process;
pub use restore::restore_into;
pub use served::{Installation, Part, programs};

use std::error::Error;
use std::time::{Duration, Instant};

/// What goes wrong here ends a test or the demo, whatever it is.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Asks again and again until there is an answer, or the time is over.
///
/// # Errors
/// Those of the question; if the time is over, with what was waited for.
#[expect(clippy::disallowed_methods, reason = "waiting for other processes")]
pub fn wait_for<T>(what: &str, at_most: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask()? {
            return Ok(found);
        }
        if begun.elapsed() > at_most {
            return Err(format!("waited {at_most:?} in vain for {what}").into());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
