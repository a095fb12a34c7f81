//! Copies: complete, gone on with, begun again on another member, and with the role `backup` alone.

use crate::agent::{Agent, config, of_set, set_config, wait};
use crate::server::Server;
use bson::{Document, RawDocumentBuf, doc};
use mongodb::sync::Client;
use std::collections::BTreeMap;
use tidemark_agent::config::SetConfig;
use tidemark_base::CollectionUuid;
use tidemark_base::protocol::{Address, Connection, SyncSource};
use tidemark_testkit::everything;
use tidemark_testkit::live::dbhash::{Order, documents};
use tidemark_testkit::live::{
    Credentials, Options, ReplicaSet, TlsMode, create_user, entry_optime, oplog_from,
};

/// Collections of a server by UUID: database and name.
fn collections(client: &Client) -> BTreeMap<CollectionUuid, (String, String)> {
    let mut found = BTreeMap::new();
    for database in client.list_database_names().run().unwrap() {
        let command = doc! {"listCollections": 1, "filter": {"type": "collection"}};
        for row in client.database(&database).run_cursor_command(command).run().unwrap() {
            let row: Document = row.unwrap();
            let uuid = row.get_document("info").unwrap().get("uuid").unwrap();
            let bson::Bson::Binary(uuid) = uuid else { panic!("{row}") };
            let uuid = CollectionUuid::from_bytes(uuid.bytes.clone().try_into().unwrap());
            found.insert(uuid, (database.clone(), row.get_str("name").unwrap().to_owned()));
        }
    }
    found
}

/// All documents that are copied equal the source's, collection by collection, and every collection is there.
pub(crate) fn assert_copied(server: &Server, client: &Client) {
    let kept = server.kept();
    let sync = kept.sync.as_ref().unwrap();
    let scans: BTreeMap<_, _> = sync.collections.iter().map(|it| (it.uuid, it.scan)).collect();
    let mut compared = 0;
    for (uuid, (database, name)) in collections(client) {
        let is_ours = !matches!(database.as_str(), "local" | "config") && name != "system.keys";
        if !is_ours {
            continue;
        }
        let scan = *scans.get(&uuid).unwrap_or_else(|| panic!("{database}.{name} is not copied"));
        let copied = kept.documents.get(&(uuid, scan)).cloned().unwrap_or_default();
        let source = documents(client, &database, &name, Order::Natural).unwrap();
        let source: Vec<Vec<u8>> = source.into_iter().map(|it| it.as_bytes().to_vec()).collect();
        assert!(copied == source, "{database}.{name}: {} copied, {} there", copied.len(), source.len());
        compared += 1;
    }
    assert!(compared > 0);
}

/// A collection of so many documents of a kilobyte that do not get shorter.
pub(crate) fn fill(client: &Client, name: &str, count: i32) {
    let collection = client.database("app").collection::<RawDocumentBuf>(name);
    let mut stream = tidemark_base::SeededEntropy::new(7);
    for chunk in 0..count / 1000 {
        let document = |n| {
            let mut noise = vec![0; 1000];
            tidemark_base::Entropy::fill(&mut stream, &mut noise);
            let noise = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: noise };
            bson::RawDocumentBuf::try_from(&doc! {"_id": chunk * 1000 + n, "noise": noise}).unwrap()
        };
        collection.insert_many((0..1000).map(document)).run().unwrap();
    }
}

#[test]
fn everything_is_copied_and_the_oplog_follows() {
    let set = tidemark_testkit::live::replica_set_of_one().unwrap();
    let client = set.client().unwrap();
    everything::fill(&client);
    let server = Server::start();
    let agent = of_set(&server, &set);
    server.await_copy();
    assert_copied(&server, &client);
    crate::tails::write(&client, 0..200);
    server.await_tip(set.append_note_and_read_back().unwrap().ts);
    agent.stop().unwrap();
    crate::tails::assert_unbroken(&server, &set);
    let kept = server.kept();
    let report = &kept.confs.last().unwrap().sets[0];
    assert_eq!((report.problems.len(), report.members[0].state.as_str()), (0, "PRIMARY"), "{report:?}");
    assert_eq!(report.members[0].version, "6.0.5");
    assert!(report.majority.is_some() && report.oldest.is_some() && report.source_clock_ms.is_some());
}

#[test]
fn with_the_role_backup_alone_over_tls() {
    let options = Options { auth: true, tls: Some(TlsMode::ClientCertificateOptional), ..Options::default() };
    let set = ReplicaSet::start(1, &options).unwrap();
    let client = set.client().unwrap();
    let user = Credentials { user: "keeper".to_owned(), password: "keeper's".to_owned() };
    create_user(&client, &user, &["backup"]).unwrap();
    fill(&client, "some", 3000);
    let server = Server::start();
    let access = set.access().as_user(&user.user, &user.password);
    let agent = Agent::start(config(&server, "a", vec![set_config(&set, &access)]));
    server.await_copy();
    assert_copied(&server, &client);
    crate::tails::write(&client, 0..20);
    server.await_tip(set.append_note_and_read_back().unwrap().ts);
    agent.stop().unwrap();
    crate::tails::assert_unbroken(&server, &set);
    let problems = server.kept().confs.last().unwrap().sets[0].problems.clone();
    assert!(problems.is_empty(), "{problems:?}");
}

/// A user who may read, and not append a note.
pub(crate) fn create_reader(client: &Client) -> Credentials {
    let find = |database: &str| doc! {"resource": {"db": database, "collection": ""}, "actions": ["find"]};
    let any = doc! {"resource": {"db": "", "collection": ""}, "actions": ["listCollections", "listIndexes", "find"]};
    let oplog = doc! {"resource": {"db": "local", "collection": "oplog.rs"}, "actions": ["find"]};
    let cluster =
        doc! {"resource": {"cluster": true}, "actions": ["listDatabases", "useUUID", "replSetGetConfig"]};
    let role =
        doc! {"createRole": "reader", "roles": [], "privileges": [any, find("config"), oplog, cluster]};
    client.database("admin").run_command(role).run().unwrap();
    let user = Credentials { user: "keeper".to_owned(), password: "keeper's".to_owned() };
    create_user(client, &user, &["reader"]).unwrap();
    user
}

#[test]
fn without_the_right_to_append_a_note_the_end_is_found_all_the_same() {
    let set = ReplicaSet::start(1, &Options { auth: true, ..Options::default() }).unwrap();
    let client = set.client().unwrap();
    let user = create_reader(&client);
    fill(&client, "some", 3000);
    let server = Server::start();
    server.kept().order.excluded_namespaces = vec!["admin".to_owned(), "config".to_owned()];
    let access = set.access().as_user(&user.user, &user.password);
    let agent = Agent::start(config(&server, "a", vec![set_config(&set, &access)]));
    server.await_copy();
    agent.stop().unwrap();
    let kept = server.kept();
    let some = kept.sync.as_ref().unwrap().collections.iter().find(|it| it.name == "some").unwrap();
    assert_eq!((some.documents, some.is_done), (3000, true));
}

#[test]
fn a_killed_agent_goes_on_where_the_server_is() {
    let set = tidemark_testkit::live::replica_set_of_one().unwrap();
    let client = set.client().unwrap();
    fill(&client, "large", 60_000);
    let server = Server::start();
    server.kept().order.throttle_bytes_per_second = Some(16 << 20);
    let first = of_set(&server, &set);
    wait("a few batches", || if server.kept().batches >= 3 { Ok(()) } else { Err(String::new()) });
    first.kill();
    let sent = server.kept().batches;
    server.kept().order.throttle_bytes_per_second = None;
    let second = of_set(&server, &set);
    server.await_copy();
    second.stop().unwrap();
    assert_copied(&server, &client);
    let kept = server.kept();
    let large = kept.sync.as_ref().unwrap().collections.iter().find(|it| it.name == "large").unwrap().clone();
    assert_eq!((large.scan, large.documents), (1, 60_000), "nothing is sent twice");
    assert!(sent >= 3 && kept.batches >= 7, "{sent} of {}: about 8 MiB each", kept.batches);
}

#[test]
fn another_member_is_another_scan() {
    let set = tidemark_testkit::live::replica_set_of_three().unwrap();
    let client = set.client().unwrap();
    fill(&client, "large", 40_000);
    set.wait_majority_committed().unwrap();
    let member = |index: usize| Address { host: "127.0.0.1".to_owned(), port: set.member(index).port() };
    let primary = set.primary().unwrap();
    let others: Vec<usize> = (0..3).filter(|index| *index != primary).collect();
    let server = Server::start();
    {
        let mut kept = server.kept();
        kept.order.throttle_bytes_per_second = Some(16 << 20);
        kept.order.sync_source = SyncSource::Member(member(others[0]));
    }
    let agent = of_set(&server, &set);
    wait("a few batches", || if server.kept().batches >= 2 { Ok(()) } else { Err(String::new()) });
    {
        let mut kept = server.kept();
        kept.order.throttle_bytes_per_second = None;
        kept.order.sync_source = SyncSource::Member(member(others[1]));
    }
    server.await_copy();
    agent.stop().unwrap();
    // Natural order is the member's own.
    assert_copied(&server, set.direct(others[1]));
    let kept = server.kept();
    let large = kept.sync.as_ref().unwrap().collections.iter().find(|it| it.name == "large").unwrap();
    assert_eq!(large.scan, 2, "tokens of another member are not used");
}

#[test]
fn what_is_written_meanwhile_is_in_the_copy_or_in_the_oplog() {
    let set = tidemark_testkit::live::replica_set_of_one().unwrap();
    let client = set.client().unwrap();
    fill(&client, "large", 30_000);
    let server = Server::start();
    server.kept().order.throttle_bytes_per_second = Some(8 << 20);
    let agent = of_set(&server, &set);
    for round in 0.. {
        crate::tails::write(&client, round * 50..round * 50 + 50);
        if server.kept().sync.as_ref().is_some_and(|sync| sync.until.is_some()) {
            break;
        }
    }
    server.await_tip(set.append_note_and_read_back().unwrap().ts);
    agent.stop().unwrap();
    crate::tails::assert_unbroken(&server, &set);
    let kept = server.kept();
    let id = |document: &bson::RawDocument| document.get_i32("_id").ok();
    let mut seen: Vec<i32> = Vec::new();
    for ((uuid, _), documents) in &kept.documents {
        let sync = kept.sync.as_ref().unwrap();
        if sync.collections.iter().any(|it| it.uuid == *uuid && it.name == "written") {
            seen.extend(documents.iter().filter_map(|it| id(bson::RawDocument::from_bytes(it).unwrap())));
        }
    }
    for entry in kept.slices.iter().flatten() {
        let entry = bson::RawDocument::from_bytes(entry).unwrap();
        if entry.get_str("op").unwrap() == "i" && entry.get_str("ns").unwrap() == "app.written" {
            seen.extend(id(entry.get_document("o").unwrap()));
        }
    }
    seen.sort_unstable();
    seen.dedup();
    let count =
        client.database("app").collection::<Document>("written").count_documents(doc! {}).run().unwrap();
    assert_eq!(seen.len() as u64, count);
}

#[test]
fn what_is_left_out_is_not_copied_and_what_is_dropped_meanwhile_ends() {
    let set = tidemark_testkit::live::replica_set_of_one().unwrap();
    let client = set.client().unwrap();
    for name in ["kept", "left_out", "dropped"] {
        fill(&client, name, 20_000);
    }
    let server = Server::start();
    {
        let mut kept = server.kept();
        kept.order.excluded_namespaces = vec!["app.left_out".to_owned()];
        kept.order.throttle_bytes_per_second = Some(10 << 20);
    }
    let agent = of_set(&server, &set);
    wait("a batch", || if server.kept().batches >= 1 { Ok(()) } else { Err(String::new()) });
    client.database("app").collection::<Document>("dropped").drop().run().unwrap();
    let to = doc! {"renameCollection": "app.kept", "to": "app.renamed"};
    client.database("admin").run_command(to).run().unwrap();
    server.kept().order.throttle_bytes_per_second = None;
    server.await_copy();
    agent.stop().unwrap();
    let kept = server.kept();
    let names: Vec<&str> =
        kept.sync.as_ref().unwrap().collections.iter().map(|it| it.name.as_str()).collect();
    assert!(!names.contains(&"left_out") && names.contains(&"kept"), "{names:?}");
    let whole = kept.sync.as_ref().unwrap().collections.iter().find(|it| it.name == "kept").unwrap();
    assert_eq!(whole.documents, 20_000, "a rename does not matter");
}

#[test]
fn a_set_that_is_set_up_at_the_server_and_one_that_does_not_answer() {
    let options = Options { auth: true, tls: Some(TlsMode::ClientCertificateOptional), ..Options::default() };
    let set = ReplicaSet::start(1, &options).unwrap();
    let client = set.client().unwrap();
    let user = Credentials { user: "keeper".to_owned(), password: "keeper's".to_owned() };
    create_user(&client, &user, &["backup", "clusterMonitor"]).unwrap();
    let server = Server::start();
    let seeds = set_config(&set, set.access()).seeds;
    let connection = |password: &str| Connection {
        seeds: seeds.clone(),
        user: user.user.clone(),
        password: password.to_owned(),
        auth_source: "admin".to_owned(),
        ca_pem: Some(std::fs::read_to_string(&set.access().tls.as_ref().unwrap().authority).unwrap()),
    };
    server.kept().connection = Some(connection("not this"));
    let nobody = SetConfig {
        name: "nobody".to_owned(),
        seeds: vec![Address { host: "127.0.0.1".to_owned(), port: 1 }],
        tls_ca_file: None,
        login: None,
    };
    let agent = Agent::start(config(&server, "a", vec![nobody]));
    wait("two calls", || if server.kept().confs.len() >= 2 { Ok(()) } else { Err(String::new()) });
    server.kept().connection = Some(connection(&user.password));
    server.await_copy();
    assert_copied(&server, &client);
    agent.stop().unwrap();
}

#[test]
fn a_copy_begins_at_a_note_of_its_own() {
    let set = tidemark_testkit::live::replica_set_of_one().unwrap();
    let server = Server::start();
    let agent = of_set(&server, &set);
    server.await_copy();
    agent.stop().unwrap();
    let at = server.kept().sync.as_ref().unwrap().at;
    let entries = oplog_from(set.direct(0), at.ts).unwrap();
    let first = entries.first().unwrap();
    assert_eq!((first.get_str("op").unwrap(), entry_optime(first).unwrap()), ("n", at));
    assert!(first.get_document("o").unwrap().get_str("tidemark").is_ok(), "{first:?}");
}

#[test]
fn an_agent_that_starts_while_a_head_is_built_of_its_copy_tails_on() {
    let set = tidemark_testkit::live::replica_set_of_one().unwrap();
    let client = set.client().unwrap();
    let server = Server::start();
    server.kept().builds_slowly = true;
    let first = of_set(&server, &set);
    server.await_copy();
    first.kill();
    crate::tails::write(&client, 0..50);
    let second = of_set(&server, &set);
    server.await_tip(set.append_note_and_read_back().unwrap().ts);
    second.stop().unwrap();
    crate::tails::assert_unbroken(&server, &set);
    assert_eq!(server.kept().sync.as_ref().unwrap().number, 1, "nothing is copied again");
}

#[test]
fn a_copy_goes_as_fast_as_the_newest_order_says() {
    let set = tidemark_testkit::live::replica_set_of_one().unwrap();
    let client = set.client().unwrap();
    fill(&client, "large", 40_000);
    let server = Server::start();
    // The second batch would have to wait for minutes.
    server.kept().order.throttle_bytes_per_second = Some(64 << 10);
    let agent = of_set(&server, &set);
    wait("a batch", || if server.kept().batches >= 1 { Ok(()) } else { Err(String::new()) });
    server.kept().order.throttle_bytes_per_second = Some(8 << 20);
    let clock = tidemark_base::SystemClock::new();
    let begun = tidemark_base::Clock::monotonic(&clock);
    server.await_copy();
    let took = tidemark_base::Clock::monotonic(&clock) - begun;
    agent.stop().unwrap();
    // 40 MB, of which one batch of 8 MiB had gone and the next goes with the new order: 3 s and a part of one.
    let (least, most) = (std::time::Duration::from_secs(2), std::time::Duration::from_secs(60));
    assert!(took > least && took < most, "{took:?}");
    assert_copied(&server, &client);
}

#[test]
fn an_agent_copies_and_tails_two_replica_sets_at_once() {
    let sets = [(); 2].map(|()| tidemark_testkit::live::replica_set_of_one().unwrap());
    let clients = sets.each_ref().map(|set| set.client().unwrap());
    for (client, count) in clients.iter().zip([20_000, 5_000]) {
        fill(client, "some", count);
    }
    let config_of = clients[1].database("admin").run_command(doc! {"replSetGetConfig": 1}).run().unwrap();
    let settings = config_of.get_document("config").unwrap().get_document("settings").unwrap();
    let id = settings.get_object_id("replicaSetId").unwrap().to_hex();
    let server = Server::start();
    server.kept().second = Some((id, Box::new(crate::server::Kept::new())));
    let both = sets.iter().map(|set| set_config(set, set.access())).collect();
    let agent = Agent::start(config(&server, "a", both));
    // Both at once: neither waits for the end of the other.
    wait("both copies to begin and the second to end", || {
        let kept = server.kept();
        let second = kept.second.as_ref().and_then(|(_, kept)| kept.sync.clone());
        let has_ended = second.as_ref().is_some_and(|sync| sync.until.is_some());
        if has_ended && kept.sync.is_some() { Ok(()) } else { Err(format!("{second:?}")) }
    });
    server.await_copy();
    for round in 0..2 {
        for client in &clients {
            crate::tails::write(client, round * 50..round * 50 + 50);
        }
    }
    let ends = sets.each_ref().map(|set| set.append_note_and_read_back().unwrap().ts);
    server.await_tip(ends[0]);
    wait("the second tip", || {
        let tip = server.kept().second.as_ref().unwrap().1.tip.clone();
        if tip.as_ref().is_some_and(|tip| tip.at.ts >= ends[1]) { Ok(()) } else { Err(format!("{tip:?}")) }
    });
    agent.stop().unwrap();
    for (set, client) in sets.iter().zip(&clients) {
        // What came after the copy is in the oplog.
        client.database("app").collection::<Document>("written").drop().run().unwrap();
        assert_copied(&server, client);
        crate::tails::assert_unbroken(&server, set);
        let second = server.kept().second.take();
        if let Some((_, second)) = second {
            *server.kept() = *second;
        }
    }
}
