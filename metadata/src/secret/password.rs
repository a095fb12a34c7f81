//! Passwords of people: argon2id, stored with its parameters, computed by a few at a time.
//!
//! Parameters as OWASP's Password Storage Cheat Sheet advises (19 MiB, two passes, one lane). Each computation takes
//! that memory and tens of milliseconds, so a crowd of logins must not run at once: some wait, the rest are
//! turned away. Callers in async code use a blocking thread.

use crate::error::{Error, Result};
use crate::words::form;
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use tidemark_base::Entropy;
use tidemark_base::limits::{MAX_PASSWORD_BYTES, MIN_PASSWORD_BYTES};

/// Memory, passes and lanes of new hashes.
const COST: Cost = Cost { memory_kib: 19 << 10, passes: 2, lanes: 1 };
/// Most that a stored hash may ask for, so that a damaged record cannot ask for gigabytes.
const MOST: Cost = Cost { memory_kib: 256 << 10, passes: 16, lanes: 16 };

/// A password as somebody typed it.
pub struct Password(String);

impl Password {
    /// Takes a new password.
    ///
    /// # Errors
    /// `Invalid` if it is too short or too long.
    pub fn new(text: String) -> Result<Self> {
        if text.len() < MIN_PASSWORD_BYTES || text.len() > MAX_PASSWORD_BYTES {
            let problem = format!("it must have {MIN_PASSWORD_BYTES} to {MAX_PASSWORD_BYTES} bytes");
            return Err(Error::invalid("password", problem));
        }
        Ok(Self(text))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// What is stored of a password: argon2id, version 0x13.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordHash {
    cost: Cost,
    #[serde(with = "form::digits")]
    salt: [u8; 16],
    #[serde(with = "form::digits")]
    hash: [u8; 32],
}

impl PasswordHash {
    /// Whether its parameters can be computed with.
    ///
    /// # Errors
    /// `Invalid`.
    pub(crate) fn check(&self) -> Result<()> {
        let Cost { memory_kib, passes, lanes } = self.cost;
        let bounded = memory_kib <= MOST.memory_kib && passes <= MOST.passes && lanes <= MOST.lanes;
        if bounded && Params::new(memory_kib, passes, lanes, Some(32)).is_ok() {
            return Ok(());
        }
        Err(Error::invalid("password hash", "its cost is out of bounds"))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(hidden)")
    }
}

/// Computes hashes of passwords, a few at a time. One for each process.
pub struct PasswordHasher {
    cost: Cost,
    queue: Mutex<Queue>,
    freed: Condvar,
    at_once: usize,
    waiting: usize,
}

#[derive(Default)]
struct Queue {
    running: usize,
    waiting: usize,
}

impl PasswordHasher {
    /// One that computes `at_once` (at least one) at a time while up to `waiting` wait.
    #[must_use]
    pub fn new(at_once: usize, waiting: usize) -> Self {
        Self { cost: COST, queue: Mutex::default(), freed: Condvar::new(), at_once: at_once.max(1), waiting }
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// `Retry` if too many are waiting.
    pub fn hash(&self, password: &Password, entropy: &mut dyn Entropy) -> Result<PasswordHash> {
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let _turn = self.turn()?;
        Ok(PasswordHash { cost: self.cost, salt, hash: compute(self.cost, &password.0, &salt)? })
    }

    /// Whether this is the password. Without a stored hash (no such user) it takes as long and says no, so that time
    /// does not tell who exists.
    ///
    /// # Errors
    /// `Retry` if too many are waiting.
    pub fn verify(&self, typed: &str, stored: Option<&PasswordHash>) -> Result<bool> {
        if typed.len() > MAX_PASSWORD_BYTES {
            return Ok(false);
        }
        let nobody = PasswordHash { cost: self.cost, salt: [0; 16], hash: [0; 32] };
        let expected = stored.unwrap_or(&nobody);
        expected.check()?;
        let _turn = self.turn()?;
        let found = compute(expected.cost, typed, &expected.salt)?;
        let equal = aws_lc_rs::constant_time::verify_slices_are_equal(&found, &expected.hash).is_ok();
        Ok(equal && stored.is_some())
    }

    fn turn(&self) -> Result<Turn<'_>> {
        let mut queue = self.queue();
        if queue.running >= self.at_once {
            if queue.waiting >= self.waiting {
                return Err(Error::Busy { what: "too many passwords are being checked at once" });
            }
            queue.waiting += 1;
            while queue.running >= self.at_once {
                queue = self.freed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            queue.waiting -= 1;
        }
        queue.running += 1;
        Ok(Turn(self))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to compute; passed on when it is dropped.
struct Turn<'a>(&'a PasswordHasher);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.queue().running -= 1;
        self.0.freed.notify_one();
    }
}

fn compute(cost: Cost, password: &str, salt: &[u8; 16]) -> Result<[u8; 32]> {
    let internal = |_| Error::Internal { what: "argon2 refused parameters that were checked".to_owned() };
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(internal)?;
    let mut hash = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, &mut hash)
        .map_err(internal)?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tidemark_base::{ErrorKind, SeededEntropy, threads};

    fn password(text: &str) -> Password {
        Password::new(text.to_owned()).unwrap()
    }

    #[test]
    fn the_right_password_and_no_other_is_accepted() {
        let hasher = PasswordHasher::new(2, 2);
        let mut random = SeededEntropy::new(5);
        let stored = hasher.hash(&password("correct horse"), &mut random).unwrap();
        assert!(hasher.verify("correct horse", Some(&stored)).unwrap());
        for wrong in ["", "correct hors", "Correct horse", "correct horse\0", &"x".repeat(1 << 20)] {
            assert!(!hasher.verify(wrong, Some(&stored)).unwrap());
        }
        assert!(!hasher.verify("correct horse", None).unwrap(), "nobody has a password");
        let again = hasher.hash(&password("correct horse"), &mut random).unwrap();
        assert_ne!(stored, again, "each has its own salt");
    }

    #[test]
    fn what_was_hashed_once_is_accepted_for_ever() {
        let text = r#"{"cost":{"memoryKib":19456,"passes":2,"lanes":1},"salt":"5ac389a30c3b0363f83697934d3197c0","hash":"da510f8c6a4c86e173303f3bc493f1d0382d14476cee1a4aa55828b85a995f4a"}"#;
        let stored: PasswordHash = serde_json::from_str(text).unwrap();
        assert!(PasswordHasher::new(1, 1).verify("correct horse", Some(&stored)).unwrap());
        let again = PasswordHasher::new(1, 1).hash(&password("correct horse"), &mut SeededEntropy::new(5));
        assert_eq!(serde_json::to_string(&again.unwrap()).unwrap(), text);
    }

    #[test]
    fn short_and_long_passwords_are_refused() {
        for bad in [9, 1025] {
            assert!(Password::new("x".repeat(bad)).is_err());
        }
        assert!(Password::new("x".repeat(10)).is_ok());
    }

    #[test]
    fn a_crowd_waits_in_a_short_line_and_the_rest_is_turned_away() {
        let hasher = Arc::new(PasswordHasher::new(1, 1));
        let running = hasher.turn().unwrap();
        let waiter = {
            let hasher = Arc::clone(&hasher);
            threads::spawn("waiter", move || hasher.verify("whatever it is", None).unwrap()).unwrap()
        };
        while hasher.queue().waiting == 0 {
            std::thread::yield_now();
        }
        let error = hasher.verify("whatever it is", None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Retry);
        drop(running);
        assert!(!waiter.join().unwrap());
        assert!(!hasher.verify("whatever it is", None).unwrap(), "all turns were given back");
    }

    #[test]
    fn a_stored_hash_cannot_ask_for_gigabytes() {
        let text = |memory: u32, passes: u32| {
            let (salt, hash) = ("00".repeat(16), "00".repeat(32));
            format!(
                r#"{{"cost":{{"memoryKib":{memory},"passes":{passes},"lanes":1}},"salt":"{salt}","hash":"{hash}"}}"#
            )
        };
        let read = |text: &str| serde_json::from_str::<PasswordHash>(text).unwrap();
        assert!(read(&text(19 << 10, 2)).check().is_ok());
        for (memory, passes) in [(4 << 20, 2), (19 << 10, 1 << 30), (0, 1), (19 << 10, 0)] {
            let bad = read(&text(memory, passes));
            assert!(bad.check().is_err());
            assert!(PasswordHasher::new(1, 1).verify("whatever", Some(&bad)).is_err());
        }
    }

    #[test]
    fn nothing_shows_itself() {
        let stored = PasswordHash { cost: COST, salt: [0xab; 16], hash: [0xcd; 32] };
        assert_eq!(
            format!("{stored:?} {:?}", password("hunter2hunter2")),
            "PasswordHash(hidden) Password(hidden)"
        );
    }
}
