//! The run folder: everything on disk that belongs to one mongod.
//!
//! It lies in the system's temporary folder under a name that says whose it is:
//! `tidemark-testkit-<runner's pid>-<runner's start time>-<random>`. The name is there from the first moment,
//! which a file inside would not be, so a sweep can tell at any time whether the runner still lives.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tidemark_base::{Entropy, OsEntropy};

use super::{Error, proc};

const PREFIX: &str = "tidemark-testkit-";

/// One mongod's folder; removed on drop, when the mongod must be dead.
#[derive(Debug)]
pub(super) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes a folder that only this user can read, with an empty `db` inside.
    pub(super) fn create() -> Result<Self, Error> {
        let pid = std::process::id();
        let started = proc::start_time(pid).ok_or_else(|| Error::Io {
            what: "read the start time of this process from",
            path: PathBuf::from("/proc/self/stat"),
            source: io::Error::other("the live tests need Linux's /proc"),
        })?;
        let mut random = [0; 4];
        OsEntropy.fill(&mut random);
        let path = parent()?.join(format!("{PREFIX}{pid}-{started}-{}", hex::encode(random)));
        make_private(&path)?;
        let folder = Self { path };
        make_private(&db_path(folder.path()))?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The last part of the path: unique on this machine.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("mongod.log")
    }

    /// What mongod says before it has opened its log, wrong options above all.
    pub(super) fn output(&self) -> PathBuf {
        self.path.join("output")
    }
}

impl Drop for RunFolder {
    #[expect(clippy::print_stderr, reason = "what is left behind must be said")]
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("could not remove {}: {error}; remove it by hand", self.path.display());
        }
    }
}

fn make_private(folder: &Path) -> Result<(), Error> {
    DirBuilder::new().mode(0o700).create(folder).map_err(Error::io("make the folder", folder))
}

/// Where run folders are made and looked for; resolved, so that all processes spell it the same.
pub(super) fn parent() -> Result<PathBuf, Error> {
    let temp = std::env::temp_dir();
    temp.canonicalize().map_err(Error::io("find the temporary folder", &temp))
}

/// The database folder in a run folder.
pub(super) fn db_path(folder: &Path) -> PathBuf {
    folder.join("db")
}

/// The runner that made a folder of this name: pid and start time. None if the name is not one of ours.
pub(super) fn owner_of(name: &str) -> Option<(u32, u64)> {
    let mut parts = name.strip_prefix(PREFIX)?.split('-');
    let owner = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (parts.next()?.len() == 8 && parts.next().is_none()).then_some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_says_whose_it_is() {
        let folder = RunFolder::create().unwrap();
        let (pid, started) = owner_of(&folder.name()).unwrap();
        assert_eq!(pid, std::process::id());
        assert!(proc::owner_alive(pid, started));
        let path = folder.path().to_owned();
        assert!(db_path(&path).is_dir());
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn other_names_have_no_owner() {
        for name in
            ["", "tidemark-testkit-", "tidemark-testkit-1-2", "tidemark-testkit-1-x-00000000", "other"]
        {
            assert_eq!(owner_of(name), None, "{name}");
        }
        assert_eq!(owner_of("tidemark-testkit-1-2-0000000a"), Some((1, 2)));
    }
}
