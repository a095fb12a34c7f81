//! Users and roles: `admin.system.users`, `admin.system.roles`, and the version of both.
//!
//! Without the version, mongorestore takes the users for those of a server of 2012 and fails; servers from 8.1
//! on keep none, so that it must be made up for restore tools that do not know that.

use super::{Documents, Entry, Inventory};
use crate::dump::{Namespace, Part};
use tidemark_base::bson::{Doc, DocWriter};

const VERSION: &str = "system.version";
/// The document that says it.
const AUTH_SCHEMA: &str = "authSchema";
/// The only version since 2014 (3.0).
const CURRENT: i32 = 5;

pub(super) fn is_of_users(collection: &str) -> bool {
    matches!(collection, "system.users" | "system.roles")
}

pub(super) fn is_version(collection: &str) -> bool {
    collection == VERSION
}

/// The entry of `admin.system.version`, if there are users or roles in the dump.
pub(super) fn version(inventory: &Inventory<'_>) -> Option<Entry> {
    let documents = inventory.users.as_ref()?;
    let in_admin = || inventory.collections.iter().filter(|(_, it)| it.database == "admin");
    if !in_admin().any(|(_, collection)| is_of_users(&collection.name)) {
        return None;
    }
    let mut namespace = Namespace::bare("admin", VERSION);
    namespace.indexes = vec![id_index()];
    if let Some((uuid, collection)) = in_admin().find(|(_, collection)| is_version(&collection.name)) {
        namespace.uuid = Some(*uuid);
        namespace.options.clone_from(&collection.options);
        namespace.indexes.clone_from(&collection.indexes);
    }
    let is_there = documents.iter().any(|it| id(it).as_deref() == Some(AUTH_SCHEMA));
    let mut given = documents.concat();
    if !is_there {
        given.extend(auth_schema());
    }
    Some(Entry { part: Part::of(namespace), documents: Documents::Given(given) })
}

fn id(document: &[u8]) -> Option<String> {
    let id = Doc::new(document).ok()?.get("_id").ok()??;
    id.as_str().map(str::to_owned)
}

fn auth_schema() -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    w.string(b"_id", AUTH_SCHEMA.as_bytes());
    w.int32(b"currentVersion", CURRENT);
    w.end(open);
    out
}

/// What `listIndexes` shows of a collection that has only the index on `_id`.
fn id_index() -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    w.int32(b"v", 2);
    let key = w.begin_field(tidemark_base::bson::kind::OBJECT, b"key");
    w.int32(b"_id", 1);
    w.end(key);
    w.string(b"name", b"_id_");
    w.end(open);
    out
}
