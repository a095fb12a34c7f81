//! What Linux tells of a process in `/proc`: the processor time it used and the most memory it had.
//!
//! `ru_maxrss` of a child begins with what its parent had when it was started, so it is of no use here.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::path::PathBuf;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// This one.
    Own,
    /// The one of this number.
    Of(u32),
}

impl Which {
    fn file(self, name: &str) -> PathBuf {
        match self {
            Self::Own => PathBuf::from(format!("/proc/self/{name}")),
            Self::Of(pid) => PathBuf::from(format!("/proc/{pid}/{name}")),
        }
    }
}

/// Seconds of processor time, user and system, of all its threads, those that ended too, and of children it
/// waited for. Also of a process that has ended, as long as nobody waited for it. Counts in 1/100 s.
#[must_use]
pub fn cpu_secs(which: Which) -> f64 {
    let stat = std::fs::read_to_string(which.file("stat")).unwrap_or_default();
    ticks(&stat) as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// The sum of utime, stime, cutime, cstime: fields 14 to 17. The name, field 2, may hold anything but ends
/// with the last parenthesis.
fn ticks(stat: &str) -> u64 {
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    behind.split_ascii_whitespace().skip(11).take(4).filter_map(|it| it.parse::<u64>().ok()).sum()
}

/// The most resident memory it ever had, in MiB; 0 once it has ended.
#[must_use]
pub fn peak_rss_mib(which: Which) -> u64 {
    let status = std::fs::read_to_string(which.file("status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib =
        line.and_then(|line| line.split_ascii_whitespace().nth(1)).and_then(|it| it.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// Lets this process run on so many of the processors it may run on, or on all if there are fewer.
///
/// # Errors
/// Those of the operating system.
pub fn run_on(processors: usize) -> std::io::Result<()> {
    let may = sched_getaffinity(None)?;
    let mut set = CpuSet::new();
    (0..CpuSet::MAX_CPU).filter(|cpu| may.is_set(*cpu)).take(processors).for_each(|cpu| set.set(cpu));
    Ok(sched_setaffinity(None, &set)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let fields = "R 1 2 3 4 5 6 7 8 9 10 100 20 3 4 99 99";
        assert_eq!(ticks(&format!("17 (a) b) {fields}")), 127);
        assert_eq!(ticks(""), 0);
    }

    #[test]
    fn this_process_has_memory_and_a_stranger_has_not() {
        assert!(peak_rss_mib(Which::Own) > 0);
        assert_eq!(peak_rss_mib(Which::Of(u32::MAX)), 0);
    }
}
