//! The names of a head's refs: `g/<group>/h/<head>/…`.

use crate::error::{HeadError, Result};
use tidemark_blockstore::Store;
use tidemark_oplog::store::SliceStore;
use tidemark_oplog::store::initial_sync::SyncStore;

/// Longest name of a group or head, in bytes.
const MAX_NAME_BYTES: usize = 120;

/// Which head: its group, and its name in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeadName {
    prefix: String,
}

impl HeadName {
    /// A head's name, checked: it becomes part of the names of refs.
    ///
    /// # Errors
    /// [`HeadError::BadName`].
    pub fn new(group: &str, head: &str) -> Result<Self> {
        check_name("group", group)?;
        check_name("head", head)?;
        Ok(Self { prefix: format!("g/{group}/h/{head}") })
    }

    /// What the names of all its refs begin with, those of its oplog among them.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The ref that names its root and its epoch.
    #[must_use]
    pub fn head(&self) -> String {
        format!("{}/head", self.prefix)
    }

    /// What the names of its snapshots begin with.
    #[must_use]
    pub fn snapshots(&self) -> String {
        format!("{}/snapshot/", self.prefix)
    }

    /// The ref of a snapshot.
    #[must_use]
    pub fn snapshot(&self, id: u64) -> String {
        format!("{}{id:016x}", self.snapshots())
    }

    /// The ref that says until when the newest snapshot stands for the head.
    #[must_use]
    pub fn covered(&self) -> String {
        format!("{}/covered", self.prefix)
    }

    /// What the names of its prepared restores begin with.
    #[must_use]
    pub fn restores(&self) -> String {
        format!("{}/restore/", self.prefix)
    }

    /// The ref of a prepared restore.
    #[must_use]
    pub fn restore(&self, id: &str) -> String {
        format!("{}{id}", self.restores())
    }

    /// The slices of its oplog.
    #[must_use]
    pub fn slices(&self, store: &Store) -> SliceStore {
        SliceStore::new(store, &self.prefix)
    }

    /// What its initial syncs have copied.
    #[must_use]
    pub fn syncs(&self, store: &Store) -> SyncStore {
        SyncStore::new(store, &self.prefix)
    }
}

/// Refuses what cannot be part of the name of a ref.
///
/// # Errors
/// [`HeadError::BadName`].
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<()> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    // With a dot in front it could mean another folder, or one that is not shown, where refs become paths.
    let is_name = !name.is_empty() && !name.starts_with('.') && name.len() <= MAX_NAME_BYTES;
    if !is_name || !name.bytes().all(is_plain) {
        let name = name.chars().take(MAX_NAME_BYTES).collect::<String>().escape_debug().to_string();
        return Err(HeadError::BadName { what, name });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_makes_the_names_of_refs() {
        let name = HeadName::new("local", "rs0").unwrap();
        assert_eq!(name.head(), "g/local/h/rs0/head");
        assert_eq!(name.snapshot(255), "g/local/h/rs0/snapshot/00000000000000ff");
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_name() {
        for bad in ["", "a/b", "a b", "ü", "a\n", ".", "..", ".a", &"a".repeat(121)] {
            assert!(matches!(HeadName::new("g", bad), Err(HeadError::BadName { .. })), "{bad:?}");
            assert!(matches!(HeadName::new(bad, "h"), Err(HeadError::BadName { .. })), "{bad:?}");
        }
    }
}
