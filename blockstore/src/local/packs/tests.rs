//! Names of packs, and handles of packs that are removed at the worst moment.

use super::*;
use crate::disk::{Disk, OsDisk};
use std::path::Path;
use std::sync::OnceLock;
use tempfile::TempDir;

#[test]
fn only_names_of_packs_are_packs() {
    assert_eq!(parse_name(&file_name(PackId(0x2a))), Some(PackId(0x2a)));
    for bad in [
        "",
        ".pack",
        "2a.pack",
        "000000000000002A.pack",
        "000000000000002a.pack.tmp",
        "+00000000000002a.pack",
        "8000000000000000.pack",
        "ffffffffffffffff.pack",
    ] {
        assert_eq!(parse_name(bad), None, "{bad}");
    }
}

/// When somebody comes in between.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// A pack was opened for reading and is not noted yet: it is removed.
    Opened,
    /// A pack is about to lose its name: it is read.
    Removing,
}

/// A disk on which somebody comes in between, in the same process.
struct Meddling {
    moment: Moment,
    packs: Arc<OnceLock<Packs>>,
}

const ID: PackId = PackId(7);

impl Disk for Meddling {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        OsDisk.create(path)
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        OsDisk.open_write(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn DiskRead>> {
        let file = OsDisk.open_read(path)?;
        if self.moment == Moment::Opened {
            self.packs.get().unwrap().remove(ID).unwrap();
        }
        Ok(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if self.moment == Moment::Removing {
            assert!(self.packs.get().unwrap().read(ID, 0, 4).unwrap().is_some());
        }
        OsDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path, site: SyncSite) -> io::Result<()> {
        OsDisk.sync_dir(dir, site)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>> {
        OsDisk.list(dir)
    }
}

#[test]
fn a_pack_removed_while_it_is_being_read_is_not_kept_open() {
    for moment in [Moment::Opened, Moment::Removing] {
        let dir = TempDir::new().unwrap();
        let packs = Arc::new(OnceLock::new());
        let disk = Arc::new(Meddling { moment, packs: Arc::clone(&packs) });
        let made = Packs::new(Folder { root: dir.path().to_owned(), disk });
        let packs = packs.get_or_init(|| made);
        std::fs::create_dir(packs.dir()).unwrap();
        packs.create(ID).unwrap().append(b"pack").unwrap();
        match moment {
            Moment::Opened => assert_eq!(packs.read(ID, 0, 4).unwrap().unwrap(), b"pack"),
            Moment::Removing => packs.remove(ID).unwrap(),
        }
        assert!(!packs.path(ID).exists());
        assert!(packs.cache().is_empty());
    }
}
