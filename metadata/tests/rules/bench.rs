//! A service with a store of each kind, and short words for what is needed again and again.

use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tidemark_base::{Entropy, SeededEntropy, UnixMillis};
use tidemark_metadata::{
    Group, Login, MemoryStore, Metadata, Name, NewUser, PasswordHash, SqliteStore, Store, User,
};

pub(crate) const NOW: UnixMillis = UnixMillis(1_795_341_091_000);
pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;

/// Metadata in an empty store.
pub(crate) struct Bench {
    pub(crate) name: &'static str,
    pub(crate) metadata: Metadata,
    pub(crate) store: Arc<dyn Store>,
    random: Mutex<SeededEntropy>,
    _folder: Option<TempDir>,
}

/// Runs a test on an empty store of each kind.
pub(crate) fn each(test: impl Fn(&Bench)) {
    let bench = |name, store: Arc<dyn Store>, folder| Bench {
        name,
        metadata: Metadata::new(Arc::clone(&store)),
        store,
        random: Mutex::new(SeededEntropy::new(7)),
        _folder: folder,
    };
    test(&bench("memory", Arc::new(MemoryStore::new()), None));
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(&folder.path().join("metadata.db")).unwrap();
    test(&bench("sqlite", Arc::new(sqlite), Some(folder)));
}

pub(crate) fn later(ms: u64) -> UnixMillis {
    UnixMillis(NOW.0 + ms)
}

/// A hash that no password has; hashing takes long and has its own tests.
pub(crate) fn some_hash(n: u8) -> PasswordHash {
    let (salt, hash) = (format!("{n:02x}").repeat(16), "cd".repeat(32));
    let text =
        format!(r#"{{"cost":{{"memoryKib":19456,"passes":2,"lanes":1}},"salt":"{salt}","hash":"{hash}"}}"#);
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn new_user(login: &str) -> NewUser {
    NewUser { login: Login::new(login).unwrap(), password: some_hash(1) }
}

impl Bench {
    /// Randomness of its own for each call.
    pub(crate) fn random(&self) -> SeededEntropy {
        let mut bytes = [0; 8];
        self.random.lock().unwrap().fill(&mut bytes);
        SeededEntropy::new(u64::from_le_bytes(bytes))
    }

    /// The first user, who owns the site.
    pub(crate) fn owner(&self) -> User {
        self.metadata.sign_up_first(&new_user("owner"), NOW, &mut self.random()).unwrap()
    }

    pub(crate) fn group(&self, name: &str) -> Group {
        self.metadata.create_group(Name::new(name).unwrap(), NOW, &mut self.random()).unwrap()
    }
}
