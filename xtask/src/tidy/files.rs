//! The files that tidy looks at: what git tracks or would track, as text.

use super::Finding;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// A text file of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Relative to the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl SourceFile {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Test code of whole files: integration tests and the long unit tests beside the code.
    pub(super) fn is_test(&self) -> bool {
        let mut components = self.path.split('/');
        let name = components.next_back();
        name == Some("tests.rs") || components.any(|it| it == "tests")
    }

    pub(super) fn finding(&self, line: usize, rule: &'static str, advice: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, rule, advice: advice.into() }
    }

    /// The number of the line, from 1, that holds the byte at `offset`.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }
}

/// All text files that git tracks, or would track if they were added now. Binary files are left out.
pub(crate) fn of_workspace(workspace: &Path) -> Result<Vec<SourceFile>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(workspace);
    // Inside a git hook these name another repository or index.
    git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
    let output =
        git.output().context("tidy asks git for the list of files, and git can't be run: install it")?;
    if !output.status.success() {
        bail!("git ls-files: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    let list = String::from_utf8(output.stdout).context("a file name is not UTF-8: rename it")?;
    let mut files = Vec::new();
    for path in list.split_terminator('\0') {
        let place = workspace.join(path);
        // Tracked and deleted but not committed yet; or a link, whose target is listed by itself.
        if !place.symlink_metadata().is_ok_and(|it| it.is_file()) {
            continue;
        }
        let bytes = std::fs::read(&place).with_context(|| format!("cannot read {path}"))?;
        if let Ok(text) = String::from_utf8(bytes)
            && !text.contains('\0')
        {
            files.push(SourceFile { path: path.to_owned(), text });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(files)
}

#[cfg(test)]
pub(super) fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_files_are_known_by_name_and_folder() {
        for path in ["a/tests/live.rs", "a/tests/more/x.rs", "a/src/foo/tests.rs"] {
            assert!(file(path, "").is_test(), "{path}");
        }
        for path in ["a/src/tests_of_patience.rs", "a/src/lib.rs", "tests"] {
            assert!(!file(path, "").is_test(), "{path}");
        }
    }

    #[test]
    fn lines_count_from_one() {
        let file = file("a", "x\ny\nz");
        assert_eq!([0, 1, 2, 4].map(|it| file.line_of(it)), [1, 1, 2, 3]);
    }

    #[test]
    fn untracked_files_are_listed_and_ignored_or_binary_ones_are_not() {
        let _turn = crate::turn::take();
        let folder = tempfile::tempdir().unwrap();
        let git = Command::new("git").args(["init", "--quiet"]).current_dir(folder.path()).status().unwrap();
        assert!(git.success());
        for (name, bytes) in
            [(".gitignore", &b"/out\n"[..]), ("new.rs", b"x"), ("out", b"x"), ("binary", b"\0")]
        {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let paths: Vec<_> = of_workspace(folder.path()).unwrap().into_iter().map(|it| it.path).collect();
        assert_eq!(paths, [".gitignore", "new.rs"]);
    }
}
