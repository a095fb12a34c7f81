//! Where the head of a round lies: a store on disk, and the head's name in it.

use std::path::Path;
use std::sync::Arc;
use tidemark_base::BlockId;
use tidemark_blockstore::{Expect, LocalBackend, NewRef, OpenOptions, RefChange, Store};
use tidemark_head::head::{Head, HeadName};
use tidemark_oplog::filter::Filter;

/// The ref that keeps the root of the import: before it there is no state.
const IMPORTED: &str = "g/local/imported";

pub(crate) fn create(folder: &Path) -> Store {
    drop(LocalBackend::create(folder).unwrap());
    open(folder)
}

/// Opens the store, whatever state a kill left it in.
pub(crate) fn open(folder: &Path) -> Store {
    let backend = OpenOptions::default().reserve_bytes(1 << 16).open(folder).unwrap();
    Store::new(Arc::new(backend))
}

pub(crate) fn name() -> HeadName {
    HeadName::new("local", "rs0").unwrap()
}

/// The databases of the workload, and `admin` for the users; what servers write into `config` by themselves
/// was not copied.
pub(crate) fn filter() -> Filter {
    Filter::new(["config"], [""; 0]).unwrap()
}

pub(crate) fn claim(store: &Store) -> Head {
    Head::claim(store, &name()).unwrap()
}

/// Keeps the root of a new head.
pub(crate) fn keep_import(store: &Store, root: BlockId) {
    let set = Some(NewRef { roots: vec![root], value: Vec::new() });
    let keep = RefChange { name: IMPORTED.to_owned(), expect: Expect::Absent, set };
    store.session(&[&name().head()]).unwrap().publish(&[keep]).unwrap();
}
