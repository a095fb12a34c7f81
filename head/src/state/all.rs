//! What several at work for one session came to: all of it, or the failure that explains the others.

use crate::error::{HeadError, Result};
use tidemark_blockstore::Error;

/// All results. Once one has failed to write, the others are only told that their session is broken, and that
/// is to be said to nobody: it hides the full disk, and reads as if somebody had taken the head over.
pub(super) fn all<T>(outcomes: Vec<Result<T>>) -> Result<Vec<T>> {
    let mut done = Vec::with_capacity(outcomes.len());
    let mut failure = None;
    for outcome in outcomes {
        match outcome {
            Ok(one) => done.push(one),
            Err(error) if failure.as_ref().is_none_or(is_consequence) => failure = Some(error),
            Err(_) => {}
        }
    }
    failure.map_or(Ok(done), Err)
}

/// Whether an error only says that something else failed before.
pub(crate) const fn is_consequence(error: &HeadError) -> bool {
    match error {
        HeadError::Store(Error::SessionBroken { .. }) => true,
        HeadError::Run(error) => error.is_consequence(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunError;

    fn broken() -> HeadError {
        Error::SessionBroken { id: tidemark_blockstore::SessionId(1) }.into()
    }

    fn cause() -> HeadError {
        HeadError::Run(RunError::Store(Error::Injected { call: 7 }))
    }

    #[test]
    fn the_cause_is_told_and_not_what_followed_from_it() {
        for failures in [[broken(), cause()], [cause(), broken()]] {
            let outcomes = failures.map(Err).into_iter().chain([Ok(1)]).collect();
            let error = all(outcomes).unwrap_err();
            assert!(matches!(error, HeadError::Run(RunError::Store(Error::Injected { call: 7 }))), "{error}");
        }
    }

    #[test]
    fn a_broken_session_is_told_if_nothing_else_is_known() {
        let error = all(vec![Ok(1), Err(broken())]).unwrap_err();
        assert!(matches!(error, HeadError::Store(Error::SessionBroken { .. })), "{error}");
        assert_eq!(all(vec![Ok(1), Ok(2)]).unwrap(), [1, 2]);
    }
}
