//! A process at work: started, listened to, told what to do, killed with SIGKILL.

use crate::job::Job;
use crate::line::Line;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tidemark_base::threads;

/// How long a process may take to say something before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running process and what it has said.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<Line>,
}

impl Process {
    /// Starts a process on a job.
    pub(crate) fn start(job: &Job) -> Self {
        let mut command = job.command();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        // The thread ends with the pipe.
        threads::spawn("listener", move || {
            let mut out = BufReader::new(out);
            let mut text = String::new();
            while out.read_line(&mut text).unwrap() > 0 {
                // A line that was cut off was not said.
                let Some(whole) = text.strip_suffix('\n') else { break };
                if sender.send(Line::parse(whole)).is_err() {
                    break;
                }
                text.clear();
            }
        })
        .unwrap();
        Self { child, lines }
    }

    /// The next thing it says.
    pub(crate) fn next_line(&self) -> Line {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    /// Tells it to do something.
    pub(crate) fn tell(&mut self, order: &str) {
        self.child.stdin.as_mut().unwrap().write_all(format!("{order}\n").as_bytes()).unwrap();
    }

    /// What it has said since last asked.
    pub(crate) fn said(&self) -> Vec<Line> {
        self.lines.try_iter().collect()
    }

    /// Kills it, and returns what it had said since last asked.
    pub(crate) fn kill(mut self) -> Vec<Line> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.iter().collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A failed test leaves nobody behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
