//! From one change in the oplog to a patch.

use super::fold::check_id;
use super::updates::{Fit, Pending, Updates};
use super::{Expects, Misfit, Patch, Then};
use std::borrow::Cow;
use tidemark_base::bson::{Doc, Element};
use tidemark_oplog::entry::{Action, Change, Manner};
use tidemark_oplog::update::{Update, UpdateError};

impl<'a> Patch<'a> {
    /// The patch of one change. An inserted document is borrowed, all else is copied. What of the change
    /// cannot be done whatever lies below is added to `found`, and not in the patch.
    #[must_use]
    pub fn of(change: &Change<'a>, found: &mut Vec<Misfit>) -> Self {
        let strict = change.manner == Manner::Strict;
        match change.action {
            Action::Insert { document, .. } => Self {
                expects: if strict { Expects::Absent } else { Expects::Any },
                then: Then::Document(Cow::Borrowed(document.as_bytes())),
            },
            Action::Delete { .. } => Self { expects: Expects::present(strict.into()), then: Then::Gone },
            Action::Update { id, update } => {
                let then = match (change.manner, update) {
                    (Manner::User { upsert: true }, Update::Replacement(_)) => put(id, update),
                    (Manner::User { upsert: true }, _) => wait(Fit::Upsert(id), update),
                    (Manner::Strict, _) => wait(Fit::Strict, update),
                    (Manner::Tolerant | Manner::User { upsert: false }, _) => wait(Fit::Tolerant, update),
                };
                let then = then.map_err(|misfit| found.push(misfit));
                then.map_or_else(|()| Self::nothing(), |then| Self { expects: Expects::Any, then })
            }
        }
    }
}

/// A replacement that inserts what is not there: the document is the same either way.
fn put<'a>(id: Element<'_>, update: Update<'_>) -> Result<Then<'a>, Misfit> {
    let mut document = Vec::new();
    update.upsert(id, &mut document)?;
    check_id(id, Doc::new(&document).map_err(UpdateError::from)?)?;
    Ok(Then::Document(Cow::Owned(document)))
}

fn wait<'a>(fit: Fit<'_>, update: Update<'_>) -> Result<Then<'a>, Misfit> {
    Ok(Then::Updates(Updates::one(Pending { fit, update }).map_err(UpdateError::from)?))
}
