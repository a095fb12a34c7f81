//! Which member is copied where any secondary will do: not one that is behind on purpose, nor one that was tried in vain.

use crate::agent::{of_set, wait};
use crate::copies::{assert_copied, fill};
use crate::server::Server;
use bson::{Document, doc};
use tidemark_testkit::live::{Options, ReplicaSet};

/// Lets these members follow a second late. The primary must be none of them.
fn delay(set: &ReplicaSet, delayed: &[usize]) {
    let admin = set.direct(set.primary().unwrap()).database("admin");
    let reply = admin.run_command(doc! {"replSetGetConfig": 1}).run().unwrap();
    let mut config = reply.get_document("config").unwrap().clone();
    let version = config.get_i32("version").unwrap() + 1;
    config.insert("version", version);
    for member in delayed {
        let members = config.get_array_mut("members").unwrap();
        let own = members[*member].as_document_mut().unwrap();
        own.extend(doc! {"priority": 0, "hidden": true, "secondaryDelaySecs": 1});
    }
    admin.run_command(doc! {"replSetReconfig": config}).run().unwrap();
    wait("the members to take their configuration", || {
        delayed.iter().try_for_each(|member| {
            let own = set.direct(*member).database("admin").run_command(doc! {"replSetGetConfig": 1}).run();
            let own: Document = own.map_err(|error| error.to_string())?;
            let has = own.get_document("config").and_then(|it| it.get_i32("version"));
            if has.as_ref().is_ok_and(|has| *has == version) { Ok(()) } else { Err(format!("{has:?}")) }
        })
    });
}

#[test]
fn members_that_are_behind_on_purpose_are_not_copied() {
    let set = tidemark_testkit::live::replica_set_of_three().unwrap();
    set.elect(0).unwrap();
    fill(&set.client().unwrap(), "large", 24_000);
    set.wait_majority_committed().unwrap();
    // So little that a copy would come to its end.
    delay(&set, &[1, 2]);
    let server = Server::start();
    server.kept().order.throttle_bytes_per_second = Some(8 << 20);
    let agent = of_set(&server, &set);
    let node = wait("a place to go on from", || {
        let kept = server.kept();
        let sync = kept.sync.as_ref().ok_or("no copy")?;
        let point = sync.collections.iter().find_map(|it| it.resume.clone());
        point.map(|point| point.node).ok_or_else(|| format!("{sync:?}"))
    });
    assert!(node.starts_with(&format!("127.0.0.1:{} ", set.member(0).port())), "{node}");
    server.kept().order.throttle_bytes_per_second = None;
    server.await_copy();
    agent.stop().unwrap();
    assert_copied(&server, set.direct(0));
}

#[test]
fn a_member_that_cannot_be_scanned_is_left_for_another() {
    let set_parameters = vec![("enableTestCommands".to_owned(), "1".to_owned())];
    let set = ReplicaSet::start(3, &Options { set_parameters, ..Options::default() }).unwrap();
    set.elect(0).unwrap();
    fill(&set.client().unwrap(), "some", 3000);
    set.wait_majority_committed().unwrap();
    // As a table would that its disk no longer gives back: all else is answered.
    let fails = doc! {"failCommands": ["find"], "errorCode": 8, "appName": "tidemark-agent"};
    let fail = doc! {"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": fails};
    set.direct(1).database("admin").run_command(fail).run().unwrap();
    let server = Server::start();
    let agent = of_set(&server, &set);
    server.await_copy();
    agent.stop().unwrap();
    assert_copied(&server, set.direct(2));
}
