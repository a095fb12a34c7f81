//! A mongod for peers, and MongoDB's tools on it, without the driver: benches build in seconds without it.
//!
//! Tests use the kit's own servers; this one only has to start, be restored into and dumped from.

use crate::child::{self, Took};
use crate::process::{self, Which};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tidemark_testkit::parts::{self, Part};

/// How long a server may take to start, in tenths of a second.
const PATIENCE: u32 = 900;
/// What a line of the log says when it is ready.
const READY: &str = "Waiting for connections";

/// A server without a replica set; it dies with this value, and with this process.
pub struct Mongod {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Mongod {
    /// Starts one on an empty folder, with 2 GiB of cache.
    ///
    /// # Errors
    /// If it is missing or does not start; with the end of its log.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (data, log) = (folder.path().join("data"), folder.path().join("log"));
        std::fs::create_dir(&data)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let program = parts::locate(Part::Mongod)?.path;
        // Dies with us, however we die.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program).arg("--dbpath").arg(&data);
        command.args(["--bind_ip", "127.0.0.1", "--port", &port.to_string(), "--nounixsocket"]);
        command.args(["--wiredTigerCacheSizeGB", "2"]);
        command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output);
        let process = command.spawn().context("cannot start mongod by setpriv, of util-linux")?;
        let mut server = Self { process, port, _folder: folder };
        for _ in 0..PATIENCE {
            let said = std::fs::read_to_string(&log)?;
            if said.contains(READY) {
                return Ok(server);
            }
            if let Some(status) = server.process.try_wait()? {
                let tail: Vec<_> = said.lines().rev().take(10).collect();
                bail!("mongod ended: {status}\n{}", tail.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("mongod did not start")
    }

    /// Runs mongodump or mongorestore on it. Second: seconds of processor time that the server took.
    ///
    /// # Errors
    /// If it is missing or fails.
    pub fn tool(&self, part: Part, words: &[&str]) -> Result<(Took, f64)> {
        let program = parts::locate(part)?.path;
        let server = Which::Of(self.process.id());
        let before = process::cpu_secs(server);
        let took =
            child::run(Command::new(program).arg(format!("--host=127.0.0.1:{}", self.port)).args(words))?;
        Ok((took, process::cpu_secs(server) - before))
    }
}

impl Drop for Mongod {
    fn drop(&mut self) {
        // Fails only if it is dead already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
