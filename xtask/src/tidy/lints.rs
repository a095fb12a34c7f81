//! Rule: every crate takes the workspace's lints. One that forgets is checked by nothing.

use super::Finding;
use super::files::SourceFile;
use regex_lite::Regex;

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let is_manifest = file.path == "Cargo.toml" || file.path.ends_with("/Cargo.toml");
    // The root manifest is where the lints are.
    if !is_manifest || pattern(r"(?m)^\[workspace\.lints").is_match(&file.text) {
        return Vec::new();
    }
    if pattern(r"(?m)^\[lints\]\s*\n+workspace\s*=\s*true").is_match(&file.text) {
        return Vec::new();
    }
    let line = file.text.lines().position(|line| line.starts_with("[lints")).map_or(1, |at| at + 1);
    vec![file.finding(line, "lints", "take the workspace's lints: `[lints]` and `workspace = true`")]
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant that the tests use")
}

#[cfg(test)]
mod tests {
    use super::super::files::file;
    use super::*;

    #[test]
    fn a_crate_without_the_workspace_lints_is_found() {
        let none = "[package]\nname = \"a\"\n";
        let own = "[package]\n\n[lints.rust]\nunused = \"allow\"\n";
        assert_eq!(check(&file("a/Cargo.toml", none)).len(), 1);
        assert_eq!(check(&file("a/Cargo.toml", own))[0].line, 3);
    }

    #[test]
    fn a_crate_with_them_and_the_root_pass() {
        assert_eq!(check(&file("a/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n")), []);
        assert_eq!(check(&file("Cargo.toml", "[workspace]\n[workspace.lints.rust]\n")), []);
        assert_eq!(check(&file("a/other.toml", "[package]\n")), []);
    }
}
