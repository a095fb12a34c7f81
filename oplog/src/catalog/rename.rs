//! `renameCollection`, and what names may do: two collections may have one while a copy is not consistent.

use super::{Change, Effect, MisfitKind, options};
use crate::EntryProblem;
use crate::entry::DropTarget;
use crate::names::Namespace;
use tidemark_base::CollectionUuid;

impl Change<'_> {
    /// What it replaces goes in any case: it has no `drop` entry of its own. Whoever else has the name keeps
    /// it, and is dropped or renamed by a later entry.
    pub(super) fn rename(
        &mut self,
        from: Namespace<'_>,
        to: Namespace<'_>,
        stay_temp: bool,
        drop_target: DropTarget,
    ) -> Result<(), EntryProblem> {
        let source = self.find(from.collection());
        let target = match drop_target {
            DropTarget::No => None,
            DropTarget::Uuid(uuid) => Some(uuid),
            DropTarget::ByName => {
                self.catalog.named(to.database(), to.collection()).find(|uuid| Some(*uuid) != source)
            }
        };
        if let Some(target) = target {
            if self.catalog.collections.remove(&target).is_none() {
                self.misfit(MisfitKind::NoCollection, to.collection(), Some(target));
            }
            self.applied.effect = Effect::Dropped(vec![target]);
        }
        let Some(source) = source else { return Ok(()) };
        self.check_name_is_free(to.collection(), source);
        self.give_name(source, to.database().to_owned(), to.collection().to_owned());
        if let Some(collection) = self.catalog.collections.get_mut(&source).filter(|_| !stay_temp) {
            collection.options = options::remove(&collection.options, "temp")?;
        }
        Ok(())
    }

    pub(super) fn give_name(&mut self, uuid: CollectionUuid, database: String, name: String) {
        if let Some(collection) = self.catalog.collections.get_mut(&uuid) {
            (collection.database, collection.name) = (database, name);
        }
    }

    /// Reports a name that another collection has. Renames stay within their database.
    pub(super) fn check_name_is_free(&mut self, name: &str, for_uuid: CollectionUuid) {
        if self.strict {
            let other = self.catalog.named(self.database, name).find(|uuid| *uuid != for_uuid);
            if let Some(other) = other {
                self.misfit(MisfitKind::NameTaken, name, Some(other));
            }
        }
    }
}
