//! What is handed out is whole, holds no secret, and the lines to copy refuse another CA.

use super::*;
use std::process::Command;

const FINGERPRINT: &str = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9";

fn trust(fingerprint: Option<String>) -> Trust {
    Trust { public_url: "https://backup:8080".to_owned(), fingerprint }
}

#[test]
fn the_lines_to_copy_hold_the_ca_against_its_fingerprint_before_they_trust_it() {
    let trust = trust(Some(FINGERPRINT.to_owned()));
    for lines in [trust.agent("ab"), trust.download("https://backup:8080/restore/tml_1", false)] {
        let place = |what: &str| lines.find(what).unwrap();
        assert!(place(FINGERPRINT) < place("--cacert"));
        assert_eq!(lines.matches("-fsSk").count(), 1, "only the CA is fetched without trust");
    }
    let known = super::Trust { fingerprint: None, ..trust };
    assert!(known.agent("ab").starts_with("curl -fsS https"));
    let download = known.download("https://backup:8080/restore/tml_1", true);
    assert_eq!(download, "curl -fsS 'https://backup:8080/restore/tml_1' | mongorestore --archive --gzip\n");
}

/// The line that checks, run by a shell on a real certificate and on another.
#[test]
fn a_shell_tells_the_right_ca_from_another() {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str| {
        let source = crate::tls::Source::OwnCa { folder: folder.path().join(name), names: Vec::new() };
        crate::tls::Tls::open(source, &tidemark_base::UnixMillis(1_795_341_091_408)).unwrap()
    };
    let (ours, other) = (made("ours"), made("other"));
    let lines = trust(ours.ca_fingerprint()).agent("ab");
    let check = lines.lines().find(|it| it.starts_with("test ")).unwrap().trim_end_matches(" &&").to_owned();
    let passes = |pem: &str| {
        std::fs::write(folder.path().join("tidemark-ca.pem"), pem).unwrap();
        let status = Command::new("sh").args(["-c", &check]).current_dir(folder.path()).status().unwrap();
        status.success()
    };
    assert!(passes(ours.ca_pem().unwrap()));
    assert!(!passes(other.ca_pem().unwrap()));
    assert!(!passes(""));
}

#[test]
fn the_script_is_one_that_a_shell_understands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sh");
    std::fs::write(&path, SCRIPT).unwrap();
    assert!(Command::new("sh").arg("-n").arg(&path).status().unwrap().success());
    let refused = Command::new("sh").arg(&path).arg("x; rm -rf /").output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "a group is digits");
}
