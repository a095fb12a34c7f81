//! People: who they are, how they sign up, what roles they have.
//!
//! The first user owns the site, and with that sign-up is closed: everybody else needs an invitation. There is
//! always at least one who owns the site. Who comes is noted as an event in the batch that lets them in.

use super::Happening;
use crate::error::{Error, Result};
use crate::metadata::{Batch, Metadata};
use crate::record::{Record, Stored};
use crate::rules::roles::{Role, Roles};
use crate::secret::PasswordHash;
use crate::store::Collection;
use crate::words::{Code, GroupId, Login, Text, UserId, form};
use serde::{Deserialize, Serialize};
use tidemark_base::limits::MAX_GLOBAL_OWNERS;
use tidemark_base::{Entropy, UnixMillis};

/// The installation: made together with its first user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Site {
    /// Those who own it, never none.
    pub owners: Vec<UserId>,
    /// When it was set up.
    #[serde(with = "form::millis")]
    pub created_at: UnixMillis,
}

impl Site {
    const ID: &str = "site";
}

impl Record for Site {
    const COLLECTION: Collection = Collection::Site;
    const NAME: &'static str = "site";

    fn id(&self) -> String {
        Self::ID.to_owned()
    }

    fn check(&self) -> Result<()> {
        if self.owners.is_empty() || self.owners.len() > MAX_GLOBAL_OWNERS {
            return Err(Error::invalid("owners of the site", format!("there are 1 to {MAX_GLOBAL_OWNERS}")));
        }
        Ok(())
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct User {
    /// The person's id.
    pub id: UserId,
    /// What the person logs in with.
    pub login: Login,
    /// What is stored of the password.
    pub password: PasswordHash,
    /// What the person may do.
    pub roles: Roles,
    /// Sessions of another generation are dead. Raised by whatever must end all sessions.
    pub generation: u64,
    /// When the person joined.
    #[serde(with = "form::millis")]
    pub created_at: UnixMillis,
}

impl Record for User {
    const COLLECTION: Collection = Collection::User;
    const NAME: &'static str = "user";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn check(&self) -> Result<()> {
        self.password.check()?;
        self.roles.check()
    }
}

/// A login name that is taken: the record's existence makes it unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginName {
    /// The name, as it was given.
    pub login: Login,
    /// Whose it is.
    pub user: UserId,
}

impl Record for LoginName {
    const COLLECTION: Collection = Collection::Login;
    const NAME: &'static str = "user name";

    fn id(&self) -> String {
        self.login.folded()
    }
}

/// What is needed for a new user.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// What the person will log in with.
    pub login: Login,
    /// The hash of the chosen password.
    pub password: PasswordHash,
}

impl NewUser {
    pub(super) fn user(&self, roles: Roles, now: UnixMillis, entropy: &mut dyn Entropy) -> User {
        User {
            id: UserId::new(now, entropy),
            login: self.login.clone(),
            password: self.password.clone(),
            roles,
            generation: 0,
            created_at: now,
        }
    }
}

impl Metadata {
    /// Whether there is nobody yet, so that the first may sign up.
    ///
    /// # Errors
    /// As [`Metadata::find`].
    pub fn is_new(&self) -> Result<bool> {
        Ok(self.find::<Site>(Site::ID)?.is_none())
    }

    /// Makes the first user, who owns the site.
    ///
    /// # Errors
    /// `Invalid` if there already is one.
    pub fn sign_up_first(&self, new: &NewUser, now: UnixMillis, entropy: &mut dyn Entropy) -> Result<User> {
        let user = new.user(Roles::global(), now, entropy);
        self.repeat(Collection::Site, Site::ID, || {
            if !self.is_new()? {
                return Err(Error::refused("sign-up is closed", "ask an owner of a group for an invitation"));
            }
            let mut batch = Batch::new();
            batch.create(&Site { owners: vec![user.id], created_at: now })?;
            self.add_user(&mut batch, &user)?;
            let text = format!("the first user signed up, and owns the site: {}", user.login);
            self.add_event(&mut batch, None, now, &joined(&text)?)?;
            self.commit(&batch)
        })?;
        Ok(user)
    }

    /// Makes a user without any role, where the operator has left sign-up open: for the caller to check.
    ///
    /// # Errors
    /// `Invalid` if the user name is taken.
    pub fn sign_up(&self, new: &NewUser, now: UnixMillis, entropy: &mut dyn Entropy) -> Result<User> {
        let user = new.user(Roles::default(), now, entropy);
        self.repeat(Collection::Login, &user.login.folded(), || {
            // Whoever comes first must own the site.
            let site = self.get::<Site>(Site::ID)?;
            let mut batch = Batch::new();
            batch.depend(&site);
            self.add_user(&mut batch, &user)?;
            self.add_event(&mut batch, None, now, &joined(&format!("{} signed up", user.login))?)?;
            self.commit(&batch)
        })?;
        Ok(user)
    }

    pub(super) fn add_user(&self, batch: &mut Batch, user: &User) -> Result<()> {
        let name = LoginName { login: user.login.clone(), user: user.id };
        if self.find::<LoginName>(&name.id())?.is_some() {
            return Err(Error::refused(format!("the user name '{}' is taken", user.login), "take another"));
        }
        batch.create(user)?;
        batch.create(&name)
    }

    /// The user who logs in with this name. Text that cannot be one finds nobody.
    ///
    /// # Errors
    /// As [`Metadata::find`].
    pub fn user_by_login(&self, typed: &str) -> Result<Option<Stored<User>>> {
        let Ok(login) = Login::new(typed) else { return Ok(None) };
        let Some(name) = self.find::<LoginName>(&login.folded())? else { return Ok(None) };
        let user = self.find::<User>(&name.record.user.to_string())?;
        // Removed in between: nobody.
        Ok(user.filter(|it| it.record.login.folded() == login.folded()))
    }

    /// Sets, or with none takes away, a person's role in a group.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if the person would be in too many groups.
    pub fn set_role(&self, user: UserId, group: GroupId, role: Option<Role>) -> Result<()> {
        self.change::<User, _>(&user.to_string(), |user| {
            match role {
                Some(role) => drop(user.roles.groups.insert(group, role)),
                None => drop(user.roles.groups.remove(&group)),
            }
            Ok(())
        })
    }

    /// Makes a person an owner of the site, or no longer one.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if nobody would own the site, or too many.
    pub fn set_global_owner(&self, user: UserId, owner: bool) -> Result<()> {
        self.repeat(Collection::Site, Site::ID, || {
            let (site, old) = (self.get::<Site>(Site::ID)?, self.get::<User>(&user.to_string())?);
            let mut new = old.record.clone();
            new.roles.global_owner = owner;
            let mut batch = Batch::new();
            batch.replace(&old, &new)?;
            let owners = site.record.owners.iter().copied().filter(|it| *it != user);
            let owners: Vec<UserId> = owners.chain(owner.then_some(user)).collect();
            batch.replace(&site, &Site { owners: not_empty(owners)?, ..site.record.clone() })?;
            self.commit(&batch).map(drop)
        })
    }

    /// Sets a new password and ends all sessions of the person.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn set_password(&self, user: UserId, password: &PasswordHash) -> Result<()> {
        self.change::<User, _>(&user.to_string(), |user| {
            user.password = password.clone();
            user.generation += 1;
            Ok(())
        })
    }

    /// Ends all sessions of a person.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn end_sessions(&self, user: UserId) -> Result<()> {
        self.change::<User, _>(&user.to_string(), |user| {
            user.generation += 1;
            Ok(())
        })
    }

    /// Removes a person. Sessions die with the person; keys of the API that the person made stay.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for the last owner of the site.
    pub fn remove_user(&self, user: UserId) -> Result<()> {
        self.repeat(Collection::User, &user.to_string(), || {
            let old = self.get::<User>(&user.to_string())?;
            let mut batch = Batch::new();
            batch.remove(&old);
            if let Some(name) = self.find::<LoginName>(&old.record.login.folded())? {
                batch.remove(&name);
            }
            let site = self.get::<Site>(Site::ID)?;
            if site.record.owners.contains(&user) {
                let owners = site.record.owners.iter().copied().filter(|it| *it != user).collect();
                batch.replace(&site, &Site { owners: not_empty(owners)?, ..site.record.clone() })?;
            }
            self.commit(&batch).map(drop)
        })
    }
}

/// The event that says who has come; part of the batch that lets them in.
pub(super) fn joined(text: &str) -> Result<Happening> {
    Ok(Happening { code: Code::new("USER_JOINED")?, subject: None, actor: None, text: Text::fit(text) })
}

fn not_empty(owners: Vec<UserId>) -> Result<Vec<UserId>> {
    if owners.is_empty() {
        let advice = "make somebody else an owner first";
        return Err(Error::refused("nobody would own the site any more", advice));
    }
    Ok(owners)
}
