//! Waiting for something to become true, with an end to the patience.

use std::time::Duration;

use tidemark_base::{Clock, SystemClock};

use super::Error;

/// Short enough not to slow a test down, long enough not to load a machine of two cores.
const PAUSE_BETWEEN_LOOKS: Duration = Duration::from_millis(15);

/// Calls `look` until it returns `Ok`; its `Err` says what it saw instead. Looks at least once.
///
/// # Errors
/// [`Error::Timeout`] with the last thing seen, once `patience` is over.
pub fn until<T>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> Result<T, String>,
) -> Result<T, Error> {
    let clock = SystemClock::new();
    loop {
        let last = match look() {
            Ok(value) => return Ok(value),
            Err(last) => last,
        };
        if clock.monotonic() >= patience {
            return Err(Error::Timeout { what: what.to_owned(), waited: patience, last });
        }
        std::thread::sleep(PAUSE_BETWEEN_LOOKS);
    }
}
