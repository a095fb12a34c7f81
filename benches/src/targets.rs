//! What Tidemark promises in figures, and where each is measured.
//!
//! The one table that the benches and the page judge by.

use crate::results::Run;
use serde_json::Value;
use std::fmt;

/// On which side of a bound a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// At least so much.
    AtLeast(f64),
    /// At most so much.
    AtMost(f64),
}

impl Bound {
    /// Whether a figure keeps to it.
    #[must_use]
    pub fn met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(bound) => figure >= bound,
            Self::AtMost(bound) => figure <= bound,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, "≥ {}", shown(*bound)),
            Self::AtMost(bound) => write!(f, "≤ {}", shown(*bound)),
        }
    }
}

/// A promise.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What the figure is.
    pub what: &'static str,
    /// The unit; empty for a ratio.
    pub unit: &'static str,
    /// What it has to be.
    pub bound: Bound,
    /// The suite that measures it.
    pub suite: &'static str,
    /// The case of the suite.
    pub case: &'static str,
    /// Where it is in the figures of the case.
    pub pointer: &'static str,
}

/// Promises of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// What they are about.
    pub title: &'static str,
    /// The promises.
    pub targets: &'static [Target],
}

use Bound::{AtLeast, AtMost};

macro_rules! targets {
    ($($what:literal, $unit:literal, $bound:expr, $suite:literal $case:literal $pointer:literal;)*) => {
        &[$(Target {
            what: $what, unit: $unit, bound: $bound, suite: $suite, case: $case, pointer: $pointer,
        }),*]
    };
}

/// All promises.
pub const GROUPS: [Group; 7] = [
    Group {
        title: "The next snapshot: 1 % random updates, 1 % inserts, 0.2 % deletes",
        targets: targets! {
            "stored by the next snapshot", "MB", AtMost(12.0), "e2e" "snapshots" "/next_stored_mb";
            "time of it, of the first's", "", AtMost(0.03), "e2e" "snapshots" "/next_to_first_time";
            "stored after 50 of them, of the first", "", AtMost(2.0), "e2e" "snapshots" "/stored_to_first";
        },
    },
    Group {
        title: "30 rounds that replace 5 % of the documents",
        targets: targets! {
            "bytes written, of the bytes of change", "", AtMost(10.0), "e2e" "replace" "/written_to_change";
            "bytes read, of the compacted form's", "", AtMost(1.3), "e2e" "replace" "/read_bytes_to_compacted";
            "time to read, of the compacted form's", "", AtMost(1.5), "e2e" "replace" "/read_time_to_compacted";
            "bytes read with compaction off: the same check must fail", "", AtLeast(1.3), "e2e" "replace"
                "/off_read_bytes_to_compacted";
        },
    },
    Group {
        title: "The first build",
        targets: targets! {
            "speed, of the bare pipeline's", "", AtLeast(0.75), "e2e" "build" "/to_bare";
            "time, of the faster of restic and borg", "", AtMost(1.0), "peers" "first" "/tidemark_to_fastest";
            "random `_id`s: speed, of the bare pipeline's", "", AtLeast(0.45), "e2e" "build" "/random_to_bare";
            "random `_id`s: memory", "MiB", AtMost(512.0), "e2e" "build" "/random/peak_rss_mib";
        },
    },
    Group {
        title: "Oplog applied, from slices to a flushed root",
        targets: targets! {
            "entries a second, 2 threads", "", AtLeast(1e6), "e2e" "apply" "/entries_per_s";
            "what the second thread brings, of what it brings bare zstd", "", AtLeast(0.9), "e2e" "apply"
                "/scaling_to_bare";
            "memory: 512 MiB and 100 MB", "MiB", AtMost(607.0), "e2e" "apply" "/peak_rss_mib";
            "times as fast as mongorestore --oplogReplay", "", AtLeast(1.0), "e2e" "replay" "/times_as_fast";
        },
    },
    Group {
        title: "Reading",
        targets: targets! {
            "export to a pipe, of the bare pipeline's speed", "", AtLeast(0.8), "e2e" "read" "/base_to_bare";
            "the same of a stack of 20 patch runs", "", AtLeast(0.5), "e2e" "read" "/stack_to_bare";
            "one document, first read of a new process", "ms", AtMost(10.0), "e2e" "read" "/get_cold_ms";
            "documents a second, warm", "", AtLeast(50_000.0), "e2e" "read" "/gets_per_s";
        },
    },
    Group {
        title: "Cost against size",
        targets: targets! {
            "first build: largest time for a byte, of the smallest, 0.5 to 8 GB", "", AtMost(1.2), "e2e" "size"
                "/build_spread";
            "next snapshot of the same change: slowest, of the fastest", "", AtMost(1.2), "e2e" "size"
                "/next_spread";
            "creating snapshots 291 to 300, of the first ten", "", AtMost(1.2), "e2e" "many" "/create_growth";
            "opening them", "", AtMost(1.2), "e2e" "many" "/open_growth";
            "listing, for each snapshot listed", "", AtMost(1.2), "e2e" "many" "/list_growth";
        },
    },
    Group {
        title: "The agent, into a server that checks and discards",
        targets: targets! {
            "copy: time, of mongodump's", "", AtMost(1.0), "agent" "copy" "/wall_to_mongodump";
            "processor time without compression, of mongodump's", "", AtMost(0.6), "agent" "copy"
                "/cpu_less_compression_to_mongodump";
            "memory in a copy", "MiB", AtMost(159.0), "agent" "copy" "/peak_rss_mib";
            "memory while tailing entries of usual size", "MiB", AtMost(63.0), "agent" "tail" "/peak_rss_mib";
        },
    },
];

/// A line for each promise that a case measures: the figure, its bound, and whether it is met.
pub fn verdicts(suite: &str, case: &str, figures: &Value) -> impl Iterator<Item = String> {
    of_case(suite, case).map(|target| {
        let judged = target.judged(figures.pointer(target.pointer).and_then(Value::as_f64));
        let (figure, verdict) = match judged {
            Some((figure, met)) => (shown(figure), if met { "met" } else { "NOT MET" }),
            None => ("?".to_owned(), "NOT MEASURED"),
        };
        let bound = target.bound.to_string();
        format!("  {:70} {figure:>12} {bound:>14} {:4} {verdict}", target.what, target.unit)
    })
}

/// All promises that a case measures.
fn of_case(suite: &str, case: &str) -> impl Iterator<Item = &'static Target> {
    let all = GROUPS.iter().flat_map(|group| group.targets);
    all.filter(move |it| it.suite == suite && it.case == case)
}

impl Target {
    /// The figure in a run, and whether it is met; none if it was not measured.
    #[must_use]
    pub fn in_run(&self, run: &Run) -> Option<(f64, bool)> {
        self.judged(run.figure(self.suite, self.case, self.pointer))
    }

    /// A figure, and whether it is met.
    #[must_use]
    pub fn judged(&self, figure: Option<f64>) -> Option<(f64, bool)> {
        figure.map(|figure| (figure, self.bound.met(figure)))
    }

    /// A number with the unit.
    #[must_use]
    pub fn with_unit(&self, number: &str) -> String {
        if self.unit.is_empty() { number.to_owned() } else { format!("{number} {}", self.unit) }
    }
}

/// A number as people read it: three digits that count, thousands apart.
#[must_use]
pub fn shown(figure: f64) -> String {
    let digits = match figure.abs() {
        it if it >= 100.0 => 0,
        it if it >= 10.0 => 1,
        it if it >= 0.1 => 2,
        _ => 4,
    };
    let text = format!("{figure:.digits$}");
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let part = part.trim_end_matches('0');
    let mut apart = String::new();
    for (index, digit) in whole.char_indices() {
        let left = whole.len() - index;
        if index > 0 && left.is_multiple_of(3) && whole[..index].ends_with(|it: char| it.is_ascii_digit()) {
            apart.push(',');
        }
        apart.push(digit);
    }
    if part.is_empty() { apart } else { format!("{apart}.{part}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [(1e6, "1,000,000"), (0.75, "0.75"), (12.0, "12"), (0.03, "0.03"), (-1234.5, "-1,234")];
        for (number, text) in cases {
            assert_eq!(shown(number), text);
        }
        assert_eq!([shown(0.0012), shown(99.96), shown(100.4), shown(0.0)], ["0.0012", "100", "100", "0"]);
    }

    #[test]
    fn a_figure_at_the_bound_is_met() {
        assert!(AtLeast(1.0).met(1.0) && AtMost(1.0).met(1.0));
        assert!(!AtLeast(1.0).met(0.99) && !AtMost(1.0).met(1.01) && !AtMost(1.0).met(f64::NAN));
    }
}
