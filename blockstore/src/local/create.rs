//! Making a new store: everything else first, the superblock last, so that a folder with a superblock is
//! a whole store.

use super::journal::{self, Journal};
use super::{db, names};
use crate::disk::{Folder, SyncSite};
use crate::error::{Error, Result};
use crate::ids::RefVersion;
use crate::refs_log::Refs;
use crate::superblock::Superblock;
use std::io;
use std::path::Path;

/// Makes an empty store in an empty or missing folder.
pub(super) fn create(folder: &Folder, superblock: &Superblock) -> Result<()> {
    let root = &folder.root;
    let failed = |e| Error::io("making", root, e);
    match std::fs::read_dir(root) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(Error::NotEmpty { path: root.clone() });
            }
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed(e)),
    }
    let missing: Vec<&Path> = root.ancestors().skip(1).take_while(|above| !above.exists()).collect();
    std::fs::create_dir_all(root.join(names::PACKS)).map_err(failed)?;
    std::fs::create_dir_all(root.join(names::LOCKS)).map_err(failed)?;
    fill_index(folder, superblock)?;
    // The names of everything in the folder are durable since the log took its own.
    // Each folder made on the way needs its own name in the one above.
    for above in root.ancestors().skip(1).take(missing.len() + 1) {
        folder.disk.sync_dir(above, SyncSite::StoreFolder).map_err(failed)?;
    }
    let fresh = folder.path("superblock.new");
    let mut file = folder.disk.create(&fresh).map_err(failed)?;
    file.write_at(0, &superblock.encode()).map_err(failed)?;
    file.sync(SyncSite::Superblock).map_err(failed)?;
    folder.disk.rename(&fresh, &folder.path(names::SUPERBLOCK)).map_err(failed)?;
    folder.disk.sync_dir(root, SyncSite::StoreName).map_err(failed)
}

fn fill_index(folder: &Folder, superblock: &Superblock) -> Result<()> {
    let path = folder.path(names::INDEX);
    let connection = db::connect(&path, true)?;
    db::initialise(&connection, superblock.store)?;
    let log = Journal::new(folder.clone(), superblock.store, None);
    let position = log.rewrite(1, &Refs::new(), RefVersion(0))?;
    let db = db::Db::new(folder.clone(), path, log, connection);
    db.write(&mut |txn| journal::store(txn, &position))
}
