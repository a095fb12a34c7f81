//! Several daemons: one takes over from another, and two that do not know of each other do no harm.

use crate::rig::{HOUR, Rig};
use std::sync::Arc;
use tidemark_metadata::{BackupConfig, MemoryStore, Metadata};

#[test]
fn two_daemons_that_do_not_know_of_each_other_do_no_harm() {
    let (mut rig, _one) = Rig::running();
    // Another installation's metadata, by mistake on the same store: every lease there is its own.
    let other = Metadata::new(Arc::new(MemoryStore::new()));
    rig.introduce(&other);
    let id = BackupConfig::id_of(crate::rig::GROUP, crate::rig::SET);
    let backup = rig.backup();
    other
        .change::<BackupConfig, _>(&id, |it| {
            *it = backup.clone();
            Ok(())
        })
        .unwrap();
    let _two = rig.daemon_on("d2", other, rig.store.clone());
    for _ in 0..24 {
        rig.write(5);
        rig.pass(HOUR);
    }
    rig.settle();
    assert_eq!(rig.head_held(), rig.source.held);
    assert!(rig.snapshots().len() >= 4);
    rig.assert_snapshots();
}

#[test]
fn a_daemon_that_is_started_again_under_its_name_takes_over_and_the_first_ends() {
    let (mut rig, first) = Rig::running();
    let second = rig.daemon("d1");
    rig.pass(std::time::Duration::from_secs(120));
    rig.wait("the first ends by itself", |_| !first.is_running());
    assert!(second.is_running());
    rig.write(10);
    rig.settle();
    assert_eq!(rig.head_held(), rig.source.held);
}

#[test]
fn another_daemon_goes_on_where_one_is_gone() {
    let (mut rig, one) = Rig::running();
    let two = rig.daemon("d2");
    rig.write(10);
    one.shut_down();
    rig.settle();
    assert_eq!(rig.head_held(), rig.source.held);
    drop(two);
}
