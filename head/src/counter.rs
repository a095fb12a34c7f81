//! Numbers in records that count up by one for ever: epochs, snapshots, insertions into a capped collection.
//!
//! Whoever has one takes the next without a check; so none is taken from a record that could overflow.

use tidemark_base::codec::{CodecError, CodecProblem, Reader};
use tidemark_base::limits::MAX_COUNTER;

/// Reads such a number.
pub(crate) fn counter(reader: &mut Reader<'_>, what: &'static str) -> Result<u64, CodecError> {
    let before = reader.clone();
    let value = reader.u64(what)?;
    if value > MAX_COUNTER {
        return Err(before.error(what, CodecProblem::OverLimit { value, limit: MAX_COUNTER }));
    }
    Ok(value)
}
