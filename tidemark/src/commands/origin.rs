//! Which state of a head is meant: a snapshot, a point in time, or the head itself.

use super::divergences::Divergences;
use crate::exit::Problem;
use crate::output::Output;
use crate::place::HeadArg;
use crate::times::{At, Moment};
use anyhow::Result;
use clap::Args;
use tidemark_base::OpTime;
use tidemark_blockstore::Store;
use tidemark_head::HeadError;
use tidemark_head::fork::{Fork, look_into};
use tidemark_head::run::Source;
use tidemark_head::state::State;

/// Which state.
#[derive(Debug, Args)]
pub(crate) struct OriginArgs {
    /// The state of this snapshot
    #[arg(long, value_name = "ID", conflicts_with = "time")]
    snapshot: Option<u64>,
    /// The state at this time, with its zone, or at this position; inclusive
    #[arg(long, value_name = "TIME|T,I")]
    time: Option<Moment>,
}

/// Opens a state, tells where it stands, and what did not fit on the way there.
pub(super) fn open(
    head: &HeadArg,
    origin: &OriginArgs,
    store: &Store,
    out: Output,
) -> Result<(Fork, Divergences)> {
    let name = &head.name;
    let mut fork = match (origin.snapshot, &origin.time) {
        (Some(id), _) => Fork::of_snapshot(store, name, id)?,
        (None, Some(time)) => Fork::at(store, name, time.until()).map_err(|error| in_words(error, time))?,
        (None, None) => Fork::of_head(store, name)?,
    };
    fork.state().require_consistent()?;
    out.note(&format!("the state is that of {}", At::of(fork.state().at())));
    let mut divergences = Divergences::default();
    let found = fork.take_divergences();
    divergences.add(&found);
    divergences.add_earlier(fork.state().diverged().operations.saturating_sub(found.diverged().operations));
    Ok((fork, divergences))
}

/// Looks something up in a state, tells where that stands, and what did not fit on the way there.
pub(super) fn look<T>(
    head: &HeadArg,
    origin: &OriginArgs,
    store: &Store,
    out: Output,
    look: impl Fn(&State, &dyn Source) -> Result<T, HeadError>,
) -> Result<(T, OpTime, Divergences)> {
    if origin.time.is_some() {
        let (fork, divergences) = open(head, origin, store, out)?;
        return Ok((look(fork.state(), fork.session())?, fork.state().at(), divergences));
    }
    let look = |state: &State, source: &dyn Source| {
        state.require_consistent()?;
        Ok((look(state, source)?, state.at(), state.diverged().operations))
    };
    let (found, at, diverged) = look_into(store, &head.name, origin.snapshot, look)?;
    out.note(&format!("the state is that of {}", At::of(at)));
    let mut divergences = Divergences::default();
    divergences.add_earlier(diverged);
    Ok((found, at, divergences))
}

/// The border that was passed, as a time too.
fn in_words(error: HeadError, asked: &Moment) -> anyhow::Error {
    let words = match error {
        HeadError::TooLate { last, .. } => {
            format!("nothing is known of {asked}: the oplog ends at {}", At::of(last))
        }
        HeadError::TooEarly { oldest, .. } => {
            format!("{asked} cannot be restored: the oldest state that is kept is that of {}", At::of(oldest))
        }
        other => return other.into(),
    };
    Problem::NotThere(words).into()
}
