//! What `/proc` says about processes: who is alive, and which of them are our mongods.
//!
//! A pid alone proves nothing, since pids are used again. A runner is known by its pid and its start time, a
//! mongod by its argument `--dbpath <run folder>/db`, which nothing else on the machine has.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// Start time of a process in clock ticks since boot: field 22 of `/proc/<pid>/stat`. None if there is none.
pub(super) fn start_time(pid: u32) -> Option<u64> {
    start_time_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name of the program, field 2, is in brackets and may hold spaces and brackets: count after the last one.
fn start_time_in(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(22 - 3)?.parse().ok()
}

/// Whether the process with this pid still is the one that started at this time.
#[must_use]
pub fn owner_alive(pid: u32, started: u64) -> bool {
    start_time(pid) == Some(started)
}

/// The pids of the mongods that run on this run folder. A dead one that nobody has reaped does not count.
pub(super) fn mongods_of(folder: &Path) -> Vec<u32> {
    let needle = cmdline_needle(folder);
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|cmdline| cmdline.windows(needle.len()).any(|window| window == needle))
        })
        .collect()
}

/// Whether a mongod runs on this run folder.
#[must_use]
pub fn mongod_alive(folder: &Path) -> bool {
    !mongods_of(folder).is_empty()
}

/// How the argument looks in `/proc/<pid>/cmdline`: a NUL after each argument.
fn cmdline_needle(folder: &Path) -> Vec<u8> {
    let mut needle = b"--dbpath\0".to_vec();
    needle.extend_from_slice(super::run_folder::db_path(folder).as_os_str().as_encoded_bytes());
    needle.push(0);
    needle
}

/// Sends a signal; a process that is already gone is no error.
pub(super) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // The only other refusal is "not yours", and then there is nothing to do.
        let _ = kill_process(pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 12345 9 9";
        assert_eq!(start_time_in(stat), Some(12_345));
        assert_eq!(start_time_in("7 (cut"), None);
    }

    #[test]
    fn this_process_is_alive_and_a_later_one_with_its_pid_is_not() {
        let pid = std::process::id();
        let started = start_time(pid).unwrap();
        assert!(owner_alive(pid, started));
        assert!(!owner_alive(pid, started + 1));
    }
}
