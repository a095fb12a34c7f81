//! The one door to threads of our own. Parallel work on data belongs to rayon instead.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a named thread; the name shows in panics, debuggers and `top -H`.
///
/// # Errors
/// What the operating system says when it has no thread to give.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn spawn<T, F>(name: &str, work: F) -> io::Result<JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Builder::new().name(name.to_owned()).spawn(work)
}
