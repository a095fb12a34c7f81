//! The live side of the test kit against real mongods: they start, vote, refuse strangers, and leave nothing.
//!
//! `cargo xtask long` runs two of these with more rounds, by `TIDEMARK_ROUNDS`: `writes_survive_elections`
//! and `a_killed_runner_leaves_no_mongod`.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bson::{Bson, Document, RawDocument, doc};
use mongodb::error::ErrorKind;
use mongodb::options::WriteConcern;
use mongodb::sync::Client;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tidemark_base::{Timestamp, threads};
use tidemark_testkit::live::dbhash::{Order, db_hash, documents};
use tidemark_testkit::live::tools::{Target, mongodump, mongorestore};
use tidemark_testkit::live::{self, Certificates, Credentials, Mongod, Options, ReplicaSet, TlsMode};
use tidemark_testkit::workload::Stage;
use tidemark_testkit::{dbhash, rounds};

const SOON: Duration = Duration::from_secs(20);
/// Less than a mongod lives whose files somebody has removed: that would look like a working watchdog.
const WATCHDOG_PATIENCE: Duration = Duration::from_secs(8);

fn gone(folder: &Path) -> Result<(), String> {
    if live::mongod_alive(folder) {
        Err("the mongod lives".to_owned())
    } else if folder.exists() {
        Err("the folder is there".to_owned())
    } else {
        Ok(())
    }
}

fn ids(client: &Client, database: &str, collection: &str) -> Vec<i64> {
    let collection = client.database(database).collection::<Document>(collection);
    let found = collection.find(doc! {}).projection(doc! {"_id": 1}).sort(doc! {"_id": 1}).run().unwrap();
    found.map(|document| document.unwrap().get_i64("_id").unwrap()).collect()
}

// ---- One server ----

#[test]
fn a_standalone_goes_down_and_comes_back_with_its_data() {
    let mut mongod = live::standalone().unwrap();
    let (folder, port) = (mongod.folder().to_owned(), mongod.port());
    let client = mongod.client().unwrap();
    let insert = |id: i64| {
        let journaled = WriteConcern::builder().journal(true).build();
        let items = client.database("shop").collection::<Document>("items");
        items.insert_one(doc! {"_id": id}).write_concern(journaled).run()
    };
    insert(1).unwrap();
    mongod.stop().unwrap();
    assert!(!live::mongod_alive(&folder));
    assert!(mongod.pause().is_err(), "paused a stopped mongod");

    mongod.restart().unwrap();
    insert(2).unwrap();
    mongod.kill();
    assert!(!live::mongod_alive(&folder));

    mongod.restart().unwrap();
    assert_eq!((ids(&client, "shop", "items"), mongod.port()), (vec![1, 2], port));
    assert!(mongod.log_tail(3).lines().count() == 3);
    drop(mongod);
    gone(&folder).unwrap();
}

#[test]
fn a_paused_mongod_answers_only_after_it_is_resumed() {
    let mut mongod = live::standalone().unwrap();
    let client = mongod.client().unwrap();
    client.database("admin").run_command(doc! {"ping": 1}).run().unwrap();
    mongod.pause().unwrap();
    let answered = Arc::new(AtomicBool::new(false));
    let waiting = {
        let (answered, client) = (answered.clone(), client);
        threads::spawn("ping", move || {
            let reply = client.database("admin").run_command(doc! {"ping": 1}).run();
            answered.store(true, Ordering::SeqCst);
            reply.map(drop)
        })
    };
    std::thread::sleep(Duration::from_millis(500));
    assert!(!answered.load(Ordering::SeqCst));
    mongod.resume();
    waiting.unwrap().join().unwrap().unwrap();
}

#[test]
fn a_failed_start_says_why_and_keeps_the_log() {
    let options = Options { extra_args: vec!["--noSuchOption".to_owned()], ..Options::default() };
    let error = Mongod::standalone(&options).unwrap_err().to_string();
    assert!(error.contains("noSuchOption") && error.contains("extra_args"), "{error}");
    // Others may lie there from runs that died before they came to remove theirs.
    let kept = kept_logs_of("a_failed_start_says_why_and_keeps_the_log");
    let kept: Vec<_> = kept.iter().filter(|log| error.contains(log.to_str().unwrap())).collect();
    assert_eq!(kept.len(), 1, "{error}");
    kept.iter().for_each(|log| fs::remove_file(log).unwrap());
}

#[test]
fn a_panic_kills_the_mongod_and_keeps_its_log() {
    let (send, receive) = std::sync::mpsc::channel();
    let body = threads::spawn("a failing test", move || {
        let mongod = live::standalone().unwrap();
        send.send(mongod.folder().to_owned()).unwrap();
        panic!("as intended by a_panic_kills_the_mongod_and_keeps_its_log");
    });
    body.unwrap().join().unwrap_err();
    let folder = receive.recv().unwrap();
    gone(&folder).unwrap();
    let run = folder.file_name().unwrap().to_str().unwrap();
    let log = live::kept_logs_folder().join(format!("a_failing_test-{run}.log"));
    assert!(fs::read_to_string(&log).unwrap().contains("Waiting for connections"));
    fs::remove_file(log).unwrap();
}

fn kept_logs_of(test: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(live::kept_logs_folder()).unwrap();
    let of_test = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(test);
    files.map(|file| file.unwrap().path()).filter(of_test).collect()
}

// ---- A killed runner ----

/// A process that holds a replica set of one, and what it said about it.
struct Holder {
    runner: Child,
    watchdog: u32,
    folder: PathBuf,
}

impl Holder {
    /// Starts it with its own temporary folder, so that only holders of the same folder sweep up after it.
    fn start(temp: &Path) -> Self {
        let mut runner = Command::new(env!("CARGO_BIN_EXE_testkit-hold"))
            .env("TMPDIR", temp)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(runner.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let words: Vec<&str> = line.trim_end().splitn(3, ' ').collect();
        let [mongod, watchdog, folder] = words[..] else { panic!("the holder said {line:?}") };
        assert!(mongod.parse::<u32>().is_ok());
        let holder = Self { runner, watchdog: watchdog.parse().unwrap(), folder: folder.into() };
        assert!(live::mongod_alive(&holder.folder));
        holder
    }
}

fn pid(of: u32) -> Pid {
    Pid::from_raw(i32::try_from(of).unwrap()).unwrap()
}

#[test]
fn a_killed_runner_leaves_no_mongod() {
    let temp = tempfile::tempdir().unwrap();
    for round in 0..rounds(3) {
        let mut holder = Holder::start(temp.path());
        // By turns as the kernel kills, as Ctrl-C in a terminal does, and by an end in good order.
        match round % 3 {
            0 => holder.runner.kill().unwrap(),
            1 => kill_process_group(pid(holder.runner.id()), Signal::INT).unwrap(),
            _ => drop(holder.runner.stdin.take()),
        }
        holder.runner.wait().unwrap();
        live::until("nothing to be left of a dead runner", WATCHDOG_PATIENCE, || gone(&holder.folder))
            .unwrap();
    }
}

#[test]
fn what_a_dead_watchdog_leaves_the_next_runner_sweeps_up() {
    let temp = tempfile::tempdir().unwrap();
    let mut first = Holder::start(temp.path());
    kill_process(pid(first.watchdog), Signal::KILL).unwrap();
    first.runner.kill().unwrap();
    first.runner.wait().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(live::mongod_alive(&first.folder), "who killed it? this test proves nothing");

    let mut second = Holder::start(temp.path());
    gone(&first.folder).unwrap();
    // A sweep leaves the living alone.
    let mut third = Holder::start(temp.path());
    assert!(live::mongod_alive(&second.folder));
    for holder in [&mut second, &mut third] {
        drop(holder.runner.stdin.take());
        assert!(holder.runner.wait().unwrap().success());
        gone(&holder.folder).unwrap();
    }
}

// ---- Replica sets ----

/// What a writer was told: numbers acknowledged, numbers of unknown fate.
type Told = (Vec<i64>, Vec<i64>);

fn write_until(client: &Client, stop: &AtomicBool, acknowledged: &AtomicU64) -> Told {
    let items = client.database("writes").collection::<Document>("items");
    let (mut certain, mut unknown) = (Vec::new(), Vec::new());
    for id in 0_i64.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        match items.insert_one(doc! {"_id": id}).run() {
            Ok(_) => {
                certain.push(id);
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            // Two elections in the time of one write: the driver retries but once.
            Err(_) => unknown.push(id),
        }
    }
    (certain, unknown)
}

/// The `_id` of the document that this oplog entry inserts into this collection.
fn inserted_id(entry: &RawDocument, namespace: &str) -> Option<i64> {
    let is_insert = entry.get_str("ns").unwrap() == namespace && entry.get_str("op").unwrap() == "i";
    is_insert.then(|| entry.get_document("o").unwrap().get_i64("_id").unwrap())
}

#[test]
fn writes_survive_elections() {
    let options = Options { oplog_size_mb: 1024, ..Options::default() };
    let set = ReplicaSet::start(3, &options).unwrap();
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writer = {
        let (client, stop, acknowledged) = (set.client().unwrap(), stop.clone(), acknowledged.clone());
        threads::spawn("writer", move || write_until(&client, &stop, &acknowledged)).unwrap()
    };
    let some_writes = || {
        let enough = acknowledged.load(Ordering::SeqCst) + 20;
        live::until("more writes", Duration::from_secs(60), || match acknowledged.load(Ordering::SeqCst) {
            now if now >= enough => Ok(()),
            now => Err(format!("{now} of {enough}")),
        })
        .unwrap();
    };
    let elections = rounds(2);
    for _ in 0..elections {
        some_writes();
        let next = (set.primary().unwrap() + 1) % 3;
        set.elect(next).unwrap();
        assert_eq!(set.primary().unwrap(), next);
    }
    some_writes();
    stop.store(true, Ordering::SeqCst);
    let (certain, unknown) = writer.join().unwrap();

    let end = set.wait_majority_committed().unwrap();
    assert!(set.last_committed().unwrap().ts >= end.ts);
    let stored = ids(&set.client().unwrap(), "writes", "items");
    let mut logged: BTreeMap<i64, u32> = BTreeMap::new();
    let mut terms = vec![0];
    let mut last = Timestamp::ZERO;
    for entry in set.oplog_from(Timestamp::ZERO).unwrap() {
        let optime = live::entry_optime(&entry).unwrap();
        assert!(optime.ts > last, "{optime} after {last}");
        last = optime.ts;
        let before = *terms.last().unwrap();
        if optime.term > before {
            terms.push(optime.term);
        }
        assert!(optime.term == -1 || optime.term >= before, "{optime} after term {before}");
        if let Some(id) = inserted_id(&entry, "writes.items") {
            *logged.entry(id).or_default() += 1;
        }
    }
    assert!(last >= end.ts, "the oplog ends at {last}, before our note at {end}");
    // Zero, the set's own first term, and one for each election.
    assert!(terms.len() >= elections as usize + 2, "terms {terms:?} in {elections} elections");
    assert!(certain.len() >= 40);
    for id in &certain {
        assert_eq!(logged.get(id), Some(&1), "the acknowledged write {id} in the oplog");
        assert!(stored.binary_search(id).is_ok(), "the acknowledged write {id} is lost");
    }
    for (id, times) in &logged {
        assert!(*times == 1 && stored.binary_search(id).is_ok(), "{id} is in the oplog {times} times");
        assert!(certain.binary_search(id).is_ok() || unknown.contains(id), "nobody wrote {id}");
    }
    assert_eq!(stored.len(), logged.len());
}

#[test]
fn a_set_lives_on_without_a_member_and_takes_it_back() {
    let mut set = live::replica_set_of_three().unwrap();
    let client = set.client().unwrap();
    let items = client.database("shop").collection::<Document>("items");
    let first = set.primary().unwrap();
    set.kill(first);
    let second = set.primary().unwrap();
    assert_ne!(first, second);
    items.insert_one(doc! {"_id": 1_i64}).run().unwrap();

    // With a second member frozen there is no majority; with the first one back, there is.
    set.pause((0..3).find(|member| ![first, second].contains(member)).unwrap()).unwrap();
    set.restart(first).unwrap();
    set.elect(first).unwrap();
    items.insert_one(doc! {"_id": 2_i64}).run().unwrap();
    let note = set.append_note_and_read_back().unwrap();
    assert!(set.await_last_committed(note.ts).unwrap().ts >= note.ts);
    for member in 0..3 {
        set.resume(member);
    }
    set.await_all_members().unwrap();
    for member in 0..3 {
        live::until("all members to have all", SOON, || {
            let here = ids(set.direct(member), "shop", "items");
            if here == [1, 2] { Ok(()) } else { Err(format!("member {member} has {here:?}")) }
        })
        .unwrap();
    }
}

#[test]
fn the_oplog_is_read_from_a_position_on() {
    let set = live::replica_set_of_one().unwrap();
    let items = set.client().unwrap().database("shop").collection::<Document>("items");
    items.insert_one(doc! {"_id": 1_i64}).run().unwrap();
    let middle = set.append_note_and_read_back().unwrap();
    items.insert_one(doc! {"_id": 2_i64}).run().unwrap();
    let end = set.wait_majority_committed().unwrap();
    assert!(end.ts > middle.ts && end.term == middle.term);

    let entries = set.oplog_from(middle.ts).unwrap();
    assert_eq!(live::entry_optime(&entries[0]).unwrap(), middle);
    let inserted: Vec<i64> = entries.iter().filter_map(|entry| inserted_id(entry, "shop.items")).collect();
    assert_eq!(inserted, [2]);
    assert!(set.oplog_from(Timestamp::MAX).unwrap().is_empty());
}

// ---- Auth and TLS ----

fn code_of(error: &mongodb::error::Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Authentication { .. } => Some(18),
        _ => None,
    }
}

/// Tries to read with these options, without the driver's long patience.
fn try_to_read(mut options: mongodb::options::ClientOptions) -> Result<(), mongodb::error::Error> {
    options.server_selection_timeout = Some(Duration::from_secs(2));
    let client = Client::with_options(options)?;
    client.database("shop").collection::<Document>("items").find_one(doc! {}).run().map(drop)
}

#[test]
fn auth_and_tls_keep_strangers_out() {
    let tls = Some(TlsMode::ClientCertificateOptional);
    let set = ReplicaSet::start(3, &Options { auth: true, tls, ..Options::default() }).unwrap();
    let client = set.client().unwrap();
    client.database("shop").collection::<Document>("items").insert_one(doc! {"_id": 1}).run().unwrap();
    let root = set.access();
    try_to_read(set.client_options(root)).unwrap();

    let nobody = try_to_read(set.client_options(&root.as_nobody())).unwrap_err();
    assert_eq!(code_of(&nobody), Some(13), "{nobody}");
    let impostor = try_to_read(set.client_options(&root.as_user("root", "guessed"))).unwrap_err();
    assert_eq!(code_of(&impostor), Some(18), "{impostor}");
    let in_the_clear = try_to_read(set.client_options(&root.without_tls())).unwrap_err();
    assert!(matches!(*in_the_clear.kind, ErrorKind::ServerSelection { .. }), "{in_the_clear}");
    let mut misled = root.clone();
    let other_authority = set.member(0).folder().join("other.pem");
    fs::write(&other_authority, Certificates::generate().unwrap().authority).unwrap();
    misled.tls.as_mut().unwrap().authority = other_authority;
    let misled = try_to_read(set.client_options(&misled)).unwrap_err();
    assert!(misled.to_string().contains("invalid peer certificate"), "{misled}");

    let keeper = Credentials { user: "keeper".to_owned(), password: "keeper's password".to_owned() };
    live::create_user(&client, &keeper, &["backup"]).unwrap();
    let keeper = root.as_user(&keeper.user, &keeper.password);
    let as_keeper = set.client_with(&keeper).unwrap();
    let refused = as_keeper.database("shop").run_command(doc! {"dbHash": 1}).run().unwrap_err();
    assert_eq!(code_of(&refused), Some(13), "{refused}");
    // What the role has is enough for a safe end position, and for a dump.
    let note = live::append_note_and_read_back(&as_keeper).unwrap();
    assert!(set.last_committed().unwrap().ts >= note.ts);
    let target = Target { access: keeper, ..Target::from(&set) };
    let out = set.member(0).folder().join("dump");
    mongodump(&target, &["--oplog", "--out", out.to_str().unwrap()]).unwrap();
    assert!(out.join("shop/items.bson").exists() && out.join("oplog.bson").exists());
}

#[test]
fn a_server_can_demand_a_client_certificate() {
    let tls = Some(TlsMode::ClientCertificateRequired);
    let mongod = Mongod::standalone(&Options { auth: true, tls, ..Options::default() }).unwrap();
    try_to_read(mongod.client_options(mongod.access())).unwrap();
    let mut without = mongod.access().clone();
    assert!(without.tls.as_mut().unwrap().certificate.take().is_some());
    let refused = try_to_read(mongod.client_options(&without)).unwrap_err();
    assert!(matches!(*refused.kind, ErrorKind::ServerSelection { .. }), "{refused}");
}

// ---- Hashes, dump and restore ----

/// Collections of every order the server knows, written in an order that is not that of `_id`.
fn fill(client: &Client, database: &str) {
    let db = client.database(database);
    let create = |command: Document| db.run_command(command).run().map(drop).unwrap();
    create(doc! {"create": "capped", "capped": true, "size": 65536});
    create(doc! {"create": "clustered", "clusteredIndex": {"key": {"_id": 1}, "unique": true}});
    create(doc! {"create": "collated", "collation": {"locale": "de", "strength": 2}});
    create(doc! {"create": "empty"});
    let mixed: Vec<Bson> = vec![
        "b".into(),
        3.into(),
        Bson::Null,
        doc! {"x": 1}.into(),
        2.5.into(),
        1_i64.into(),
        "a".into(),
        Bson::MaxKey,
        true.into(),
    ];
    for name in ["plain", "capped", "clustered"] {
        let rows = mixed.iter().map(|id| doc! {"_id": id, "of": name});
        db.collection::<Document>(name).insert_many(rows).run().unwrap();
    }
    let rows = ["Öl", "apfel", "Zebra", "Apfelmus", "ähre"].map(|id| doc! {"_id": id});
    db.collection::<Document>("collated").insert_many(rows).run().unwrap();
}

#[test]
fn our_hash_of_a_collection_is_the_servers() {
    let mongod = live::standalone().unwrap();
    let client = mongod.client().unwrap();
    fill(&client, "shapes");
    let server = db_hash(&client, "shapes").unwrap();
    assert_eq!(server.len(), 5, "{server:?}");
    let orders = [
        ("plain", Order::Id),
        ("capped", Order::Id),
        ("clustered", Order::Natural),
        // The server itself sorts by the collation here; we could not.
        ("collated", Order::Id),
        ("empty", Order::Id),
    ];
    let bytes = |name, order| {
        let documents = documents(&client, "shapes", name, order).unwrap();
        documents.into_iter().map(bson::RawDocumentBuf::into_bytes).collect::<Vec<_>>()
    };
    let ours = orders.map(|(name, order)| (name.to_owned(), dbhash::md5_of_documents(bytes(name, order))));
    let mut ours = BTreeMap::from(ours);
    assert_eq!(dbhash::compare(&server, &ours), []);

    // The order counts, also for a capped collection, whose natural order is another.
    for name in ["plain", "capped"] {
        assert_ne!(dbhash::md5_of_documents(bytes(name, Order::Natural)), server[name], "{name}");
    }
    ours.insert("plain".to_owned(), ours["capped"].clone());
    assert_eq!(dbhash::compare(&server, &ours).len(), 1);

    // What a collated collection needs: the same documents in whatever order, and no other.
    let (by_id, mut natural) = (bytes("collated", Order::Id), bytes("collated", Order::Natural));
    assert_ne!(by_id, natural);
    assert!(dbhash::compare_as_sets(&by_id, &natural).is_empty());
    natural.pop();
    assert_eq!(dbhash::compare_as_sets(&by_id, &natural).only_server.len(), 1);
}

#[test]
fn dump_and_restore_keep_every_hash() {
    let mongod = live::standalone().unwrap();
    let client = mongod.client().unwrap();
    fill(&client, "shapes");
    let before = db_hash(&client, "shapes").unwrap();
    let folder = mongod.folder().join("dump");
    let target = Target::from(&mongod);
    mongodump(&target, &["--out", folder.to_str().unwrap()]).unwrap();

    client.database("shapes").drop().run().unwrap();
    assert_eq!(db_hash(&client, "shapes").unwrap(), BTreeMap::new());
    mongorestore(&target, &[folder.to_str().unwrap()]).unwrap();
    assert_eq!(dbhash::compare(&before, &db_hash(&client, "shapes").unwrap()), []);

    let error = mongorestore(&target, &["no such folder"]).unwrap_err().to_string();
    assert!(error.contains("mongorestore") && error.contains("no such folder"), "{error}");
}

#[test]
fn a_time_series_collection_whose_view_an_election_took_is_made_anew() {
    let (stage, databases) = (Stage::start(), ["app", "more"].map(str::to_owned));
    drop(stage.calm(&databases));
    let app = stage.client().database("app");
    let gone = doc! {"op": "d", "ns": "app.system.views", "o": {"_id": "app.series"}};
    stage.client().database("admin").run_command(doc! {"applyOps": [gone]}).run().unwrap();
    assert!(app.list_collection_names().run().unwrap().iter().all(|it| it != "series"));
    drop(stage.calm(&databases));
    assert!(app.list_collection_names().run().unwrap().iter().any(|it| it == "series"));
}
