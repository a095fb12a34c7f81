//! How mongodump makes file names of collection names: Go's `url.QueryEscape`, and a cut for long ones.
//!
//! Databases' names are used as they are; what could be dangerous in one, no server accepts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha1::{Digest as _, Sha1};
use std::fmt::Write as _;

/// Longest file name, without its endings; a longer one is cut to exactly this.
const MAX_BYTES: usize = 238;
/// What is kept of a name that is cut. A `%` and the 27 letters of a hash follow; where the cut goes through
/// an escape does not matter, since nobody unescapes such a name.
const KEPT_BYTES: usize = 208;
/// What stands between, and says that the name was cut: an escaped dollar.
const CUT_MARK: &str = "%24";

/// The three collections of `admin` that go with the dump of one database, as files with a dollar in front.
const OF_ONE_DATABASE: [&str; 3] = ["$admin.system.roles", "$admin.system.users", "$admin.system.version"];

/// The file name of a collection, without its endings.
#[must_use]
pub fn file_name(collection: &str) -> String {
    if OF_ONE_DATABASE.contains(&collection) {
        return collection.to_owned();
    }
    let escaped = escape(collection);
    match escaped.get(..KEPT_BYTES) {
        Some(kept) if escaped.len() > MAX_BYTES => {
            format!("{kept}{CUT_MARK}{}", URL_SAFE_NO_PAD.encode(Sha1::digest(collection)))
        }
        _ => escaped,
    }
}

fn escape(name: &str) -> String {
    let mut escaped = String::new();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(byte.into()),
            b' ' => escaped.push('+'),
            other => write!(escaped, "%{other:02X}").expect("writing to a string works"),
        }
    }
    escaped
}

/// Whether the name was cut: only the metadata knows the true one then.
#[must_use]
pub(super) fn is_cut(file_name: &str) -> bool {
    file_name.len() == MAX_BYTES && file_name.contains(CUT_MARK)
}

/// The collection of a file name that was not cut.
///
/// # Errors
/// What is wrong with it: a `%` without two hexadecimal digits, or a name that is not UTF-8.
pub(super) fn collection_name(file_name: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::new();
    let mut rest = file_name.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let Some((digits, after)) = rest.split_at_checked(2) else {
                    return Err("a % without two hexadecimal digits is in the name");
                };
                rest = after;
                let mut value = [0];
                hex::decode_to_slice(digits, &mut value)
                    .map_err(|_| "a % without two hexadecimal digits is in the name")?;
                u8::from_le_bytes(value)
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).map_err(|_| "the name does not unescape to UTF-8")
}

/// The collection of `admin` whose documents are in the dump of one database under this name: its users,
/// roles and the version of both (`mongodump --dumpDbUsersAndRoles`).
#[must_use]
pub fn admin_collection(collection: &str) -> Option<&str> {
    let of_admin = collection.strip_prefix("$admin.")?;
    OF_ONE_DATABASE.contains(&collection).then_some(of_admin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidemark_testkit::dump_dir;

    #[test]
    fn names_are_those_that_mongodump_was_seen_to_write() {
        for (name, escaped) in [
            ("sl/ash", "sl%2Fash"),
            ("sp ace", "sp+ace"),
            ("plus+", "plus%2B"),
            ("perc%25", "perc%2525"),
            ("ünï", "%C3%BCn%C3%AF"),
            ("a&b=c?d", "a%26b%3Dc%3Fd"),
            ("with.dots-_~", "with.dots-_~"),
            ("dollar$", "dollar%24"),
            ("$admin.system.users", "$admin.system.users"),
            ("../../etc", "..%2F..%2Fetc"),
        ] {
            assert_eq!(file_name(name), escaped);
            assert_eq!(collection_name(escaped).as_deref(), Ok(name));
        }
        assert_eq!(admin_collection("$admin.system.users"), Some("system.users"));
        assert_eq!(admin_collection("$admin.other"), None);
        assert_eq!(admin_collection("system.users"), None);
    }

    #[test]
    fn long_names_are_cut_to_one_length_and_tell_so() {
        let longest = "x".repeat(238);
        assert_eq!(file_name(&longest), longest);
        assert!(!is_cut(&longest));
        let cut = file_name(&"ü".repeat(120));
        assert_eq!(cut.len(), 238);
        assert!(is_cut(&cut));
        assert_ne!(cut, file_name(&"ü".repeat(121)));
        // The SHA-1 of 240 times x, in URL-safe base64, by another program.
        assert_eq!(file_name(&"x".repeat(240)).split_at(208).1, "%240JZQhSE9633iGdkOnsUXbdx_umM");
    }

    #[test]
    fn broken_escapes_are_refused() {
        for bad in ["%", "%2", "%zz", "a%+1", "%FF"] {
            assert!(collection_name(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_name_survives_and_the_independent_reader_agrees(name in "\\PC{0,15}") {
            let file = file_name(&name);
            prop_assert!(!file.contains('/'));
            prop_assert_eq!(collection_name(&file), Ok(name.clone()));
            prop_assert_eq!(dump_dir::escape(&name), file);
        }
    }
}
