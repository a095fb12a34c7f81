//! The folder of an installation on one machine: where each part of it lies, made when it is used first.
//!
//! `blocks/` the blockstore, `metadata.sqlite` who may do what and the jobs, `keys/sealing.key` what seals secrets,
//! `tls/` the CA and the certificate. Several processes may use it at once: front-ends, daemons, commands.

use crate::output::Output;
use crate::place;
use anyhow::{Context, Result};
use clap::Args;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidemark_base::Entropy;
use tidemark_blockstore::{OpenOptions, Store};
use tidemark_metadata::{Metadata, SealingKey, SqliteStore, load_or_create};

/// Which installation.
#[derive(Clone, Debug, Args)]
pub(crate) struct DataArg {
    /// The folder of the installation; made if it does not exist
    #[arg(long, value_name = "FOLDER", env = "TIDEMARK_DATA")]
    pub(crate) data: PathBuf,
}

/// The stores of an installation.
pub(crate) struct Data {
    pub(crate) store: Store,
    pub(crate) metadata: Metadata,
}

impl DataArg {
    /// Opens the metadata alone.
    pub(crate) fn metadata(&self) -> Result<Metadata> {
        self.make()?;
        Ok(Metadata::new(Arc::new(SqliteStore::open(&self.data.join("metadata.sqlite"))?)))
    }

    /// Opens the key that seals secrets.
    pub(crate) fn sealing(&self, entropy: &mut dyn Entropy) -> Result<SealingKey> {
        self.make()?;
        let (keys, blocks) = (self.data.join("keys"), self.blocks());
        make_private(&keys)?;
        // The key must not lie in the store, so the store's folder is there first.
        make_private(&blocks)?;
        Ok(load_or_create(&keys.join("sealing.key"), &blocks, entropy)?)
    }

    /// Opens the stores.
    pub(crate) fn open(&self, out: Output) -> Result<Data> {
        let metadata = self.metadata()?;
        let blocks = self.blocks();
        make_private(&blocks)?;
        if is_empty(&blocks)? {
            OpenOptions::default().create(&blocks)?;
        }
        Ok(Data { store: place::open(&blocks, out)?, metadata })
    }

    /// The folder of the blockstore.
    pub(crate) fn blocks(&self) -> PathBuf {
        self.data.join("blocks")
    }

    fn make(&self) -> Result<()> {
        make_private(&self.data)
    }
}

/// Makes a folder that only its owner may enter; one that others may change is refused.
fn make_private(folder: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("making {}", folder.display())),
    }
    let found = fs::metadata(folder).with_context(|| format!("looking at {}", folder.display()))?;
    if !found.is_dir() {
        anyhow::bail!("{} is not a folder", folder.display());
    }
    if found.permissions().mode() & 0o022 != 0 {
        anyhow::bail!("{} can be changed by others: chmod go-w it first", folder.display());
    }
    Ok(())
}

fn is_empty(folder: &Path) -> Result<bool> {
    let mut entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    Ok(entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use tidemark_base::OsEntropy;

    #[test]
    fn an_installation_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataArg { data: dir.path().join("tidemark") };
        let first = data.open(Output::new(Format::Text)).unwrap();
        let store = first.store.superblock().store;
        let again = data.open(Output::new(Format::Text)).unwrap();
        assert_eq!(again.store.superblock().store, store);
        data.sealing(&mut OsEntropy).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data.data), 0o700);
        assert_eq!(mode(&data.data.join("keys/sealing.key")) & 0o077, 0);
    }

    #[test]
    fn a_folder_that_others_may_change_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = DataArg { data: dir.path().to_owned() }.metadata().err().unwrap();
        assert!(error.to_string().contains("chmod go-w"), "{error}");
    }
}
