//! The rules of the house that no compiler checks.
//!
//! Run by `cargo xtask tidy`, `check` and `test`, and by a test of this crate on the real workspace, so that
//! a plain `cargo test` enforces them too. Every rule is a pure function from text (or from the declared
//! dependencies) to findings, with tests on bad input. Nothing is repaired here.

mod dependencies;
pub(crate) mod files;
mod head_comment;
mod length;
mod lints;
mod marks;
mod places;
mod unsafe_code;

use anyhow::{Result, bail};
use files::SourceFile;
use std::fmt;
use std::path::Path;
use tidemark_testkit::parts;

/// Something that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    rule: &'static str,
    advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, advice } = self;
        write!(f, "{path}:{line}: {rule}: {advice}")
    }
}

/// Checks the workspace and prints what it found.
///
/// # Errors
/// When anything was found, or the workspace could not be read.
pub(crate) fn run() -> Result<()> {
    let (count, findings) = examine(&parts::workspace())?;
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy found {} thing(s) to correct", findings.len());
    }
    println!("tidy: {count} files, nothing to correct");
    Ok(())
}

/// The number of files looked at, and what was found in them.
fn examine(workspace: &Path) -> Result<(usize, Vec<Finding>)> {
    let files = files::of_workspace(workspace)?;
    let mut findings: Vec<_> = files.iter().flat_map(in_file).collect();
    findings.extend(dependencies::check(&dependencies::declared(workspace)?));
    Ok((files.len(), findings))
}

fn in_file(file: &SourceFile) -> Vec<Finding> {
    let rules =
        [head_comment::check, length::check, lints::check, marks::check, places::check, unsafe_code::check];
    rules.iter().flat_map(|rule| rule(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let _turn = crate::turn::take();
        let (count, findings) = examine(&parts::workspace()).unwrap();
        let list: Vec<_> = findings.iter().map(Finding::to_string).collect();
        assert!(findings.is_empty(), "\n{}", list.join("\n"));
        assert!(count > 20, "only {count} files were looked at");
    }

    #[test]
    fn a_finding_reads_as_an_editor_expects() {
        let finding = Finding { path: "a/b.rs".into(), line: 3, rule: "length", advice: "split it".into() };
        assert_eq!(finding.to_string(), "a/b.rs:3: length: split it");
    }
}
