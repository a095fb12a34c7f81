//! What must not be known to whoever reads the database, a log or an error: passwords, tokens, sealed secrets.
//!
//! Nothing here shows itself in `Debug`, and nothing has a `Display`. Passwords are stored as slow hashes, random
//! tokens as fast ones, and what has to be read back is sealed with a key that lies outside the store.

mod digest;
mod key_file;
mod password;
mod sealed;
mod token;

pub use digest::{DigestHashes, REALM};
pub use key_file::load_or_create;
pub use password::{Password, PasswordHash, PasswordHasher};
pub use sealed::{Sealed, SealingKey, Secret};
pub use token::{Purpose, Token, TokenHash};
