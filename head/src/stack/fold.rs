//! Stacks folded: into a new base, and patch runs into one.

use super::{MergeCursor, PatchCursor, Report, Stack, bounded};
use crate::patch::{Folder, Waiting};
use crate::run::{KeyRange, Result, Run, RunKind, RunWriter};
use tidemark_blockstore::Session;

/// Writes the documents of a whole stack as a new base; none if there are no documents. It depends on the
/// documents alone, however they came about; so it has no optimes. The session must pin what the stack lies in.
///
/// # Errors
/// Damage, and failures of the store.
pub fn merge_into_base(session: &Session, stack: Stack<'_>, report: Report<'_>) -> Result<Option<Run>> {
    let mut documents = MergeCursor::open(session, stack, &KeyRange::ALL);
    let mut writer = RunWriter::new(session, RunKind::Base);
    while let Some((key, document)) = documents.next(report)? {
        writer.push(key, document, &[])?;
    }
    writer.finish()
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
    let mut patches = PatchCursor::open(session, stack.patches, stack.top, &KeyRange::ALL);
    let mut writer = RunWriter::new(session, RunKind::Patch);
    let mut folder = Folder::new();
    let below = Stack { base: stack.base, ..Stack::default() };
    while patches.advance()? {
        let patch = patches.patch(&mut folder, report)?;
        let Some((key, patch)) = patches.key().zip(patch) else { continue };
        let patch = bounded(session, below, key, patch, most, report)?;
        if !patch.is_nothing() {
            writer.push_patch(key, &patch)?;
        }
    }
    let first = stack.patches.iter().find_map(|run| run.first);
    let last = stack.patches.iter().rev().find_map(|run| run.last);
    Ok(writer.finish()?.map(|run| Run { first, last, ..run }))
}
