//! Updates against a real server: what it makes of random documents and updates, we make too, byte for byte.
//!
//! The server is given each update as an operation of `applyOps`, which it takes as it would take it from its
//! oplog. Only what we accept is given to it: some of what we refuse ends a 6.0.5 (see `array_diff` and
//! `modifiers`). `cargo xtask long` asks for more rounds, by `TIDEMARK_ROUNDS`.

use crate::generate::{self, update_of};
use crate::slow::tree::{Fields, Value, encode, get};
use mongodb::bson::{Document, RawDocumentBuf, doc, rawdoc};
use mongodb::sync::{Client, Collection, Database};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;
use tidemark_base::bson::{DocWriter, kind};
use tidemark_testkit::live::{self, ReplicaSet};
use tidemark_testkit::rounds;

/// A server, and what was asked of it.
struct Server {
    client: Client,
    documents: Collection<RawDocumentBuf>,
    next_id: Cell<i32>,
    _set: ReplicaSet,
}

impl Server {
    fn start() -> Self {
        let set = live::replica_set_of_one().unwrap();
        let client = set.client().unwrap();
        let database: Database = client.database("updates");
        database.create_collection("random").run().unwrap();
        let documents = database.collection("random");
        Self { client, documents, next_id: Cell::new(0), _set: set }
    }

    /// What the server makes of a document. Its `_id` must be the next one.
    fn apply(&self, document: &[u8], o: &[u8]) -> Result<Vec<u8>, String> {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let whole = RawDocumentBuf::from_bytes(document.to_vec()).unwrap();
        self.documents.insert_one(whole).run().map_err(|error| format!("insert: {error}"))?;
        let applied = self.client.database("admin").run_raw_command(command(id, o)).run();
        applied.map_err(|error| error.to_string())?;
        let found = self.documents.find_one(doc! {"_id": id}).run().map_err(|error| error.to_string())?;
        Ok(found.ok_or("the document is gone")?.into_bytes())
    }
}

/// The command, written by hand: the update may hold what no `bson` document holds.
fn command(id: i32, o: &[u8]) -> RawDocumentBuf {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let command = w.begin();
    let operations = w.begin_field(kind::ARRAY, b"applyOps");
    let operation = w.begin_field(kind::OBJECT, b"0");
    w.string(b"op", b"u");
    w.string(b"ns", b"updates.random");
    w.raw(kind::OBJECT, b"o2", rawdoc! {"_id": id}.as_bytes());
    w.raw(kind::OBJECT, b"o", o);
    w.end(operation);
    w.end(operations);
    w.end(command);
    RawDocumentBuf::from_bytes(out).unwrap()
}

/// The document with the next `_id` in front and no other.
fn with_id(server: &Server, document: Fields) -> Fields {
    let id = Value::Plain(kind::INT32, server.next_id.get().to_le_bytes().to_vec());
    let others = document.into_iter().filter(|(name, _)| name != b"_id");
    [(b"_id".to_vec(), id)].into_iter().chain(others).collect()
}

/// Runs one case; false if it is not for the server.
fn agrees(server: &Server, document: Fields, o: &[u8]) -> Result<bool, TestCaseError> {
    let document = encode(&with_id(server, document));
    let Ok(ours) = crate::apply(&document, o) else { return Ok(false) };
    // A server refuses to change an `_id`.
    let fields = crate::decode(&ours).unwrap();
    if fields.first() != crate::decode(&document).unwrap().first() {
        return Ok(false);
    }
    let theirs = server.apply(&document, o).map_err(TestCaseError::fail)?;
    let ours = RawDocumentBuf::from_bytes(ours).unwrap();
    prop_assert_eq!(ours, RawDocumentBuf::from_bytes(theirs).unwrap(), "ours left, the server's right");
    Ok(true)
}

/// Runs random cases and asserts that at least half of them were for the server.
fn compare(server: &Server, strategy: impl Strategy<Value = (Fields, Vec<u8>)>) {
    let (cases, compared) = (rounds(1000), Cell::new(0));
    let mut runner =
        TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..Default::default() });
    let result = runner.run(&strategy, |(document, o)| {
        compared.set(compared.get() + u32::from(agrees(server, document, &o)?));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(compared.get() * 2 > cases, "only {} of {cases} were compared", compared.get());
}

/// Whether a diff, or one nested in it, has a section that 6.0.5 does not know.
fn has_patches(diff: &Fields) -> bool {
    get(diff, b"b").is_some()
        || diff.iter().any(|(name, value)| name.starts_with(b"s") && value.object().is_some_and(has_patches))
}

#[test]
fn a_real_server_makes_the_same_of_random_diffs_and_modifiers() {
    let server = Server::start();
    let diffs = generate::diff().prop_filter("known to 6.0", |diff| !has_patches(diff));
    compare(&server, (generate::document(), diffs.prop_map(|diff| update_of(&diff))));
    let modifiers = generate::modifiers().prop_map(|modifiers| encode(&modifiers));
    compare(&server, (generate::document(), modifiers));
}

#[test]
fn a_real_server_upserts_the_same() {
    let server = Server::start();
    for o in [
        rawdoc! {"$v": 1, "$set": {"b": 1, "a.b": 2}},
        rawdoc! {"$unset": {"b": 1}},
        rawdoc! {"$inc": {"b": 1}, "$push": {"a": 1}},
        rawdoc! {"$v": 2, "diff": {"d": {"x": false}, "u": {"a": 1}, "i": {"b": 1}, "sc": {"u": {"a": 1}}}},
        rawdoc! {"z": 1, "_id": 4, "y": 1},
    ] {
        let id = server.next_id.get();
        server.next_id.set(id + 1);
        let _: Document =
            server.client.database("admin").run_raw_command(command(id, o.as_bytes())).run().unwrap();
        let theirs = server.documents.find_one(doc! {"_id": id}).run().unwrap().unwrap();
        let key = rawdoc! {"_id": id};
        let key = tidemark_base::bson::Doc::new(key.as_bytes()).unwrap().first_element().unwrap().unwrap();
        let mut ours = Vec::new();
        let update =
            tidemark_oplog::update::Update::parse(tidemark_base::bson::Doc::new(o.as_bytes()).unwrap());
        update.unwrap().upsert(key, &mut ours).unwrap();
        assert_eq!(RawDocumentBuf::from_bytes(ours).unwrap(), theirs);
    }
}
