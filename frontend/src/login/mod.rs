//! Who somebody is: people by password and session, programs by HTTP digest.
//!
//! Called by the pages and by the JSON API. Passwords are checked a few at a time and, for each login and each address,
//! only so often; sessions are cookies that no script and no other site can use; digests need no state. What somebody
//! may then do is not decided here.

pub(crate) mod cookie;
pub(crate) mod digest;
pub(crate) mod doors;
pub(crate) mod limit;
pub(crate) mod nonce;
pub(crate) mod person;
pub(crate) mod posted;

pub use doors::Doors;
