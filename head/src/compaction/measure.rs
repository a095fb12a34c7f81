//! What is known of a run without reading all of it: by its index nodes, and by how some of its leaves are stored.

use super::segments::{Measured, SEGMENTS};
use crate::run::{Outline, Result, Run, RunKind, ends, items};
use tidemark_blockstore::Session;

/// In so many places leaves are looked at for how well they compress.
const PLACES: usize = 8;

/// A patch run of about so many leaves is looked at item by item: where they lie, leaves do not tell.
const EXACT_LEAVES: u64 = 4;

/// Measures a run.
///
/// # Errors
/// Damage, and failures of the store.
pub(crate) fn measure(session: &Session, run: &Run) -> Result<Measured> {
    let at_least = usize::try_from(4 * SEGMENTS).expect("they are few");
    let few_leaves = u64::from(session.store().superblock().cut_sizes.target_bytes) * EXACT_LEAVES;
    let is_exact = run.kind == RunKind::Patch && run.plain_bytes <= few_leaves;
    let outline = Outline::read(session, run, at_least)?;
    let sizes = session.store().superblock().cut_sizes;
    let sample = outline.sample(session, PLACES)?;
    // Of what is larger, the block tells nothing of the pieces below it.
    let leaves: Vec<_> = sample.into_iter().filter(|(_, bytes)| *bytes <= sizes.max_bytes.into()).collect();
    let ids: Vec<_> = leaves.iter().map(|(id, _)| *id).collect();
    let stored = session.stored_bytes(&ids)?;
    let known = leaves.iter().zip(stored).filter_map(|((_, plain), stored)| Some((*plain, stored?)));
    let (plain_bytes, stored_bytes) =
        known.fold((0, 0), |(plain, stored), (a, b)| (plain + a, stored + u64::from(b)));
    let leaf_bytes = run.plain_bytes.min(sizes.target_bytes.into());
    let (mut parts, mut last) = (outline.parts, None);
    if is_exact {
        parts = items(session, run)?;
    } else if run.kind == RunKind::Patch {
        let (first, end) = ends(session, run)?;
        parts.iter_mut().take(1).for_each(|part| part.from.clone_from(&first));
        last = Some(end);
    }
    Ok(Measured { parts, is_exact, last, plain_bytes, stored_bytes, leaf_bytes })
}
