//! `applyOps`, `commitTransaction` and `abortTransaction`: whose operations they are, and when they count.
//!
//! Called for entries only. What tells the kinds apart stands beside `o` and in it, and two of the signs
//! mislead: `lsid` inside `o` is a field of a user's request and makes no transaction; `lsid` beside `o` with
//! `multiOpType: 1` is a retryable write that is complete in itself.
//!
//! A user's own `applyOps` is told from a server's grouped operations by the request's fields in `o`, or by
//! the database: servers group in `admin`, users' entries name the database they were sent to. One case
//! stays doubtful: an `applyOps` nested in one that was sent to `admin` is logged apart and bare. It counts as
//! the server's, so that if it does not fit, a divergence is reported and nothing is lost in silence.

#![warn(clippy::indexing_slicing)]

use super::command::Head;
use super::fields::{Fields, flag, once, typed};
use super::{Body, Chain, Manner, Operations, Step, TransactionStep};
use crate::error::EntryProblem;
use tidemark_base::OpTime;
use tidemark_base::bson::{Doc, Element};

/// `multiOpType` of an entry that is complete in itself.
const SEPARATE: i64 = 1;

/// What the fields of an `applyOps` document say.
#[derive(Clone, Copy, Debug)]
pub(super) struct ApplyOps<'a> {
    pub(super) array: Doc<'a>,
    partial: bool,
    prepare: bool,
    /// How many operations the transaction has, if it says so.
    count: Option<Element<'a>>,
    /// A user's request has been logged with its own fields: whether it upserts.
    user: Option<bool>,
}

impl<'a> ApplyOps<'a> {
    /// Reads them.
    pub(super) fn read(o: Doc<'a>) -> Result<Self, EntryProblem> {
        let (mut array, mut partial, mut prepare, mut count) = (None, None, None, None);
        let (mut is_user, mut upsert) = (false, None);
        for element in o.elements() {
            let element = element?;
            let set = Some(element);
            match element.name {
                b"applyOps" => {
                    let operations = typed(element.as_array(), "o.applyOps")?;
                    once(&mut array, operations, "o.applyOps")?;
                }
                b"partialTxn" => once(&mut partial, flag(set, "o.partialTxn")?, "o.partialTxn")?,
                b"prepare" => once(&mut prepare, flag(set, "o.prepare")?, "o.prepare")?,
                b"count" => once(&mut count, element, "o.count")?,
                b"alwaysUpsert" => once(&mut upsert, flag(set, "o.alwaysUpsert")?, "o.alwaysUpsert")?,
                name => is_user |= is_of_a_request(name),
            }
        }
        let user = (is_user || upsert.is_some()).then_some(upsert.unwrap_or(true));
        let (partial, prepare) = (partial.unwrap_or(false), prepare.unwrap_or(false));
        Ok(Self { array: typed(array, "o.applyOps")?, partial, prepare, count, user })
    }

    /// How the operations fit that this, outside of transactions, holds: as a user means them if there is a
    /// sign of one, else as those around it or the server's own. Over a copy that may be ahead, both may be.
    pub(super) fn manner(&self, servers: Manner) -> Manner {
        let fuzzy = servers.is_fuzzy();
        self.user.map_or(servers, |upsert| Manner::User { upsert, fuzzy })
    }

    /// Whether it takes effect where it stands.
    pub(super) const fn is_complete(&self) -> bool {
        !self.partial && !self.prepare
    }
}

/// Whether a field is one that clients send along with the command. Servers log `applyOps`, `count`,
/// `prepare` and `partialTxn`; a field that is not known says nothing.
fn is_of_a_request(name: &[u8]) -> bool {
    name.starts_with(b"$") || matches!(name, b"lsid" | b"allowAtomic")
}

/// The body of an `applyOps` entry.
pub(super) fn apply_ops<'a>(
    head: Head<'a>,
    fields: &Fields<'a>,
    manner: Manner,
) -> Result<Body<'a>, EntryProblem> {
    let read = ApplyOps::read(head.o)?;
    let group = |manner| Body::Group(Operations { array: read.array, manner });
    let multi_op_type = fields.multi_op_type.unwrap_or_default();
    if multi_op_type == SEPARATE {
        return match read.is_complete() {
            true => Ok(group(manner)),
            false => Err(contradiction("multiOpType is 1, but it is a part or prepared")),
        };
    }
    if multi_op_type != 0 {
        return Err(EntryProblem::Field { field: "multiOpType" });
    }
    let session = session(fields)?;
    // Grouped operations of newer servers have no session; if one entry does not hold them, the later ones
    // name the one before, and the first is a part.
    let alone = session.is_none() && fields.previous.is_none_or(|previous| previous == OpTime::NULL);
    if alone && read.is_complete() {
        let users = Manner::User { upsert: true, fuzzy: manner.is_fuzzy() };
        let manner = if head.database == "admin" { manner } else { users };
        return Ok(group(read.manner(manner)));
    }
    if session.is_none() && read.prepare {
        return Err(contradiction("prepared without a session"));
    }
    let operations = Operations { array: read.array, manner };
    let step = match (read.partial, read.prepare) {
        (true, true) => return Err(contradiction("both partialTxn and prepare")),
        (true, false) => Step::Part(operations),
        (false, true) => Step::Prepare(operations),
        (false, false) => Step::Commit(operations),
    };
    let count = read.count.map(|count| typed(count.as_integer(), "o.count")).transpose()?;
    Ok(Body::Transaction(TransactionStep { chain: chain(session, fields), step, count }))
}

/// The body of a `commitTransaction` or `abortTransaction`.
pub(super) fn decision<'a>(fields: &Fields<'a>, step: Step<'a>) -> Result<Body<'a>, EntryProblem> {
    let session = session(fields)?;
    typed(session, "lsid")?;
    Ok(Body::Transaction(TransactionStep { chain: chain(session, fields), step, count: None }))
}

fn chain<'a>(session: Option<(Doc<'a>, i64)>, fields: &Fields<'a>) -> Chain<'a> {
    let (session, txn_number) = session.unzip();
    let previous = fields.previous.unwrap_or(OpTime::NULL);
    Chain { session, txn_number: txn_number.unwrap_or_default(), previous }
}

/// The session and its transaction number: both or none.
fn session<'a>(fields: &Fields<'a>) -> Result<Option<(Doc<'a>, i64)>, EntryProblem> {
    match (fields.session, fields.txn_number) {
        (None, None) => Ok(None),
        (Some(session), Some(number)) => {
            typed(session.get("id")?.and_then(Element::as_uuid), "lsid.id")?;
            Ok(Some((session, number)))
        }
        (Some(_), None) => Err(EntryProblem::Field { field: "txnNumber" }),
        (None, Some(_)) => Err(EntryProblem::Field { field: "lsid" }),
    }
}

fn contradiction(what: &str) -> EntryProblem {
    EntryProblem::Transaction(what.to_owned())
}
