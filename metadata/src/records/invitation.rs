//! Invitations: the way into a group for everybody but the first.
//!
//! Good once and for a week, found by the hash of their token. Who joins is noted as an event of the group in the batch
//! that lets them in.

use super::people::{NewUser, User, joined};
use crate::error::{Error, Result};
use crate::metadata::{Batch, Metadata};
use crate::record::Record;
use crate::rules::roles::{Role, Roles};
use crate::secret::{Purpose, Token, TokenHash};
use crate::store::Collection;
use crate::words::{GroupId, UserId, form};
use serde::{Deserialize, Serialize};
use tidemark_base::{Entropy, UnixMillis};

/// How long an invitation is good for.
const INVITATION_MS: u64 = 7 * 24 * 3_600_000;

/// An invitation: found by the hash of its token, good once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Invitation {
    /// The hash of its token.
    pub token: TokenHash,
    /// Where to.
    pub group: GroupId,
    /// As what.
    pub role: Role,
    /// Who invited.
    pub invited_by: UserId,
    /// Until when it is good.
    #[serde(with = "form::millis")]
    pub expires_at: UnixMillis,
}

impl Record for Invitation {
    const COLLECTION: Collection = Collection::Invitation;
    const NAME: &'static str = "invitation";

    fn id(&self) -> String {
        self.token.as_id()
    }

    fn key(&self) -> Option<String> {
        Some(self.group.to_string())
    }
}

/// Who accepts an invitation.
#[derive(Clone, Debug)]
pub enum Joining {
    /// Somebody new.
    New(NewUser),
    /// Somebody who is logged in.
    Known(UserId),
}

impl Metadata {
    /// Invites somebody to a group. The token is in the answer and nowhere else.
    ///
    /// # Errors
    /// `NotFound` if there is no such group.
    pub fn invite(
        &self,
        group: GroupId,
        role: Role,
        invited_by: UserId,
        now: UnixMillis,
        entropy: &mut dyn Entropy,
    ) -> Result<Token> {
        let token = Token::generate(Purpose::Invitation, entropy);
        let expires_at = UnixMillis(now.0.saturating_add(INVITATION_MS));
        let invitation = Invitation { token: token.hash(), group, role, invited_by, expires_at };
        self.repeat(Collection::Group, &group.to_string(), || {
            let group = self.get::<super::Group>(&group.to_string())?;
            let mut batch = Batch::new();
            batch.depend(&group);
            batch.create(&invitation)?;
            self.commit(&batch)
        })?;
        Ok(token)
    }

    /// Accepts an invitation; it is then used up. Who has a greater role already keeps it.
    ///
    /// # Errors
    /// `NotFound` if there is no such invitation or it has expired; `Invalid` if the user name is taken.
    pub fn accept_invitation(
        &self,
        shown: &str,
        who: &Joining,
        now: UnixMillis,
        entropy: &mut dyn Entropy,
    ) -> Result<User> {
        let gone = || Error::NotFound {
            what: "invitation",
            id: None,
            advice: "it was used, revoked or has expired: ask for a new one",
        };
        let id = TokenHash::of(Purpose::Invitation, shown).ok_or_else(gone)?.as_id();
        let new = match who {
            Joining::New(new) => Some(new.user(Roles::default(), now, entropy)),
            Joining::Known(_) => None,
        };
        self.repeat(Collection::Invitation, "(hidden)", || {
            let invitation = self.find::<Invitation>(&id)?.ok_or_else(gone)?;
            let Invitation { group, role, expires_at, .. } = invitation.record;
            if now >= expires_at {
                return Err(gone());
            }
            let mut batch = Batch::new();
            batch.remove(&invitation);
            let grant = |roles: &Roles| {
                let mut roles = roles.clone();
                let entry = roles.groups.entry(group).or_insert(role);
                *entry = role.max(*entry);
                roles
            };
            let who_joined = match (who, &new) {
                (Joining::Known(user), _) => {
                    let old = self.get::<User>(&user.to_string())?;
                    let joined = User { roles: grant(&old.record.roles), ..old.record.clone() };
                    batch.replace(&old, &joined)?;
                    joined
                }
                (Joining::New(_), Some(new)) => {
                    let joined = User { roles: grant(&new.roles), ..new.clone() };
                    self.add_user(&mut batch, &joined)?;
                    joined
                }
                (Joining::New(_), None) => {
                    return Err(Error::Internal { what: "a new user was not made".to_owned() });
                }
            };
            let text = format!("{} joined by an invitation", who_joined.login);
            self.add_event(&mut batch, Some(group), now, &joined(&text)?)?;
            self.commit(&batch)?;
            Ok(who_joined)
        })
    }
}
