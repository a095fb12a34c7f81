//! Patches before they are written to a run: none waits for its document with more than a bound.
//!
//! A document that is changed over and over has all its updates in its patch, and would have them in one item of a
//! run, and again in the run that those are merged to, without end: no run could take it, and nobody read it. Flush
//! and merge come by here with each patch. Of one with too much in it the document is read, once, and what becomes
//! of that stands in the run. So what is written depends on the operations and on where they were flushed alone.

use super::{PatchCursor, Report, Stack, get};
use crate::patch::{Folder, Misfit, Outcome, Patch, Waiting};
use crate::run::{KeyRange, Result, Source};
use std::borrow::Cow;
use tidemark_base::bson::Doc;

/// A patch as it may stand in a run above `below`: settled, if more than `most` of it waits. What does not fit in
/// it is reported then. What does not in the stack below, which stays, is reported by who folds that; but not the
/// updates in it that fail, which nobody will try again once the document is replaced: those are reported, too.
///
/// # Errors
/// Damage, and failures of the store.
pub(crate) fn bounded<'p>(
    source: &dyn Source,
    below: Stack<'_>,
    key: &[u8],
    patch: Cow<'p, Patch<'p>>,
    most: Waiting,
    report: Report<'_>,
) -> Result<Cow<'p, Patch<'p>>> {
    if !patch.waiting().is_over(most) {
        return Ok(patch);
    }
    let (mut folder, mut found) = (Folder::new(), Vec::new());
    let document = document(source, below, key, &mut folder, &mut found)?;
    let document = document.as_deref().map(|bytes| Doc::new(bytes).expect("stacks fold to documents"));
    found.retain(Misfit::leaves_no_trace);
    let settled = folder.settle(document, &patch, &mut found);
    found.into_iter().for_each(|misfit| report(key, misfit));
    Ok(Cow::Owned(settled))
}

/// The document with this key, and what did not fit in the patches above the base, taken together.
fn document(
    source: &dyn Source,
    stack: Stack<'_>,
    key: &[u8],
    folder: &mut Folder,
    found: &mut Vec<Misfit>,
) -> Result<Option<Vec<u8>>> {
    let base = get(source, Stack { base: stack.base, ..Stack::default() }, key)?;
    let mut patches = PatchCursor::open(source, stack.patches, stack.top, &KeyRange::only(key));
    patches.advance()?;
    let Some(patch) = patches.patch(folder, &mut |_, _| {})? else { return Ok(base) };
    let below = base.as_deref().map(|bytes| Doc::new(bytes).expect("a base has documents"));
    let mut out = Vec::new();
    Ok(match folder.fold(below, &patch, &mut out, found) {
        Outcome::Document => Some(out),
        Outcome::Gone => None,
    })
}
