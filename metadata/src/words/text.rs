//! Texts from outside, each with its own rule and limit. What is refused is never quoted: it may be a password in
//! the wrong field.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use tidemark_base::limits::{MAX_NAME_BYTES, MAX_TEXT_BYTES};

/// What is wrong with a text; nothing if it is right.
type Problem = Option<String>;

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $field:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks a text.
            ///
            /// # Errors
            /// `Invalid`, with the rule; the text is not quoted.
            pub fn new(text: impl Into<String>) -> Result<Self> {
                let text = text.into();
                match $check(&text) {
                    None => Ok(Self(text)),
                    Some(problem) => Err(Error::invalid($field, problem)),
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

text_type! {
    /// The name that people give to something.
    Name, "name", check_name
}
text_type! {
    /// What a person logs in with; often a mail address. Upper and lower case name the same person.
    Login, "user name", check_login
}
text_type! {
    /// The name of a host or its address, without the port, in lower case; IPv6 in brackets.
    HostName, "host name", check_host_name
}
text_type! {
    /// The name of a replica set, as its members are started with.
    SetName, "replica set name", check_set_name
}
text_type! {
    /// A database, or a collection as `database.collection`.
    Namespace, "namespace", check_namespace
}
text_type! {
    /// The name of a daemon.
    DaemonName, "daemon name", check_daemon_name
}
text_type! {
    /// What a job is about, for instance a replica set or a restore.
    Subject, "subject of a job", check_subject
}
text_type! {
    /// The name of a snapshot, as the blockstore's ref has it.
    SnapshotName, "snapshot name", check_subject
}
text_type! {
    /// What kind of thing happened, in capitals.
    Code, "event type", check_code
}
text_type! {
    /// Free text for people, made by us.
    Text, "text", check_text
}

impl Login {
    /// The form under which it is unique.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl Text {
    /// Makes any text fit: what a terminal or a page could take amiss becomes a space, and it is cut at the limit.
    #[must_use]
    pub fn fit(text: &str) -> Self {
        let mut fitting = String::new();
        for c in text.chars() {
            let c = if is_disguise(c) { ' ' } else { c };
            if fitting.len() + c.len_utf8() > MAX_TEXT_BYTES {
                break;
            }
            fitting.push(c);
        }
        Self(fitting)
    }
}

/// Whether a character does not show, or changes how others show: it makes one name look like another, or a line
/// of a log look like two.
fn is_disguise(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn length(text: &str, most: usize) -> Problem {
    let len = text.len();
    (len == 0 || len > most).then(|| format!("{len} bytes, where 1 to {most} are allowed"))
}

fn made_of(text: &str, allowed: impl Fn(u8) -> bool, what: &str) -> Problem {
    (!text.bytes().all(allowed)).then(|| format!("only {what} are allowed"))
}

fn check_name(text: &str) -> Problem {
    length(text, MAX_NAME_BYTES)
        .or_else(|| (text.trim() != text).then(|| "it begins or ends with a space".to_owned()))
        .or_else(|| text.contains(is_disguise).then(|| "it holds a character that does not show".to_owned()))
}

fn check_login(text: &str) -> Problem {
    let allowed = |it: u8| it.is_ascii_alphanumeric() || b"@._+-".contains(&it);
    length(text, 200).or_else(|| made_of(text, allowed, "letters, digits and @ . _ + -"))
}

fn check_host_name(text: &str) -> Problem {
    if let Some(inner) = text.strip_prefix('[') {
        let address = inner.strip_suffix(']').and_then(|it| it.parse::<std::net::Ipv6Addr>().ok());
        // One text for each address, so that one host is one record.
        let canonical = address.is_some_and(|it| text == format!("[{it}]"));
        return (!canonical).then(|| "brackets hold an IPv6 address in its shortest form".to_owned());
    }
    let allowed = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b".-_".contains(&it);
    length(text, 253).or_else(|| made_of(text, allowed, "lower case letters, digits and . - _"))
}

fn check_set_name(text: &str) -> Problem {
    let disguised = || text.contains(is_disguise).then(|| "it holds a character that does not show".into());
    let slash = || text.contains('/').then(|| "no replica set has a / in its name".into());
    length(text, 128).or_else(disguised).or_else(slash)
}

/// As mongod checks names (`NamespaceString`), with its limits: 63 bytes for a database, 255 for both.
fn check_namespace(text: &str) -> Problem {
    let (database, collection) =
        text.split_once('.').map_or((text, None), |(database, rest)| (database, Some(rest)));
    length(text, 255)
        .or_else(|| length(database, 63).map(|it| format!("database: {it}")))
        .or_else(|| {
            let forbidden = |c: char| "/\\ \"$*<>:|?".contains(c) || c.is_control();
            database.contains(forbidden).then(|| "no database has such a name".to_owned())
        })
        .or_else(|| {
            let bad = |it: &str| it.is_empty() || it.contains(|c: char| c == '\0' || c.is_control());
            collection.is_some_and(bad).then(|| "no collection has such a name".to_owned())
        })
}

fn check_daemon_name(text: &str) -> Problem {
    let allowed = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
    length(text, 64).or_else(|| made_of(text, allowed, "letters, digits and . _ -"))
}

fn check_subject(text: &str) -> Problem {
    length(text, 128).or_else(|| made_of(text, |it| it.is_ascii_graphic(), "printable ASCII without spaces"))
}

fn check_code(text: &str) -> Problem {
    let allowed = |it: u8| it.is_ascii_uppercase() || it == b'_';
    length(text, 64).or_else(|| made_of(text, allowed, "capitals and _"))
}

fn check_text(text: &str) -> Problem {
    let len = text.len();
    (len > MAX_TEXT_BYTES)
        .then(|| format!("{len} bytes, where at most {MAX_TEXT_BYTES} are allowed"))
        .or_else(|| text.contains(is_disguise).then(|| "it holds a character that does not show".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_disguise_themselves_are_refused() {
        for good in ["a", "Ämter & Co", "日本", "x".repeat(100).as_str()] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
        let long = "x".repeat(101);
        for bad in ["", " a", "a ", "a\nb", "a\u{202e}b", "a\u{200b}b", "\u{feff}a", "a\0", long.as_str()] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_refused_is_not_quoted() {
        let error = Login::new("my secret password").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(error.to_string().contains("letters, digits"), "{error}");
    }

    #[test]
    fn logins_fold_to_lower_case() {
        assert_eq!(Login::new("Ann@Example.com").unwrap().folded(), "ann@example.com");
        for bad in ["", "a b", "a:b", "a\"b", "ä", "a/b", "a\\b"] {
            assert!(Login::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn hosts_have_one_text_each() {
        for good in ["db1.example.com", "10.0.0.1", "my_host", "[::1]", "[fe80::1]"] {
            assert!(HostName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "DB1", "a b", "a:1", "[::1", "[0:0:0:0:0:0:0:1]", "[FE80::1]", "[x]", "a/b", "ä"] {
            assert!(HostName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn namespaces_are_those_that_a_server_can_have() {
        for good in ["db", "db.coll", "db.a.b", "db.system.users", "db.$weird", "däb.cöll"] {
            assert!(Namespace::new(good).is_ok(), "{good}");
        }
        let long = format!("db.{}", "x".repeat(253));
        let long_database = "x".repeat(64);
        for bad in
            ["", ".", "db.", ".coll", "d b.c", "d/b", "d$b.c", "d*", "db.\0", "d\0b", &long, &long_database]
        {
            assert!(Namespace::new(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_made_to_fit(text in "\\PC*|(?s:.{0,3000})") {
            let fit = Text::fit(&text);
            prop_assert!(Text::new(fit.as_str()).is_ok());
        }

        #[test]
        fn checking_never_panics(text in "(?s:.*)") {
            let _ = (Name::new(text.clone()), Login::new(text.clone()), HostName::new(text.clone()));
            let _ = (Namespace::new(text.clone()), SetName::new(text.clone()), Subject::new(text));
        }
    }
}
