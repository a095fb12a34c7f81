//! Export: a state as a dump that mongorestore reads.
//!
//! Planned, then done: [`plan()`] reads the catalog and the definitions of views and decides what the dump
//! holds; [`prepare()`] proves it and measures, if that is wanted; the caller makes a writer of the plan's
//! parts; [`write()`] streams the documents, capped collections in the order of insertion, all others by key. The same
//! state, choice and writer give the same bytes.
//! Read-only: all of a head that a front-end uses.

mod prepare;
mod restorable;
mod segments;

pub(crate) use prepare::check;
pub use prepare::{Measured, Prepared, Segment, prepare, prepare_and_tell};
pub use restorable::Restorable;

use crate::divergences::Divergences;
use crate::dump::plan::{self, Documents, Inventory, Plan};
use crate::dump::{Sink, Walked};
use crate::error::{HeadError, Result};
use crate::run::Source;
use crate::stack::Batch;
use crate::state::State;
use tidemark_base::CollectionUuid;
use tidemark_oplog::filter::Filter;

/// Decides what a dump of this state holds: what `chosen` keeps, with users and roles if they are wanted.
///
/// # Errors
/// [`HeadError::Fuzzy`] if the state is not consistent; [`HeadError::Plan`]; damage; failures of the store.
pub fn plan(state: &State, source: &dyn Source, chosen: &Filter, with_users: bool) -> Result<Plan> {
    state.require_consistent()?;
    let catalog = state.catalog();
    let documents = |uuid: CollectionUuid| {
        let mut documents = Vec::new();
        state.for_each(source, uuid, &mut |document| {
            documents.push(document.to_vec());
            Ok(())
        })?;
        Ok::<_, HeadError>(documents)
    };
    let views = catalog.iter().filter(|(_, collection)| collection.name == "system.views");
    let views = views.map(|(uuid, collection)| Ok((collection.database.as_str(), documents(uuid)?)));
    let version = catalog.named("admin", "system.version").next();
    let users = match version {
        _ if !with_users => None,
        Some(uuid) => Some(documents(uuid)?),
        None => Some(Vec::new()),
    };
    let inventory =
        Inventory { collections: catalog.iter().collect(), views: views.collect::<Result<_>>()?, users };
    let mut plan = plan::plan(&inventory)?;
    plan.entries.retain(|entry| {
        let namespace = &entry.part.namespace;
        chosen.keeps_collection(&namespace.database, &namespace.collection)
    });
    Ok(plan)
}

/// Writes what was planned to a writer that was made with the plan's parts.
///
/// # Errors
/// [`HeadError::Dump`] if writing fails; damage; failures of the store.
pub fn write<S: Sink>(state: &State, source: &dyn Source, plan: &Plan, sink: S) -> Result<S::Finished> {
    write_and_tell(state, source, plan, sink, &mut |_| {})
}

/// The same, and tells operations that did not fit what they met, which is known only when all is read.
///
/// # Errors
/// As [`write()`].
pub fn write_and_tell<S: Sink>(
    state: &State,
    source: &dyn Source,
    plan: &Plan,
    mut sink: S,
    told: &mut dyn FnMut(&Divergences),
) -> Result<S::Finished> {
    for entry in &plan.entries {
        sink.begin(&entry.part)?;
        match &entry.documents {
            Documents::None => {}
            Documents::Given(documents) => sink.documents(documents)?,
            Documents::Of(uuid) => {
                let found = state.scan(source, *uuid, &|batch| Ok(batch), &mut |batch: Batch| {
                    let pieces: Vec<&[u8]> = batch.pieces().collect();
                    let Batch { bytes, longest_bytes, .. } = batch;
                    Ok(sink.walked(&Walked { pieces: &pieces, bytes, longest_bytes })?)
                })?;
                told(&found);
            }
        }
        sink.end()?;
    }
    Ok(sink.finish()?)
}
