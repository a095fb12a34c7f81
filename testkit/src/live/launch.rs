//! Starting the mongod process: its arguments, and the wait until it accepts connections.
//!
//! Called by `mongod.rs` for the first start and for restarts. Readiness is read from the server's own log,
//! never from its port: another program's server may answer there.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::log::{self, StartNews};
use super::run_folder::{self, RunFolder};
use super::{Error, MongodConfig, wait};
use crate::parts::{self, Part};

/// Generous: a machine busy with builds may starve a server for long.
const PATIENCE: Duration = Duration::from_secs(90);
const TAIL_LINES: usize = 25;

/// How a start can fail.
pub(super) enum StartError {
    /// Somebody else has the port; another one, or another moment, may do.
    PortTaken(Error),
    /// Everything else.
    Failed(Error),
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Starts a mongod on a folder and waits until it accepts connections. A failed one is dead on return.
pub(super) fn launch(config: &MongodConfig, folder: &RunFolder, port: u16) -> Result<Child, StartError> {
    let log_before = log::length(folder);
    let mut process = spawn(config, folder, port)?;
    let ready = wait::until("mongod to accept connections", PATIENCE, || {
        let exited = process.try_wait().ok().flatten();
        match (log::news(folder, log_before), exited) {
            (StartNews::Ready, None) => Ok(None),
            (_, Some(status)) => Ok(Some(status)),
            _ => Err("no word of it in its log".to_owned()),
        }
    });
    let state = match ready {
        Ok(None) => return Ok(process),
        Ok(Some(status)) => status.to_string(),
        Err(error) => error.to_string(),
    };
    // Both may fail because it is dead already, which is what we want.
    let _ = process.kill();
    let _ = process.wait();
    let port_taken = log::news(folder, log_before) == StartNews::PortTaken;
    let kept_log = if port_taken { "(not kept)".to_owned() } else { log::keep_in_words(folder) };
    let error = Error::Start { port, state, log_tail: log::tail(folder, TAIL_LINES), kept_log };
    Err(if port_taken { StartError::PortTaken(error) } else { StartError::Failed(error) })
}

fn spawn(config: &MongodConfig, folder: &RunFolder, port: u16) -> Result<Child, Error> {
    let program = parts::locate(Part::Mongod)?.path;
    let output = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.output())
        .map_err(Error::io("open", &folder.output()))?;
    let same_output = output.try_clone().map_err(Error::io("open", &folder.output()))?;
    Command::new(&program)
        .args(arguments(config, folder, port)?)
        // Its own group: Ctrl-C reaches the runner alone, and the mongod dies by the watchdog.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(same_output)
        .spawn()
        .map_err(Error::io("start", &program))
}

fn arguments(config: &MongodConfig, folder: &RunFolder, port: u16) -> Result<Vec<String>, Error> {
    let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
    // `--dbpath` must stay an argument of its own: watchdog and sweep look for it.
    let mut args = vec!["--dbpath".to_owned(), path(&run_folder::db_path(folder.path()))];
    args.extend(["--logpath".to_owned(), path(&folder.log()), "--logappend".to_owned()]);
    args.extend(["--bind_ip", "127.0.0.1", "--port"].map(str::to_owned));
    args.extend([port.to_string(), "--nounixsocket".to_owned()]);
    args.extend(["--wiredTigerCacheSizeGB", "0.25"].map(str::to_owned));
    let own_parameters = [
        "diagnosticDataCollectionEnabled=false",
        // A primary asked to end waits 15 s for clients to leave; ours leave at once.
        "shutdownTimeoutMillisForSignaledShutdown=100",
    ];
    let parameters = own_parameters.into_iter().map(str::to_owned);
    let chosen = config.options.set_parameters.iter().map(|(name, value)| format!("{name}={value}"));
    for parameter in parameters.chain(chosen) {
        args.extend(["--setParameter".to_owned(), parameter]);
    }
    if let Some(name) = &config.replica_set {
        args.extend(["--replSet".to_owned(), name.clone()]);
        args.extend(["--oplogSize".to_owned(), config.options.oplog_size_mb.to_string()]);
    }
    args.extend(config.secrets.install(folder, config.replica_set.is_some())?);
    args.extend(config.options.extra_args.iter().cloned());
    Ok(args)
}
