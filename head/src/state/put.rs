//! Documents of a copy: as bases that were built of them, or put over whatever is there, as operations.

use super::State;
use super::route::Waiting;
use crate::delta::Operation;
use crate::error::{HeadError, Result};
use crate::key::{self, KeyError};
use crate::patch::Patch;
use crate::run::Run;
use tidemark_base::CollectionUuid;
use tidemark_base::bson::{Doc, Element};
use tidemark_oplog::entry::{Action, Change, Manner, Target};
use tidemark_oplog::names::Namespace;

impl State {
    /// Whether there is such a collection, whose order of insertion is data.
    pub(crate) fn is_capped(&self, uuid: CollectionUuid) -> bool {
        self.capped.contains(&uuid)
    }

    /// Gives a collection that has none its base.
    pub(crate) fn set_base(&mut self, uuid: CollectionUuid, base: Option<Run>) {
        if let Some(stored) = self.stored.get_mut(&uuid) {
            stored.documents.base = base;
        }
    }

    /// Puts documents into a collection, over what is there.
    ///
    /// # Errors
    /// [`HeadError::NoCollection`]; [`HeadError::Document`]; a name that no server accepts.
    pub fn put_documents(&mut self, uuid: CollectionUuid, documents: &[Doc<'_>]) -> Result<()> {
        self.check_usable()?;
        let collection = self.catalog.get(uuid).ok_or(HeadError::NoCollection { uuid })?;
        let full = format!("{}.{}", collection.database, collection.name);
        let namespace = Namespace::parse(&full)?;
        let target = Target { uuid: Some(uuid), namespace };
        let mut waiting = Waiting::default();
        for document in documents {
            let bad = |problem| HeadError::Document { what: format!("a document of {namespace}"), problem };
            let id = id_of(*document).map_err(bad)?;
            let mut key = Vec::new();
            key::encode(id, &mut key).map_err(bad)?;
            let action = Action::Insert { id, document: *document };
            let change = Change { target, manner: Manner::Tolerant, action };
            let patch = Patch::of(&change, &mut Vec::new());
            let operation = Operation { at: self.at, uuid, namespace: namespace.full(), id, key, patch };
            if self.capped.contains(&uuid) {
                self.put_last(&change, &operation, &mut waiting);
            }
            waiting.documents.push(operation);
        }
        self.settle(&mut waiting);
        Ok(())
    }
}

fn id_of(document: Doc<'_>) -> Result<Element<'_>, KeyError> {
    document.get("_id")?.ok_or(KeyError::NoId)
}
