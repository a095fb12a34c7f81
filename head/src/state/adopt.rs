//! A collection with a made-up UUID takes its real one.
//!
//! A dump does not tell the UUIDs of time-series collections and of `system.views`, old dumps tell none; the
//! oplog does with every operation. The first that names an unknown UUID, while a collection with a UUID that
//! was made up of just this name is there, means that collection. Asked entry by entry, in order, so neither
//! batches nor threads count. Collections with UUIDs of their own are never taken for others.

use super::State;
use super::route::Waiting;
use crate::made_up;
use tidemark_base::CollectionUuid;
use tidemark_oplog::entry::{Command, CommandEntry, DropTarget};

impl State {
    /// Gives this UUID to the collection of this name if it has none of its own and the UUID is not known.
    pub(super) fn adopt(
        &mut self,
        uuid: CollectionUuid,
        database: &str,
        name: &str,
        waiting: &mut Waiting<'_>,
    ) {
        if let Some(made_up) = self.adopted_from(uuid, database, name) {
            // What waits is routed by the UUID that the collection had.
            self.settle(waiting);
            self.give_uuid(made_up, uuid);
        }
    }

    /// The UUID that the collection of this name has, if it is to give it up for this one.
    pub(super) fn adopted_from(
        &self,
        uuid: CollectionUuid,
        database: &str,
        name: &str,
    ) -> Option<CollectionUuid> {
        if self.catalog.get(uuid).is_some() || self.catalog.named(database, name).next().is_none() {
            return None;
        }
        let made_up = made_up::uuid_of(database, name);
        self.catalog.named(database, name).find(|it| *it == made_up)
    }

    /// The same for all collections that a command names.
    pub(super) fn adopt_of_command(&mut self, entry: &CommandEntry<'_>, waiting: &mut Waiting<'_>) {
        if let Command::Rename { to, drop_target: DropTarget::Uuid(target), .. } = entry.command {
            self.adopt(target, to.database(), to.collection(), waiting);
        }
        if let (Some(uuid), (database, Some(name))) = (entry.uuid, entry.target()) {
            self.adopt(uuid, database, name, waiting);
        }
    }

    /// Moves all that is known of a collection to another UUID.
    fn give_uuid(&mut self, from: CollectionUuid, to: CollectionUuid) {
        if let Some(collection) = self.catalog.remove(from) {
            self.catalog.insert(to, collection);
        }
        if let Some(stored) = self.stored.remove(&from) {
            self.stored.insert(to, stored);
        }
        if self.capped.remove(&from) {
            self.capped.insert(to);
        }
        self.documents.give_uuid(from, to);
        self.orders.give_uuid(from, to);
    }
}
