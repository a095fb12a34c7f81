//! Changes that nobody can replay exactly: operators that do more when they are applied twice.
//!
//! Asked by whoever applies the oplog over a copy that may be ahead of it. Servers log what operators resulted
//! in; only a user's own `applyOps` is logged with `$inc`, `$push` and the like as they were sent. Whether the
//! copy was taken before or after such an update cannot be told from it. The update is applied all the same:
//! the doubt is for people, who may resync the collection.

use super::{Action, Change};
use crate::update::{Update, printable};
use std::fmt;

/// Why nobody can tell whether a document comes out as it was on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The operator, escaped.
    pub operator: String,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a user's applyOps with {} during the initial sync: the copy may have had it already; if the \
             document matters, resync its collection",
            self.operator
        )
    }
}

impl Change<'_> {
    /// Why the change may come out otherwise than on the server. None if it cannot, which is so of all that
    /// servers write themselves. An update that is broken raises no doubt: applying it is an error.
    #[must_use]
    pub fn doubt(&self) -> Option<Doubt> {
        let Action::Update { update: Update::Modifiers(modifiers), .. } = self.action else { return None };
        if !self.manner.is_fuzzy() {
            return None;
        }
        let mut operators = modifiers.elements().map_while(Result::ok).map(|operator| operator.name);
        let often = operators.find(|name| ![b"$v".as_slice(), b"$set", b"$unset"].contains(name))?;
        Some(Doubt { operator: printable(often) })
    }
}
