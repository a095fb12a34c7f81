//! One real mongod, from its start to its removal.
//!
//! The value owns everything: process, port, run folder, watchdog. However it goes away, the process is dead
//! and the folder gone afterwards; if its thread is panicking, the log has been kept.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use mongodb::options::ClientOptions;
use mongodb::sync::Client;
use rustix::process::Signal;

use super::launch::{StartError, launch};
use super::ports::PortLease;
use super::run_folder::RunFolder;
use super::watchdog::Watchdog;
use super::{Access, Error, Options, Secrets, auth, log, proc, sweep, wait};

/// How often a start tries another port.
const PORT_ATTEMPTS: u32 = 5;
/// How long a restart waits for its old port.
const PORT_PATIENCE: Duration = Duration::from_secs(20);
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// What one mongod is to be.
#[derive(Clone, Debug)]
pub struct MongodConfig {
    /// The choices of the test.
    pub options: Options,
    /// The name of the replica set that it will be a member of.
    pub replica_set: Option<String>,
    /// What it shares with the others of its deployment.
    pub secrets: Secrets,
}

/// A running (or stopped, or paused) mongod that dies with this value.
#[derive(Debug)]
pub struct Mongod {
    // After our own `drop` has killed the process, the fields go in this order: first the folder is removed,
    // then the watchdog is sent home, so that a runner killed in between still leaves nothing.
    process: Option<Child>,
    paused: bool,
    config: MongodConfig,
    access: Access,
    folder: RunFolder,
    watchdog: Watchdog,
    port: PortLease,
}

impl Mongod {
    /// Starts a mongod without a replica set and, with auth, makes its root user.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn standalone(options: &Options) -> Result<Self, Error> {
        let secrets = Secrets::generate(options)?;
        let root = secrets.auth.as_ref().map(|auth| auth.root.clone());
        let mongod = Self::start(MongodConfig { options: options.clone(), replica_set: None, secrets })?;
        if let Some(root) = root {
            auth::create_user(&mongod.client_with(&mongod.access.as_nobody())?, &root, &["root"])?;
        }
        Ok(mongod)
    }

    /// Starts a mongod on a free port and waits until it accepts connections. The first call of a process
    /// also sweeps up after dead runners.
    ///
    /// # Errors
    /// If the program is missing or does not start; the message holds its last words.
    pub fn start(config: MongodConfig) -> Result<Self, Error> {
        sweep::once();
        let mut attempt = 1;
        loop {
            // Whatever happens from here on, the value's drop cleans up.
            let mut mongod = Self::prepare(config.clone())?;
            match launch(&mongod.config, &mongod.folder, mongod.port()) {
                Ok(process) => {
                    mongod.process = Some(process);
                    return Ok(mongod);
                }
                Err(StartError::PortTaken(_)) if attempt < PORT_ATTEMPTS => attempt += 1,
                Err(StartError::PortTaken(error) | StartError::Failed(error)) => return Err(error),
            }
        }
    }

    fn prepare(config: MongodConfig) -> Result<Self, Error> {
        let port = PortLease::take()?;
        let folder = RunFolder::create()?;
        let watchdog = Watchdog::start(folder.path())?;
        let access = config.secrets.root_access(folder.path());
        Ok(Self { process: None, paused: false, config, access, folder, watchdog, port })
    }

    /// Ends it cleanly, as an administrator would. A paused one is resumed first. Stopped already: nothing.
    ///
    /// # Errors
    /// If it does not end within a minute; it has been killed then.
    pub fn stop(&mut self) -> Result<(), Error> {
        self.resume();
        let Some(process) = &mut self.process else { return Ok(()) };
        proc::signal(process.id(), Signal::TERM);
        let ended = wait::until("mongod to end after SIGTERM", STOP_PATIENCE, || match process.try_wait() {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err("it still runs".to_owned()),
            Err(error) => Err(error.to_string()),
        });
        self.kill();
        ended
    }

    /// Kills it with SIGKILL, as a power cut of the process alone would. Stopped already: nothing.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Fails only if it is dead already.
            let _ = process.kill();
            let _ = process.wait();
        }
        self.paused = false;
    }

    /// Starts it again on the same port and data; a running one is stopped cleanly first.
    ///
    /// # Errors
    /// As [`Self::start`], and if the port stays taken.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop()?;
        let mut failed = None;
        let port = self.port.port();
        let started = wait::until("the port of a mongod to be free again", PORT_PATIENCE, || {
            match launch(&self.config, &self.folder, port) {
                Ok(process) => Ok(Some(process)),
                Err(StartError::PortTaken(error)) => Err(error.to_string()),
                Err(StartError::Failed(error)) => {
                    failed = Some(error);
                    Ok(None)
                }
            }
        })?;
        self.process = started;
        failed.map_or(Ok(()), Err)
    }

    /// Freezes it (SIGSTOP): its connections stay open and nobody answers.
    ///
    /// # Errors
    /// [`Error::NotRunning`].
    pub fn pause(&mut self) -> Result<(), Error> {
        let pid = self.pid().ok_or(Error::NotRunning { port: self.port() })?;
        proc::signal(pid, Signal::STOP);
        self.paused = true;
        Ok(())
    }

    /// Lets a frozen one go on. Not frozen: nothing.
    pub fn resume(&mut self) {
        if let Some(pid) = self.pid().filter(|_| self.paused) {
            proc::signal(pid, Signal::CONT);
        }
        self.paused = false;
    }

    /// A client with every right, connected to this server only.
    ///
    /// # Errors
    /// If the driver refuses its options.
    pub fn client(&self) -> Result<Client, Error> {
        self.client_with(&self.access)
    }

    /// A client connected to this server only, by another way in.
    ///
    /// # Errors
    /// If the driver refuses its options, for instance a file that is not there.
    pub fn client_with(&self, access: &Access) -> Result<Client, Error> {
        Client::with_options(self.client_options(access))
            .map_err(Error::driver(format!("make a client for port {}", self.port())))
    }

    /// What [`Self::client_with`] gives to the driver, for a test that wants it different.
    #[must_use]
    pub fn client_options(&self, access: &Access) -> ClientOptions {
        access.direct_options(self.port())
    }

    /// The way in that [`Self::client`] takes.
    #[must_use]
    pub const fn access(&self) -> &Access {
        &self.access
    }

    /// Its port on 127.0.0.1; the same through all restarts.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port.port()
    }

    /// Its pid. None while it is stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Whether it can answer: started, not stopped, not paused.
    #[must_use]
    pub const fn answers(&self) -> bool {
        self.process.is_some() && !self.paused
    }

    /// Its run folder, with data, log and secrets.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The pid of its watchdog, for the test that kills it.
    #[must_use]
    pub fn watchdog_pid(&self) -> u32 {
        self.watchdog.pid()
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        log::tail(&self.folder, lines)
    }

    /// Copies its log to [`super::kept_logs_folder`], as a panic does by itself.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_log(&self) -> Result<PathBuf, Error> {
        log::keep(&self.folder)
    }
}

impl Drop for Mongod {
    #[expect(clippy::print_stderr, reason = "a failing test must say where the log is")]
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("log of the mongod on port {}: {}", self.port(), log::keep_in_words(&self.folder));
        }
    }
}
