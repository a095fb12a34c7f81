//! One document of a stack.

#![warn(clippy::indexing_slicing)]

use super::Stack;
use crate::patch::{Folder, Outcome, Patch, Then};
use crate::run::{KeyRange, Result, RunCursor, RunReader, Source};
use tidemark_base::bson::Doc;

/// The document with this key. Looks from the newest patch down, and no further than the one that settles what the
/// document is.
///
/// # Errors
/// Damage, and failures of the store.
pub fn get(source: &dyn Source, stack: Stack<'_>, key: &[u8]) -> Result<Option<Vec<u8>>> {
    let only = KeyRange::only(key);
    let find = |run| -> Result<Option<RunCursor<'_>>> {
        let mut cursor = RunReader::open(source, run).cursor(only.clone());
        Ok(cursor.advance()?.then_some(cursor))
    };
    let on_top = stack.top.iter().find(|(at, _)| *at == key).map(|(_, patch)| *patch);
    // Newest first.
    let mut found: Vec<RunCursor<'_>> = Vec::new();
    let mut is_settled = on_top.is_some_and(is_settling);
    for run in stack.patches.iter().rev() {
        if is_settled {
            break;
        }
        let Some(cursor) = find(run)? else { continue };
        let patch = cursor.current().map(|entry| entry.patch()).transpose()?;
        is_settled = patch.is_some_and(|patch| is_settling(&patch));
        found.push(cursor);
    }
    // What does not fit is found, and told, by those who go through everything.
    let (mut folder, mut misfits) = (Folder::new(), Vec::new());
    let mut composed: Option<Patch<'_>> = None;
    let in_runs = found.iter().rev().filter_map(RunCursor::current).map(|entry| entry.patch());
    for newer in in_runs.chain(on_top.map(|patch| Ok(patch.clone()))) {
        composed = Some(match composed {
            None => newer?,
            Some(older) => folder.compose(older, newer?, &mut misfits),
        });
    }
    let below = if is_settled { None } else { stack.base.map(find).transpose()?.flatten() };
    let entry = below.as_ref().and_then(RunCursor::current);
    let Some(patch) = composed else { return Ok(entry.map(|entry| entry.bytes.to_vec())) };
    let below: Option<Doc<'_>> = entry.map(|entry| entry.document()).transpose()?;
    let mut document = Vec::new();
    let outcome = folder.fold(below, &patch, &mut document, &mut misfits);
    Ok((outcome == Outcome::Document).then_some(document))
}

/// Whether it says what comes of the document, whatever lies below.
const fn is_settling(patch: &Patch<'_>) -> bool {
    matches!(patch.then(), Then::Document(_) | Then::Gone)
}
