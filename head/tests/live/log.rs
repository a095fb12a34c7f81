//! The stored oplog, read back to where it is applied.

use crate::place;
use tidemark_base::Timestamp;
use tidemark_blockstore::Store;
use tidemark_head::follow::follow;
use tidemark_head::head::Head;
use tidemark_head::state::State;
use tidemark_oplog::store::Tip;

pub(crate) fn tip(store: &Store) -> Tip {
    place::name().slices(store).tip().unwrap().unwrap()
}

/// Brings a root's state to a moment, in portions of this many entries.
pub(crate) fn bring(store: &Store, state: &mut State, to: Timestamp, portion: usize) {
    let (tip, slices, from) = (tip(store), place::name().slices(store), state.position());
    let brought = follow(&slices, &tip, from, to, &mut |entries, end| {
        entries.chunks(portion).try_for_each(|entries| state.apply(store, entries))?;
        end.map_or(Ok(()), |end| state.pass_slice(end))
    });
    brought.unwrap_or_else(|error| panic!("{error}"));
}

/// Brings a head to the end of the log.
pub(crate) fn bring_to_the_end(store: &Store, head: &mut Head) {
    let (tip, slices, from) = (tip(store), place::name().slices(store), head.state().position());
    let brought = follow(&slices, &tip, from, tip.link.at.ts, &mut |entries, end| {
        head.apply(entries)?;
        end.map_or(Ok(()), |end| head.pass_slice(end))
    });
    brought.unwrap_or_else(|error| panic!("{error}"));
}
