//! The index lost or old: it is rebuilt, says so, and no acknowledged publish goes with it.

use crate::disks::Refusal;
use crate::sample::{Sample, assert_index_rebuilt, change, collect, options, put_tree, refs};
use std::sync::Arc;
use tidemark_blockstore::{Healed, RepairReport, Store, repair};

#[test]
fn a_lost_index_is_rebuilt() {
    let mut sample = Sample::new();
    sample.remove_index();
    let (store, healed) = sample.open_healed();
    assert_index_rebuilt(&healed, "missing");
    let Healed::IndexRebuilt { report, .. } = &healed[0] else { unreachable!() };
    assert_eq!(*report, RepairReport { packs: 3, blocks: 18, refs: 3, ..RepairReport::default() });
    sample.assert_refs(&store);
    drop(store);
    sample.assert_whole();
}

#[test]
fn repair_changes_nothing_in_a_sound_store() {
    let mut sample = Sample::new();
    let report = repair(&sample.root).unwrap();
    assert_eq!(report, RepairReport { packs: 3, blocks: 18, refs: 3, ..RepairReport::default() });
    sample.assert_whole();
}

/// As after a kill, and then a clean-up that took the file for a temporary one.
#[test]
fn a_lost_wal_is_an_old_index() {
    let mut sample = Sample::new();
    let store = sample.open();
    let session = store.session(&[]).unwrap();
    sample.publish_in(&session, "in the wal");
    sample.publish_in(&session, "in the wal too");
    let mut copy = sample.copy_index();
    drop((session, store));
    copy.forget_wal();
    sample.put_back(&copy);
    let (store, healed) = sample.open_healed();
    assert_index_rebuilt(&healed, "older than");
    sample.assert_refs(&store);
    drop(store);
    sample.assert_whole();
}

#[test]
fn an_index_several_publishes_and_packs_old_is_rebuilt() {
    let mut sample = Sample::new();
    let copy = sample.copy_index();
    sample.publish("d");
    sample.publish("a");
    sample.delete("b");
    sample.put_back(&copy);
    let (store, healed) = sample.open_healed();
    assert_index_rebuilt(&healed, "older than refs.log");
    sample.assert_refs(&store);
    drop(store);
    sample.assert_whole();
}

#[test]
fn an_index_one_publish_and_one_pack_old_is_rebuilt() {
    let mut sample = Sample::new();
    let copy = sample.copy_index();
    sample.publish("a");
    sample.put_back(&copy);
    let (store, healed) = sample.open_healed();
    assert_index_rebuilt(&healed, "older than");
    sample.assert_refs(&store);
    drop(store);
    sample.assert_whole();
}

/// The last publish named blocks of a pack that the old index knows, but not so long.
#[test]
fn an_index_one_publish_old_within_one_pack_is_rebuilt() {
    let mut sample = Sample::new();
    let store = sample.open();
    let session = store.session(&[]).unwrap();
    sample.publish_in(&session, "d");
    let copy = sample.copy_index();
    sample.publish_in(&session, "e");
    drop((session, store));
    sample.put_back(&copy);
    let (store, healed) = sample.open_healed();
    assert_index_rebuilt(&healed, "older than");
    sample.assert_refs(&store);
    drop(store);
    sample.assert_whole();
}

/// The last publish named nothing that the old index lacks: it cannot be told from one that died before its
/// commit, and is carried over.
#[test]
fn an_index_one_publish_old_without_new_blocks_is_brought_up_to_date() {
    let mut sample = Sample::new();
    let copy = sample.copy_index();
    sample.delete("b");
    sample.put_back(&copy);
    let (store, healed) = sample.open_healed();
    assert_eq!(healed, [Healed::PublishCompleted]);
    assert!(healed[0].to_string().contains("carried over from refs.log"));
    sample.assert_refs(&store);
    drop(store);
    sample.assert_whole();
}

/// No publish came after the copy, only a collection: the index knows packs that are gone.
#[test]
fn an_index_from_before_a_collection_is_rebuilt() {
    let mut sample = Sample::new();
    sample.delete("b");
    let copy = sample.copy_index();
    collect(&sample.open());
    assert_eq!(sample.packs().len(), 2);
    sample.put_back(&copy);
    let (store, healed) = sample.open_healed();
    assert_index_rebuilt(&healed, "pack 2");
    // What was collected is not taken for there.
    let session = store.session(&[]).unwrap();
    let root = put_tree(&session, 2).unwrap();
    session.publish(&[change("b", Some(root))]).unwrap();
    sample.refs.insert("b".into(), root);
    drop(session);
    sample.assert_refs(&store);
    drop(store);
    sample.assert_whole();
}

#[test]
fn an_index_with_a_damaged_row_is_rebuilt() {
    for table in ["r", "p", "m", "l", "i"] {
        let mut sample = Sample::new();
        sample.spoil_rows(table);
        let (store, healed) = sample.open_healed();
        assert_index_rebuilt(&healed, "its checksum is wrong");
        sample.assert_refs(&store);
        drop(store);
        sample.assert_whole();
    }
}

/// The rows of the packs are damaged, that of the counters is not.
#[test]
fn a_rebuild_gives_out_no_pack_number_again() {
    let mut sample = Sample::new();
    sample.delete("c");
    collect(&sample.open());
    assert_eq!(sample.packs().len(), 2);
    sample.spoil_rows("p");
    drop(sample.open_healed());
    sample.publish("d");
    assert_eq!(sample.packs().last().unwrap().file_name().unwrap(), "0000000000000004.pack");
    sample.assert_whole();
}

/// A commit that fails after its record was written has not happened, now or later.
#[test]
fn a_publish_whose_commit_failed_does_not_come_true_later() {
    let mut sample = Sample::new();
    let refusal = Arc::new(Refusal::default());
    let store = Store::new(Arc::new(options().disk(refusal.failing_commits()).open(&sample.root).unwrap()));
    let session = store.session(&[]).unwrap();
    let root = put_tree(&session, 1000).unwrap();
    session.sync().unwrap();
    refusal.set(28);
    let error = session.publish(&[change("d", Some(root))]).unwrap_err();
    assert!(error.is_full(), "{error}");
    refusal.set(0);
    assert_eq!(refs(&store), sample.refs, "it has not happened");
    drop((session, store));
    assert_eq!(refs(&sample.open()), sample.refs, "and does not happen when the store is opened");
    sample.assert_whole();
}
