//! Sessions of people: found by the hash of their cookie, dead by time, by a new password, or with their person.

use super::User;
use crate::error::Result;
use crate::metadata::{Batch, Metadata};
use crate::record::{Record, Stored};
use crate::secret::{Purpose, Token, TokenHash};
use crate::store::Collection;
use crate::words::{UserId, form};
use serde::{Deserialize, Serialize};
use tidemark_base::{Entropy, UnixMillis};

/// How long a session lives at most.
const LIFE_MS: u64 = 24 * 3_600_000;
/// How long it lives without being used.
const IDLE_MS: u64 = 2 * 3_600_000;
/// How exactly its last use is noted: not every request writes.
const TOUCH_MS: u64 = 60_000;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Session {
    /// The hash of its token.
    pub token: TokenHash,
    /// Whose it is.
    pub user: UserId,
    /// The generation of the user that it belongs to.
    pub generation: u64,
    /// When it began.
    #[serde(with = "form::millis")]
    pub created_at: UnixMillis,
    /// When it was last used, to the minute.
    #[serde(with = "form::millis")]
    pub used_at: UnixMillis,
}

impl Session {
    /// Whether it is still good. A clock that went back makes no session younger than its start.
    #[must_use]
    pub fn lives(&self, now: UnixMillis) -> bool {
        let within = |from: UnixMillis, ms: u64| now.0 < from.0.saturating_add(ms);
        within(self.created_at, LIFE_MS) && within(self.used_at, IDLE_MS)
    }
}

impl Record for Session {
    const COLLECTION: Collection = Collection::Session;
    const NAME: &'static str = "session";

    fn id(&self) -> String {
        self.token.as_id()
    }

    fn key(&self) -> Option<String> {
        Some(self.user.to_string())
    }
}

/// The token that forms of this session must carry, so that no other site can send them. It is made of the cookie,
/// so it need not be stored; who has it does not have the cookie.
#[must_use]
pub fn csrf_token(session_token: &str) -> String {
    hex::encode(blake3::derive_key("tidemark metadata v1 csrf token", session_token.as_bytes()))
}

impl Metadata {
    /// Begins a session for a person who has just shown the password. Always a new token.
    ///
    /// # Errors
    /// As [`Metadata::commit`].
    pub fn begin_session(&self, user: &User, now: UnixMillis, entropy: &mut dyn Entropy) -> Result<Token> {
        let token = Token::generate(Purpose::Session, entropy);
        let mut batch = Batch::new();
        batch.create(&Session {
            token: token.hash(),
            user: user.id,
            generation: user.generation,
            created_at: now,
            used_at: now,
        })?;
        self.commit(&batch)?;
        Ok(token)
    }

    /// The person whose living session this is, if it is one; notes the use.
    ///
    /// # Errors
    /// As [`Metadata::find`].
    pub fn session_user(&self, shown: &str, now: UnixMillis) -> Result<Option<Stored<User>>> {
        let Some(session) = self.session(shown)?.filter(|it| it.record.lives(now)) else { return Ok(None) };
        let user = self.find::<User>(&session.record.user.to_string())?;
        let Some(user) = user.filter(|it| it.record.generation == session.record.generation) else {
            return Ok(None);
        };
        if now.0 >= session.record.used_at.0.saturating_add(TOUCH_MS) {
            let mut batch = Batch::new();
            batch.replace(&session, &Session { used_at: now, ..session.record.clone() })?;
            match self.commit(&batch) {
                // Another request of the session did it, or ended the session just now: this one came before.
                Err(error) if error.kind() == tidemark_base::ErrorKind::Conflict => {}
                other => drop(other?),
            }
        }
        Ok(Some(user))
    }

    /// Ends a session. One that does not exist is ended already.
    ///
    /// # Errors
    /// As [`Metadata::commit`].
    pub fn end_session(&self, shown: &str) -> Result<()> {
        self.repeat(Collection::Session, "(hidden)", || {
            let Some(session) = self.session(shown)? else { return Ok(()) };
            let mut batch = Batch::new();
            batch.remove(&session);
            self.commit(&batch).map(drop)
        })
    }

    fn session(&self, shown: &str) -> Result<Option<Stored<Session>>> {
        let Some(hash) = TokenHash::of(Purpose::Session, shown) else { return Ok(None) };
        self.find(&hash.as_id())
    }
}
