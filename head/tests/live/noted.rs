//! A moment at which the server stood still, and what it said of itself.

use crate::place;
use bson::Document;
use mongodb::sync::Client;
use std::collections::{BTreeMap, BTreeSet};
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, OpTime};
use tidemark_testkit::live::dbhash::db_hash;
use tidemark_testkit::live::{entry_optime, oplog_from};
use tidemark_testkit::state::{Order, State};
use tidemark_testkit::workload::{self, Stage};

pub(crate) struct Noted {
    /// The moment.
    pub(crate) at: OpTime,
    /// The server's MD5s by database and collection, where they can be compared with ours.
    pub(crate) hashes: BTreeMap<String, BTreeMap<String, String>>,
    /// All collections: options, indexes, and the documents of those whose hash does not say everything.
    pub(crate) state: State,
    /// The collections whose documents are not kept, because the hash says everything.
    pub(crate) hashed: BTreeSet<CollectionUuid>,
}

impl Noted {
    /// Asks the server, which must be standing still.
    pub(crate) fn take(stage: &Stage, client: &Client, databases: &[String; 2]) -> Self {
        let at = stage.note();
        let hashes = databases.iter().map(|name| (name.clone(), db_hash(client, name).unwrap()));
        let (hashes, state) = (hashes.collect(), copy(client, databases));
        assert_still(client, at);
        let mut noted = Self { at, hashes, state, hashed: BTreeSet::new() };
        noted.slim();
        noted
    }

    /// Drops the documents of which the hash says everything, and hashes that cannot be compared.
    fn slim(&mut self) {
        for collection in &mut self.state.collections {
            let Some(hashes) = self.hashes.get_mut(&collection.db) else { continue };
            let options = Doc::new(&collection.options).unwrap();
            if options.get("collation").unwrap().is_some() {
                // The server's order of `_id`s needs ICU; documents are compared by `_id`.
                hashes.remove(&collection.name);
            } else if hashes.contains_key(&collection.name) && collection.order != Order::Natural {
                collection.documents.clear();
                self.hashed.insert(collection.uuid.unwrap());
            }
        }
    }
}

/// Nothing was written after a moment but what servers write by themselves, or else what was asked since is of
/// no single moment.
fn assert_still(client: &Client, at: OpTime) {
    for entry in oplog_from(client, at.ts).unwrap() {
        let is_ours =
            entry_optime(&entry).unwrap() != at && !is_servers_own(&Document::try_from(&*entry).unwrap());
        assert!(!is_ours, "written while all stood still: {entry:?}");
    }
}

/// Notes, and changes of `config`: old images are removed many at once, by `applyOps`.
fn is_servers_own(entry: &Document) -> bool {
    let of_config = |it: &Document| it.get_str("ns").unwrap().starts_with("config.");
    let inner = entry.get_document("o").and_then(|it| it.get_array("applyOps"));
    entry.get_str("op").unwrap() == "n"
        || of_config(entry)
        || inner.is_ok_and(|all| all.iter().all(|it| of_config(it.as_document().unwrap())))
}

/// The databases of the workload and `admin`, as far as backups hold them.
pub(crate) fn copy(client: &Client, databases: &[String; 2]) -> State {
    let [a, b] = databases.clone();
    let mut state = workload::take(client, &[a, b, "admin".to_owned()]);
    state.collections.retain(|it| place::filter().keeps_collection(&it.db, &it.name));
    state
}
