//! Restores: prepared as they were asked for, kept for a day, refused in words.

use crate::rig::{GROUP, HOUR, Rig, SET, held};
use tidemark_base::{Clock, SeededEntropy, Timestamp};
use tidemark_head::dump::{ArchiveWriter, Compression};
use tidemark_head::export::{self, Restorable};
use tidemark_head::fork::Fork;
use tidemark_metadata::{
    Batch, JobKind, Namespace, RestoreJob, RestoreJobId, RestoreState, RestoreTarget, SnapshotName, Subject,
    UserId,
};

/// Asks for a restore.
fn ask(rig: &Rig, number: u8, target: RestoreTarget, namespaces: &[&str]) -> RestoreJobId {
    let now = rig.clock.now();
    let id = RestoreJobId::from_bytes([number; 12]);
    let wish = RestoreJob {
        group: GROUP,
        id,
        replica_set: SET,
        target,
        namespaces: namespaces.iter().map(|it| Namespace::new(*it).unwrap()).collect(),
        users_and_roles: false,
        gzip: false,
        state: RestoreState::Preparing,
        created_by: UserId::from_bytes([1; 12]),
        created_at: now,
    };
    let mut batch = Batch::new();
    batch.create(&wish).unwrap();
    rig.metadata.commit(&batch).unwrap();
    let subject = Subject::new(id.to_string()).unwrap();
    rig.metadata.queue_job(Some(GROUP), JobKind::Restore, &subject, now).unwrap();
    id
}

fn state(rig: &Rig, id: RestoreJobId) -> RestoreState {
    rig.metadata.get::<RestoreJob>(&RestoreJob::id_of(GROUP, id)).unwrap().record.state
}

fn wait_until_prepared(rig: &Rig, id: RestoreJobId) -> RestoreState {
    rig.wait("it is prepared", |rig| state(rig, id) != RestoreState::Preparing);
    state(rig, id)
}

fn snapshot(id: u64) -> RestoreTarget {
    RestoreTarget::Snapshot { name: SnapshotName::new(format!("{id:016x}")).unwrap() }
}

#[test]
fn a_snapshot_and_a_second_are_restored_as_they_were() {
    let (mut rig, _daemon) = Rig::running();
    for _ in 0..8 {
        rig.pass(HOUR);
        rig.write(5);
    }
    let second = rig.secs() - 2 * 3600;
    let timestamp = Timestamp { secs: second, ordinal: u32::MAX };
    let of_snapshot = ask(&rig, 1, snapshot(1), &[]);
    let of_second = ask(&rig, 2, RestoreTarget::PointInTime { timestamp }, &["app"]);
    let expected = [rig.source.past[&rig.snapshots()[0].1.at.ts].clone(), rig.source.at(second).clone()];
    for (id, expected) in [of_snapshot, of_second].into_iter().zip(expected) {
        let RestoreState::Ready { bytes, divergences: 0, is_rolled_back: false } =
            wait_until_prepared(&rig, id)
        else {
            panic!("{:?}", state(&rig, id))
        };
        let (fork, found) = Fork::of_restore(&rig.store, &rig.name, &id.to_string()).unwrap();
        assert_eq!(held(fork.state(), fork.session()), expected);
        let plan = found.plan(&fork).unwrap();
        let parts = plan.entries.iter().map(|it| it.part.clone()).collect();
        let versions = found.versions();
        let writer = ArchiveWriter::new(Vec::new(), "memory", Compression::Plain, &versions, parts).unwrap();
        let archive = export::write(fork.state(), fork.session(), &plan, writer).unwrap();
        assert_eq!(archive.len() as u64, bytes);
    }
    // A day later they are gone, and no link leads to them.
    let link = rig.metadata.create_link(
        GROUP,
        of_second,
        (3_600_000, 5),
        rig.clock.now(),
        &mut SeededEntropy::new(1),
    );
    let token = link.unwrap();
    rig.pass(20 * HOUR);
    assert!(matches!(state(&rig, of_second), RestoreState::Ready { .. }));
    rig.wait_while_time_passes("they go", |rig| Restorable::list(&rig.store, &rig.name).unwrap().is_empty());
    assert_eq!(state(&rig, of_second), RestoreState::Cancelled);
    assert!(rig.metadata.look_at_link(token.reveal(), rig.clock.now()).is_err());
}

#[test]
fn what_cannot_be_restored_is_refused_in_words() {
    let (rig, _daemon) = Rig::running();
    let future = Timestamp { secs: rig.secs() + 3600, ordinal: 1 };
    let past = Timestamp { secs: rig.secs() - 3600, ordinal: 1 };
    for (number, target, namespaces, words) in [
        (1, snapshot(77), &[][..], "no snapshot 77"),
        (2, RestoreTarget::PointInTime { timestamp: future }, &[], "nothing is known"),
        (3, RestoreTarget::PointInTime { timestamp: past }, &[], "cannot be restored"),
        (4, snapshot(1), &["app.b"], "there is no app.b"),
    ] {
        let id = ask(&rig, number, target, namespaces);
        let RestoreState::Failed { error } = wait_until_prepared(&rig, id) else { panic!("{words}") };
        assert!(error.as_str().contains(words), "{error}");
    }
    assert!(Restorable::list(&rig.store, &rig.name).unwrap().is_empty());
}

#[test]
fn of_a_state_that_differs_from_the_source_people_are_told_also_when_that_was_long_ago() {
    let (mut rig, _daemon) = Rig::running();
    rig.misfit();
    rig.queue(JobKind::Snapshot);
    rig.wait("it is known", |rig| rig.snapshots().iter().any(|(_, it)| it.known_divergences() > 0));
    for _ in 0..3 {
        rig.pass(HOUR);
        rig.write(5);
    }
    rig.queue(JobKind::Snapshot);
    rig.wait("another is taken", |rig| rig.snapshots().len() >= 3);
    let last = rig.snapshots().pop().unwrap().0;
    let timestamp = Timestamp { secs: rig.secs() - 3600, ordinal: u32::MAX };
    for (number, target) in [(1, snapshot(last)), (2, RestoreTarget::PointInTime { timestamp })] {
        let id = ask(&rig, number, target, &[]);
        let RestoreState::Ready { divergences, .. } = wait_until_prepared(&rig, id) else {
            panic!("{:?}", state(&rig, id))
        };
        assert!(divergences > 0);
        let kept = Restorable::find(&rig.store, &rig.name, &id.to_string()).unwrap().unwrap();
        assert_eq!(kept.divergences, divergences);
    }
    let told = rig.events().into_iter().filter(|it| it.what.code.as_str() == "RESTORE_DIVERGED");
    assert_eq!(told.count(), 2);
    let sound = ask(&rig, 3, snapshot(1), &[]);
    assert!(matches!(wait_until_prepared(&rig, sound), RestoreState::Ready { divergences: 0, .. }));
}

#[test]
fn one_that_nobody_wants_any_more_goes() {
    let (rig, _daemon) = Rig::running();
    let id = ask(&rig, 1, snapshot(1), &[]);
    wait_until_prepared(&rig, id);
    assert_eq!(Restorable::list(&rig.store, &rig.name).unwrap().len(), 1);
    rig.metadata
        .change::<RestoreJob, _>(&RestoreJob::id_of(GROUP, id), |it| it.set_state(RestoreState::Cancelled))
        .unwrap();
    rig.wait_while_time_passes("it goes", |rig| Restorable::list(&rig.store, &rig.name).unwrap().is_empty());
}

#[test]
fn a_restore_of_a_state_that_the_source_left_says_so() {
    let (mut rig, _daemon) = Rig::running();
    rig.pass(HOUR);
    rig.write(10);
    let common = rig.source.last.ts;
    rig.pass(HOUR);
    rig.write(10);
    rig.queue(JobKind::Snapshot);
    rig.wait("a snapshot of what will be rolled back", |rig| rig.snapshots().len() == 2);
    let before = ask(&rig, 1, snapshot(2), &[]);
    let is_rolled_back = |rig: &Rig, id| match wait_until_prepared(rig, id) {
        RestoreState::Ready { is_rolled_back, .. } => is_rolled_back,
        other => panic!("{other:?}"),
    };
    assert!(!is_rolled_back(&rig, before));
    rig.roll_back(common);
    rig.write(5);
    rig.wait("the head goes back", |rig| rig.snapshots()[1].1.is_dead_branch);
    let (left, kept) = (ask(&rig, 2, snapshot(2), &[]), ask(&rig, 3, snapshot(1), &[]));
    assert!(is_rolled_back(&rig, left) && !is_rolled_back(&rig, kept));
    assert!(rig.has_event("RESTORE_ROLLED_BACK"));
}
