//! Whether a state of ours is the server's at a noted moment.

use crate::noted::Noted;
use std::collections::BTreeMap;
use tidemark_base::bson::Doc;
use tidemark_blockstore::Store;
use tidemark_head::Divergences;
use tidemark_head::state::State;
use tidemark_testkit::dbhash::{compare, md5_of_documents};
use tidemark_testkit::model::{Collection, Model, Scope, difference};

/// How many differences are told.
const MAX_TOLD: usize = 20;

/// Panics with everything that differs.
pub(crate) fn assert_same(what: &str, store: &Store, ours: &State, theirs: &Noted) {
    assert_eq!(ours.at(), theirs.at, "{what}");
    assert_eq!(ours.open_transactions(), 0, "{what}");
    ours.require_consistent().unwrap();
    let found = differences(store, ours, theirs);
    let told = found.iter().take(MAX_TOLD).cloned().collect::<Vec<_>>().join("\n");
    assert!(found.is_empty(), "{what}: {} differences\n{told}", found.len());
}

/// Panics with what did not fit.
pub(crate) fn assert_fits(found: Divergences) {
    let told: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

fn differences(store: &Store, ours: &State, theirs: &Noted) -> Vec<String> {
    let mut found = Vec::new();
    let mut model = Model::new();
    let mut hashes: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for (uuid, collection) in ours.catalog().iter() {
        let mut here = Collection::new(&collection.database, &collection.name, &collection.options);
        here.indexes.clone_from(&collection.indexes);
        let mut by_key = Vec::new();
        let misfits = ours.fold(store, uuid, &mut |document| {
            by_key.push(document.to_vec());
            Ok(())
        });
        found.extend(misfits.unwrap().iter().map(ToString::to_string));
        if !theirs.hashed.contains(&uuid) {
            let insert = &mut |document: &[u8]| {
                here.insert(document).unwrap();
                Ok(())
            };
            ours.for_each(store, uuid, insert).unwrap();
            assert_eq!(here.len(), by_key.len(), "{}", here.namespace());
        }
        let has_collation = Doc::new(&collection.options).unwrap().get("collation").unwrap().is_some();
        let is_hashed = |theirs: &BTreeMap<_, _>| {
            !has_collation
                && (theirs.contains_key(&collection.name) || !collection.name.starts_with("system."))
        };
        if theirs.hashes.get(&collection.database).is_some_and(is_hashed) {
            let of_database = hashes.entry(&collection.database).or_default();
            of_database.insert(collection.name.clone(), md5_of_documents(&by_key));
        }
        model.create(uuid, here).unwrap();
    }
    found.extend(difference(&model, &theirs.state, Scope::UsersAndAdmin));
    for (database, theirs) in &theirs.hashes {
        let unequal = compare(theirs, hashes.get(database.as_str()).unwrap_or(&BTreeMap::new()));
        found.extend(unequal.iter().map(|difference| format!("dbHash of {database}: {difference}")));
    }
    found
}
