//! Updates against a real server: what it makes of random documents and updates, we make too, byte for byte.
//!
//! The server is given each update as an operation of `applyOps`, which it takes as it would take it from its
//! oplog. What we refuse it has to refuse as well, or we could not follow it; but what ends a 6.0.5 is not given
//! to it (see `array_diff` and `modifiers`), nor what is known to be supported there and not here.
//! `cargo xtask long` asks for more rounds, by `TIDEMARK_ROUNDS`.

use crate::generate::{self, update_of};
use crate::slow::tree::{Fields, Value, encode, get};
use mongodb::bson::{Document, RawDocumentBuf, doc, rawdoc};
use mongodb::error::ErrorKind;
use mongodb::sync::{Client, Collection, Database};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;
use tidemark_base::bson::{DocWriter, kind};
use tidemark_oplog::update::UpdateError;
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
    fn apply(&self, document: &[u8], o: &[u8]) -> mongodb::error::Result<Vec<u8>> {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let whole = RawDocumentBuf::from_bytes(document.to_vec()).unwrap();
        self.documents.insert_one(whole).run().expect("the server is there and takes the document");
        self.client.database("admin").run_raw_command(command(id, o)).run()?;
        let found = self.documents.find_one(doc! {"_id": id}).run()?;
        Ok(found.expect("the document is there").into_bytes())
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

/// How a case ended, if server and product agree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Agreed {
    /// Both made the same document.
    Made,
    /// Both refused it.
    Refused,
    /// It was not for the server.
    NotAsked,
}

/// Whether a server can be asked about an update that we refuse: it must survive it, and not know more of it than
/// we do.
fn can_be_asked(error: &UpdateError) -> bool {
    let text = error.to_string();
    let ends_the_server = ["beyond the new length", "leading zeros"];
    let known_there = ["not supported", "int or double", "$[]"];
    !matches!(error, UpdateError::TooLarge { .. })
        && !ends_the_server.iter().chain(&known_there).any(|part| text.contains(part))
}

/// Runs one case.
fn agrees(server: &Server, document: Fields, o: &[u8]) -> Result<Agreed, TestCaseError> {
    let document = encode(&with_id(server, document));
    let ours = match crate::apply(&document, o) {
        // Another `_id`, which is for whoever stores the document to refuse, and which a server refuses.
        Ok((ours, _)) if !same_id(&ours, &document) => Err("another _id".to_owned()),
        Ok((ours, _)) => Ok(ours),
        Err(error) if can_be_asked(&error) => Err(error.to_string()),
        Err(_) => return Ok(Agreed::NotAsked),
    };
    match (ours, server.apply(&document, o)) {
        (Ok(ours), Ok(theirs)) => {
            let [ours, theirs] = [ours, theirs].map(|bytes| RawDocumentBuf::from_bytes(bytes).unwrap());
            prop_assert_eq!(ours, theirs, "ours left, the server's right");
            Ok(Agreed::Made)
        }
        // A server does not read a nested diff that it does not apply; we check it all the same.
        (Err(_), Ok(_)) if !is_broken_outermost(&document, o) => Ok(Agreed::NotAsked),
        (Err(_), Err(theirs)) if is_answer(&theirs) => Ok(Agreed::Refused),
        (ours, theirs) => Err(TestCaseError::fail(format!("ours: {ours:?}, the server's: {theirs:?}"))),
    }
}

/// Whether the server has answered, so that it is there still. A message of its with a name that is no UTF-8 is
/// an invalid response to the driver.
fn is_answer(error: &mongodb::error::Error) -> bool {
    matches!(*error.kind, ErrorKind::Command(_) | ErrorKind::InvalidResponse { .. })
}

/// Whether a diff is an error whatever its nested diffs are; so are modifiers that are one.
fn is_broken_outermost(document: &[u8], o: &[u8]) -> bool {
    let mut o = crate::decode(o).unwrap();
    if let Some((_, Value::Object(diff))) = o.iter_mut().find(|(name, _)| name == b"diff") {
        for (_, nested) in diff.iter_mut().filter(|(name, _)| name.starts_with(b"s")) {
            *nested = Value::Object(vec![(b"u".to_vec(), Value::Object(Fields::new()))]);
        }
    }
    crate::apply(document, &encode(&o)).is_err()
}

fn same_id(one: &[u8], two: &[u8]) -> bool {
    crate::decode(one).unwrap().first() == crate::decode(two).unwrap().first()
}

/// Runs random cases and asserts that there were enough of both kinds.
fn compare(server: &Server, strategy: impl Strategy<Value = (Fields, Vec<u8>)>) {
    let (cases, made, refused) = (rounds(1000), Cell::new(0), Cell::new(0));
    let mut runner =
        TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..Default::default() });
    let result = runner.run(&strategy, |(document, o)| {
        let agreed = agrees(server, document, &o)?;
        made.set(made.get() + u32::from(agreed == Agreed::Made));
        refused.set(refused.get() + u32::from(agreed == Agreed::Refused));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(made.get() * 2 > cases, "only {} of {cases} were made", made.get());
    assert!(refused.get() * 100 > cases, "only {} of {cases} were refused", refused.get());
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
