//! From one change in the oplog to a patch.

use super::fold::check_id;
use super::updates::{Fit, Pending, Updates};
use super::{Expects, Misfit, Patch, Then};
use std::borrow::Cow;
use tidemark_base::bson::{Doc, Element};
use tidemark_oplog::entry::{Action, Change, Manner};
use tidemark_oplog::update::{Update, UpdateError};

impl<'a> Patch<'a> {
    /// The patch of one change. An inserted document is borrowed, updates are copied. What cannot be done
    /// whatever lies below is added to `found`, and is not in the patch.
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
                let fit = match change.manner {
                    Manner::Strict => Fit::Strict,
                    Manner::Tolerant | Manner::User { upsert: false, .. } => Fit::Tolerant,
                    Manner::User { upsert: true, .. } => Fit::Upsert(id),
                };
                let then = match update {
                    Update::Replacement(new) => replacement(fit, id, new),
                    Update::Modifiers(_) | Update::Diff(_) => wait(fit, update),
                };
                let then = then.map_err(|misfit| found.push(misfit));
                then.map_or_else(|()| Self::nothing(), |then| Self { expects: Expects::Any, then })
            }
        }
    }
}

/// Appends the patch of a change as it is stored: its head to `head`, its payload to `payload`. Does what
/// [`Patch::of`] and [`Patch::encode_head`] do, without memory of its own for what is most of an oplog.
pub(crate) fn encode_of(
    change: &Change<'_>,
    head: &mut Vec<u8>,
    payload: &mut Vec<u8>,
    found: &mut Vec<Misfit>,
) {
    let fit = match change.manner {
        Manner::Strict => Some(Fit::Strict),
        Manner::Tolerant | Manner::User { upsert: false, .. } => Some(Fit::Tolerant),
        Manner::User { upsert: true, .. } => None,
    };
    match (change.action, fit) {
        (Action::Update { update: update @ (Update::Modifiers(_) | Update::Diff(_)), .. }, Some(fit)) => {
            Patch::nothing().encode_head(head);
            Pending { fit, update }.write(payload);
        }
        _ => {
            let patch = Patch::of(change, found);
            patch.encode_head(head);
            payload.extend_from_slice(patch.payload());
        }
    }
}

/// A replacement, which is made what it has to be here, so that it cannot fail later: composition drops what
/// was done before it.
fn replacement<'a>(fit: Fit<'_>, id: Element<'_>, new: Doc<'a>) -> Result<Then<'a>, Misfit> {
    check_id(id, new)?;
    let mut id_first = Vec::new();
    if new.first_element().map_err(UpdateError::from)?.is_none_or(|first| first.name != b"_id") {
        Update::Replacement(new).apply(Doc::EMPTY, &mut id_first)?;
    }
    match (fit, id_first.is_empty()) {
        // The document is the same, whether there is one or not.
        (Fit::Upsert(_), true) => Ok(Then::Document(Cow::Borrowed(new.as_bytes()))),
        (Fit::Upsert(_), false) => Ok(Then::Document(Cow::Owned(id_first))),
        (_, true) => wait(fit, Update::Replacement(new)),
        (_, false) => wait(fit, Update::Replacement(Doc::new(&id_first).map_err(UpdateError::from)?)),
    }
}

fn wait<'a>(fit: Fit<'_>, update: Update<'_>) -> Result<Then<'a>, Misfit> {
    Ok(Then::Updates(Updates::one(Pending { fit, update }).map_err(UpdateError::from)?))
}
