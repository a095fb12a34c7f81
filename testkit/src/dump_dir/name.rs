//! How mongodump makes file names of collection names: Go's `url.QueryEscape`, and a cut for long ones.

use std::fmt::Write;

/// Length of the file name, without its ending, of every collection whose escaped name is longer than that.
const CUT_BYTES: usize = 238;

/// Whether an escaped name is one that was cut: then only the metadata knows the true name.
pub(super) fn is_cut(escaped: &str) -> bool {
    escaped.len() == CUT_BYTES && escaped.contains("%24")
}

/// The escaped form of a name, not cut.
#[must_use]
pub fn escape(name: &str) -> String {
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

/// The name that was escaped.
///
/// # Errors
/// A text that says what is wrong: a `%` without two hexadecimal digits, or a result that is not UTF-8.
pub fn unescape(escaped: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let mut value = [0];
                hex::decode_to_slice(&digits, &mut value)
                    .map_err(|_| format!("'{escaped}' has a % without two hexadecimal digits"))?;
                value[0]
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| format!("'{escaped}' does not unescape to UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_observed_names_come_out() {
        for (name, escaped) in [
            ("sl/ash", "sl%2Fash"),
            ("sp ace", "sp+ace"),
            ("plus+", "plus%2B"),
            ("perc%25", "perc%2525"),
            ("ünï", "%C3%BCn%C3%AF"),
            ("a&b=c?d", "a%26b%3Dc%3Fd"),
            ("with.dots-_~", "with.dots-_~"),
        ] {
            assert_eq!(escape(name), escaped);
            assert_eq!(unescape(escaped).as_deref(), Ok(name));
        }
        // With --dumpDbUsersAndRoles the dollar stays as it is.
        assert_eq!(unescape("$admin.system.users").as_deref(), Ok("$admin.system.users"));
    }

    #[test]
    fn broken_escapes_are_refused() {
        for bad in ["%", "%2", "%zz", "a%+1", "%FF"] {
            assert!(unescape(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_name_survives(name in "\\PC*") {
            prop_assert_eq!(unescape(&escape(&name)), Ok(name));
        }
    }
}
