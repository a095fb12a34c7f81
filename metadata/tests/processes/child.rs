//! What a started process does: it moves units between accounts of a database and says what was acknowledged.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tidemark_base::{ErrorKind, SeededEntropy};
use tidemark_metadata::{Change, Collection, Document, Expect, SqliteStore, Store, Write};

const PATH: &str = "TIDEMARK_METADATA_PATH";
const NAME: &str = "TIDEMARK_METADATA_NAME";
const MOVES: &str = "TIDEMARK_METADATA_MOVES";

/// How many accounts there are, and what they hold together.
pub(crate) const ACCOUNTS: u64 = 5;
pub(crate) const TOTAL: u64 = 500;

/// This program, started again as a mover called `name` that stops after so many moves.
pub(crate) fn command(path: &Path, name: u64, moves: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(PATH, path).env(NAME, name.to_string()).env(MOVES, moves.to_string());
    command
}

/// Whether this process was started as a mover; if so, it is done.
pub(crate) fn ran() -> bool {
    let Ok(path) = std::env::var(PATH) else { return false };
    let number = |name| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let store = SqliteStore::open(&PathBuf::from(path)).unwrap();
    run(&store, number(NAME), number(MOVES));
    true
}

fn run(store: &SqliteStore, name: u64, moves: u64) {
    open_accounts(store);
    let mut random = SeededEntropy::new(name);
    let tally = format!("tally{name}");
    let mut done = read(store, &tally).map_or(0, |it| it.body.parse().unwrap());
    let end = done + moves;
    while done < end {
        let from = random.below(ACCOUNTS);
        let to = (from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS;
        if move_one(store, from, to, &tally, done) {
            done += 1;
            println!("{done}");
            std::io::stdout().flush().unwrap();
        }
    }
}

/// The accounts are made once, by whoever comes first.
fn open_accounts(store: &SqliteStore) {
    let put = Write::Put { key: None, body: (TOTAL / ACCOUNTS).to_string() };
    let make = |n| Change {
        collection: Collection::Host,
        id: format!("account{n}"),
        expect: Expect::Absent,
        write: put.clone(),
    };
    let changes: Vec<_> = (0..ACCOUNTS).map(make).collect();
    loop {
        match store.apply(&changes) {
            // The others write without a pause: they can keep the lock for longer than one waits for it.
            Err(error) if error.kind() == ErrorKind::Retry => {}
            Err(error) => return assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
            Ok(_) => return,
        }
    }
}

pub(crate) fn read(store: &SqliteStore, id: &str) -> Option<Document> {
    store.get(Collection::Host, id).unwrap()
}

/// Moves one unit and counts it, in one batch. Whether it happened; not, if another process came first.
fn move_one(store: &SqliteStore, from: u64, to: u64, tally: &str, done: u64) -> bool {
    let (from, to) =
        (read(store, &format!("account{from}")).unwrap(), read(store, &format!("account{to}")).unwrap());
    let value = |it: &Document| it.body.parse::<u64>().unwrap();
    if value(&from) == 0 {
        return false;
    }
    let put = |it: &Document, value: u64| Change {
        collection: Collection::Host,
        id: it.id.clone(),
        expect: Expect::At(it.version),
        write: Write::Put { key: None, body: value.to_string() },
    };
    let expect = read(store, tally).map_or(Expect::Absent, |it| Expect::At(it.version));
    let count = Change {
        collection: Collection::Host,
        id: tally.to_owned(),
        expect,
        write: Write::Put { key: None, body: (done + 1).to_string() },
    };
    match store.apply(&[put(&from, value(&from) - 1), put(&to, value(&to) + 1), count]) {
        Ok(_) => true,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Retry), "{error}");
            false
        }
    }
}
