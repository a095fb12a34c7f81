//! Names of databases and collections: which there can be, and where they are split.
//!
//! Names come from servers, uploaded slices and users alike, and end up in file names and messages: what
//! mongod itself refuses is refused wherever a name comes in. What it accepts is accepted, line breaks and
//! other control characters among it: whoever shows a name, or names a file after it, escapes it. Reference:
//! MongoDB's "Restrictions on Database Names" and `NamespaceString`, and a 6.0.5 server that was asked. Which
//! names a backup holds is not decided here but by [`crate::filter`].

#![warn(clippy::indexing_slicing)]

use std::fmt;

/// A name that no MongoDB server accepts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is no namespace: {why}")]
pub struct NameError {
    /// The name, cut to 120 characters and escaped.
    pub name: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Longest database name, in bytes (MongoDB: shorter than 64).
const MAX_DATABASE_BYTES: usize = 63;
/// Longest full name, in bytes (MongoDB: 255 for unsharded collections).
const MAX_NAMESPACE_BYTES: usize = 255;

impl NameError {
    /// Cold, and not inlined: names are checked for every entry.
    #[cold]
    pub(crate) fn of(name: &str, why: &'static str) -> Self {
        Self { name: name.chars().take(120).collect::<String>().escape_debug().to_string(), why }
    }
}

/// Checks the name of a database. Control characters but NUL are accepted, since mongod accepts them (tried):
/// a name must be escaped where it is shown.
///
/// # Errors
/// If it is empty, too long, or holds a character that mongod refuses.
pub fn check_database(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::of(name, "the database's name is empty"));
    }
    if name.len() > MAX_DATABASE_BYTES {
        return Err(NameError::of(name, "the database's name is longer than 63 bytes"));
    }
    if name.bytes().any(|byte| matches!(byte, b'/' | b'\\' | b'.' | b' ' | b'"' | b'$' | 0)) {
        return Err(NameError::of(name, "a database's name must not hold any of / \\ . space \" $ or NUL"));
    }
    Ok(())
}

/// Checks the name of a collection of this database, which commands give without the database. Dollar signs
/// are accepted: users may not use them, but servers do (`$cmd`), and old ones let users.
///
/// # Errors
/// If it is empty, too long together with the database's, begins with a dot, or holds NUL.
pub fn check_collection(database: &str, name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::of(name, "the collection's name is empty"));
    }
    if name.bytes().any(|byte| byte == 0) {
        return Err(NameError::of(name, "a collection's name must not hold NUL"));
    }
    if name.starts_with('.') {
        return Err(NameError::of(name, "a collection's name must not begin with a dot"));
    }
    if database.len() + 1 + name.len() > MAX_NAMESPACE_BYTES {
        return Err(NameError::of(name, "with its database it is longer than 255 bytes"));
    }
    Ok(())
}

/// `database.collection`, split at the first dot. The collection's name may hold dots, spaces, slashes and
/// line breaks, but no NUL.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace<'a> {
    full: &'a str,
    dot: usize,
}

impl<'a> Namespace<'a> {
    /// Reads and checks a full name.
    ///
    /// # Errors
    /// [`NameError`] if either part is missing, too long, or holds what mongod refuses.
    pub fn parse(full: &'a str) -> Result<Self, NameError> {
        // Byte by byte: the dot comes early, and this is done for every entry.
        let dot = full.bytes().position(|byte| byte == b'.');
        let dot =
            dot.ok_or_else(|| NameError::of(full, "there is no dot between database and collection"))?;
        let namespace = Self { full, dot };
        check_database(namespace.database())?;
        check_collection(namespace.database(), namespace.collection())?;
        Ok(namespace)
    }

    /// The database.
    #[must_use]
    pub fn database(self) -> &'a str {
        self.full.get(..self.dot).unwrap_or_default()
    }

    /// The collection.
    #[must_use]
    pub fn collection(self) -> &'a str {
        self.full.get(self.dot + 1..).unwrap_or_default()
    }

    /// Both, with the dot.
    #[must_use]
    pub const fn full(self) -> &'a str {
        self.full
    }

    /// Whether it is where commands of a database are logged.
    #[must_use]
    pub fn is_command(self) -> bool {
        self.collection() == "$cmd"
    }
}

impl fmt::Display for Namespace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.full.escape_debug())
    }
}

impl fmt::Debug for Namespace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_split_at_its_first_dot() {
        let namespace = Namespace::parse("app.fs.chunks").unwrap();
        assert_eq!((namespace.database(), namespace.collection()), ("app", "fs.chunks"));
        assert!(Namespace::parse("admin.$cmd").unwrap().is_command());
    }

    #[test]
    fn what_servers_were_seen_to_accept_is_accepted() {
        let longest = format!("{}.{}", "d".repeat(63), "c".repeat(191));
        for good in [
            "app.with.dots",
            "app.sl/ash",
            "app.new\nline",
            "ü-x.ünï",
            "app.perc%25",
            "a.sp ace",
            "a.system.views",
            "a\nb.c",
            "a\u{1}\u{85}.c",
            "a:b*?.c",
            "a.c.",
            "a.c..d",
            &longest,
        ] {
            let namespace = Namespace::parse(good).unwrap();
            assert_eq!(check_collection(namespace.database(), namespace.collection()), Ok(()));
            assert!(!namespace.to_string().contains(char::is_control), "control characters are escaped");
        }
    }

    #[test]
    fn what_mongod_refuses_is_refused() {
        let long = format!("{}.c", "d".repeat(64));
        let longer = format!("d.{}", "c".repeat(254));
        for bad in [
            "",
            "nodot",
            ".c",
            "d.",
            "..c",
            "../etc.c",
            "a/b.c",
            "a\\b.c",
            "a b.c",
            "a\"b.c",
            "a$b.c",
            "a\0b.c",
            "a.b\0c",
            "a.\u{1}\0",
            &long,
            &longer,
            "$a.c",
            "...",
        ] {
            let error = Namespace::parse(bad).expect_err(bad);
            assert!(!error.to_string().contains(['\0', '\u{1}']), "control characters are escaped");
        }
        for bad in ["", ".c", "c\0", &"c".repeat(254)] {
            check_collection("a", bad).expect_err(bad);
        }
    }
}
