//! From raw bytes to [`Entry`]: one pass over the outer fields, nothing allocated unless something is wrong.

#![warn(clippy::indexing_slicing)]

use super::change::Sort;
use super::fields::{Fields, position, typed};
use super::{Body, Change, Entry, Fuzzy, Manner, Step, command, group};
use crate::error::{EntryError, EntryProblem};
use crate::update::printable;
use tidemark_base::OpTime;
use tidemark_base::bson::Doc;

/// The only version of the format that is known. Entries without one are of servers long gone.
const VERSION: i64 = 2;

impl<'a> Entry<'a> {
    /// Reads an entry. `fuzzy` decides, by its timestamp, how the server's own operations must fit.
    ///
    /// # Errors
    /// [`EntryError`], with the entry's position as far as that can be read, if it is broken or holds what is
    /// not known: nothing may be skipped.
    pub fn parse(raw: Doc<'a>, fuzzy: Fuzzy) -> Result<Self, EntryError> {
        parse(raw, fuzzy).map_err(|problem| EntryError::at(position(raw), problem))
    }
}

fn parse<'a>(raw: Doc<'a>, fuzzy: Fuzzy) -> Result<Entry<'a>, EntryProblem> {
    let fields = Fields::read(raw)?;
    let ts = typed(fields.ts, "ts")?;
    match fields.version {
        Some(VERSION) => {}
        Some(found) => return Err(EntryProblem::Version { found }),
        None => return Err(EntryProblem::Field { field: "v" }),
    }
    let at = OpTime { ts, term: fields.term.unwrap_or(OpTime::NO_TERM) };
    let body = body(&fields, fuzzy.manner_at(ts))?;
    Ok(Entry { raw, at, wall_ms: fields.wall_ms, body })
}

fn body<'a>(fields: &Fields<'a>, manner: Manner) -> Result<Body<'a>, EntryProblem> {
    match kind(fields)? {
        Kind::Change(sort) => Change::read(sort, fields, manner).map(Body::Change),
        Kind::Nothing => Ok(Body::Nothing),
        Kind::Command => {
            let head = command::Head::read(fields)?;
            match head.first.name {
                b"applyOps" => group::apply_ops(head, fields, manner),
                b"commitTransaction" => group::decision(fields, Step::CommitPrepared),
                b"abortTransaction" => group::decision(fields, Step::Abort),
                _ => Ok(command::read(head, fields.uuid, manner)?.map_or(Body::Nothing, Body::Command)),
            }
        }
    }
}

/// The operation types, as far as they differ here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Change(Sort),
    Command,
    Nothing,
}

/// Which type of operation it is.
pub(super) fn kind(fields: &Fields<'_>) -> Result<Kind, EntryProblem> {
    match fields.operation()? {
        b"i" => Ok(Kind::Change(Sort::Insert)),
        b"u" => Ok(Kind::Change(Sort::Update)),
        b"d" => Ok(Kind::Change(Sort::Delete)),
        b"c" => Ok(Kind::Command),
        // Notes; announcements of databases (before 3.0); keys of global indexes (7.x); and what storage
        // engines keep for themselves (8.x): multikey paths and containers.
        b"n" | b"db" | b"xi" | b"xd" | b"km" | b"ci" | b"cu" | b"cd" => Ok(Kind::Nothing),
        other => Err(EntryProblem::UnknownOperation { op: printable(other) }),
    }
}
