//! What a server holds, as far as two servers can be compared.
//!
//! `dbHash` says all of documents, collection by collection, views with them. It leaves out the buckets of time-series
//! collections: their documents are compared, in any order, since two servers have other record ids. Not compared: `admin`
//! but for users and roles, `config` and `local`, which are the server's own, and UUIDs, which a restore gives anew.

use bson::{RawDocumentBuf, doc};
use mongodb::sync::Client;
use std::collections::BTreeMap;
use tidemark_base::Timestamp;
use tidemark_testkit::live::dbhash::{Order, db_hash, db_hash_at, documents, documents_at};

/// The MD5 of no documents. Of views that are all gone again a dump says nothing, so no views and none any more are the same.
const NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// What a server's databases hold: an MD5 for each collection, or all documents in the order of their bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    hashes: BTreeMap<String, String>,
    documents: BTreeMap<String, Vec<Vec<u8>>>,
}

impl State {
    /// As the server is now.
    pub(crate) fn now(client: &Client) -> Self {
        Self::of(
            client,
            |database| db_hash(client, database).unwrap(),
            |database, name| documents(client, database, name, Order::Natural).unwrap(),
        )
    }

    /// As it was some moments ago; its catalog must not have changed since.
    pub(crate) fn at(client: &Client, at: Timestamp) -> Self {
        Self::of(
            client,
            |database| db_hash_at(client, database, at).unwrap(),
            |database, name| documents_at(client, database, name, at).unwrap(),
        )
    }

    fn of(
        client: &Client,
        hashes: impl Fn(&str) -> BTreeMap<String, String>,
        read: impl Fn(&str, &str) -> Vec<RawDocumentBuf>,
    ) -> Self {
        let mut state = Self::default();
        for database in client.list_database_names().run().unwrap() {
            if matches!(database.as_str(), "admin" | "config" | "local") {
                continue;
            }
            for (name, md5) in hashes(&database) {
                if name == "system.views" && md5 == NOTHING {
                    continue;
                }
                state.hashes.insert(format!("{database}.{name}"), md5);
            }
            let is_bucket = doc! {"name": {"$regex": "^system\\.buckets\\."}};
            let listed = client.database(&database).list_collections().filter(is_bucket).run().unwrap();
            for listed in listed {
                let name = listed.unwrap().name;
                state.put(&database, &name, read(&database, &name));
            }
        }
        state
    }

    /// With users and roles, but for those that a restore does not have.
    pub(crate) fn with_users(mut self, client: &Client, but: &[&str]) -> Self {
        for name in ["system.users", "system.roles"] {
            let found = documents(client, "admin", name, Order::Natural).unwrap();
            let is_kept = |it: &RawDocumentBuf| !but.contains(&it.get_str("user").unwrap_or_default());
            self.put("admin", name, found.into_iter().filter(is_kept).collect());
        }
        self
    }

    fn put(&mut self, database: &str, name: &str, found: Vec<RawDocumentBuf>) {
        let mut found: Vec<Vec<u8>> = found.into_iter().map(|it| it.as_bytes().to_vec()).collect();
        found.sort();
        self.documents.insert(format!("{database}.{name}"), found);
    }

    /// How many collections there are.
    pub(crate) fn len(&self) -> usize {
        self.hashes.len() + self.documents.len()
    }

    /// What differs, by name.
    #[track_caller]
    pub(crate) fn assert_same(&self, restored: &Self, what: &str) {
        let mut wrong = Vec::new();
        let names = |one: &Self, other: &Self| -> Vec<String> {
            let hashes = one.hashes.iter().filter(|(name, it)| other.hashes.get(*name) != Some(*it));
            let documents = one.documents.iter().filter(|(name, it)| other.documents.get(*name) != Some(*it));
            hashes.map(|it| it.0).chain(documents.map(|it| it.0)).cloned().collect()
        };
        for name in names(self, restored) {
            wrong.push(format!("{name}: at the source {}", self.shown(&name)));
        }
        for name in names(restored, self) {
            wrong.push(format!("{name}: restored {}", restored.shown(&name)));
        }
        assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
    }

    fn shown(&self, name: &str) -> String {
        match (self.hashes.get(name), self.documents.get(name)) {
            (Some(md5), _) => md5.clone(),
            (None, Some(documents)) => format!("{} documents", documents.len()),
            (None, None) => String::new(),
        }
    }
}
