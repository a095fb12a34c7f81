//! Whether our state is the server's: by its own `dbHash`, and byte for byte.

use crate::replayer::Replayer;
use mongodb::sync::Client;
use std::collections::BTreeMap;
use tidemark_base::bson::Doc;
use tidemark_testkit::dbhash::{compare, compare_as_sets, md5_of_documents};
use tidemark_testkit::live::dbhash::db_hash;
use tidemark_testkit::model::{Scope, difference};
use tidemark_testkit::state::State;
use tidemark_testkit::workload;

/// Everything that differs, in words.
pub(crate) fn differences(client: &Client, databases: &[String], ours: &Replayer) -> Vec<String> {
    let mut found: Vec<String> = ours.divergences.iter().map(ToString::to_string).collect();
    let theirs = workload::take(client, databases);
    found.extend(difference(&ours.model, &theirs, Scope::Users));
    for database in databases {
        by_hash(client, database, ours, &theirs, &mut found);
    }
    found
}

fn by_hash(client: &Client, database: &str, ours: &Replayer, theirs: &State, found: &mut Vec<String>) {
    let mut server = db_hash(client, database).unwrap();
    let mut own = BTreeMap::new();
    for (_, collection) in ours.model.iter().filter(|(_, collection)| collection.db == database) {
        let documents = || collection.by_id().map(|(_, document)| document);
        let named =
            |it: &&tidemark_testkit::state::Collection| it.db == database && it.name == collection.name;
        if Doc::new(&collection.options).unwrap().get("collation").unwrap().is_some() {
            // The server's order of `_id`s needs ICU.
            server.remove(&collection.name);
            let theirs = theirs.collections.iter().find(named).map_or(&[][..], |it| &it.documents);
            if !compare_as_sets(theirs, documents()).is_empty() {
                found.push(format!("{database}.{}: other documents, compared as sets", collection.name));
            }
        } else if server.contains_key(&collection.name) || !collection.name.starts_with("system.") {
            own.insert(collection.name.clone(), md5_of_documents(documents()));
        }
    }
    let unequal = compare(&server, &own);
    found.extend(unequal.iter().map(|difference| format!("dbHash of {database}: {difference}")));
}
