//! The program itself: its exit codes, its end by a signal, and what it never says.

use crate::agent::{GROUP, KEY, PATIENCE, wait};
use crate::server::Server;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tidemark_testkit::live::until;

fn written(folder: &Path, server: &str, sets: &str, mode: u32) -> PathBuf {
    let path = folder.join("agent.config");
    let text = format!("mmsGroupId={GROUP}\nmmsApiKey={KEY}\nmothership={server}\nreplicaSets={sets}\n");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

fn program(config: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark-agent"));
    command.arg("--config").arg(config).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(output: &Output) -> String {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains(KEY), "the key is shown: {text}");
    text
}

#[test]
fn a_check_says_by_its_code_whether_a_problem_blocks() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    for (address, mode, code, named) in [
        (server.address(), 0o600, 0, "warning"),
        ("http://127.0.0.1:1".to_owned(), 0o600, 1, "PROBLEM  http://127.0.0.1:1"),
        (server.address(), 0o644, 1, "chmod 600"),
    ] {
        let output = program(&written(folder.path(), &address, "", mode), &["check"]).output().unwrap();
        let text = text(&output);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(named), "{text}");
    }
}

/// Killed if the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

#[test]
fn a_signal_ends_it_and_logs_are_json_on_demand() {
    let set = tidemark_testkit::live::replica_set_of_one().unwrap();
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let config = written(folder.path(), &server.address(), &set.host(), 0o600);
    let mut running = Running(program(&config, &["--log", "json"]).spawn().unwrap());
    server.await_copy();
    crate::tails::write(&set.client().unwrap(), 0..10);
    let signal = Command::new("kill").arg(running.0.id().to_string()).status().unwrap();
    assert!(signal.success());
    let status = until("the agent to end", PATIENCE, || match running.0.try_wait() {
        Ok(Some(status)) => Ok(status),
        other => Err(format!("{other:?}")),
    });
    assert!(status.unwrap().success());
    let mut log = String::new();
    std::io::Read::read_to_string(running.0.stderr.as_mut().unwrap(), &mut log).unwrap();
    assert!(!log.contains(KEY));
    assert!(
        log.lines().count() > 3 && log.lines().all(|line| line.starts_with('{') && line.ends_with('}')),
        "{log}"
    );
    wait("the last slice", || if server.kept().slices.is_empty() { Err(String::new()) } else { Ok(()) });
}
