//! Rule: no path of somebody's machine and no host of a package registry in any text.
//!
//! A clone must work anywhere, and with any mirror the user's own tools are set to. `Cargo.lock` is left
//! out: cargo writes the name of its registry there by itself.

use super::Finding;
use super::files::SourceFile;
use regex_lite::Regex;

/// First folders that exist on somebody's machine only.
const FOLDERS: [&str; 5] = ["root", "home", "Users", "mnt", "srv"];

/// Hosts, with their dots left out so that this file does not name them.
const HOSTS: [(&str, &str); 6] = [
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("crates", "io"),
    ("yarnpkg", "com"),
];

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    if file.path == "Cargo.lock" || file.path.ends_with("/Cargo.lock") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for found in paths().find_iter(&file.text) {
        let advice = format!("no path of one machine: {}", found.as_str().trim());
        // The match begins one character before the path, which may be the end of the line before.
        let start = file.text.get(found.start()..found.end()).and_then(|it| it.find('/')).unwrap_or_default();
        findings.push(file.finding(file.line_of(found.start() + start), "machine path", advice));
    }
    for found in hosts().find_iter(&file.text) {
        let advice = format!("leave the registry to the user's own settings: {}", found.as_str());
        findings.push(file.finding(file.line_of(found.start()), "registry host", advice));
    }
    findings
}

/// An absolute path into one of the folders: not the tail of a longer path, of a URL or of `$HOME/…`.
fn paths() -> Regex {
    let folders = FOLDERS.join("|");
    Regex::new(&format!(r"(?:^|[^\w.$}}~/-])/(?:{folders})/[\w.-]*")).expect("the tests use it")
}

fn hosts() -> Regex {
    let hosts = HOSTS.map(|(name, top)| format!(r"{name}\.{top}")).join("|");
    Regex::new(&format!(r"(?i)\b(?:{hosts})\b")).expect("the tests use it")
}

#[cfg(test)]
mod tests {
    use super::super::files::file;
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        check(&file("docs/notes.md", text)).iter().map(|it| it.line).collect()
    }

    #[test]
    fn a_path_of_a_machine_is_found_wherever_it_stands() {
        for folder in FOLDERS {
            assert_eq!(lines(&format!("/{folder}/x")), [1]);
            assert_eq!(lines(&format!("a\n/{folder}/x")), [2]);
            assert_eq!(lines(&format!("a\nlet p = \"/{folder}/x\";\n")), [2]);
            assert_eq!(lines(&format!("a\n(file:/{folder}/x) `/{folder}/y`\n")), [2, 2]);
        }
    }

    #[test]
    fn tails_of_other_paths_pass() {
        for before in ["$HOME", "${CACHE}", "src", "..", "~", "https://example.com"] {
            assert_eq!(lines(&format!("{before}/home/x")), [0; 0], "{before}");
        }
        assert_eq!(lines("/workspace/x /homes/x /usr/bin/env"), [0; 0]);
    }

    #[test]
    fn a_registry_host_is_found() {
        for (name, top) in HOSTS {
            assert_eq!(lines(&format!("x\nhttps://files.{name}.{top}/y")), [2]);
            assert_eq!(lines(&format!("{}.{top}", name.to_uppercase())), [1]);
        }
        assert_eq!(lines("the package is on PyPI, the tool is npm"), [0; 0]);
    }

    #[test]
    fn the_lock_file_is_cargos_own() {
        let text = format!("source = \"{}.{}\"", HOSTS[4].0, HOSTS[4].1);
        assert_eq!(check(&file("Cargo.lock", &text)), []);
        assert_eq!(check(&file("fuzz/Cargo.lock", &text)), []);
        assert_eq!(check(&file("Cargo.toml", &text)).len(), 1);
    }
}
