//! Results as they were kept: lines of JSON, and those of one run of all suites together.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The environment variable by which the suites know the run they are part of: milliseconds since 1970 when
/// it began.
pub const RUN: &str = "TIDEMARK_BENCH_RUN";

/// Where results are kept.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results")
}

/// One run of all suites.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// When it began, in milliseconds since 1970.
    pub began_ms: u64,
    /// By suite and case; of several the last.
    lines: BTreeMap<(String, String), Value>,
}

impl Run {
    /// The newest run of all suites, with all of the data or with a part of it.
    ///
    /// # Errors
    /// If a file cannot be read, or a line is no JSON.
    pub fn newest(folder: &Path, quick: bool) -> Result<Option<Self>> {
        let mut lines = Vec::new();
        for entry in std::fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))? {
            let path = entry?.path();
            let suite = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if path.extension().is_none_or(|it| it != "jsonl") {
                continue;
            }
            for line in std::fs::read_to_string(&path)?.lines() {
                let line: Value = serde_json::from_str(line).with_context(|| format!("in {suite}.jsonl"))?;
                lines.push((suite.clone(), line));
            }
        }
        Ok(Self::of_lines(lines, quick))
    }

    /// The same, of lines with their suites.
    #[must_use]
    pub fn of_lines(lines: Vec<(String, Value)>, quick: bool) -> Option<Self> {
        let run_of = |line: &Value| line["run"].as_str().and_then(|run| run.parse::<u64>().ok());
        let wanted = |line: &Value| line["quick"].as_bool() == Some(quick);
        let began_ms = lines.iter().filter(|(_, it)| wanted(it)).filter_map(|(_, it)| run_of(it)).max()?;
        let of_it = lines.into_iter().filter(|(_, it)| wanted(it) && run_of(it) == Some(began_ms));
        let lines = of_it.map(|(suite, line)| {
            let case = line["case"].as_str().unwrap_or_default().to_owned();
            ((suite, case), line)
        });
        Some(Self { began_ms, lines: lines.collect() })
    }

    /// The figures of a case.
    #[must_use]
    pub fn figures(&self, suite: &str, case: &str) -> Option<&Value> {
        self.lines.get(&(suite.to_owned(), case.to_owned())).map(|line| &line["figures"])
    }

    /// One figure of a case, by its JSON pointer.
    #[must_use]
    pub fn figure(&self, suite: &str, case: &str, pointer: &str) -> Option<f64> {
        self.figures(suite, case)?.pointer(pointer)?.as_f64()
    }

    /// What its lines say of something that is the same for all, for instance the machine.
    #[must_use]
    pub fn common(&self, name: &str) -> Option<&Value> {
        self.lines.values().map(|line| &line[name]).find(|it| !it.is_null())
    }
}

/// The middle one; of an even number the mean of the two in the middle; 0 of none.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => 0.0,
        (len, half) if len % 2 == 1 => values[half],
        (_, half) => f64::midpoint(values[half - 1], values[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(run: Option<&str>, quick: bool, case: &str, x: u64) -> (String, Value) {
        let line = json!({"run": run, "quick": quick, "case": case, "figures": {"x": x}, "threads": 2});
        ("s".to_owned(), line)
    }

    #[test]
    fn only_the_newest_run_of_its_kind_counts_and_of_it_the_last_line_of_a_case() {
        let lines = vec![
            line(Some("9"), false, "a", 1),
            line(Some("10"), false, "a", 2),
            line(Some("10"), false, "a", 3),
            line(Some("11"), true, "a", 4),
            line(None, false, "b", 5),
            line(Some("9"), false, "b", 6),
        ];
        let run = Run::of_lines(lines.clone(), false).unwrap();
        assert_eq!((run.began_ms, run.figure("s", "a", "/x"), run.figures("s", "b")), (10, Some(3.0), None));
        assert_eq!(run.common("threads"), Some(&json!(2)));
        assert_eq!(Run::of_lines(lines, true).unwrap().figure("s", "a", "/x"), Some(4.0));
        assert_eq!(Run::of_lines(vec![line(None, false, "a", 1)], false), None);
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(
            [median([]), median([3.0]), median([9.0, 1.0, 5.0]), median([4.0, 1.0])],
            [0.0, 3.0, 5.0, 2.5]
        );
    }
}
