//! What elections undo and leave behind: drops that a majority never had, members that are cut off, members behind.

use crate::agent::{Agent, config, of_set, set_config, wait};
use crate::copies::{create_reader, fill};
use crate::server::Server;
use crate::tails::{assert_unbroken, catch_up, write};
use bson::{Document, doc};
use mongodb::sync::Client;
use tidemark_base::Timestamp;
use tidemark_base::protocol::{Address, SyncCollection, SyncSource};
use tidemark_testkit::live::{Options, ReplicaSet};

fn others(set: &ReplicaSet, member: usize) -> Vec<usize> {
    (0..set.members().len()).filter(|it| *it != member).collect()
}

fn collection(server: &Server, name: &str) -> Option<SyncCollection> {
    server.kept().sync.as_ref()?.collections.iter().find(|it| it.name == name).cloned()
}

/// A note of the agent's in the oplog after an entry, as this member has it, majority or not.
fn note_after(client: &Client, from: Timestamp) -> Option<Timestamp> {
    let from = bson::Timestamp { time: from.secs, increment: from.ordinal };
    let filter = doc! {"ts": {"$gt": from}, "o.tidemark": {"$exists": true}};
    let own = client.database("local").collection::<Document>("oplog.rs").find_one(filter).run().ok()??;
    own.get_timestamp("ts").ok().map(ours)
}

const fn ours(ts: bson::Timestamp) -> Timestamp {
    Timestamp { secs: ts.time, ordinal: ts.increment }
}

/// A collection is dropped on a primary that nobody follows, which dies before a majority knows of it. The agent sees the
/// drop in the middle of its scan, or, if it is started anew, when it lists what there is.
fn rolled_back_drop(is_started_anew: bool) {
    // Long enough for the primary to be one as long as it lives.
    let options = Options { election_timeout_ms: 180_000, ..Options::default() };
    let mut set = ReplicaSet::start(3, &options).unwrap();
    fill(&set.client().unwrap(), "dropped", 48_000);
    let primary = set.primary().unwrap();
    let followers = others(&set, primary);
    let server = Server::start();
    {
        let mut kept = server.kept();
        kept.order.sync_source = SyncSource::Primary;
        kept.order.throttle_bytes_per_second = Some(8 << 20);
    }
    let mut agent = Some(of_set(&server, &set));
    wait("a batch", || match collection(&server, "dropped") {
        Some(it) if it.next > 0 => Ok(()),
        other => Err(format!("{other:?}")),
    });
    if is_started_anew {
        agent.take().into_iter().for_each(Agent::kill);
    }
    // Not paused: what was sent to them meanwhile would reach them later.
    followers.iter().for_each(|follower| set.kill(*follower));
    let alone = set.direct(primary);
    let drop = doc! {"drop": "dropped", "writeConcern": {"w": 1}};
    alone.database("app").run_command(drop).run().unwrap();
    let hello = alone.database("admin").run_command(doc! {"hello": 1}).run().unwrap();
    let dropped = hello.get_document("lastWrite").unwrap().get_document("opTime").unwrap();
    let dropped = ours(dropped.get_timestamp("ts").unwrap());
    let agent = agent.unwrap_or_else(|| of_set(&server, &set));
    wait("the agent to take the drop for true, or to wait for a majority by a note", || {
        let found = (collection(&server, "dropped"), note_after(set.direct(primary), dropped));
        let is_seen = found.1.is_some() || found.0.as_ref().is_some_and(|it| it.is_done);
        if is_seen { Ok(()) } else { Err(format!("{found:?}")) }
    });
    set.kill(primary);
    followers.iter().for_each(|follower| set.restart(*follower).unwrap());
    set.elect(followers[0]).unwrap();
    set.restart(primary).unwrap();
    set.await_all_members().unwrap();
    server.kept().order.throttle_bytes_per_second = None;
    server.await_copy();
    agent.stop().unwrap();
    let dropped = collection(&server, "dropped").unwrap();
    let copied = server.kept().documents.get(&(dropped.uuid, dropped.scan)).map_or(0, Vec::len);
    assert_eq!(copied, 48_000, "what a majority has is copied whole: {dropped:?}");
}

#[test]
fn a_drop_that_is_rolled_back_ends_no_scan() {
    rolled_back_drop(false);
}

#[test]
fn a_drop_that_is_rolled_back_is_not_taken_for_true_by_an_agent_that_lists_anew() {
    rolled_back_drop(true);
}

#[test]
fn a_member_that_is_cut_off_is_left_for_the_primary() {
    let set = tidemark_testkit::live::replica_set_of_three().unwrap();
    let client = set.client().unwrap();
    let server = Server::start();
    let agent = of_set(&server, &set);
    server.await_copy();
    catch_up(&server, &set);
    let old = set.primary().unwrap();
    set.elect(others(&set, old)[0]).unwrap();
    // It answers, and gets nothing any more, as if it could not reach the others.
    let admin = set.direct(old).database("admin");
    admin.run_command(doc! {"fsync": 1, "lock": true}).run().unwrap();
    write(&client, 0..20);
    catch_up(&server, &set);
    admin.run_command(doc! {"fsyncUnlock": 1}).run().unwrap();
    agent.stop().unwrap();
    assert_unbroken(&server, &set);
}

#[test]
fn the_end_of_a_copy_is_the_primarys_also_without_notes() {
    let set = ReplicaSet::start(3, &Options { auth: true, ..Options::default() }).unwrap();
    let client = set.client().unwrap();
    let user = create_reader(&client);
    fill(&client, "large", 24_000);
    set.wait_majority_committed().unwrap();
    let behind = others(&set, set.primary().unwrap())[0];
    let server = Server::start();
    {
        let mut kept = server.kept();
        kept.order.excluded_namespaces = vec!["admin".to_owned(), "config".to_owned()];
        // The second batch waits for another order.
        kept.order.throttle_bytes_per_second = Some(64 << 10);
        let address = Address { host: "127.0.0.1".to_owned(), port: set.member(behind).port() };
        kept.order.sync_source = SyncSource::Member(address);
    }
    let access = set.access().as_user(&user.user, &user.password);
    let agent = Agent::start(config(&server, "a", vec![set_config(&set, &access)]));
    wait("a batch", || if server.kept().batches >= 1 { Ok(()) } else { Err(String::new()) });
    let admin = set.direct(behind).database("admin");
    admin.run_command(doc! {"fsync": 1, "lock": true}).run().unwrap();
    write(&client, 0..20);
    let written = set.last_committed().unwrap();
    server.kept().order.throttle_bytes_per_second = None;
    server.await_copy();
    admin.run_command(doc! {"fsyncUnlock": 1}).run().unwrap();
    agent.stop().unwrap();
    let until = server.kept().sync.as_ref().unwrap().until.unwrap();
    assert!(until >= written.ts, "{until} is before {}, which a majority has", written.ts);
}
