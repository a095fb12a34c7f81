//! Writes a small database of the present version: how `testdata/v1.db` was made. A file of a released version is
//! never written again; a new version gets a file of its own.
//!
//! `cargo run -p tidemark-metadata --example write_golden <new file>`

use std::path::PathBuf;
use tidemark_metadata::{Change, Collection, Error, Expect, SqliteStore, Store, Write};

fn main() -> Result<(), Error> {
    let path: PathBuf = std::env::args_os().nth(1).expect("the name of a new file").into();
    let store = SqliteStore::open(&path)?;
    let body = "{\"schema\":1,\"record\":{}}".to_owned();
    for (collection, id, key) in
        [(Collection::Group, "a", Some("k".to_owned())), (Collection::User, "b", None)]
    {
        let write = Write::Put { key, body: body.clone() };
        store.apply(&[Change { collection, id: id.to_owned(), expect: Expect::Absent, write }])?;
    }
    Ok(())
}
