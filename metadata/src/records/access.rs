//! Keys of programs: of agents, found by their hash, and of the public API, found by their public half.

use crate::error::{Error, Result};
use crate::metadata::{Batch, Metadata};
use crate::record::{Record, Stored};
use crate::rules::roles::{Principal, Roles};
use crate::secret::{DigestHashes, Purpose, Sealed, SealingKey, Secret, Token, TokenHash};
use crate::store::Collection;
use crate::words::{GroupId, Name, UserId, form};
use serde::{Deserialize, Serialize};
use tidemark_base::{Entropy, UnixMillis};

/// The key of a group's agents: 256 random bits, stored hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentKey {
    /// The hash of the key.
    pub token: TokenHash,
    /// The group it is for.
    pub group: GroupId,
    /// What people call it.
    pub name: Name,
    /// Who made it.
    pub created_by: UserId,
    /// When it was made.
    #[serde(with = "form::millis")]
    pub created_at: UnixMillis,
}

impl Record for AgentKey {
    const COLLECTION: Collection = Collection::AgentKey;
    const NAME: &'static str = "agent key";

    fn id(&self) -> String {
        self.token.as_id()
    }

    fn key(&self) -> Option<String> {
        Some(self.group.to_string())
    }
}

/// A key of the public API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKey {
    /// The public half, sixteen hexadecimal digits.
    #[serde(with = "form::digits")]
    pub public: [u8; 8],
    /// What HTTP digest needs, sealed: see [`DigestHashes`].
    pub digest: Sealed,
    /// What may be done with it.
    pub roles: Roles,
    /// What people call it.
    pub name: Name,
    /// Who made it.
    pub created_by: UserId,
    /// When it was made.
    #[serde(with = "form::millis")]
    pub created_at: UnixMillis,
}

impl ApiKey {
    /// The hashes that HTTP digest compares with.
    ///
    /// # Errors
    /// As [`SealingKey::open`].
    pub fn digest_hashes(&self, key: &SealingKey) -> Result<DigestHashes> {
        DigestHashes::open(&self.place(), key, &self.digest)
    }

    fn place(&self) -> String {
        format!("apiKey {}", self.id())
    }
}

impl Record for ApiKey {
    const COLLECTION: Collection = Collection::ApiKey;
    const NAME: &'static str = "API key";

    fn id(&self) -> String {
        hex::encode(self.public)
    }

    fn key(&self) -> Option<String> {
        Some(self.roles.groups.keys().next().map_or_else(|| "site".to_owned(), GroupId::to_string))
    }

    fn check(&self) -> Result<()> {
        if self.roles.groups.len() + usize::from(self.roles.global_owner) != 1 {
            return Err(Error::invalid("roles of an API key", "it is for one group, or for the whole site"));
        }
        Ok(())
    }
}

/// A new API key, in the only moment in which its private half is known.
#[derive(Debug)]
pub struct NewApiKey {
    /// The record, as it was stored.
    pub record: ApiKey,
    /// The private half.
    pub private: Secret,
}

impl NewApiKey {
    /// Draws one, which opens nothing until it is added.
    ///
    /// # Errors
    /// `Internal`: what was drawn cannot be kept.
    pub fn draw(
        name: Name,
        roles: Roles,
        created_by: UserId,
        sealing: &SealingKey,
        now: UnixMillis,
        entropy: &mut dyn Entropy,
    ) -> Result<Self> {
        let (mut public, mut private) = ([0; 8], [0; 32]);
        entropy.fill(&mut public);
        entropy.fill(&mut private);
        let private = hex::encode(private);
        let id = hex::encode(public);
        let digest = DigestHashes::of(&id, &private).seal(&format!("apiKey {id}"), sealing, entropy)?;
        let record = ApiKey { public, digest, roles, name, created_by, created_at: now };
        Ok(Self { record, private: Secret::new(private.into_bytes())? })
    }
}

impl Metadata {
    /// Makes a key for the agents of a group. The key is in the answer and nowhere else.
    ///
    /// # Errors
    /// `NotFound` if there is no such group.
    pub fn create_agent_key(
        &self,
        group: GroupId,
        name: Name,
        created_by: UserId,
        now: UnixMillis,
        entropy: &mut dyn Entropy,
    ) -> Result<Token> {
        let token = Token::generate(Purpose::AgentKey, entropy);
        let key = AgentKey { token: token.hash(), group, name, created_by, created_at: now };
        self.repeat(Collection::Group, &group.to_string(), || {
            let group = self.get::<super::Group>(&group.to_string())?;
            let mut batch = Batch::new();
            batch.depend(&group);
            batch.create(&key)?;
            self.commit(&batch)
        })?;
        Ok(token)
    }

    /// Who the agent is that shows this key; none if it is no key. The group comes from here and never from the
    /// request.
    ///
    /// # Errors
    /// As [`Metadata::find`].
    pub fn agent_of_key(&self, shown: &str) -> Result<Option<Principal>> {
        let Some(hash) = TokenHash::of(Purpose::AgentKey, shown) else { return Ok(None) };
        let key: Option<Stored<AgentKey>> = self.find(&hash.as_id())?;
        Ok(key.map(|it| Principal::Agent(it.record.group)))
    }

    /// Makes a key of the public API. That its maker may give these roles away is for the caller to check.
    ///
    /// # Errors
    /// `Invalid` if its roles are.
    pub fn create_api_key(
        &self,
        name: Name,
        roles: Roles,
        created_by: UserId,
        sealing: &SealingKey,
        now: UnixMillis,
        entropy: &mut dyn Entropy,
    ) -> Result<NewApiKey> {
        let new = NewApiKey::draw(name, roles, created_by, sealing, now, entropy)?;
        self.add_api_key(&new)?;
        Ok(new)
    }

    /// Adds a key that was just drawn.
    ///
    /// # Errors
    /// As [`Self::create_api_key`].
    pub fn add_api_key(&self, new: &NewApiKey) -> Result<()> {
        let mut batch = Batch::new();
        batch.create(&new.record)?;
        self.commit(&batch).map(drop)
    }
}
