//! From a command document to the command, for all that servers log but `applyOps` and its kin.
//!
//! Called for entries and for operations within an `applyOps`. The command is the first field's name; its
//! value is as a rule the collection's name without the database.

#![warn(clippy::indexing_slicing)]

use super::fields::{Fields, flag, typed};
use super::{Command, CommandEntry, DropTarget, Manner};
use crate::error::EntryProblem;
use crate::names::{NameError, Namespace, check_collection, check_database};
use crate::update::printable;
use tidemark_base::CollectionUuid;
use tidemark_base::bson::{Doc, Element};

/// The outermost part of a `c`: where it was logged, and its first field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) database: &'a str,
    pub(super) o: Doc<'a>,
    /// The first field: its name is the command's.
    pub(super) first: Element<'a>,
}

impl<'a> Head<'a> {
    /// Reads it.
    pub(super) fn read(fields: &Fields<'a>) -> Result<Self, EntryProblem> {
        let name = fields.namespace()?;
        let namespace = Namespace::parse(name)?;
        if !namespace.is_command() {
            return Err(NameError::of(name, "commands are logged for <database>.$cmd").into());
        }
        let o = fields.payload()?;
        let first = typed(o.first_element()?, "o")?;
        Ok(Self { database: namespace.database(), o, first })
    }

    /// The collection's name.
    fn collection(&self) -> Result<&'a str, EntryProblem> {
        let name = typed(self.first.as_str(), "o.<command>")?;
        check_collection(self.database, name)?;
        Ok(name)
    }

    fn array(&self, name: &str, field: &'static str) -> Result<Doc<'a>, EntryProblem> {
        typed(self.o.get(name)?.and_then(Element::as_array), field)
    }

    fn needs_resync(&self, why: &'static str) -> EntryProblem {
        EntryProblem::NeedsResync { command: self.name(), why }
    }

    /// The command's name, escaped for messages.
    pub(super) fn name(&self) -> String {
        printable(self.first.name)
    }
}

/// The command, or none if it changes nothing that a backup holds.
pub(super) fn read<'a>(
    head: Head<'a>,
    uuid: Option<CollectionUuid>,
    manner: Manner,
) -> Result<Option<CommandEntry<'a>>, EntryProblem> {
    let o = head.o;
    let command = match head.first.name {
        b"create" => create(head)?,
        b"drop" => Command::Drop { name: head.collection()? },
        b"dropDatabase" => Command::DropDatabase,
        b"renameCollection" => rename(head)?,
        b"convertToCapped" => convert_to_capped(head)?,
        b"emptycapped" => Command::EmptyCapped { name: head.collection()? },
        b"collMod" => Command::CollMod { name: head.collection()?, o },
        b"createIndexes" => create_index(head)?,
        b"startIndexBuild" => Command::StartIndexBuild { name: head.collection()? },
        b"commitIndexBuild" => Command::CommitIndexBuild {
            name: head.collection()?,
            indexes: head.array("indexes", "o.indexes")?,
        },
        b"abortIndexBuild" => Command::AbortIndexBuild {
            name: head.collection()?,
            indexes: head.array("indexes", "o.indexes")?,
        },
        b"dropIndexes" | b"dropIndex" | b"deleteIndexes" | b"deleteIndex" => {
            let index = typed(o.get("index")?.and_then(Element::as_str), "o.index")?;
            Command::DropIndexes { name: head.collection()?, index }
        }
        b"truncateRange" => return truncate_range(head),
        _ => return without_effect(head),
    };
    Ok(Some(CommandEntry { database: head.database, uuid, manner, command }))
}

/// Commands that change nothing a backup holds, and those that nobody can follow.
fn without_effect<'a>(head: Head<'a>) -> Result<Option<CommandEntry<'a>>, EntryProblem> {
    match head.first.name {
        // Checks, storage engines' bookkeeping, and metadata of sharding.
        b"dbCheck"
        | b"dropIdent"
        | b"setMultikeyMetadata"
        | b"createDatabaseMetadata"
        | b"dropDatabaseMetadata"
        | b"modifyCollectionShardingIndexCatalog"
        | b"createGlobalIndex"
        | b"dropGlobalIndex" => Ok(None),
        b"importCollection" => Err(head.needs_resync("the imported documents are not in the oplog")),
        b"upgradeDowngradeViewlessTimeseries" => {
            Err(head.needs_resync("it converts a time-series collection in place"))
        }
        b"applyOps" | b"commitTransaction" | b"abortTransaction" => {
            Err(EntryProblem::Transaction(format!("'{}' inside of an applyOps", head.name())))
        }
        _ => Err(EntryProblem::UnknownCommand { command: head.name() }),
    }
}

fn create<'a>(head: Head<'a>) -> Result<Command<'a>, EntryProblem> {
    let mut id_index = None;
    for element in head.o.elements() {
        let element = element?;
        match element.name {
            b"idIndex" => id_index = Some(typed(element.as_object(), "o.idIndex")?),
            b"viewOn" => {
                return Err(head.needs_resync("views are documents of system.views, not collections"));
            }
            _ => {}
        }
    }
    Ok(Command::Create { name: head.collection()?, o: head.o, id_index })
}

fn rename<'a>(head: Head<'a>) -> Result<Command<'a>, EntryProblem> {
    let from = Namespace::parse(typed(head.first.as_str(), "o.renameCollection")?)?;
    let to = Namespace::parse(typed(head.o.get("to")?.and_then(Element::as_str), "o.to")?)?;
    if from.database() != to.database() {
        // Servers copy in this case, and log the copying.
        return Err(head.needs_resync("it renames into another database"));
    }
    let dropped = head.o.get("dropTarget")?;
    let drop_target = match dropped.and_then(Element::as_uuid) {
        Some(uuid) => DropTarget::Uuid(CollectionUuid::from_bytes(uuid)),
        None if flag(dropped, "o.dropTarget")? => DropTarget::ByName,
        None => DropTarget::No,
    };
    let stay_temp = flag(head.o.get("stayTemp")?, "o.stayTemp")?;
    Ok(Command::Rename { from, to, stay_temp, drop_target })
}

fn convert_to_capped<'a>(head: Head<'a>) -> Result<Command<'a>, EntryProblem> {
    let size = typed(head.o.get("size")?, "o.size")?;
    let whole = size.as_integer().and_then(|size| u64::try_from(size).ok());
    let size_bytes = typed(whole.or_else(|| size.as_double().and_then(whole_bytes)), "o.size")?;
    Ok(Command::ConvertToCapped { name: head.collection()?, size_bytes })
}

/// A size that a client gave as a double, as shells do.
fn whole_bytes(size: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked by the condition")]
    (0.0..=EXACT).contains(&size).then_some(size as u64)
}

fn create_index<'a>(head: Head<'a>) -> Result<Command<'a>, EntryProblem> {
    // A form that does not have the specification inline must not pass for an index without a key.
    typed(head.o.get("key")?.and_then(Element::as_object), "o.key")?;
    typed(head.o.get("name")?.and_then(Element::as_str), "o.name")?;
    Ok(Command::CreateIndex { name: head.collection()?, o: head.o })
}

/// Servers cut ranges from their own collections, which a backup does not hold. There are no record ids in a
/// logical copy, so that for others it cannot be followed.
fn truncate_range<'a>(head: Head<'a>) -> Result<Option<CommandEntry<'a>>, EntryProblem> {
    let name = typed(head.first.as_str(), "o.truncateRange")?;
    let database = name.split_once('.').map_or(name, |(database, _)| database);
    check_database(database)?;
    match database {
        "config" | "local" => Ok(None),
        _ => Err(head.needs_resync("it removes a range of record ids, which are not in the oplog")),
    }
}
