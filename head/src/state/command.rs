//! Commands: the catalog changes, and with it which documents there are.

use super::route::{Waiting, entry_error};
use super::{State, Stored};
use crate::divergence::{Divergence, What};
use crate::error::{HeadError, Result};
use tidemark_base::OpTime;
use tidemark_oplog::catalog::Effect;
use tidemark_oplog::entry::{Command, CommandEntry};
use tidemark_oplog::filter::Scope;

impl State {
    /// Applies a command. All operations before it are applied first.
    pub(super) fn command(
        &mut self,
        at: OpTime,
        entry: &CommandEntry<'_>,
        waiting: &mut Waiting<'_>,
    ) -> Result<()> {
        let needs_resync = |why| {
            let namespace = about(entry).escape_debug().to_string();
            Err(HeadError::NeedsResync { at, namespace, why })
        };
        let leaving;
        let entry = match (self.filter.command(entry), entry.command) {
            (Scope::Skip, _) => return Ok(()),
            (Scope::Enters, _) => {
                return needs_resync(
                    "a collection comes into the backup by a rename, and was not seen before",
                );
            }
            (Scope::Leaves, Command::Rename { from, .. }) => {
                let command = Command::Drop { name: from.collection() };
                leaving = CommandEntry { database: from.database(), command, ..*entry };
                &leaving
            }
            (Scope::Keep | Scope::Leaves, _) => entry,
        };
        self.settle(waiting);
        self.adopt_of_command(entry, waiting);
        let applied = self.catalog.apply(entry).map_err(|problem| entry_error(at, problem))?;
        for misfit in applied.misfits {
            let (namespace, uuid) = (misfit.namespace.clone(), misfit.uuid);
            self.divergences.push(Divergence {
                at: Some(at),
                within: None,
                namespace,
                uuid,
                id: None,
                key: None,
                what: What::Command(misfit),
            });
        }
        match applied.effect {
            Effect::Nothing => {}
            Effect::Created(uuid) | Effect::Emptied(uuid) => {
                self.forget(uuid);
                self.stored.insert(uuid, Stored::default());
                self.note_options(uuid);
            }
            Effect::Dropped(uuids) => {
                for uuid in uuids {
                    self.forget(uuid);
                    self.note_options(uuid);
                }
            }
            Effect::CappedTo { .. } => {
                return needs_resync(
                    "which documents an old server's convertToCapped keeps depends on their places on disk",
                );
            }
        }
        Ok(())
    }
}

/// What a command is about, for messages.
fn about(entry: &CommandEntry<'_>) -> String {
    match entry.target() {
        (database, Some(name)) => format!("{database}.{name}"),
        (database, None) => database.to_owned(),
    }
}
