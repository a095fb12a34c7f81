//! The table of changes, second thoughts, which copies count, and rules of the fields.

use super::*;
use Status::{Inactive, Provisioning, Started, Stopped, Terminating};

fn config() -> BackupConfig {
    BackupConfig::new(GroupId::from_bytes([1; 12]), ReplicaSetId::from_bytes([2; 12]))
}

#[test]
fn the_whole_table_of_changes() {
    let allowed = |ordered| {
        let all = Status::ALL.into_iter().flat_map(|from| Status::ALL.map(|to| (from, to)));
        all.filter(move |(from, to)| from.may_become(*to, ordered)).collect::<Vec<_>>()
    };
    assert_eq!(
        allowed(Ordered::ByUser),
        [
            (Inactive, Provisioning),
            (Provisioning, Stopped),
            (Started, Provisioning),
            (Started, Stopped),
            (Stopped, Provisioning),
            (Stopped, Started),
            (Stopped, Terminating),
            (Terminating, Stopped),
        ]
    );
    assert_eq!(
        allowed(Ordered::ByService),
        [(Provisioning, Started), (Started, Provisioning), (Terminating, Inactive)]
    );
}

#[test]
fn a_termination_can_be_undone_for_a_day() {
    let mut backup = config();
    let now = UnixMillis(1000);
    for (next, ordered) in
        [(Provisioning, Ordered::ByUser), (Started, Ordered::ByService), (Stopped, Ordered::ByUser)]
    {
        backup.set_status(next, ordered, now).unwrap();
    }
    backup.set_status(Terminating, Ordered::ByUser, now).unwrap();
    backup.check().unwrap();
    let day = UnixMillis(1000 + TERMINATION_UNDO_MS);
    assert!(!backup.may_be_deleted(UnixMillis(day.0 - 1)) && backup.may_be_deleted(day));
    let mut early = backup.clone();
    let error = early.set_status(Inactive, Ordered::ByService, UnixMillis(day.0 - 1)).unwrap_err();
    assert!(error.to_string().contains("24 hours"), "{error}");
    let mut undone = backup.clone();
    undone.set_status(Stopped, Ordered::ByUser, now).unwrap();
    assert_eq!((undone.status, undone.terminated_at, undone.may_be_deleted(day)), (Stopped, None, false));
    backup.set_status(Inactive, Ordered::ByService, day).unwrap();
    assert_eq!((backup.status, backup.terminated_at), (Inactive, None));
}

#[test]
fn what_the_table_lacks_is_refused_and_changes_nothing() {
    let mut backup = config();
    for next in [Started, Stopped, Terminating, Inactive] {
        let before = backup.clone();
        assert!(backup.set_status(next, Ordered::ByUser, UnixMillis(0)).is_err());
        assert_eq!(backup, before);
    }
    backup.set_status(Provisioning, Ordered::ByUser, UnixMillis(0)).unwrap();
    let error = backup.set_status(Terminating, Ordered::ByUser, UnixMillis(0)).unwrap_err();
    assert!(error.to_string().contains("stop it first"), "{error}");
}

#[test]
fn an_order_for_a_copy_makes_those_before_it_worthless() {
    let mut backup = config();
    assert!(backup.copies.count(1));
    backup.set_status(Provisioning, Ordered::ByUser, UnixMillis(0)).unwrap();
    assert!(!backup.copies.count(1) && !backup.copies.count(u32::MAX));
    backup.copies = Copies::From(3);
    assert!(!backup.copies.count(2) && backup.copies.count(3) && backup.copies.count(4));
    assert!(backup.order_copy(UnixMillis(0)).unwrap());
    assert!(!backup.order_copy(UnixMillis(0)).unwrap(), "ordered and not begun");
    backup.copies = Copies::From(4);
    backup.set_status(Started, Ordered::ByService, UnixMillis(0)).unwrap();
    assert_eq!(backup.copies, Copies::From(4));
    assert!(backup.order_copy(UnixMillis(0)).unwrap());
    assert_eq!((backup.status, backup.copies), (Provisioning, Copies::None));
    backup.set_status(Stopped, Ordered::ByUser, UnixMillis(0)).unwrap();
    assert!(backup.order_copy(UnixMillis(0)).is_err());
}

#[test]
fn a_connection_is_sealed_for_its_own_backup() {
    let key = SealingKey::from_bytes(&[5; 32]);
    let secret = Secret::new(b"mongodb://backup:hunter2@db1/".to_vec()).unwrap();
    let mut backup = config();
    backup.set_connection(Some(&secret), &key, &mut tidemark_base::SeededEntropy::new(1));
    assert_eq!(backup.open_connection(&key).unwrap(), Some(secret));
    let text = crate::record::encode(&backup).unwrap();
    assert!(!text.contains("hunter2") && !format!("{backup:?}").contains("hunter2"));
    let moved = BackupConfig { group: GroupId::from_bytes([9; 12]), ..backup };
    assert!(moved.open_connection(&key).is_err(), "another group's record does not open it");
}

#[test]
fn fields_that_contradict_each_other_are_refused() {
    let many = vec![Namespace::new("a.b").unwrap(); MAX_NAMESPACES + 1];
    for bad in [
        BackupConfig { pitr_window_hours: 0, ..config() },
        BackupConfig { pitr_window_hours: 745, ..config() },
        BackupConfig { excluded_namespaces: many, ..config() },
        BackupConfig { terminated_at: Some(UnixMillis(1)), ..config() },
        BackupConfig { status: Terminating, ..config() },
        BackupConfig { throttle_bytes_per_second: Some(0), ..config() },
    ] {
        assert!(bad.check().is_err(), "{bad:?}");
    }
    config().check().unwrap();
}
