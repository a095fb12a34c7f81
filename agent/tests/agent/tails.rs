//! Tails: elections, restarts of either side, take-over, roll-backs and lost beginnings.

use crate::agent::{Agent, GROUP, config, of_set, set_config, wait};
use crate::server::Server;
use bson::{Document, doc};
use mongodb::sync::Client;
use std::ops::Range;
use tidemark_agent::Error;
use tidemark_base::protocol::{End, LostReason, Tip};
use tidemark_base::{OpTime, Timestamp};
use tidemark_testkit::live::{ReplicaSet, oplog_from};

pub(crate) fn write(client: &Client, ids: Range<i32>) {
    let collection = client.database("app").collection::<Document>("written");
    for id in ids {
        collection.insert_one(doc! {"_id": id, "text": "some text ".repeat(20)}).run().unwrap();
    }
}

/// The slices hold every entry of the source from where the copy began up to the tip, byte for byte.
pub(crate) fn assert_unbroken(server: &Server, set: &ReplicaSet) {
    let kept = server.kept();
    let (at, tip) = (kept.sync.as_ref().unwrap().at.ts, kept.tip.as_ref().unwrap().at.ts);
    let position = |entry: &[u8]| {
        let entry = bson::RawDocument::from_bytes(entry).unwrap().get_timestamp("ts").unwrap();
        Timestamp { secs: entry.time, ordinal: entry.increment }
    };
    // The first member: the oplogs of the others begin where they were synced. It may have been away for a while.
    let source = wait("the first member to have it all", || {
        let entries = oplog_from(set.direct(0), at).map_err(|error| error.to_string())?;
        let last = entries.last().map(|entry| position(entry.as_bytes()));
        if last >= Some(tip) { Ok(entries) } else { Err(format!("{last:?} of {tip}")) }
    });
    let source: Vec<&[u8]> = source
        .iter()
        .map(|entry| entry.as_bytes())
        .filter(|entry| position(entry) > at && position(entry) <= tip)
        .collect();
    let sent: Vec<&[u8]> = kept.slices.iter().flatten().map(Vec::as_slice).collect();
    assert!(!sent.is_empty());
    assert!(sent == source, "{} entries are kept, {} are there", sent.len(), source.len());
}

/// A set of one, copied and tailed.
fn tailed() -> (ReplicaSet, Server, Agent) {
    let set = tidemark_testkit::live::replica_set_of_one().unwrap();
    let server = Server::start();
    let agent = of_set(&server, &set);
    server.await_copy();
    (set, server, agent)
}

pub(crate) fn catch_up(server: &Server, set: &ReplicaSet) {
    server.await_tip(set.append_note_and_read_back().unwrap().ts);
}

#[test]
fn elections_leave_no_gap() {
    let set = tidemark_testkit::live::replica_set_of_three().unwrap();
    let client = set.client().unwrap();
    write(&client, 0..100);
    let server = Server::start();
    let agent = of_set(&server, &set);
    server.await_copy();
    for round in 1..3 {
        let next = (set.primary().unwrap() + 1) % 3;
        write(&client, round * 1000..round * 1000 + 100);
        set.elect(next).unwrap();
        write(&client, round * 1000 + 100..round * 1000 + 200);
    }
    catch_up(&server, &set);
    agent.stop().unwrap();
    assert_unbroken(&server, &set);
    assert!(server.kept().forks.is_empty() && server.kept().losses.is_empty());
}

#[test]
fn a_primary_that_hangs_is_left_for_the_next() {
    let mut set = tidemark_testkit::live::replica_set_of_three().unwrap();
    let server = Server::start();
    let agent = of_set(&server, &set);
    server.await_copy();
    let hanging = set.primary().unwrap();
    set.pause(hanging).unwrap();
    write(&set.client().unwrap(), 0..20);
    catch_up(&server, &set);
    let name = format!("127.0.0.1:{} cannot be reached", set.member(hanging).port());
    wait("a report that names it", || {
        let problems = server.kept().confs.last().unwrap().sets[0].problems.join("; ");
        if problems.contains(&name) { Ok(()) } else { Err(problems) }
    });
    set.resume(hanging);
    agent.stop().unwrap();
    assert_unbroken(&server, &set);
}

#[test]
fn a_server_that_is_busy_gone_or_not_heard_loses_nothing() {
    let (set, mut server, agent) = tailed();
    let client = set.client().unwrap();
    server.kept().busy = 5;
    write(&client, 0..100);
    server.kept().unheard = 3;
    write(&client, 100..200);
    catch_up(&server, &set);
    server.down();
    write(&client, 200..300);
    server.up();
    catch_up(&server, &set);
    agent.kill();
    write(&client, 300..400);
    let agent = of_set(&server, &set);
    catch_up(&server, &set);
    agent.stop().unwrap();
    assert_unbroken(&server, &set);
}

#[test]
fn a_slice_is_durable_soon_and_an_end_sends_what_is_held() {
    let (set, server, agent) = tailed();
    let client = set.client().unwrap();
    catch_up(&server, &set);
    let clock = tidemark_base::SystemClock::new();
    let mut slowest = std::time::Duration::ZERO;
    for round in 0..5 {
        write(&client, round..round + 1);
        let written = tidemark_base::Clock::monotonic(&clock);
        let last = set.last_committed().unwrap();
        server.await_tip(last.ts);
        slowest = slowest.max(tidemark_base::Clock::monotonic(&clock) - written);
    }
    assert!(slowest < std::time::Duration::from_secs(2), "{slowest:?}");
    write(&client, 1000..1001);
    let last = set.last_committed().unwrap();
    // Read by now, most likely, and gathered for half a second.
    std::thread::sleep(std::time::Duration::from_millis(100));
    agent.stop().unwrap();
    assert!(server.kept().tip.as_ref().unwrap().at.ts >= last.ts, "what was read is sent");
    assert_unbroken(&server, &set);
}

#[test]
fn one_stands_by_until_it_is_told() {
    let (set, server, first) = tailed();
    let client = set.client().unwrap();
    let mut config = config(&server, "b", vec![set_config(&set, set.access())]);
    // The first address is of nobody.
    config.motherships.insert(0, "http://127.0.0.1:1".to_owned());
    let second = Agent::start(config);
    let has_called =
        || if server.kept().confs.iter().any(|it| it.agent == "b") { Ok(()) } else { Err(String::new()) };
    wait("the second to call", has_called);
    write(&client, 0..50);
    catch_up(&server, &set);
    first.kill();
    server.kept().active = Some("b".to_owned());
    write(&client, 50..100);
    catch_up(&server, &set);
    second.stop().unwrap();
    assert_unbroken(&server, &set);
}

#[test]
fn one_that_ends_in_good_order_makes_room_for_another() {
    let (set, server, first) = tailed();
    let client = set.client().unwrap();
    let second = Agent::start(config(&server, "b", vec![set_config(&set, set.access())]));
    wait("the second to stand by", || match server.kept().confs.iter().any(|it| it.agent == "b") {
        true => Ok(()),
        false => Err(String::new()),
    });
    write(&client, 0..50);
    catch_up(&server, &set);
    first.stop().unwrap();
    write(&client, 50..100);
    catch_up(&server, &set);
    second.stop().unwrap();
    assert_eq!(server.kept().active, None, "the second has made room as well");
    assert_unbroken(&server, &set);
}

/// What the server believes to be the tip is not in the source's oplog: as after members were restored from files.
fn with_another_tip(server: &Server, change: impl FnOnce(&mut Tip, &mut Vec<End>)) {
    let mut kept = server.kept();
    let kept = &mut *kept;
    change(kept.tip.as_mut().unwrap(), &mut kept.ends);
}

#[test]
fn a_roll_back_is_gone_back_to_the_newest_common_entry() {
    let (set, server, agent) = tailed();
    let client = set.client().unwrap();
    for round in 0..4 {
        write(&client, round * 10..round * 10 + 10);
        catch_up(&server, &set);
    }
    agent.stop().unwrap();
    let mut common = None;
    with_another_tip(&server, |tip, ends| {
        // The newest three ends were rolled back, one of them with the same timestamp as another entry.
        let len = ends.len();
        for end in &mut ends[len - 3..] {
            end.entry = "00".repeat(32);
        }
        ends.last_mut().unwrap().at.term += 1;
        common = Some(ends[len - 4].clone());
        (tip.entry, tip.at) = (Some("00".repeat(32)), ends[len - 1].at);
    });
    let agent = of_set(&server, &set);
    catch_up(&server, &set);
    agent.stop().unwrap();
    let kept = server.kept();
    assert_eq!(kept.forks.iter().map(|it| it.common.clone()).collect::<Vec<_>>(), [common.unwrap()]);
    assert!(kept.losses.is_empty());
}

#[test]
fn an_oplog_that_has_nothing_in_common_or_no_beginning_is_lost() {
    let (set, server, agent) = tailed();
    agent.stop().unwrap();
    for (secs, reason) in [(0, LostReason::NoCommonPoint), (1, LostReason::FellOff)] {
        with_another_tip(&server, |tip, ends| {
            ends.iter_mut().for_each(|end| end.entry = "11".repeat(32));
            tip.entry = Some("00".repeat(32));
            if secs > 0 {
                tip.at = OpTime { ts: Timestamp { secs, ordinal: 1 }, term: 1 };
            }
        });
        let before = server.kept().sync.as_ref().unwrap().number;
        let agent = of_set(&server, &set);
        let lost = |kept: &crate::server::Kept| kept.losses.last().map(|it| it.reason);
        wait("a loss", || if lost(&server.kept()) == Some(reason) { Ok(()) } else { Err(String::new()) });
        // What heals it, all by itself.
        server.await_copy_after(before);
        agent.stop().unwrap();
    }
}

#[test]
fn a_key_of_another_group_ends_the_agent() {
    let set = tidemark_testkit::live::replica_set_of_one().unwrap();
    let server = Server::start();
    server.kept().group = "f".repeat(24);
    let outcome = of_set(&server, &set).end();
    assert!(matches!(&outcome, Err(Error::Group { expected, .. }) if expected == GROUP), "{outcome:?}");
    assert!(server.kept().sync.is_none(), "nothing is sent to a stranger");
}
