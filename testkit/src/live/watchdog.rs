//! The first net: a small shell process that outlives its runner and kills the runner's mongod.
//!
//! It reads a pipe whose other end only the runner holds. The runner writes "done" when it has cleaned up
//! itself; end of file without that word means that the runner was killed. The kernel closes the pipe whatever
//! happened to the runner, so this needs no cooperation from a dying process, and no `prctl`.
//!
//! It looks for the mongod by its `--dbpath`, not by pid: that survives restarts and cannot hit a stranger.
//! A child between fork and exec still holds the pipe open, so end of file comes when the mongod can be found,
//! or an instant before: hence it looks until it has found nothing twice. A folder whose mongod does not die is
//! left to the sweep. It runs in its own process group, so Ctrl-C reaches the runner alone.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Error, run_folder};

/// The folder comes by the environment, so that the watchdog's own command line does not hold it. `read` of a
/// command line drops the NULs between its arguments, in every shell that is somebody's `sh`.
const SCRIPT: &str = r#"
while IFS= read -r word; do
    [ "$word" = done ] && exit 0
done
tries=0
empty=0
while [ "$tries" -lt 200 ] && [ "$empty" -lt 2 ]; do
    found=no
    for process in /proc/[0-9]*; do
        line=
        IFS= read -r line <"$process/cmdline"
        case "$line" in
            *"--dbpath$TIDEMARK_DB_PATH"*) kill -9 "${process#/proc/}"; found=yes ;;
        esac
    done
    if [ "$found" = no ]; then empty=$((empty + 1)); else empty=0; fi
    sleep 0.05
    tries=$((tries + 1))
done
[ "$empty" -lt 2 ] || rm -rf -- "$TIDEMARK_RUN_FOLDER"
"#;

/// The watchdog of one run folder.
#[derive(Debug)]
pub(super) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// Starts the watchdog; to be called before the mongod is started.
    pub(super) fn start(folder: &Path) -> Result<Self, Error> {
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .env("TIDEMARK_RUN_FOLDER", folder)
            .env("TIDEMARK_DB_PATH", run_folder::db_path(folder))
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::io("start the watchdog", Path::new("/bin/sh")))?;
        Ok(Self { shell })
    }

    /// Its pid, for the test that kills it.
    pub(super) fn pid(&self) -> u32 {
        self.shell.id()
    }
}

impl Drop for Watchdog {
    /// Sends it home; the caller has killed the mongod and removed the folder.
    fn drop(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            // If the watchdog is gone there is nobody to tell.
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.shell.wait();
    }
}
