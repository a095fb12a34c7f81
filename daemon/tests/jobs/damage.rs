//! Snapshots that cannot be read: known as such, and never in the place of one that can.

use crate::failing::Unreadable;
use crate::rig::{GROUP, HOUR, Rig, SET};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tidemark_base::Clock;
use tidemark_blockstore::Store;
use tidemark_head::snapshot;
use tidemark_metadata::rules::retention::Retention;
use tidemark_metadata::{Job, JobKind, JobState, Status, Subject};

/// The store, which cannot be read while this says so.
fn unreadable(rig: &Rig) -> (Store, Arc<AtomicBool>) {
    let is_unreadable = Arc::new(AtomicBool::new(false));
    let backend = Unreadable { inner: rig.backend.clone(), is_unreadable: Arc::clone(&is_unreadable) };
    (Store::new(Arc::new(backend)), is_unreadable)
}

/// Somebody proves a snapshot while it cannot be read.
fn damage(rig: &Rig, id: u64) {
    let (store, is_unreadable) = unreadable(rig);
    is_unreadable.store(true, Ordering::SeqCst);
    snapshot::prove(&store, &rig.name, id).unwrap_err();
}

fn order_one(rig: &mut Rig) {
    let number = rig.snapshots().len() + 1;
    rig.write(3);
    rig.queue(JobKind::Snapshot);
    rig.wait("it is taken", |rig| rig.snapshots().len() == number);
    rig.wait("all are proven", |rig| rig.snapshots().iter().all(|(_, it)| it.proven.is_some()));
}

#[test]
fn a_snapshot_whose_proof_fails_is_damaged_until_a_later_one_succeeds() {
    let (mut rig, daemon) = Rig::running();
    order_one(&mut rig);
    rig.order(Status::Stopped);
    rig.wait("the head is laid down", |rig| !rig.job(JobKind::Apply).unwrap().is_open());
    daemon.shut_down();
    damage(&rig, 2);
    // A daemon finds the same.
    let (store, is_unreadable) = unreadable(&rig);
    is_unreadable.store(true, Ordering::SeqCst);
    let subject = Subject::new(format!("{SET}:{:016x}", 2)).unwrap();
    rig.metadata.queue_job(Some(GROUP), JobKind::Prove, &subject, rig.clock.now()).unwrap();
    let daemon = rig.daemon_on("d1", rig.metadata.clone(), store);
    let id = Job::id_of(Some(GROUP), JobKind::Prove, &subject);
    rig.wait("the proof is given up", |rig| {
        let job = rig.metadata.get::<Job>(&id).unwrap().record;
        matches!(job.state, JobState::Failed { .. })
    });
    assert!(rig.snapshots()[1].1.is_damaged);
    daemon.shut_down();
    // What is read wrongly once is read again by whoever goes on.
    rig.order(Status::Started);
    let _daemon = rig.daemon("d1");
    rig.wait("it is found to be sound", |rig| {
        let found = &rig.snapshots()[1].1;
        !found.is_damaged && found.proven.is_some()
    });
}

#[test]
fn a_snapshot_that_is_damaged_neither_stands_for_the_head_nor_lets_a_good_one_go() {
    let (mut rig, _daemon) = Rig::running();
    let retention = Retention { base_days: 1, daily_days: 0, weekly_weeks: 0, monthly_months: 0 };
    rig.change_backup(|it| {
        it.retention = retention.clone();
        it.pitr_window_hours = 1;
        it.schedule.interval_hours = 24;
    });
    rig.pass(HOUR);
    order_one(&mut rig);
    // It is the newest: what came before it is all that can be restored.
    damage(&rig, 2);
    rig.order(Status::Stopped);
    rig.pass(60 * HOUR);
    let ids: Vec<u64> = rig.snapshots().iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [1], "the damaged one goes, the good one stays");
    rig.order(Status::Started);
    rig.wait_while_time_passes("another is taken", |rig| {
        rig.snapshots().last().is_some_and(|(id, it)| *id > 2 && it.is_live())
    });
    rig.assert_snapshots();
}

#[test]
fn a_snapshot_is_taken_after_one_that_is_damaged_also_if_nothing_came() {
    let (mut rig, _daemon) = Rig::running();
    order_one(&mut rig);
    damage(&rig, 2);
    rig.wait_while_time_passes("another is taken", |rig| rig.snapshots().last().unwrap().0 > 2);
    assert!(rig.snapshots().last().unwrap().1.is_live());
}

#[test]
fn a_snapshot_that_was_misread_once_is_read_again_with_the_next_that_is_due() {
    let (mut rig, _daemon) = Rig::running();
    order_one(&mut rig);
    rig.wait("the proof is done", |rig| !proof(rig, 2).is_open());
    damage(&rig, 2);
    rig.write(3);
    rig.wait_while_time_passes("another is due", |rig| rig.snapshots().len() == 3);
    rig.wait("and it is found to be sound", |rig| rig.snapshots()[1].1.proven.is_some());
}

#[test]
fn a_snapshot_that_was_misread_is_read_again_once_the_store_is_found_to_be_sound() {
    let (mut rig, _daemon) = Rig::running();
    order_one(&mut rig);
    rig.wait("the proof is done", |rig| !proof(rig, 2).is_open());
    damage(&rig, 2);
    let store = Subject::new("store").unwrap();
    rig.wait("nobody checks the store", |rig| {
        rig.metadata.find::<Job>("site:verify:store").unwrap().is_none_or(|it| !it.record.is_open())
    });
    rig.metadata.queue_job(None, JobKind::Verify, &store, rig.clock.now()).unwrap();
    rig.wait("it is found to be sound", |rig| rig.snapshots()[1].1.proven.is_some());
}

fn proof(rig: &Rig, id: u64) -> Job {
    let subject = Subject::new(format!("{SET}:{id:016x}")).unwrap();
    rig.metadata.get::<Job>(&Job::id_of(Some(GROUP), JobKind::Prove, &subject)).unwrap().record
}

#[test]
fn a_store_that_is_damaged_is_told_of_until_all_of_it_is_read_again() {
    let mut rig = Rig::new();
    rig.copy();
    let (store, is_unreadable) = unreadable(&rig);
    let _daemon = rig.daemon_on("d1", rig.metadata.clone(), store);
    rig.wait("all is proven", |rig| rig.snapshots().iter().any(|(_, it)| it.proven.is_some()));
    let (what, id) = (Subject::new("store").unwrap(), "site:verify:store");
    let verify = |rig: &Rig| {
        rig.wait("none is at it", |rig| !rig.metadata.get::<Job>(id).unwrap().record.is_open());
        rig.metadata.queue_job(None, JobKind::Verify, &what, rig.clock.now()).unwrap();
    };
    let told = |rig: &Rig| {
        let open = rig.metadata.matters(None).unwrap();
        open.first().map(|it| it.text.to_string()).unwrap_or_default()
    };
    verify(&rig);
    is_unreadable.store(true, Ordering::SeqCst);
    verify(&rig);
    rig.wait("people are told", |rig| told(rig).contains("damages: run `tidemark store verify`"));
    is_unreadable.store(false, Ordering::SeqCst);
    verify(&rig);
    rig.wait("and that it is over", |rig| rig.metadata.matters(None).unwrap().is_empty());
    let events = rig.metadata.events(None, None, 100).unwrap();
    assert_eq!(events[0].what.code.as_str(), "STORE_SOUND");
}
