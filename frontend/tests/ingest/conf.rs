//! The conf call: what is noted of what an agent says, who is active, who is told how to connect.

use crate::world::{NOW, SET, World, call, of_set, report};
use axum::http::Method;
use std::time::Duration;
use tidemark_base::UnixMillis;
use tidemark_base::protocol::{
    Address, Code, ConfRequest, Connection, Member, ReleaseRequest, Role, SetReport, Task,
};
use tidemark_metadata::{
    Agent, BackupConfig, By, Host, Namespace, ReplicaSet, Secret, Seed, Subject, SyncSource,
};

#[tokio::test]
async fn what_an_agent_sees_is_noted() {
    let world = World::new();
    world.conf(&call("a", vec![report(SET)])).await;
    let metadata = world.metadata();
    let id = Agent::id_of(world.group, &Subject::new("a").unwrap());
    let agent = metadata.get::<Agent>(&id).unwrap().record;
    assert_eq!((agent.host.as_str(), agent.seen_at, agent.clock_ahead_ms), ("agent1.example.com", NOW, 1500));
    let of = format!("{}:", world.group);
    let sets = metadata.all::<ReplicaSet>(By::IdPrefix(&of)).unwrap();
    let set = &sets[0].record;
    assert_eq!((set.name.as_str(), set.seeds.len()), ("rs0", 2));
    let sight = set.sight.as_ref().unwrap();
    assert_eq!(
        (sight.source_clock, sight.problems[0].as_str()),
        (Some(UnixMillis(NOW.0 - 2000)), "db2 lags")
    );
    let hosts = metadata.all::<Host>(By::IdPrefix(&of)).unwrap();
    let mut states: Vec<_> =
        hosts.iter().map(|it| (it.record.name.as_str(), it.record.state.as_str())).collect();
    states.sort_unstable();
    assert_eq!(states, [("db1", "PRIMARY"), ("db2", "SECONDARY")]);
}

#[tokio::test]
async fn of_an_agent_that_only_checks_nothing_is_noted() {
    let world = World::new();
    let answer = world.conf(&ConfRequest { is_check: true, ..call("a", vec![report(SET)]) }).await;
    assert_eq!((answer.group, answer.sets.len()), (world.group.to_string(), 0));
    let metadata = world.metadata();
    assert!(metadata.all::<Agent>(By::IdPrefix("")).unwrap().is_empty());
    assert!(metadata.all::<ReplicaSet>(By::IdPrefix("")).unwrap().is_empty());
}

#[tokio::test]
async fn of_two_agents_one_is_active_until_it_is_silent() {
    let world = World::new();
    let role = async |name: &str| world.conf(&call(name, vec![report(SET)])).await.sets[0].role;
    assert_eq!(
        (role("a").await, role("b").await, role("a").await),
        (Role::Active, Role::Standby, Role::Active)
    );
    let lag = SetReport { problems: vec!["says b".to_owned()], ..report(SET) };
    world.conf(&call("b", vec![lag])).await;
    let sets = world.metadata().all::<ReplicaSet>(By::IdPrefix("")).unwrap();
    assert_eq!(
        sets[0].record.sight.as_ref().unwrap().problems[0].as_str(),
        "db2 lags",
        "only the active one counts"
    );
    world.clock.advance(Duration::from_secs(91));
    assert_eq!((role("b").await, role("a").await), (Role::Active, Role::Standby));
    // A new life of the same agent need not wait for the old one.
    let reborn = ConfRequest { incarnation: "ff11223344556677".to_owned(), ..call("b", vec![report(SET)]) };
    assert_eq!(world.conf(&reborn).await.sets[0].role, Role::Active);
}

#[tokio::test]
async fn an_agent_that_ends_gives_back_what_is_its_own_and_another_is_active_at_once() {
    let world = World::new();
    let role = async |name: &str| world.conf(&call(name, vec![report(SET)])).await.sets[0].role;
    let release = async |agent: &str, incarnation: &str| {
        let request = ReleaseRequest { agent: agent.to_owned(), incarnation: incarnation.to_owned() };
        world.post(&of_set("/release"), &request).await
    };
    let own = call("a", Vec::new()).incarnation;
    assert_eq!(release("a", &own).await.refusal().1.code, Code::NotFound, "nothing is known yet");
    assert_eq!((role("a").await, role("b").await), (Role::Active, Role::Standby));
    for (agent, run) in [("b", own.as_str()), ("a", "ff11223344556677")] {
        let (status, refusal) = release(agent, run).await.refusal();
        assert_eq!((status, refusal.code), (409, Code::NotActive), "{agent} {run}");
    }
    assert_eq!(role("b").await, Role::Standby, "nothing was given back");
    for _ in 0..2 {
        release("a", &own).await.ok::<()>();
    }
    assert_eq!(role("b").await, Role::Active, "without waiting");
    assert_eq!(release("a", &own).await.refusal().1.code, Code::NotActive, "another has it by now");
    assert_eq!((role("a").await, role("b").await), (Role::Standby, Role::Active));
    for bad in ["", "zz", "0011"] {
        assert_eq!(release("a", bad).await.refusal().1.code, Code::Invalid);
    }
    assert_eq!(release("a b", &own).await.refusal().1.code, Code::Invalid);
}

#[tokio::test]
async fn of_two_agents_of_one_name_the_later_one_is_active_and_stays_so() {
    let world = World::new();
    let role = async |run: &str| {
        let request = ConfRequest { incarnation: run.repeat(8), ..call("a", vec![report(SET)]) };
        world.conf(&request).await.sets[0].role
    };
    assert_eq!((role("01").await, role("02").await), (Role::Active, Role::Active), "as a restart would be");
    for _ in 0..10 {
        world.clock.advance(Duration::from_secs(30));
        assert_eq!((role("01").await, role("02").await), (Role::Standby, Role::Active));
    }
    world.clock.advance(Duration::from_secs(91));
    assert_eq!((role("01").await, role("02").await), (Role::Active, Role::Standby), "as any agent would");
}

#[tokio::test]
async fn orders_are_those_of_the_backup() {
    let world = World::new();
    world.conf(&call("a", vec![report(SET)])).await;
    world
        .metadata()
        .change::<BackupConfig, _>(&world.config_id(), |config| {
            config.excluded_namespaces = vec![Namespace::new("tmp").unwrap()];
            let host = tidemark_metadata::HostName::new("db2").unwrap();
            config.sync_source = SyncSource::Member(Seed { host, port: 27018 });
            config.throttle_bytes_per_second = Some(1000);
            Ok(())
        })
        .unwrap();
    let told = world.conf(&call("a", vec![report(SET)])).await;
    let order = &told.sets[0];
    assert_eq!(order.excluded_namespaces, ["tmp"]);
    assert_eq!(order.throttle_bytes_per_second, Some(1000));
    let address = Address { host: "db2".to_owned(), port: 27018 };
    assert_eq!(order.sync_source, tidemark_base::protocol::SyncSource::Member(address));
    assert_eq!((order.task, told.next_ms), (Task::Rest, 5000));
    world.tailing_from_rest().await;
    assert_eq!(world.conf(&call("a", vec![report(SET)])).await.next_ms, 30_000);
}

#[tokio::test]
async fn only_the_active_agent_of_the_group_is_told_how_to_connect() {
    let world = World::new();
    world.conf(&call("a", vec![report(SET)])).await;
    let connection = Connection {
        seeds: vec![Address { host: "db1".to_owned(), port: 27017 }],
        user: "backup".to_owned(),
        password: "hunter2".to_owned(),
        auth_source: "admin".to_owned(),
        ca_pem: None,
    };
    let set = |bytes: Vec<u8>| {
        let parts = world.site.parts();
        let secret = Secret::new(bytes).unwrap();
        let sealed = |config: &mut BackupConfig| {
            parts.with_entropy(|entropy| config.set_connection(Some(&secret), &parts.sealing, entropy));
            Ok(())
        };
        parts.metadata.change::<BackupConfig, _>(&world.config_id(), sealed).unwrap();
    };
    set(serde_json::to_vec(&connection).unwrap());
    assert_eq!(world.conf(&call("a", vec![report(SET)])).await.sets[0].connection, Some(connection));
    assert_eq!(world.conf(&call("b", vec![report(SET)])).await.sets[0].connection, None, "it stands by");
    let body = serde_json::to_vec(&call("a", vec![report(SET)])).unwrap();
    let theirs = world.ask_with(&world.other_key, Method::POST, "/agent/v1/conf", body).await;
    assert!(!theirs.text().contains("hunter2"), "the same set in another group is another one");
    // What is not understood is not told, and not quoted either.
    set(b"hunter3".to_vec());
    let broken = world.post("/agent/v1/conf", &call("a", vec![report(SET)])).await;
    assert!(broken.status.is_success() && !broken.text().contains("hunter"), "{}", broken.text());
}

#[tokio::test]
async fn hostile_words_are_refused_and_not_noted() {
    let world = World::new();
    let member = |host: &str| Member { host: host.to_owned(), ..report(SET).members[0].clone() };
    let bad_sets = [
        SetReport { id: "../../etc/passwd".to_owned(), ..report(SET) },
        SetReport { id: SET.to_ascii_uppercase(), ..report(SET) },
        SetReport { name: "rs0/../x".to_owned(), ..report(SET) },
        SetReport { name: "a\u{202e}b".to_owned(), ..report(SET) },
        SetReport { members: Vec::new(), ..report(SET) },
        SetReport { members: vec![member("db1"); 51], ..report(SET) },
        SetReport { members: vec![member("a b<script>")], ..report(SET) },
        SetReport { members: vec![Member { port: 0, ..member("db1") }], ..report(SET) },
    ];
    let mut calls: Vec<ConfRequest> = bad_sets.into_iter().map(|it| call("a", vec![it])).collect();
    calls.push(call("a b", vec![]));
    calls.push(call(&"a".repeat(200), vec![]));
    calls.push(ConfRequest { host: "x y".to_owned(), ..call("a", vec![]) });
    calls.push(ConfRequest { incarnation: "zz".to_owned(), ..call("a", vec![]) });
    calls.push(call("a", vec![report(SET), report(SET)]));
    calls.push(call("a", (0..101).map(|n| report(&format!("{n:024x}"))).collect()));
    for bad in calls {
        let (status, refusal) = world.post("/agent/v1/conf", &bad).await.refusal();
        assert_eq!((status, refusal.code), (400, Code::Invalid), "{bad:?}");
        assert!(!refusal.message.contains("script") && !refusal.message.contains("passwd"), "{refusal}");
    }
    let long = SetReport { problems: vec!["x\n".repeat(5000); 50], ..report(SET) };
    world.conf(&call("a", vec![long])).await;
    let sets = world.metadata().all::<ReplicaSet>(By::IdPrefix("")).unwrap();
    let sight = sets[0].record.sight.as_ref().unwrap();
    assert!(sight.problems.len() == 20 && !sight.problems[0].as_str().contains('\n'));
}

#[tokio::test]
async fn there_is_an_end_to_what_one_group_makes_known() {
    let world = World::new();
    let mut known = 0;
    for from in (0..1100).step_by(100) {
        let sets = (from..from + 100).map(|n| report(&format!("{n:024x}"))).collect();
        let answer = world.post("/agent/v1/conf", &call("a", sets)).await;
        if answer.status.is_success() {
            known += 100;
        } else {
            let (status, refusal) = answer.refusal();
            assert_eq!((status, refusal.code), (400, Code::Invalid));
            assert!(refusal.message.contains("1000"), "{refusal}");
        }
    }
    assert_eq!(known, 1000);
    let body = serde_json::to_vec(&call("a", vec![report(SET)])).unwrap();
    let theirs = world.ask_with(&world.other_key, Method::POST, "/agent/v1/conf", body).await;
    assert!(theirs.status.is_success(), "another group has its own");
}
