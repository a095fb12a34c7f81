//! Comparing databases by hash, as the server's `dbHash` command does. Pure; the call is in `live::dbhash`.
//!
//! The server's MD5 of a collection is over the bytes of its documents, nothing between them, in the order of
//! the `_id` index, capped collections too; a collection without that index (a clustered one, where it is the
//! same order) in its natural order. Where a collection has a collation, the order of the `_id` index needs
//! ICU, which we do not have: compare the documents of both sides with [`compare_as_sets`] instead.

use std::collections::BTreeMap;
use std::fmt;

use md5::{Digest, Md5};

/// The MD5 in hex over these documents, in this order.
pub fn md5_of_documents<I>(documents: I) -> String
where
    I: IntoIterator,
    I::Item: AsRef<[u8]>,
{
    let mut md5 = Md5::new();
    for document in documents {
        md5.update(document.as_ref());
    }
    hex::encode(md5.finalize())
}

/// How one collection differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The server has a collection that we do not have.
    Missing {
        /// Its name.
        collection: String,
    },
    /// We have a collection that the server does not have.
    Surplus {
        /// Its name.
        collection: String,
    },
    /// Both have it, with different documents.
    Content {
        /// Its name.
        collection: String,
        /// The server's MD5.
        server: String,
        /// Ours.
        ours: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { collection } => write!(f, "{collection}: only the server has it"),
            Self::Surplus { collection } => write!(f, "{collection}: only we have it"),
            Self::Content { collection, server, ours } => {
                write!(f, "{collection}: md5 {server} on the server, {ours} here")
            }
        }
    }
}

/// All differences between the server's MD5s by collection and ours, by name.
#[must_use]
pub fn compare(server: &BTreeMap<String, String>, ours: &BTreeMap<String, String>) -> Vec<Difference> {
    let missing = server.iter().filter_map(|(name, theirs)| match ours.get(name) {
        None => Some((name, Difference::Missing { collection: name.clone() })),
        Some(own) if own == theirs => None,
        Some(own) => Some((
            name,
            Difference::Content { collection: name.clone(), server: theirs.clone(), ours: own.clone() },
        )),
    });
    let surplus = ours
        .keys()
        .filter(|name| !server.contains_key(*name))
        .map(|name| (name, Difference::Surplus { collection: name.clone() }));
    missing.chain(surplus).collect::<BTreeMap<_, _>>().into_values().collect()
}

/// The documents that only one side has; a document that one side has twice too often counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetDifference {
    /// Documents that only the server has, in the order of their bytes.
    pub only_server: Vec<Vec<u8>>,
    /// Documents that only we have, in the order of their bytes.
    pub only_ours: Vec<Vec<u8>>,
}

impl SetDifference {
    /// Whether both sides have the same documents.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.only_server.is_empty() && self.only_ours.is_empty()
    }
}

/// Compares the documents of both sides byte for byte, whatever their order.
pub fn compare_as_sets<S, O>(server: S, ours: O) -> SetDifference
where
    S: IntoIterator,
    S::Item: AsRef<[u8]>,
    O: IntoIterator,
    O::Item: AsRef<[u8]>,
{
    // How much more often the server has each document than we do.
    let mut surplus: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    for document in server {
        *surplus.entry(document.as_ref().to_vec()).or_default() += 1;
    }
    for document in ours {
        *surplus.entry(document.as_ref().to_vec()).or_default() -= 1;
    }
    let mut difference = SetDifference::default();
    for (document, surplus) in surplus {
        let side = if surplus > 0 { &mut difference.only_server } else { &mut difference.only_ours };
        for _ in 0..surplus.unsigned_abs() {
            side.push(document.clone());
        }
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, md5)| ((*name).to_owned(), (*md5).to_owned())).collect()
    }

    #[test]
    fn the_hash_is_plain_md5_of_the_bytes_in_order() {
        // RFC 1321: MD5 of nothing, and of "abc".
        assert_eq!(md5_of_documents(Vec::<Vec<u8>>::new()), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(md5_of_documents(["a", "bc"]), "900150983cd24fb0d6963f7d28e17f72");
        assert_ne!(md5_of_documents(["bc", "a"]), md5_of_documents(["a", "bc"]));
    }

    #[test]
    fn every_kind_of_difference_is_told() {
        let server = hashes(&[("b", "1"), ("c", "2"), ("d", "3")]);
        let ours = hashes(&[("a", "9"), ("b", "1"), ("c", "7")]);
        let told: Vec<String> = compare(&server, &ours).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["a: only we have it", "c: md5 2 on the server, 7 here", "d: only the server has it"]
        );
        assert_eq!(compare(&server, &server), []);
    }

    #[test]
    fn sets_ignore_order_and_count_copies() {
        assert!(compare_as_sets(["x", "y", "x"], ["x", "x", "y"]).is_empty());
        let difference = compare_as_sets(["x", "x", "y"], ["y", "z", "x"]);
        assert_eq!(difference.only_server, [b"x".to_vec()]);
        assert_eq!(difference.only_ours, [b"z".to_vec()]);
    }
}
