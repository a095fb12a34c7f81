//! States of a backup, made of the records that agents and daemons would leave. Used by the tests of pages, and by the
//! example that shows the page in a browser.

use crate::rig::{NOW, Rig, SET};
use tidemark_base::{CollectionUuid, UnixMillis};
use tidemark_head::head::HeadName;
use tidemark_metadata::rules::lease::Holder;
use tidemark_metadata::{
    Agent, BackupConfig, Copies, Host, HostName, Namespace, ReplicaSet, ReplicaSetId, Seed, SetName, Sight,
    Status, Subject, Text,
};
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::initial_sync::BatchId;

/// Lets an agent be active, and last heard of then.
pub(crate) fn heard_of(rig: &Rig, seen_at: UnixMillis) {
    let agent = Subject::new("a1").unwrap();
    let holder = Holder { name: agent.clone(), incarnation: [1; 8] };
    rig.put(&ReplicaSet { active: Some(holder.lease(seen_at, 90_000)), ..rig.set() });
    rig.put(&Agent {
        group: rig.group,
        agent,
        host: HostName::new("db1.example.com").unwrap(),
        version: Text::fit("0.1.0"),
        seen_at,
        clock_ahead_ms: 0,
    });
    rig.put(&Host {
        group: rig.group,
        name: HostName::new("db1.example.com").unwrap(),
        port: 27017,
        replica_set: Some(SET.parse().unwrap()),
        state: Text::fit("PRIMARY"),
        version: Text::fit("6.0.5"),
        seen_at,
    });
}

/// Lets the agent complain of the source.
pub(crate) fn complained(rig: &Rig, problems: &[&str]) {
    let problems = problems.iter().map(|it| Text::fit(it)).collect();
    let sight =
        Sight { at: rig.set().created_at, source_clock: None, majority: None, oldest: None, problems };
    rig.put(&ReplicaSet { sight: Some(sight), ..rig.set() });
}

/// Lets the backup stand so.
pub(crate) fn status(rig: &Rig, status: Status) {
    let config = BackupConfig::new(rig.group, SET.parse().unwrap());
    let terminated_at = (status == Status::Terminating).then_some(NOW);
    rig.put(&BackupConfig { status, terminated_at, ..config });
}

/// Lets a daemon note something of the replica set.
pub(crate) fn noted(rig: &Rig, code: &str, text: &str) {
    let what = tidemark_metadata::Happening {
        code: tidemark_metadata::Code::new(code).unwrap(),
        subject: Some(Subject::new(SET).unwrap()),
        actor: Some(Subject::new("daemon").unwrap()),
        text: Text::fit(text),
    };
    rig.metadata().note(Some(rig.group), rig.site.parts().clock.now(), &what).unwrap();
}

/// Lets a daemon note something of the site.
pub(crate) fn noted_of_site(rig: &Rig, code: &str, text: &str) {
    let what = tidemark_metadata::Happening {
        code: tidemark_metadata::Code::new(code).unwrap(),
        subject: None,
        actor: Some(Subject::new("daemon").unwrap()),
        text: Text::fit(text),
    };
    rig.metadata().note(None, rig.site.parts().clock.now(), &what).unwrap();
}

/// Lets an agent be in the middle of a copy.
pub(crate) fn copied(rig: &Rig) {
    let name = HeadName::new(&rig.group.to_string(), SET).unwrap();
    let store = &rig.site.parts().store;
    let (syncs, session) = (name.syncs(store), store.session(&[]).unwrap());
    let at =
        tidemark_base::OpTime { ts: tidemark_base::Timestamp { secs: 1_795_341_000, ordinal: 1 }, term: 1 };
    let sync = syncs.begin(&session, None, at).unwrap();
    change(rig, |config| config.copies = Copies::From(sync.number));
    for (number, collection) in [(1, "orders"), (2, "people"), (3, "stock")] {
        let uuid = CollectionUuid::from_bytes([number; 16]);
        let options = tidemark_base::bson::Doc::EMPTY.as_bytes().to_vec();
        let (database, indexes) = ("shop".to_owned(), Vec::new());
        let described = Collection { database, name: collection.to_owned(), options, indexes };
        syncs.describe(&session, sync.number, uuid, &described).unwrap();
        if number == 1 {
            let next = BatchId { sync: sync.number, collection: uuid, scan: 1, number: 0 };
            syncs.end_scan(&session, next).unwrap();
        }
    }
}

/// Replica sets with names that are hard to show: long, without a place to break, and like markup.
pub(crate) fn strange_sets(rig: &Rig) {
    let names = ["a".repeat(120), "<script>alert('x')".to_owned(), "ünïcödé, ünd nöch mëhr".to_owned()];
    for (number, name) in (1..).zip(names) {
        let id: ReplicaSetId = format!("{number:024x}").parse().unwrap();
        let host = |letter: &str| HostName::new(format!("{}.example.com", letter.repeat(60))).unwrap();
        let seeds = ["m", "w"].map(|it| Seed { host: host(it), port: 27017 });
        rig.metadata().report_replica_set(rig.group, id, &SetName::new(&name).unwrap(), &seeds, NOW).unwrap();
        for seed in seeds {
            rig.put(&Host {
                group: rig.group,
                name: seed.host,
                port: seed.port,
                replica_set: Some(id),
                state: Text::fit("SECONDARY"),
                version: Text::fit("6.0.5"),
                seen_at: NOW,
            });
        }
    }
    let excluded = format!("{}.{}", "d".repeat(60), "c".repeat(180));
    let excluded = vec![Namespace::new(&excluded).unwrap()];
    change(rig, |config| config.excluded_namespaces.clone_from(&excluded));
}

fn change(rig: &Rig, change: impl Fn(&mut BackupConfig)) {
    let id = BackupConfig::id_of(rig.group, SET.parse().unwrap());
    let changed = rig.metadata().change::<BackupConfig, _>(&id, |config| {
        change(config);
        Ok(())
    });
    changed.unwrap();
}
