//! Stacks folded: into a new base, patch runs into one, and for one document alone.

use super::{MergeCursor, PatchCursor, Report, Stack};
use crate::patch::Folder;
use crate::run::{KeyRange, Result, Run, RunKind, RunWriter, Source};
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

/// Writes patch runs that lie directly on each other, oldest first, as one; none if nothing is left of them.
/// Deletes stay, since what they delete may lie in the base. The new run does what the old ones do, and has
/// their first and last optime.
///
/// # Errors
/// Damage, and failures of the store.
pub fn merge_patches(session: &Session, runs: &[Run], report: Report<'_>) -> Result<Option<Run>> {
    let mut patches = PatchCursor::open(session, runs, &[], &KeyRange::ALL);
    let mut writer = RunWriter::new(session, RunKind::Patch);
    let mut folder = Folder::new();
    while patches.advance()? {
        let patch = patches.patch(&mut folder, report)?.filter(|patch| !patch.is_nothing());
        if let Some((key, patch)) = patches.key().zip(patch) {
            writer.push_patch(key, &patch)?;
        }
    }
    let first = runs.iter().find_map(|run| run.first);
    let last = runs.iter().rev().find_map(|run| run.last);
    Ok(writer.finish()?.map(|run| Run { first, last, ..run }))
}

/// The document with this key.
///
/// # Errors
/// Damage, and failures of the store.
pub fn get(source: &dyn Source, stack: Stack<'_>, key: &[u8]) -> Result<Option<Vec<u8>>> {
    // What does not fit is found, and told, by those who go through everything.
    let mut documents = MergeCursor::open(source, stack, &KeyRange::only(key));
    let found = documents.next(&mut |_, _| {})?;
    Ok(found.map(|(_, document)| document.to_vec()))
}
