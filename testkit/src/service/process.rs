//! One of our programs at work: its log in a file, and dead when its value is. The log of a failed test is kept.

use super::Result;
use crate::live::kept_logs_folder;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running program.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program, which logs to this file.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let program = command.get_program().to_owned();
        let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn();
        let child = child.map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// That it still runs.
    ///
    /// # Errors
    /// If it has ended, with the last lines of its log.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                Err(format!("a program ended with {status}; its last words:\n{}", self.tail()).into())
            }
        }
    }

    /// Kills it, without a word.
    pub fn kill(&mut self) {
        // What has ended by itself need not be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Tells it to end, and waits until it has.
    ///
    /// # Errors
    /// If it does not end in time, or not well.
    pub fn stop(mut self, at_most: Duration) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let status = super::wait_for("a program to end", at_most, || Ok(self.child.try_wait()?))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("it ended with {status}:\n{}", self.tail()).into())
        }
    }

    /// The last lines of its log.
    #[must_use]
    pub fn tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }
}

impl Process {
    /// Copies its log to where those of servers are kept, under the name of the test.
    fn keep_log(&self) -> Result<PathBuf> {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("unnamed").replace("::", "__");
        let name = self.log.file_name().unwrap_or_default().display();
        let kept = kept_logs_folder();
        std::fs::create_dir_all(&kept)?;
        let kept = kept.join(format!("{test}-{name}"));
        std::fs::copy(&self.log, &kept)?;
        Ok(kept)
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "a failing test must say where the log is")]
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            match self.keep_log() {
                Ok(kept) => eprintln!("a log of the service: {}", kept.display()),
                Err(error) => eprintln!("{} is not kept: {error}", self.log.display()),
            }
        }
    }
}
