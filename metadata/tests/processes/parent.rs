//! The tests: they start movers, kill some, and look at what is there.

use crate::child::{ACCOUNTS, TOTAL, command, read};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;
use tidemark_base::SeededEntropy;
use tidemark_metadata::SqliteStore;

fn assert_sound(store: &SqliteStore) {
    let sum: u64 = (0..ACCOUNTS)
        .map(|n| read(store, &format!("account{n}")).unwrap().body.parse::<u64>().unwrap())
        .sum();
    assert_eq!(sum, TOTAL, "a batch happened in part");
    store.check().unwrap();
}

/// Three processes open a database that does not exist yet, all at once, and work on the same accounts.
pub(crate) fn no_change_of_a_process_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.db");
    let moves = 60;
    let movers: Vec<_> =
        (0..3).map(|n| command(&path, n, moves).stdout(Stdio::null()).spawn().unwrap()).collect();
    for mut mover in movers {
        assert!(mover.wait().unwrap().success());
    }
    let store = SqliteStore::open(&path).unwrap();
    for n in 0..3 {
        assert_eq!(read(&store, &format!("tally{n}")).unwrap().body, moves.to_string());
    }
    assert_sound(&store);
}

/// Two movers, of which one is killed at a random moment, again and again.
pub(crate) fn a_killed_process_leaves_all_or_nothing() {
    let rounds = std::env::var("TIDEMARK_ROUNDS").map_or(12, |it| it.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.db");
    drop(SqliteStore::open(&path).unwrap());
    let mut other = command(&path, 1, u64::MAX / 2).stdout(Stdio::null()).spawn().unwrap();
    let mut random = SeededEntropy::new(42);
    let (mut acknowledged, mut unheard) = (0, 0);
    for _ in 0..rounds {
        let mut mover = command(&path, 0, u64::MAX / 2).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(mover.stdout.take().unwrap()).lines();
        // It has begun; then it dies somewhere.
        acknowledged = said.next().unwrap().unwrap().parse().unwrap();
        std::thread::sleep(Duration::from_micros(random.below(30_000)));
        mover.kill().unwrap();
        mover.wait().unwrap();
        for line in said {
            // The last line may be cut.
            acknowledged = line.unwrap().parse().map_or(acknowledged, |it: u64| it.max(acknowledged));
        }
        let store = SqliteStore::open(&path).unwrap();
        let counted: u64 = read(&store, "tally0").unwrap().body.parse().unwrap();
        assert!(
            counted == acknowledged || counted == acknowledged + 1,
            "{counted} counted, {acknowledged} acknowledged"
        );
        unheard += counted - acknowledged;
    }
    other.kill().unwrap();
    other.wait().unwrap();
    assert_sound(&SqliteStore::open(&path).unwrap());
    println!("{rounds} kills, {acknowledged} moves acknowledged, {unheard} done and not heard of");
    assert!(acknowledged > rounds, "the movers got nowhere");
}
