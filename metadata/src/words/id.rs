//! Ids as Ops Manager's clients know them: 24 hexadecimal digits. Made ones start with the second they were made
//! in, so that they sort by age; the rest is random.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use tidemark_base::{Entropy, UnixMillis};

use super::form;
use crate::error::Error;

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(#[serde(with = "form::digits")] [u8; 12]);

        impl $name {
            /// Wraps twelve bytes; nothing is checked.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 12]) -> Self {
                Self(bytes)
            }

            /// The twelve bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 12] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                let mut bytes = [0; 12];
                // Lower case only: an id has one text, or two requests could name one record differently.
                let lower = !text.bytes().any(|it| it.is_ascii_uppercase());
                match hex::decode_to_slice(text, &mut bytes) {
                    Ok(()) if lower => Ok(Self(bytes)),
                    _ => Err(Error::invalid($what, "it is not 24 hexadecimal digits in lower case")),
                }
            }
        }
    };
}

macro_rules! made_id {
    ($name:ident) => {
        impl $name {
            /// A new id.
            pub fn new(now: UnixMillis, entropy: &mut dyn Entropy) -> Self {
                Self(make(now, entropy))
            }
        }
    };
}

id_type! {
    /// A group (project).
    GroupId, "group id"
}
id_type! {
    /// A person.
    UserId, "user id"
}
id_type! {
    /// A restore that was asked for.
    RestoreJobId, "restore job id"
}
id_type! {
    /// A replica set, named by its own `settings.replicaSetId`: a set with another one is another set.
    ReplicaSetId, "replica set id"
}
id_type! {
    /// A server of MongoDB in a group, named by what it is reached at.
    HostId, "host id"
}
made_id!(GroupId);
made_id!(UserId);
made_id!(RestoreJobId);

fn make(now: UnixMillis, entropy: &mut dyn Entropy) -> [u8; 12] {
    let mut bytes = [0; 12];
    entropy.fill(&mut bytes);
    // After 2106 they no longer sort by age, and nothing else changes.
    let secs = u32::try_from(now.0 / 1000).unwrap_or(u32::MAX);
    for (to, from) in bytes.iter_mut().zip(secs.to_be_bytes()) {
        *to = from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::SeededEntropy;

    #[test]
    fn made_ids_sort_by_age_and_round_trip() {
        let mut random = SeededEntropy::new(1);
        let ids: Vec<GroupId> =
            [1000, 2000, 1_795_341_091_000].map(|it| GroupId::new(UnixMillis(it), &mut random)).into();
        assert!(ids.is_sorted());
        assert_eq!(ids[2].to_string().parse::<GroupId>().unwrap(), ids[2]);
        let text = serde_json::to_string(&ids[2]).unwrap();
        assert_eq!(text, format!("\"{}\"", ids[2]));
        assert_eq!(serde_json::from_str::<GroupId>(&text).unwrap(), ids[2]);
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in
            ["", "6b02", "6B02A3F37E1D7E1D7E1D7E1D", "6b02a3f37e1d7e1d7e1d7e1d7e", "é2a3f37e1d7e1d7e1d7e1d"]
        {
            assert!(bad.parse::<GroupId>().is_err(), "{bad}");
            assert!(serde_json::from_str::<GroupId>(&format!("\"{bad}\"")).is_err(), "{bad}");
        }
    }
}
