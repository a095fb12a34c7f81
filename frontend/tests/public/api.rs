//! A walk through the whole API, as a client takes it.

use crate::client::{answer, nonce_of, request};
use crate::rig::{NOW, Rig, SET, URL};
use axum::http::{StatusCode, header};
use serde_json::{Value, json};
use std::time::Duration;
use tidemark_metadata::rules::lease::Holder;
use tidemark_metadata::{
    Agent, BackupConfig, HostName, Job, JobKind, JobState, Ordered, Outcome, RestoreJob, RestoreJobId,
    RestoreState, Status, Subject, Text,
};

#[tokio::test]
async fn a_client_walks_through_groups_people_and_keys() {
    let rig = Rig::new();
    let group = format!("/groups/{}", rig.group);
    let groups = rig.get("reader", "GET /groups", "").await;
    assert_eq!((&groups["totalCount"], &groups["results"][0]["name"]), (&json!(1), &json!("Ärzte & Co <b>")));
    assert_eq!(rig.get("site", "GET /groups", "").await["totalCount"], 2);
    assert_eq!(rig.get("reader", &format!("GET {group}"), "").await["id"], rig.group.to_string());

    let made = rig.get("site", "POST /groups", r#"{"name":"New"}"#).await;
    assert_eq!(made["name"], "New");
    let taken = rig.ask("site", "POST /groups", r#"{"name":"new"}"#).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);

    // Keys are shown once, open what they should, and nothing once they are revoked.
    let key = rig.get("owner", &format!("POST {group}/agentapikeys"), r#"{"desc":"east"}"#).await;
    let token = key["key"].as_str().unwrap();
    assert!(rig.metadata().agent_of_key(token).unwrap().is_some());
    let listed = rig.get("reader", &format!("GET {group}/agentapikeys"), "").await;
    assert!(listed["results"][0]["desc"] == "east" && !listed.to_string().contains(token));
    let id = listed["results"][0]["_id"].as_str().unwrap();
    rig.get("owner", &format!("DELETE {group}/agentapikeys/{id}"), "").await;
    assert!(rig.metadata().agent_of_key(token).unwrap().is_none());

    let body = r#"{"desc":"ci","roles":["GROUP_READ_ONLY"]}"#;
    let key = rig.get("owner", &format!("POST {group}/apiKeys"), body).await;
    assert_eq!(key["privateKey"].as_str().unwrap().len(), 64);
    let id = key["id"].as_str().unwrap();
    assert!(!rig.get("reader", &format!("GET {group}/apiKeys"), "").await.to_string().contains("privateKey"));
    rig.get("owner", &format!("DELETE {group}/apiKeys/{id}"), "").await;
    let again = rig.ask("owner", &format!("DELETE {group}/apiKeys/{id}"), "").await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);

    let body = r#"{"roleName":"GROUP_BACKUP_ADMIN"}"#;
    let invited = rig.get("owner", &format!("POST {group}/invites"), body).await;
    assert!(invited["url"].as_str().unwrap().starts_with(&format!("{URL}/invitation/tmi_")));

    // Each of these is an event, without what opens anything.
    let events = rig.get("reader", &format!("GET {group}/events?itemsPerPage=2"), "").await;
    assert_eq!((events["results"].as_array().unwrap().len(), &events["totalCount"]), (2, &json!(5)));
    let next = events["links"][1]["href"].as_str().unwrap();
    assert_eq!(events["links"][1]["rel"], "next");
    let next = next.strip_prefix(&format!("{URL}/api/public/v1.0")).unwrap();
    let events = rig.get("reader", &format!("GET {next}"), "").await;
    assert_eq!(events["results"][1]["eventTypeName"], "AGENT_KEY_REVOKED");
    assert_eq!(rig.get("reader", &format!("GET {group}/events/0"), "").await["id"], "0");
    let all = rig.get("reader", &format!("GET {group}/events"), "").await.to_string();
    assert!(!all.contains("tmi_") && !all.contains("tma_") && all.contains("apiKey:"));
}

#[tokio::test]
async fn people_get_other_roles_and_go() {
    let rig = Rig::new();
    let group = format!("/groups/{}", rig.group);
    rig.person("boss", None);
    let user = rig.person("ann", Some(tidemark_metadata::rules::roles::Role::ReadOnly));
    let at = format!("{group}/users/{}", user.id);
    assert_eq!(rig.get("reader", &format!("GET {group}/users"), "").await["results"][0]["username"], "ann");
    let patched = rig.get("owner", &format!("PATCH {at}"), r#"{"roleName":"GROUP_OWNER"}"#).await;
    assert_eq!(patched["roles"][0]["roleName"], "GROUP_OWNER");
    rig.get("owner", &format!("DELETE {at}"), "").await;
    assert_eq!(rig.ask("owner", &format!("GET {at}"), "").await.status, StatusCode::NOT_FOUND);
    // Who is in no group of theirs cannot be found or given a role.
    let patch = rig.ask("owner", &format!("PATCH {at}"), r#"{"roleName":"GROUP_OWNER"}"#).await;
    assert_eq!(patch.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_backup_is_started_changed_stopped_terminated_and_that_is_undone() {
    let rig = Rig::new();
    let at = format!("/groups/{}/backupConfigs/{SET}", rig.group);
    let status = async |wish: &str| {
        let body = json!({"statusName": wish}).to_string();
        rig.ask("admin", &format!("PATCH {at}"), &body).await
    };
    assert_eq!(rig.get("reader", &format!("GET {at}"), "").await["statusName"], "INACTIVE");
    assert_eq!(status("STOPPED").await.status, StatusCode::CONFLICT);
    let started: Value = serde_json::from_slice(&status("STARTED").await.body).unwrap();
    assert_eq!(started["statusName"], "PROVISIONING", "starting begins with a copy");
    assert_eq!(status("STARTED").await.status, StatusCode::OK, "it is being started already");
    let refused = status("TERMINATING").await;
    assert!(refused.status == StatusCode::CONFLICT && refused.text().contains("stop it first"));
    for wish in ["STOPPED", "STARTED", "STARTED", "STOPPED", "TERMINATING", "STOPPED", "PROVISIONING"] {
        assert_eq!(status(wish).await.status, StatusCode::OK, "{wish}");
    }
    let body = r#"{"excludedNamespaces":["scratch","shop.tmp"],"syncSource":"db1.example.com:27017"}"#;
    let config = rig.get("admin", &format!("PATCH {at}"), body).await;
    assert_eq!(config["excludedNamespaces"], json!(["scratch", "shop.tmp"]));
    assert_eq!(config["syncSource"], "db1.example.com:27017");
    for (rate, shown) in [("20000000", json!(20_000_000)), ("0", json!(null))] {
        let body = format!(r#"{{"throttleBytesPerSecond":{rate}}}"#);
        let config = rig.get("admin", &format!("PATCH {at}"), &body).await;
        assert_eq!(config["throttleBytesPerSecond"], shown);
    }
    let listed = rig.get("reader", &format!("GET /groups/{}/backupConfigs", rig.group), "").await;
    assert_eq!(listed["results"][0]["statusName"], "PROVISIONING");
}

#[tokio::test]
async fn a_connection_is_written_and_never_read() {
    let rig = Rig::new();
    let at = format!("/groups/{}/backupConfigs/{SET}", rig.group);
    let body =
        r#"{"username":"backup","password":"hunter2hunter2","sslCaPem":"-----BEGIN CERTIFICATE-----\nx"}"#;
    let config = rig.get("admin", &format!("PATCH {at}"), body).await;
    assert_eq!(config["connectionProvided"], true);
    let id = BackupConfig::id_of(rig.group, SET.parse().unwrap());
    let stored = rig.metadata().get::<BackupConfig>(&id).unwrap().record;
    let opened = stored.open_connection(&rig.site.parts().sealing).unwrap().unwrap();
    let opened: tidemark_base::protocol::Connection = serde_json::from_slice(opened.reveal()).unwrap();
    assert_eq!((opened.user.as_str(), opened.auth_source.as_str()), ("backup", "admin"));
    assert_eq!(opened.seeds[0].host, "db1.example.com", "those the agent reported");
    let group = format!("/groups/{}", rig.group);
    for path in [at.clone(), format!("{group}/backupConfigs"), format!("{group}/events")] {
        let text = rig.get("owner", &format!("GET {path}"), "").await.to_string();
        assert!(!text.contains("hunter2") && !text.contains("CERTIFICATE"), "{text}");
    }
    // Also not in an error.
    for bad in [r#"{"password":["hunter2"]}"#, r#"{"pasword":"hunter2"}"#, r#"{"syncSource":"hunter2"}"#] {
        let answer = rig.ask("admin", &format!("PATCH {at}"), bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(!answer.text().contains("hunter2"), "{}", answer.text());
    }
}

#[tokio::test]
async fn schedule_and_retention_are_changed_as_a_whole_or_not() {
    let rig = Rig::new();
    let at = format!("/groups/{}/backupConfigs/{SET}/snapshotSchedule", rig.group);
    let body =
        r#"{"snapshotIntervalHours":12,"referenceTimeZone":"Europe/Berlin","dailySnapshotRetentionDays":0}"#;
    let schedule = rig.get("admin", &format!("PATCH {at}"), body).await;
    assert_eq!(
        (&schedule["snapshotIntervalHours"], &schedule["snapshotRetentionDays"]),
        (&json!(12), &json!(2))
    );
    for bad in [
        r#"{"snapshotIntervalHours":8,"monthlySnapshotRetentionMonths":999}"#,
        r#"{"snapshotIntervalHours":5}"#,
        r#"{"referenceTimeZone":"Mars/Olympus"}"#,
        r#"{"pointInTimeWindowHours":0}"#,
        r#"{"snapshotIntervalHours":-1}"#,
    ] {
        assert_eq!(
            rig.ask("admin", &format!("PATCH {at}"), bad).await.status,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }
    assert_eq!(rig.get("reader", &format!("GET {at}"), "").await["snapshotIntervalHours"], 12);
}

#[tokio::test]
async fn hosts_agents_and_snapshots_are_shown_as_they_are() {
    let rig = Rig::new();
    let group = format!("/groups/{}", rig.group);
    let agent = Agent {
        group: rig.group,
        agent: Subject::new("a1").unwrap(),
        host: HostName::new("db1").unwrap(),
        version: Text::fit("0.1"),
        seen_at: NOW,
        clock_ahead_ms: -7,
    };
    rig.put(&agent);
    let agents = rig.get("reader", &format!("GET {group}/agents"), "").await;
    assert_eq!(
        (&agents["results"][0]["stateName"], &agents["results"][0]["lastConf"]),
        (&json!("STANDBY"), &json!("2026-11-22T10:00:00Z"))
    );
    assert_eq!(rig.get("reader", &format!("GET {group}/hosts"), "").await["totalCount"], 0);
    assert_eq!(rig.get("reader", &format!("GET {group}/clusters/{SET}"), "").await["clusterName"], "rs<0>");

    let snapshots = rig.get("reader", &format!("GET {group}/clusters/{SET}/snapshots"), "").await;
    let snapshot = &snapshots["results"][0];
    assert_eq!(snapshot["id"], rig.snapshot);
    assert_eq!(snapshot["created"], json!({"date": "2026-11-22T09:00:00Z", "increment": 2}));
    assert_eq!((&snapshot["stateName"], &snapshot["expires"]), (&json!("STORED"), &Value::Null));
    let at = format!("{group}/clusters/{SET}/snapshots/{}", rig.snapshot);
    assert_eq!(rig.get("reader", &format!("GET {at}"), "").await["id"], rig.snapshot);
}

#[tokio::test]
async fn a_snapshot_is_deleted_and_that_is_undone() {
    let rig = Rig::new();
    let group = format!("/groups/{}", rig.group);
    let at = format!("{group}/clusters/{SET}/snapshots");
    let first = format!("{at}/{}", rig.snapshot);
    let status = async |what: String, body: &str| rig.ask("admin", &what, body).await.status;
    let config = BackupConfig::new(rig.group, SET.parse().unwrap());
    rig.put(&BackupConfig { status: Status::Started, ..config });
    let last = rig.ask("admin", &format!("DELETE {first}"), "").await;
    assert!(last.status == StatusCode::CONFLICT && last.text().contains("as good"), "{}", last.text());

    let (second, _) = rig.head.lock().unwrap().snapshot(&*rig.clock).unwrap();
    let second = format!("{at}/{second:016x}");
    for _ in 0..2 {
        rig.get("admin", &format!("DELETE {first}"), "").await;
    }
    let shown = rig.get("reader", &format!("GET {first}"), "").await;
    assert_eq!((&shown["deleted"], &shown["expires"]), (&json!(true), &json!("2026-11-23T10:00:00Z")));
    assert_eq!(status(format!("DELETE {second}"), "").await, StatusCode::CONFLICT, "it is the last one now");
    let body = json!({"snapshotId": rig.snapshot}).to_string();
    let restore = rig.ask("admin", &format!("POST {group}/clusters/{SET}/restoreJobs"), &body).await;
    assert!(restore.status == StatusCode::CONFLICT && restore.text().contains("undo"), "{}", restore.text());

    let undone = rig.get("admin", &format!("PATCH {first}"), r#"{"deleted":false}"#).await;
    assert_eq!((&undone["deleted"], &undone["id"]), (&json!(false), &json!(rig.snapshot)));
    assert_eq!(status(format!("PATCH {first}"), r#"{"deleted":false}"#).await, StatusCode::CONFLICT);
    let again = rig.get("admin", &format!("PATCH {second}"), r#"{"deleted":true}"#).await;
    assert_eq!(again["deleted"], true);
    let events = rig.get("reader", &format!("GET {group}/events"), "").await;
    let codes: Vec<&str> =
        events["results"].as_array().unwrap().iter().filter_map(|it| it["eventTypeName"].as_str()).collect();
    let (ordered, undone) = ("SNAPSHOT_DELETION_ORDERED", "SNAPSHOT_DELETION_UNDONE");
    assert_eq!(codes, [ordered, undone, ordered], "what changed nothing is no event");
}

#[tokio::test]
async fn which_seconds_go_with_a_snapshot_is_told_before_and_when_it_is_deleted() {
    let rig = Rig::new();
    let group = format!("/groups/{}", rig.group);
    let at = format!("{group}/clusters/{SET}/snapshots");
    let config = BackupConfig::new(rig.group, SET.parse().unwrap());
    rig.put(&BackupConfig { status: Status::Started, ..config });
    rig.go_on(1800);
    let (second, _) = rig.head.lock().unwrap().snapshot(&*rig.clock).unwrap();
    let (first, second) = (format!("{at}/{}", rig.snapshot), format!("{at}/{second:016x}"));
    let lost = json!({"from": "2026-11-22T09:00:00Z", "until": "2026-11-22T09:30:00Z"});
    assert_eq!(rig.get("reader", &format!("GET {first}"), "").await["secondsLostWithIt"], lost);
    assert_eq!(rig.get("reader", &format!("GET {second}"), "").await["secondsLostWithIt"], Value::Null);
    let deleted = rig.get("admin", &format!("DELETE {first}"), "").await;
    assert_eq!((&deleted["deleted"], &deleted["secondsLostWithIt"]), (&json!(true), &lost));
    let events = rig.get("reader", &format!("GET {group}/events"), "").await.to_string();
    assert!(events.contains("the seconds from 2026-11-22T09:00:00Z until 2026-11-22T09:30:00Z"), "{events}");
}

#[tokio::test]
async fn a_snapshot_that_is_damaged_says_so_and_so_does_a_restore_of_it() {
    let rig = Rig::new();
    let group = format!("/groups/{}/clusters/{SET}", rig.group);
    rig.damage_snapshot();
    let shown = rig.get("reader", &format!("GET {group}/snapshots/{}", rig.snapshot), "").await;
    assert_eq!((&shown["stateName"], &shown["isPossiblyInconsistent"]), (&json!("DAMAGED"), &json!(true)));
    let body = json!({"snapshotId": rig.snapshot}).to_string();
    let made = rig.get("admin", &format!("POST {group}/restoreJobs"), &body).await;
    assert!(made["results"][0]["warning"].as_str().unwrap().contains("damaged"));
}

#[tokio::test]
async fn snapshots_are_shown_deleted_and_restored_also_if_the_oplog_cannot_be_read() {
    let rig = Rig::new();
    let group = format!("/groups/{}/clusters/{SET}", rig.group);
    let config = BackupConfig::new(rig.group, SET.parse().unwrap());
    rig.put(&BackupConfig { status: Status::Started, ..config });
    rig.go_on(1800);
    rig.head.lock().unwrap().snapshot(&*rig.clock).unwrap();
    rig.garble("oplog/s");
    let shown = rig.get("reader", &format!("GET {group}/snapshots"), "").await;
    assert_eq!(shown["totalCount"], 2);
    assert_eq!(shown["results"][1]["secondsLostWithIt"], Value::Null);
    let body = json!({"snapshotId": rig.snapshot}).to_string();
    let made = rig.get("admin", &format!("POST {group}/restoreJobs"), &body).await;
    assert_eq!(made["results"][0]["snapshotId"], rig.snapshot.as_str());
    let deleted = rig.get("admin", &format!("DELETE {group}/snapshots/{}", rig.snapshot), "").await;
    assert_eq!(deleted["deleted"], true);
}

#[tokio::test]
async fn a_restore_that_is_queued_is_answered_with_also_if_its_snapshot_cannot_be_looked_up() {
    let rig = Rig::new();
    let group = format!("/groups/{}/clusters/{SET}", rig.group);
    let body = json!({"snapshotId": rig.snapshot}).to_string();
    let made = rig.get("admin", &format!("POST {group}/restoreJobs"), &body).await;
    rig.garble("snapshot");
    let listed = rig.get("admin", &format!("GET {group}/restoreJobs"), "").await;
    assert_eq!(listed["results"][0]["id"], made["results"][0]["id"]);
}

#[tokio::test]
async fn a_connection_that_was_set_is_forgotten() {
    let rig = Rig::new();
    let at = format!("/groups/{}/backupConfigs/{SET}", rig.group);
    let set = r#"{"username":"backup","password":"hunter2hunter2"}"#;
    assert_eq!(rig.get("admin", &format!("PATCH {at}"), set).await["connectionProvided"], true);
    for bad in [r#"{"connectionProvided":true}"#, r#"{"connectionProvided":false,"username":"x"}"#] {
        assert_eq!(
            rig.ask("admin", &format!("PATCH {at}"), bad).await.status,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }
    let cleared = rig.get("admin", &format!("PATCH {at}"), r#"{"connectionProvided":false}"#).await;
    assert_eq!(cleared["connectionProvided"], false);
    let id = BackupConfig::id_of(rig.group, SET.parse().unwrap());
    assert!(rig.metadata().get::<BackupConfig>(&id).unwrap().record.connection.is_none());
    let events = rig.get("reader", &format!("GET /groups/{}/events", rig.group), "").await;
    assert!(events["results"][0].to_string().contains("what was set was deleted"), "{events}");
}

#[tokio::test]
async fn a_snapshot_that_is_ordered_while_one_is_taken_is_taken_afterwards() {
    let rig = Rig::new();
    let at = format!("POST /groups/{}/clusters/{SET}/snapshots", rig.group);
    let config = BackupConfig::new(rig.group, SET.parse().unwrap());
    rig.put(&BackupConfig { status: Status::Started, ..config });
    rig.get("admin", &at, "{}").await;
    let id = Job::id_of(Some(rig.group), JobKind::Snapshot, &Subject::new(SET).unwrap());
    let holder = Holder { name: Subject::new("d1").unwrap(), incarnation: [1; 8] };
    let claim = rig.metadata().claim_job(&id, &holder, NOW).unwrap().unwrap();
    rig.get("admin", &at, "{}").await;
    rig.site.parts().with_entropy(|it| rig.metadata().finish_job(&claim, &Outcome::Done, NOW, it)).unwrap();
    assert!(
        rig.metadata().get::<Job>(&id).unwrap().record.is_open(),
        "it may be of a moment before the order"
    );
}

#[tokio::test]
async fn a_restore_of_a_state_that_differs_from_the_source_says_so() {
    let rig = Rig::new();
    let at = format!("/groups/{}/clusters/{SET}/restoreJobs", rig.group);
    let body = json!({"snapshotId": rig.snapshot}).to_string();
    let made = rig.get("admin", &format!("POST {at}"), &body).await;
    let id = made["results"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(made["results"][0]["isPossiblyInconsistent"], Value::Null, "not known yet");
    let record = RestoreJob::id_of(rig.group, id.parse::<RestoreJobId>().unwrap());
    for (divergences, is_inconsistent) in [(0, false), (3, true)] {
        let job = rig.metadata().get::<RestoreJob>(&record).unwrap().record;
        rig.put(&RestoreJob {
            state: RestoreState::Ready { bytes: 7, divergences, is_rolled_back: false },
            ..job
        });
        let shown = rig.get("reader", &format!("GET {at}/{id}"), "").await;
        assert_eq!(
            (&shown["isPossiblyInconsistent"], &shown["sizeBytes"]),
            (&json!(is_inconsistent), &json!(7))
        );
        assert_eq!(shown["divergences"], divergences);
        assert_eq!((&shown["isRolledBack"], shown["warning"].is_null()), (&json!(false), divergences == 0));
    }
    let job = rig.metadata().get::<RestoreJob>(&record).unwrap().record;
    rig.put(&RestoreJob {
        state: RestoreState::Ready { bytes: 7, divergences: 0, is_rolled_back: true },
        ..job
    });
    let shown = rig.get("reader", &format!("GET {at}/{id}"), "").await;
    assert_eq!((&shown["isRolledBack"], &shown["isPossiblyInconsistent"]), (&json!(true), &json!(true)));
    assert!(shown["warning"].as_str().unwrap().contains("rolled back"));
}

#[tokio::test]
async fn a_snapshot_is_ordered_of_a_backup_that_runs() {
    let rig = Rig::new();
    let at = format!("POST /groups/{}/clusters/{SET}/snapshots", rig.group);
    let refused = rig.ask("admin", &at, "{}").await;
    assert!(refused.status == StatusCode::CONFLICT && refused.text().contains("INACTIVE"));
    let mut backup = BackupConfig::new(rig.group, SET.parse().unwrap());
    backup.set_status(Status::Provisioning, Ordered::ByUser, NOW).unwrap();
    backup.set_status(Status::Started, Ordered::ByService, NOW).unwrap();
    rig.put(&backup);
    rig.get("admin", &at, "{}").await;
    let id = Job::id_of(Some(rig.group), JobKind::Snapshot, &Subject::new(SET).unwrap());
    assert!(rig.metadata().get::<Job>(&id).unwrap().record.is_open());
    let events = rig.get("reader", &format!("GET /groups/{}/events", rig.group), "").await;
    assert_eq!(events["results"][0]["eventTypeName"], "SNAPSHOT_ORDERED");
}

#[tokio::test]
async fn a_restore_is_asked_for_prepared_linked_and_cancelled() {
    let rig = Rig::new();
    let at = format!("/groups/{}/clusters/{SET}/restoreJobs", rig.group);
    let body = json!({"snapshotId": rig.snapshot, "namespaces": ["shop.orders"], "gzip": true}).to_string();
    let made = rig.get("admin", &format!("POST {at}"), &body).await;
    let id = made["results"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(made["results"][0]["statusName"], "IN_PROGRESS");
    let job = Job::id_of(Some(rig.group), JobKind::Restore, &Subject::new(id.clone()).unwrap());
    assert!(rig.metadata().get::<Job>(&job).unwrap().record.is_open());
    let early = rig.ask("admin", &format!("POST {at}/{id}/links"), "{}").await;
    assert_eq!(early.status, StatusCode::CONFLICT, "not ready");

    rig.prepare(&id, 0);
    assert_eq!(rig.get("reader", &format!("GET {at}/{id}"), "").await["statusName"], "FINISHED");
    let link = rig.get("admin", &format!("POST {at}/{id}/links"), r#"{"maxDownloads":2}"#).await;
    let url = link["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&format!("{URL}/restore/tml_")));
    let shown = rig.get("reader", &format!("GET {at}/{id}"), "").await;
    assert_eq!(shown["delivery"]["links"][0]["maxDownloads"], 2);
    assert!(!shown.to_string().contains("tml_"));
    for bad in [r#"{"expirationHours":25}"#, r#"{"expirationHours":0}"#, r#"{"maxDownloads":0}"#] {
        let answer = rig.ask("admin", &format!("POST {at}/{id}/links"), bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
    }

    for at_time in
        [json!("2026-11-22T10:00:00+01:00"), json!({"date": "2026-11-22T09:00:00Z", "increment": 2})]
    {
        let body = json!({"timestamp": at_time}).to_string();
        let made = rig.get("admin", &format!("POST {at}"), &body).await;
        assert_eq!(made["results"][0]["timestamp"]["date"], "2026-11-22T09:00:00Z");
    }
    assert_eq!(rig.get("reader", &format!("GET {at}"), "").await["totalCount"], 3);
    for bad in [
        json!({}),
        json!({"snapshotId": rig.snapshot, "timestamp": "2026-11-22T09:00:00Z"}),
        json!({"timestamp": "yesterday"}),
        json!({"timestamp": "2099-01-01T00:00:00Z"}),
        json!({"timestamp": "1969-01-01T00:00:00Z"}),
        json!({"snapshotId": rig.snapshot, "namespaces": ["a/b"]}),
    ] {
        let answer = rig.ask("admin", &format!("POST {at}"), &bad.to_string()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    let missing = rig.ask("admin", &format!("POST {at}"), r#"{"snapshotId":"00000000000000ff"}"#).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);

    let cancelled = rig.get("admin", &format!("DELETE {at}/{id}"), "").await;
    assert_eq!(cancelled["statusName"], "KILLED");
    assert!(matches!(rig.metadata().get::<Job>(&job).unwrap().record.state, JobState::Cancelled { .. }));
    let token = url.rsplit('/').next().unwrap();
    assert!(rig.metadata().look_at_link(token, NOW).is_err(), "its links are dead");
}

#[tokio::test]
async fn digest_takes_both_algorithms_and_asks_again_for_an_old_nonce() {
    let rig = Rig::new();
    let (public, private) = rig.keys["reader"].clone();
    let challenge = rig.send(request("GET /groups", "")).await;
    let challenges: Vec<_> = challenge.headers.get_all("www-authenticate").iter().collect();
    assert!(challenges.len() == 2 && challenges[1].to_str().unwrap().contains("SHA-256"));
    let nonce = nonce_of(challenge.header("www-authenticate"));
    let send = async |nonce: &str, algorithm: &str, private: &str, uri: &str| {
        let mut hashed = request("GET /groups?itemsPerPage=1", "");
        let answer = answer((&public, private), &hashed, nonce, algorithm);
        *hashed.uri_mut() = uri.parse().unwrap();
        hashed.headers_mut().insert(header::AUTHORIZATION, answer.parse().unwrap());
        rig.send(hashed).await
    };
    let path = "/api/public/v1.0/groups?itemsPerPage=1";
    for algorithm in ["MD5", "SHA-256"] {
        assert_eq!(send(&nonce, algorithm, &private, path).await.status, StatusCode::OK);
        assert_eq!(send(&nonce, algorithm, "wrong", path).await.status, StatusCode::UNAUTHORIZED);
        let elsewhere = send(&nonce, algorithm, &private, "/api/public/v1.0/groups").await;
        assert_eq!(elsewhere.status, StatusCode::UNAUTHORIZED, "an answer is for one path");
    }
    assert_eq!(send(&"0".repeat(48), "MD5", &private, path).await.status, StatusCode::UNAUTHORIZED);
    rig.clock.advance(Duration::from_secs(301));
    let stale = send(&nonce, "MD5", &private, path).await;
    assert!(
        stale.status == StatusCode::UNAUTHORIZED && stale.header("www-authenticate").contains("stale=true")
    );
    // Who does not have the key does not learn that the nonce was the problem.
    assert!(!send(&nonce, "MD5", "wrong", path).await.header("www-authenticate").contains("stale"));
}

#[tokio::test]
async fn a_status_that_nobody_may_wish_for_is_refused() {
    let rig = Rig::new();
    let config =
        BackupConfig { status: Status::Started, ..BackupConfig::new(rig.group, SET.parse().unwrap()) };
    rig.put(&config);
    let at = format!("/groups/{}/backupConfigs/{SET}", rig.group);
    for bad in ["INACTIVE", "started", "", "DELETED"] {
        let body = json!({"statusName": bad}).to_string();
        assert_eq!(rig.ask("admin", &format!("PATCH {at}"), &body).await.status, StatusCode::BAD_REQUEST);
    }
}
