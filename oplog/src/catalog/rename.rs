//! `renameCollection`, and what names may do: two collections may have one while a copy is not consistent.

use super::{Change, Effect, MisfitKind, options};
use crate::EntryProblem;
use crate::entry::DropTarget;
use crate::names::Namespace;
use tidemark_base::CollectionUuid;

impl<'c> Change<'c> {
    /// What it replaces goes in any case: it has no `drop` entry of its own. Whoever else has the name keeps
    /// it, and is dropped or renamed by a later entry.
    pub(super) fn rename(
        &mut self,
        from: Namespace<'c>,
        to: Namespace<'_>,
        stay_temp: bool,
        drop_target: DropTarget,
    ) -> Result<(), EntryProblem> {
        // Clients send it to `admin`; the names are full ones, and both of one database.
        self.database = from.database();
        let itself = self.uuid.or_else(|| self.catalog.named(self.database, from.collection()).next());
        if itself.is_some_and(|uuid| drop_target == DropTarget::Uuid(uuid)) {
            let command = "renameCollection".to_owned();
            return Err(EntryProblem::NeedsResync {
                command,
                why: "it drops the collection that it renames",
            });
        }
        let source = self.find(from.collection());
        let target = match drop_target {
            DropTarget::No => None,
            DropTarget::Uuid(uuid) => Some(uuid),
            DropTarget::ByName => {
                self.catalog.named(to.database(), to.collection()).find(|uuid| Some(*uuid) != source)
            }
        };
        if let Some(target) = target {
            if self.catalog.remove(target).is_none() {
                self.misfit(MisfitKind::NoCollection, to.collection(), Some(target));
            }
            self.applied.effect = Effect::Dropped(vec![target]);
        }
        let Some(source) = source else { return Ok(()) };
        self.check_name_is_free(to.collection(), source);
        self.catalog.give_name(source, to.database(), to.collection());
        if let Some(collection) = self.catalog.collections.get_mut(&source).filter(|_| !stay_temp) {
            collection.options = options::remove(&collection.options, b"temp")?;
        }
        Ok(())
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
