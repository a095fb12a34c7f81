//! Stacks folded: into a new base, and patch runs into one.

use super::{MergeCursor, PatchCursor, Report, Stack, bounded};
use crate::compaction::Pace;
use crate::patch::{Folder, Waiting};
use crate::run::{KeyRange, Result, Run, RunKind, RunWriter, splice};
use tidemark_blockstore::Session;

/// Writes the documents of a whole stack as a new base; none if there are no documents. It depends on the
/// documents alone, however they came about; so it has no optimes. The session must pin what the stack lies in.
///
/// # Errors
/// Damage, and failures of the store.
pub fn merge_into_base(session: &Session, stack: Stack<'_>, report: Report<'_>) -> Result<Option<Run>> {
    let mut documents = MergeCursor::open(session, stack, &KeyRange::ALL);
    RunWriter::write(session, RunKind::Base, |writer| {
        while let Some((key, document)) = documents.next(report)? {
            writer.push(key, document, &[])?;
        }
        Ok(())
    })
}

/// So much of documents is told of at once, in bytes.
const TOLD_BYTES: u64 = 1 << 20;

/// The base of a stack with everything folded into it that lies in `ranges`, which ascend and do not overlap; what
/// lies outside of them is linked. None if there are no documents. It is what [`merge_into_base`] would write, had
/// there never been patches outside of the ranges.
///
/// # Errors
/// Damage, and failures of the store.
pub(crate) fn merge_ranges_into_base(
    session: &Session,
    stack: Stack<'_>,
    ranges: &[KeyRange],
    pace: Pace<'_>,
    report: Report<'_>,
) -> Result<Option<Run>> {
    let fill = &mut |writer: &mut RunWriter<'_>, range: &KeyRange| {
        let mut documents = MergeCursor::open(session, stack, range);
        let mut untold = 0;
        while let Some((key, document)) = documents.next(report)? {
            writer.push(key, document, &[])?;
            untold += document.len() as u64;
            if untold >= TOLD_BYTES {
                pace(std::mem::take(&mut untold));
            }
        }
        pace(untold);
        Ok(())
    };
    let base = splice(session, session, RunKind::Base, stack.base, ranges, fill)?;
    Ok(base.map(|run| Run { first: None, last: None, ..run }))
}

/// A patch run with these ranges cut out; none if nothing is left.
///
/// # Errors
/// Damage, and failures of the store.
pub(crate) fn cut_out(session: &Session, run: &Run, ranges: &[KeyRange]) -> Result<Option<Run>> {
    splice(session, session, RunKind::Patch, Some(run), ranges, &mut |_, _| Ok(()))
}

/// Writes the patches of a stack as one run; none if nothing is left of them. Deletes stay, since what they
/// delete may lie in the base. The base is read only for documents of which more than `most` would wait: of those,
/// the run has what becomes of them. It does what the old ones do, and has their first and last optime.
///
/// # Errors
/// Damage, and failures of the store.
pub fn merge_patches(
    session: &Session,
    stack: Stack<'_>,
    most: Waiting,
    report: Report<'_>,
) -> Result<Option<Run>> {
    merge_patches_above(session, Stack { base: stack.base, ..Stack::default() }, stack, most, report)
}

/// The same for patches that lie on those of another stack, which is read for documents of which too much would
/// wait; the base of `stack` is not.
///
/// # Errors
/// Damage, and failures of the store.
pub(crate) fn merge_patches_above(
    session: &Session,
    below: Stack<'_>,
    stack: Stack<'_>,
    most: Waiting,
    report: Report<'_>,
) -> Result<Option<Run>> {
    let mut patches = PatchCursor::open(session, stack.patches, stack.top, &KeyRange::ALL);
    let mut folder = Folder::new();
    let written: Result<Option<Run>> = RunWriter::write(session, RunKind::Patch, |writer| {
        while patches.advance()? {
            let patch = patches.patch(&mut folder, report)?;
            let Some((key, patch)) = patches.key().zip(patch) else { continue };
            let patch = bounded(session, below, key, patch, most, report)?;
            if !patch.is_nothing() {
                writer.push_patch(key, &patch)?;
            }
        }
        Ok(())
    });
    let first = stack.patches.iter().find_map(|run| run.first);
    let last = stack.patches.iter().rev().find_map(|run| run.last);
    Ok(written?.map(|run| Run { first, last, ..run }))
}
