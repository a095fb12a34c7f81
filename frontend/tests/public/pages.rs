//! The pages in each of their states, and what their forms do. With `TIDEMARK_PAGES` set to a folder, each state is also
//! written there, to be looked at in a browser.

use crate::doors::{form, look};
use crate::rig::{Answer, NOW, Rig, SET};
use crate::states::{complained, copied, heard_of, noted, noted_of_site, status, strange_sets};
use axum::http::StatusCode;
use std::time::Duration;
use tidemark_base::UnixMillis;
use tidemark_metadata::rules::roles::Role;
use tidemark_metadata::{
    BackupConfig, Copies, Job, JobKind, JobState, Progress, RestoreJob, RestoreState, RestoreTarget, Status,
    Subject, SyncSource, Text,
};

fn keep(name: &str, page: &Answer) {
    if let Ok(folder) = std::env::var("TIDEMARK_PAGES") {
        let text = page.text().replace("/style.css", "style.css");
        std::fs::write(format!("{folder}/{name}.html"), text).unwrap();
        std::fs::write(format!("{folder}/style.css"), include_str!("../../src/page/style.css")).unwrap();
    }
}

/// A page that must be shown, kept under a name, and hold nothing that a page must not.
async fn page(rig: &Rig, name: &str, path: &str, cookie: &str) -> String {
    let answer = look(rig, path, cookie).await;
    assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text());
    check(&answer);
    keep(name, &answer);
    answer.text()
}

/// What holds for every page.
fn check(answer: &Answer) {
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"));
    assert!(policy.contains("frame-ancestors 'none'"));
    assert_eq!(answer.header("referrer-policy"), "same-origin");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("cache-control"), "no-store");
    let text = answer.text();
    for bad in ["<script", " style=", "onclick", "src=\"http", "<b>", "rs<0>", "href=\"http"] {
        assert!(!text.contains(bad), "{bad} in {text}");
    }
    // Every form that changes something carries the token of its session, but for those of the door.
    for form in text.split("<form").skip(1) {
        let form = form.split("</form").next().unwrap();
        let is_door =
            ["/login", "/signup", "/invitation/"].iter().any(|it| form.contains(&format!("action=\"{it}")));
        assert!(is_door || form.contains("name=\"csrf\" value=\""), "{form}");
    }
}

#[tokio::test]
async fn the_door_and_empty_pages() {
    let rig = Rig::new();
    let text = page(&rig, "sign-up", "/signup", "").await;
    assert!(text.contains("the first user owns the site"));
    let boss = rig.person("boss@example.com", None);
    let text = page(&rig, "login", "/login", "").await;
    assert!(text.contains("type=\"password\"") && !text.contains("Sign up"));
    let (cookie, _) = rig.session(&boss);
    assert!(page(&rig, "groups", "/", &cookie).await.contains("Ärzte &#38; Co &#60;b&#62;"));
    let text = page(&rig, "group-empty", &format!("/groups/{}", rig.other), &cookie).await;
    assert!(text.contains("No agent has reported a replica set yet") && text.contains("/install/agent.sh"));
    assert!(!text.contains("http-equiv"), "nothing is going on");
    let lost = look(&rig, &format!("/groups/{}", "99".repeat(12)), &cookie).await;
    assert_eq!(lost.status, StatusCode::NOT_FOUND);
    check(&lost);
    keep("error", &lost);
}

#[tokio::test]
async fn a_backup_that_runs_is_calm_and_one_that_lags_is_yellow() {
    let rig = Rig::new();
    let user = rig.person("boss@example.com", None);
    let (cookie, _) = rig.session(&user);
    let at = format!("/groups/{}", rig.group);
    status(&rig, Status::Started);
    heard_of(&rig, UnixMillis(NOW.0 - 20_000));
    let text = page(&rig, "running", &at, &cookie).await;
    assert!(
        text.contains("STARTED") && text.contains("(20 s ago)") && text.contains("2026-11-22 09:00:00 UTC")
    );
    assert!(
        !text.contains("class=\"late\"") && !text.contains("<strong>late") && !text.contains("http-equiv")
    );
    assert!(text.contains("all of it keeps up") && text.contains("As of 2026-11-22 10:00:00 UTC"));
    assert!(text.contains("db1.example.com:27017 PRIMARY 6.0.5"));

    rig.clock.advance(Duration::from_secs(10 * 3600));
    let (cookie, _) = rig.session(&user);
    let text = page(&rig, "stale", &at, &cookie).await;
    assert_eq!(
        text.matches("<strong>late</strong>").count(),
        2,
        "conf call and snapshot; the rest waits for them"
    );
    assert!(text.contains("journalctl -u tidemark-agent"), "what to do is said");
    heard_of(&rig, UnixMillis(NOW.0 + 10 * 3_600_000));
    let text = page(&rig, "stale-oplog", &at, &cookie).await;
    assert!(text.contains("<dt>Oplog stored until</dt><dd class=\"late\">"));
    status(&rig, Status::Stopped);
    let text = page(&rig, "stopped", &at, &cookie).await;
    assert!(!text.contains("<strong>late</strong>"), "at rest nothing is late");
    assert!(text.contains("Terminate") && text.contains("name=\"confirm\" value=\"yes\" required"));
    status(&rig, Status::Terminating);
    let text = page(&rig, "terminating", &at, &cookie).await;
    assert!(text.contains("Undo the termination") && text.contains("2026-11-23 10:00:00 UTC"));
}

#[tokio::test]
async fn what_is_going_on_is_shown_and_loads_itself_again() {
    let rig = Rig::new();
    let user = rig.person("boss@example.com", None);
    let (cookie, csrf) = rig.session(&user);
    let at = format!("/groups/{}", rig.group);
    let set = format!("{at}/sets/{SET}");
    let text = page(&rig, "set", &set, &cookie).await;
    assert!(
        text.contains(&format!("<option value=\"{}\" selected>", rig.snapshot))
            && !text.contains("http-equiv")
    );
    let fields = [
        ("csrf", csrf.as_str()),
        ("snapshot", &rig.snapshot),
        ("namespaces", "shop.orders"),
        ("gzip", "yes"),
    ];
    let asked = rig.send(form(&format!("{set}/restores"), &cookie, &fields)).await;
    assert_eq!(asked.header("location"), format!("{at}#restores"));
    let job = rig.metadata().all::<RestoreJob>(tidemark_metadata::By::IdPrefix("")).unwrap().remove(0).record;
    assert!(job.gzip && !job.users_and_roles && job.namespaces.len() == 1);
    let id = Job::id_of(Some(rig.group), JobKind::Restore, &Subject::new(job.id.to_string()).unwrap());
    let doing = Some(Text::fit("reading <everything>"));
    rig.metadata()
        .change::<Job, _>(&id, |job| {
            job.progress = Progress { done: 3, total: Some(10), doing: doing.clone() };
            Ok(())
        })
        .unwrap();
    let text = page(&rig, "restore-preparing", &at, &cookie).await;
    assert!(text.contains("<meta http-equiv=\"refresh\" content=\"5\">"));
    assert!(
        text.contains("<progress value=\"3\" max=\"10\">") && text.contains("reading &#60;everything&#62;")
    );

    let held = page(&rig, "restore-held", &format!("{at}?hold"), &cookie).await;
    assert!(text.contains("href=\"?hold\"") && !held.contains("http-equiv"), "to fill in a form");

    rig.prepare(&job.id.to_string(), 0);
    let text = page(&rig, "restore-ready", &at, &cookie).await;
    assert!(text.contains("ready: ") && !text.contains("http-equiv"));
    let restore = format!("{at}/restores/{}", job.id);
    let fields = [("csrf", csrf.as_str()), ("hours", "2"), ("uses", "1")];
    let once = rig.send(form(&format!("{restore}/link"), &cookie, &fields)).await;
    check(&once);
    keep("link", &once);
    let link = once.text().split("/restore/tml_").nth(1).unwrap()[..64].to_owned();
    assert!(rig.metadata().look_at_link(&format!("tml_{link}"), NOW).is_ok());
    let text = page(&rig, "restore-linked", &at, &cookie).await;
    assert!(text.contains("link: good, used 0 of 1 times") && !text.contains(&link));
    rig.send(form(&format!("{restore}/revoke"), &cookie, &[("csrf", &csrf)])).await;
    assert!(rig.metadata().look_at_link(&format!("tml_{link}"), NOW).is_err());
    rig.send(form(&format!("{restore}/cancel"), &cookie, &[("csrf", &csrf)])).await;
    assert!(page(&rig, "restore-cancelled", &at, &cookie).await.contains("cancelled"));

    let failed =
        RestoreJob { state: RestoreState::Failed { error: Text::fit("the oplog is <gone>") }, ..job };
    rig.put(&failed);
    assert!(page(&rig, "restore-failed", &at, &cookie).await.contains("the oplog is &#60;gone&#62;"));
    let cancelled = rig.metadata().get::<Job>(&id).unwrap().record;
    assert!(matches!(cancelled.state, JobState::Cancelled { .. }));
}

#[tokio::test]
async fn forms_start_stop_terminate_and_undo() {
    let rig = Rig::new();
    let user = rig.person("boss@example.com", None);
    let (cookie, csrf) = rig.session(&user);
    let path = format!("/groups/{}/sets/{SET}/status", rig.group);
    let send = async |wish: &str, confirm: bool| {
        let mut fields = vec![("csrf", csrf.as_str()), ("status", wish)];
        fields.extend(confirm.then_some(("confirm", "yes")));
        rig.send(form(&path, &cookie, &fields)).await.status
    };
    assert_eq!(send("STARTED", false).await, StatusCode::SEE_OTHER);
    assert_eq!(send("STOPPED", false).await, StatusCode::SEE_OTHER);
    assert_eq!(send("TERMINATING", false).await, StatusCode::BAD_REQUEST, "not without a confirmation");
    assert_eq!(send("TERMINATING", true).await, StatusCode::SEE_OTHER);
    assert_eq!(send("STARTED", false).await, StatusCode::CONFLICT);
    assert_eq!(send("STOPPED", false).await, StatusCode::SEE_OTHER);
    assert_eq!(send("NONSENSE", true).await, StatusCode::BAD_REQUEST);
    let schedule = format!("/groups/{}/sets/{SET}/schedule", rig.group);
    let fields = [("csrf", csrf.as_str()), ("interval", "8"), ("zone", "Europe/Berlin"), ("days", "3")];
    assert_eq!(rig.send(form(&schedule, &cookie, &fields)).await.status, StatusCode::SEE_OTHER);
    let source = format!("/groups/{}/sets/{SET}/source", rig.group);
    let mut fields = vec![("csrf", csrf.as_str()), ("excluded", "a b.c"), ("source", "PRIMARY")];
    let refused = rig.send(form(&source, &cookie, &fields)).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "a head that was made otherwise does not fit");
    assert!(refused.text().contains("only with a new copy"));
    fields.push(("anew", "yes"));
    assert_eq!(rig.send(form(&source, &cookie, &fields)).await.status, StatusCode::SEE_OTHER);
    let config = rig
        .metadata()
        .get::<BackupConfig>(&BackupConfig::id_of(rig.group, SET.parse().unwrap()))
        .unwrap()
        .record;
    assert_eq!(
        (config.schedule.interval_hours, config.retention.base_days, config.excluded_namespaces.len()),
        (8, 3, 2)
    );
    assert_eq!((config.status, config.copies), (Status::Provisioning, Copies::None));
}

#[tokio::test]
async fn a_snapshot_is_deleted_by_its_form_and_that_is_undone_by_another() {
    let rig = Rig::new();
    let user = rig.person("boss@example.com", None);
    let (cookie, csrf) = rig.session(&user);
    status(&rig, Status::Started);
    rig.head.lock().unwrap().snapshot(&*rig.clock).unwrap();
    let set = format!("/groups/{}/sets/{SET}", rig.group);
    let send = async |what: &str, confirm: bool| {
        let mut fields = vec![("csrf", csrf.as_str())];
        fields.extend(confirm.then_some(("confirm", "yes")));
        rig.send(form(&format!("{set}/snapshots/{}/{what}", rig.snapshot), &cookie, &fields)).await.status
    };
    assert_eq!(send("delete", false).await, StatusCode::BAD_REQUEST, "not without a confirmation");
    let text = page(&rig, "set-silent", &set, &cookie).await;
    assert!(!text.contains("will be deleted") && text.contains("Nothing expires until one is"));
    assert!(!text.contains("and with it the seconds"), "the other one is of the same moment");
    assert_eq!(send("delete", true).await, StatusCode::SEE_OTHER);
    let text = page(&rig, "set-deleting", &set, &cookie).await;
    assert!(text.contains("will be deleted after") && text.contains("Undo the deletion"));
    assert!(
        !text.contains(&format!("<option value=\"{}\"", rig.snapshot)),
        "it is not offered for a restore"
    );
    assert_eq!(send("undelete", false).await, StatusCode::SEE_OTHER);
    let text = page(&rig, "set-undone", &set, &cookie).await;
    assert!(!text.contains("will be deleted"));
    status(&rig, Status::Terminating);
    let text = page(&rig, "set-terminated", &set, &cookie).await;
    assert_eq!(text.matches("goes with the backup after").count(), 2);
}

#[tokio::test]
async fn a_restore_that_differs_from_the_source_warns_whoever_fetches_it() {
    let rig = Rig::new();
    let user = rig.person("boss@example.com", None);
    let (cookie, csrf) = rig.session(&user);
    let at = format!("/groups/{}", rig.group);
    let fields = [("csrf", csrf.as_str()), ("snapshot", rig.snapshot.as_str())];
    let asked = rig.send(form(&format!("{at}/sets/{SET}/restores"), &cookie, &fields)).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER);
    let of = format!("{}:", rig.group);
    let all = rig.metadata().all::<RestoreJob>(tidemark_metadata::By::IdPrefix(&of)).unwrap();
    let job = all[0].record.clone();
    rig.put(&RestoreJob {
        state: RestoreState::Ready { bytes: 7, divergences: 3, is_rolled_back: false },
        ..job
    });
    let text = page(&rig, "restore-diverged", &at, &cookie).await;
    assert!(text.contains("not quite what the source had: 3 changes"), "{text}");
}

#[tokio::test]
async fn a_backup_is_started_with_what_is_copied_and_how_to_connect() {
    let rig = Rig::new();
    let user = rig.person("boss@example.com", None);
    let (cookie, csrf) = rig.session(&user);
    heard_of(&rig, NOW);
    let group = format!("/groups/{}", rig.group);
    let set = format!("{group}/sets/{SET}");
    assert!(page(&rig, "inactive", &group, &cookie).await.contains("Start the backup"));
    let text = page(&rig, "start", &set, &cookie).await;
    assert!(
        text.contains("<option value=\"db1.example.com:27017\">") && text.contains("as its own file says")
    );
    let send = async |fields: &[(&str, &str)]| {
        let fields = [&[("csrf", csrf.as_str())], fields].concat();
        rig.send(form(&format!("{set}/source"), &cookie, &fields)).await
    };
    // What the API refuses, this does.
    for bad in [("source", "db1"), ("excluded", "a*"), ("seeds", "db1:0"), ("ca", "hunter3, which is no PEM")]
    {
        let refused = send(&[bad, ("start", "yes")]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{bad:?}: {}", refused.text());
        assert!(!refused.text().contains("hunter3"), "nothing is quoted");
    }
    let id = BackupConfig::id_of(rig.group, SET.parse().unwrap());
    let stored = || rig.metadata().find::<BackupConfig>(&id).unwrap().map(|it| it.record);
    assert!(stored().is_none_or(|it| it.status == Status::Inactive));
    let connection = [("user", "backup"), ("password", " hunter2 "), ("excluded", "scratch")];
    let started =
        send(&[&connection[..], &[("source", "db1.example.com:27017"), ("start", "yes")]].concat()).await;
    assert_eq!((started.status, started.header("location")), (StatusCode::SEE_OTHER, group.as_str()));
    let config = stored().unwrap();
    assert_eq!((config.status, config.excluded_namespaces.len()), (Status::Provisioning, 1));
    assert!(matches!(&config.sync_source, SyncSource::Member(it) if it.port == 27017));
    let secret = config.open_connection(&rig.site.parts().sealing).unwrap().unwrap();
    assert!(String::from_utf8_lossy(secret.reveal()).contains("\" hunter2 \""), "as it was typed");
    let text = page(&rig, "awaited", &group, &cookie).await;
    assert!(text.contains("Waiting for an agent") && text.contains("http-equiv"));
    copied(&rig);
    assert!(page(&rig, "copying", &group, &cookie).await.contains("Copying: 1 of 3 collections complete"));
    let text = page(&rig, "connected", &set, &cookie).await;
    assert!(text.contains("as it was set here") && !text.contains("hunter2"));
}

#[tokio::test]
async fn what_needs_a_look_is_said_until_it_is_over() {
    let rig = Rig::new();
    let user = rig.person("boss@example.com", None);
    let (cookie, _) = rig.session(&user);
    let at = format!("/groups/{}", rig.group);
    status(&rig, Status::Started);
    heard_of(&rig, NOW);
    complained(&rig, &["there is no <primary>"]);
    noted(&rig, "SPACE_LOW", "the store has 5 bytes left");
    strange_sets(&rig);
    let text = page(&rig, "matters", &at, &cookie).await;
    assert!(text.contains("The agent says: there is no &#60;primary&#62;") && text.contains("needs a look"));
    assert!(text.contains("Since 2026-11-22 10:00:00 UTC: the store has 5 bytes left"));
    complained(&rig, &[]);
    noted(&rig, "SPACE_BACK", "there is room again");
    let text = page(&rig, "over", &at, &cookie).await;
    assert!(!text.contains("class=\"matter\"") && text.contains("all of it keeps up"));
}

#[tokio::test]
async fn what_is_wrong_is_still_said_after_many_other_events() {
    let rig = Rig::new();
    let user = rig.person("boss@example.com", None);
    let (cookie, _) = rig.session(&user);
    status(&rig, Status::Started);
    noted(&rig, "HEAD_DIVERGED", "3 operations did not fit");
    noted(&rig, "SNAPSHOT_DIVERGED", "snapshot 7 is not what the source had");
    (0..400).for_each(|_| noted(&rig, "SNAPSHOT_TAKEN", "a snapshot"));
    let text = page(&rig, "long-open", &format!("/groups/{}", rig.group), &cookie).await;
    for said in ["3 operations did not fit", "snapshot 7 is not what the source had"] {
        assert!(text.contains(&format!("Since 2026-11-22 10:00:00 UTC: {said}")), "{said}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_site_is_told_to_whoever_runs_it_and_its_gist_to_all() {
    let rig = Rig::new();
    let boss = rig.person("boss@example.com", None);
    let reader = rig.person("reader@example.com", Some(Role::ReadOnly));
    let ((owner, _), (cookie, _)) = (rig.session(&boss), rig.session(&reader));
    let at = format!("/groups/{}", rig.group);
    let found = "pack 7 is damaged; it hurts the heads of <others>";
    noted_of_site(&rig, "STORE_DAMAGED", found);
    noted_of_site(&rig, "STORE_FULL", "the disk is too full to collect all garbage");
    let text = page(&rig, "site-damaged", "/", &owner).await;
    let shown = "pack 7 is damaged; it hurts the heads of &#60;others&#62;";
    assert_eq!(text.matches(shown).count(), 2, "what stands, and the event");
    let text = page(&rig, "group-of-damaged-site", &at, &cookie).await;
    assert!(text.contains("The store that keeps these backups is damaged") && !text.contains("pack 7"));
    assert!(text.contains("The disk of the store is too full"));
    let text = look(&rig, "/", &cookie).await.text();
    assert!(!text.contains("pack 7"), "not to those who only are in a group");
    noted_of_site(&rig, "STORE_SOUND", "all of it is sound");
    noted_of_site(&rig, "STORE_ROOMY", "there is room");
    assert!(!page(&rig, "site-sound", &at, &cookie).await.contains("class=\"matter\""));
}

#[tokio::test]
async fn a_damaged_snapshot_is_shown_as_such_and_is_nobodys_first_choice() {
    let rig = Rig::new();
    let user = rig.person("boss@example.com", None);
    let (cookie, csrf) = rig.session(&user);
    status(&rig, Status::Started);
    rig.damage_snapshot();
    let (second, _) = rig.head.lock().unwrap().snapshot(&*rig.clock).unwrap();
    let at = format!("/groups/{}", rig.group);
    let set = format!("{at}/sets/{SET}");
    let text = page(&rig, "set-damaged", &set, &cookie).await;
    assert!(text.contains("class=\"late\">damaged: not all of it can be read"));
    assert!(text.contains(&format!("<option value=\"{second:016x}\" selected>")));
    assert!(
        text.contains(&format!("<option value=\"{}\">", rig.snapshot)),
        "a part of it may be all that is left"
    );
    let fields = [("csrf", csrf.as_str()), ("snapshot", rig.snapshot.as_str())];
    rig.send(form(&format!("{set}/restores"), &cookie, &fields)).await;
    let text = page(&rig, "restore-damaged", &at, &cookie).await;
    assert!(text.contains("1 of 2 snapshots could not be read whole"));
    assert!(text.contains("This snapshot is damaged"), "{text}");
}

#[tokio::test]
async fn a_restore_of_a_state_that_was_rolled_back_warns_whoever_fetches_it() {
    let rig = Rig::new();
    let user = rig.person("boss@example.com", None);
    let (cookie, csrf) = rig.session(&user);
    let at = format!("/groups/{}", rig.group);
    let fields = [("csrf", csrf.as_str()), ("snapshot", rig.snapshot.as_str())];
    rig.send(form(&format!("{at}/sets/{SET}/restores"), &cookie, &fields)).await;
    assert!(!page(&rig, "restore-live", &at, &cookie).await.contains("was rolled back"));
    let of = format!("{}:", rig.group);
    let job =
        rig.metadata().all::<RestoreJob>(tidemark_metadata::By::IdPrefix(&of)).unwrap().remove(0).record;
    let ready = |divergences| RestoreState::Ready { bytes: 7, divergences, is_rolled_back: true };
    rig.put(&RestoreJob { state: ready(0), ..job.clone() });
    let text = page(&rig, "restore-rolled-back", &at, &cookie).await;
    assert!(text.contains("This state was rolled back on the source"));
    rig.put(&RestoreJob { state: ready(3), ..job });
    let text = page(&rig, "restore-both", &at, &cookie).await;
    assert!(text.contains("was rolled back on the source") && text.contains("3 changes did not fit"));
}

#[tokio::test]
async fn what_was_set_of_how_to_connect_is_forgotten_by_a_box() {
    let rig = Rig::new();
    let user = rig.person("boss@example.com", None);
    let (cookie, csrf) = rig.session(&user);
    let set = format!("/groups/{}/sets/{SET}", rig.group);
    let send = async |fields: &[(&str, &str)]| {
        let fields = [&[("csrf", csrf.as_str())], fields].concat();
        rig.send(form(&format!("{set}/source"), &cookie, &fields)).await
    };
    assert!(!page(&rig, "not-connected", &set, &cookie).await.contains("name=\"forget\""));
    send(&[("user", "backup"), ("password", "hunter2")]).await;
    assert!(page(&rig, "forget", &set, &cookie).await.contains("name=\"forget\""));
    let both = send(&[("forget", "yes"), ("user", "other")]).await;
    assert_eq!(both.status, StatusCode::BAD_REQUEST, "{}", both.text());
    assert_eq!(send(&[("forget", "yes")]).await.status, StatusCode::SEE_OTHER);
    assert!(page(&rig, "forgotten", &set, &cookie).await.contains("as its own file says"));
}

#[tokio::test]
async fn a_restore_says_which_seconds_there_are_and_takes_a_second_before_a_snapshot() {
    let rig = Rig::new();
    let user = rig.person("boss@example.com", None);
    let (cookie, csrf) = rig.session(&user);
    let set = format!("/groups/{}/sets/{SET}", rig.group);
    status(&rig, Status::Started);
    let text = page(&rig, "window", &set, &cookie).await;
    let hour_ago = "<strong>2026-11-22 09:00:00 UTC</strong>";
    assert!(text.contains(&format!("Any second can be restored from {hour_ago} until {hour_ago}")));
    let fields =
        [("csrf", csrf.as_str()), ("snapshot", &rig.snapshot), ("second", "2026-11-22 09:00:00 UTC")];
    let asked = rig.send(form(&format!("{set}/restores"), &cookie, &fields)).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER);
    let job = rig.metadata().all::<RestoreJob>(tidemark_metadata::By::IdPrefix("")).unwrap().remove(0).record;
    assert!(matches!(job.target, RestoreTarget::PointInTime { .. }));
    let neither = rig.send(form(&format!("{set}/restores"), &cookie, &fields[..1])).await;
    assert_eq!(neither.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn whoever_only_reads_sees_no_forms_and_theirs_do_nothing() {
    let rig = Rig::new();
    rig.person("boss@example.com", None);
    let reader = rig.person("reader@example.com", Some(Role::ReadOnly));
    let (cookie, csrf) = rig.session(&reader);
    let at = format!("/groups/{}", rig.group);
    let text = page(&rig, "reader", &at, &cookie).await;
    assert_eq!(text.matches("<form").count(), 1, "logging out and nothing else");
    let text = page(&rig, "reader-set", &format!("{at}/sets/{SET}"), &cookie).await;
    assert_eq!(text.matches("<form").count(), 1);
    let id = "ab".repeat(12);
    for path in [
        "/groups".to_owned(),
        format!("{at}/sets/{SET}/status"),
        format!("{at}/sets/{SET}/source"),
        format!("{at}/sets/{SET}/schedule"),
        format!("{at}/sets/{SET}/restores"),
        format!("{at}/sets/{SET}/snapshots/{}/delete", rig.snapshot),
        format!("{at}/sets/{SET}/snapshots/{}/undelete", rig.snapshot),
        format!("{at}/restores/{id}/cancel"),
        format!("{at}/restores/{id}/link"),
        format!("{at}/restores/{id}/revoke"),
        format!("{at}/invitations"),
        format!("{at}/users/{}/role", reader.id),
        format!("{at}/agentkeys"),
        format!("{at}/agentkeys/{id}/revoke"),
        format!("{at}/apikeys"),
        format!("{at}/apikeys/{id}/revoke"),
    ] {
        let fields = [
            ("csrf", csrf.as_str()),
            ("status", "STARTED"),
            ("snapshot", rig.snapshot.as_str()),
            ("role", "GROUP_OWNER"),
            ("name", "x"),
            ("confirm", "yes"),
        ];
        let answer = rig.send(form(&path, &cookie, &fields)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {}", answer.text());
        check(&answer);
        // Nor without a session, nor in a group of others.
        let nobody = rig.send(form(&path, "", &fields)).await;
        assert_eq!(nobody.header("location"), "/login", "{path}");
        let foreign = path.replace(&rig.group.to_string(), &rig.other.to_string());
        if foreign != path {
            assert_eq!(
                rig.send(form(&foreign, &cookie, &fields)).await.status,
                StatusCode::NOT_FOUND,
                "{path}"
            );
        }
    }
    assert_eq!(look(&rig, &format!("/groups/{}", rig.other), &cookie).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn keys_are_shown_once() {
    let rig = Rig::new();
    let user = rig.person("boss@example.com", None);
    let (cookie, csrf) = rig.session(&user);
    let at = format!("/groups/{}", rig.group);
    let fields = [("csrf", csrf.as_str()), ("name", "east"), ("role", "GROUP_OWNER")];
    let once = rig.send(form(&format!("{at}/agentkeys"), &cookie, &fields)).await;
    check(&once);
    keep("agent-key", &once);
    let key = format!("tma_{}", &once.text().split("tma_").nth(1).unwrap()[..64]);
    assert!(rig.metadata().agent_of_key(&key).unwrap().is_some());
    let once = rig.send(form(&format!("{at}/apikeys"), &cookie, &fields)).await.text();
    let private = once.split("<dt>Private key</dt><dd><pre><code>").nth(1).unwrap()[..64].to_owned();
    let text = page(&rig, "keys", &at, &cookie).await;
    assert!(text.contains("east") && !text.contains(&key) && !text.contains(&private));
    let ids: Vec<&str> =
        text.split("/revoke\"").filter_map(|it| it.split(&format!("{at}/")).last()).collect();
    for id in ids.iter().filter(|it| it.starts_with("agentkeys/") || it.starts_with("apikeys/")) {
        let revoked = rig.send(form(&format!("{at}/{id}/revoke"), &cookie, &fields)).await;
        assert_eq!(revoked.status, StatusCode::SEE_OTHER, "{id}");
    }
    assert!(rig.metadata().agent_of_key(&key).unwrap().is_none());
}

#[tokio::test]
async fn the_style_is_ours_and_asks_nobody_else() {
    let rig = Rig::new();
    let style = look(&rig, "/style.css", "").await;
    assert!(style.header("content-type").starts_with("text/css"));
    let text = style.text();
    assert!(
        !text.contains("url(") && !text.contains("@import") && text.contains("prefers-color-scheme: dark")
    );
}
