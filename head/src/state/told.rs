//! What was found while patches were folded, as a person is told.
//!
//! Folding knows keys and misfits only. Here they get what is known of them: the collection, the `_id`, and
//! between which entries they lie.

use super::State;
use crate::divergence::{Divergence, Span, What, only_id_of};
use crate::divergences::{Diverged, Divergences};
use crate::error::Result;
use crate::patch::Misfit;
use crate::run::Source;
use crate::stack::get;
use tidemark_base::{CollectionUuid, OpTime};

/// So many are looked at more closely.
const MOST_KEPT: usize = 1000;

/// What did not fit, and at which key.
#[derive(Debug, Default)]
pub(super) struct Misfits {
    kept: Vec<(Vec<u8>, Misfit)>,
    /// Operations of those that are not kept.
    others: u64,
}

impl Misfits {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn push(&mut self, (key, misfit): (Vec<u8>, Misfit)) {
        if self.kept.len() < MOST_KEPT {
            self.kept.push((key, misfit));
        } else {
            self.others = self.others.saturating_add(misfit.operations().into());
        }
    }
}

impl State {
    /// From which to which entry the patches of a collection are, flushed or not.
    pub(super) fn span_of(&self, uuid: CollectionUuid) -> Option<Span> {
        let runs = self.stored.get(&uuid).into_iter().flat_map(|stored| &stored.documents.patches);
        let spans = runs.filter_map(|run| Some(Span { first: run.first?, last: run.last? }));
        spans.chain(self.documents.span(uuid)).reduce(Span::and)
    }

    /// Tells what was found in patches from these entries. Rare, so a document is read again for its `_id`.
    pub(super) fn told(
        &self,
        source: &dyn Source,
        uuid: CollectionUuid,
        within: Option<Span>,
        misfits: Misfits,
    ) -> Result<Divergences> {
        let name = |it: &tidemark_oplog::catalog::Collection| format!("{}.{}", it.database, it.name);
        let namespace = self.catalog.get(uuid).map_or_else(String::new, name);
        let mut told = Divergences::default();
        for (key, misfit) in misfits.kept {
            let document = match self.stored.get(&uuid) {
                Some(stored) => get(source, stored.documents.as_stack(&[]), &key)?,
                None => None,
            };
            let id = document.as_deref().and_then(only_id_of);
            let key = Some(key).filter(|_| id.is_none());
            let (namespace, what) = (namespace.clone(), What::Document(misfit));
            told.push(Divergence { at: None, within, namespace, uuid: Some(uuid), id, key, what });
        }
        if misfits.others > 0 {
            let first = within.map_or(OpTime::NULL, |span| span.first);
            told.count(Diverged { operations: misfits.others, first });
        }
        Ok(told)
    }
}
