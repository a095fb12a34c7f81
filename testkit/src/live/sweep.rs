//! The second net: mongods and run folders of runners that died together with their watchdogs.
//!
//! Runs once in each process, before its first mongod. Touches only folders whose name says that their owner
//! is dead, and only processes that run on such a folder. What it may not remove (another user's) it leaves.

use std::fs;
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use rustix::process::Signal;

use super::{Error, proc, run_folder, wait};

const PATIENCE: Duration = Duration::from_secs(10);

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Mongods killed.
    pub mongods: u32,
    /// Folders removed.
    pub folders: u32,
}

/// Kills the mongods of dead runners and removes their folders.
///
/// # Errors
/// If the temporary folder cannot be listed, or a killed mongod does not die.
pub fn sweep() -> Result<Swept, Error> {
    let parent = run_folder::parent()?;
    let entries = fs::read_dir(&parent).map_err(Error::io("list", &parent))?;
    let mut swept = Swept::default();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((pid, started)) = name.to_str().and_then(run_folder::owner_of) else { continue };
        if !proc::owner_alive(pid, started) {
            sweep_folder(&entry.path(), &mut swept)?;
        }
    }
    Ok(swept)
}

/// The sweep at first use. A failure is not the caller's: its own server will say what is wrong, if anything.
pub(super) fn once() {
    static FIRST_USE: Once = Once::new();
    FIRST_USE.call_once(|| {
        let _ = sweep();
    });
}

fn sweep_folder(folder: &Path, swept: &mut Swept) -> Result<(), Error> {
    for pid in proc::mongods_of(folder) {
        proc::signal(pid, Signal::KILL);
        swept.mongods += 1;
    }
    // A mongod that is still dying would write into the folder while it is removed.
    wait::until("a left-over mongod to die", PATIENCE, || {
        if proc::mongod_alive(folder) { Err(format!("still on {}", folder.display())) } else { Ok(()) }
    })?;
    if fs::remove_dir_all(folder).is_ok() {
        swept.folders += 1;
    }
    Ok(())
}
