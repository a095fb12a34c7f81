//! `tidemark serve`, `frontend` and `daemon`: the service, in one process or apart, on the folder of an installation.

mod arguments;
mod room;
mod web;

pub(crate) use arguments::{DaemonArgs, FrontendArgs, ServeArgs};

use crate::data::{Data, DataArg};
use crate::exit::Exit;
use crate::output::Output;
use anyhow::{Context as _, Result};
use arguments::{Log, LogArg, WebArgs};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tidemark_base::{Clock, OsEntropy, SystemClock};
use tidemark_daemon::{Config, Daemon};
use tidemark_metadata::DaemonName;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// How long requests that are under way may take when the service is told to end.
const GRACE: Duration = Duration::from_secs(10);
/// How often it is looked whether the daemon still works.
const LOOK: Duration = Duration::from_secs(1);

/// Front-end and daemon in one process.
pub(crate) fn serve(args: &ServeArgs, out: Output) -> Result<Exit> {
    begin_log(args.log)?;
    let data = args.data.open(out)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let daemon = start_daemon(&args.data, &args.daemon, &data, &clock)?;
    let ended = run(|| with_web(&args.data, &args.web, &data, &clock, Some(&daemon)));
    // Also after a failure: what is in memory is flushed, and jobs are laid down.
    daemon.shut_down();
    ended.map(|()| Exit::Done)
}

/// A front-end alone.
pub(crate) fn frontend(args: &FrontendArgs, out: Output) -> Result<Exit> {
    begin_log(args.log)?;
    let data = args.data.open(out)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    run(|| with_web(&args.data, &args.web, &data, &clock, None))?;
    Ok(Exit::Done)
}

/// A daemon alone.
pub(crate) fn daemon(args: &DaemonArgs, out: Output) -> Result<Exit> {
    begin_log(args.log)?;
    let data = args.data.open(out)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let daemon = start_daemon(&args.data, &args.daemon, &data, &clock)?;
    let ended = run(|| until_told(Some(&daemon)));
    daemon.shut_down();
    ended.map(|()| Exit::Done)
}

fn begin_log(arg: LogArg) -> Result<()> {
    let usual = "warn,tidemark=info,tidemark_daemon=info,tidemark_frontend=info";
    let filter = EnvFilter::try_from_env("TIDEMARK_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A line that cannot be written, on a full disk say, is lost. To complain of that would panic, and end the work.
    let log = log.log_internal_errors(false);
    let begun = match arg.log {
        Log::Text => log.try_init(),
        Log::Json => log.json().try_init(),
    };
    begun.map_err(|error| anyhow::anyhow!("the log cannot be begun: {error}"))
}

fn start_daemon(
    folder: &DataArg,
    args: &arguments::WorkArgs,
    data: &Data,
    clock: &Arc<dyn Clock>,
) -> Result<Daemon> {
    let name = DaemonName::new(args.daemon_name.clone().unwrap_or_else(|| "daemon".to_owned()))?;
    let mut config = Config::new(name);
    config.delta_bytes = args.memory_mib << 20;
    config.import_bytes = args.memory_mib << 20;
    config.room = room::for_daemon(&folder.blocks());
    let (metadata, store) = (data.metadata.clone(), data.store.clone());
    Ok(Daemon::start(config, metadata, store, Arc::clone(clock), Box::new(OsEntropy))?)
}

/// Runs the front-end until the process is told to end.
async fn with_web(
    folder: &DataArg,
    args: &WebArgs,
    data: &Data,
    clock: &Arc<dyn Clock>,
    daemon: Option<&Daemon>,
) -> Result<()> {
    let web = web::start(folder, args, data, clock).await?;
    let ended = until_told(daemon).await;
    web.stop(GRACE).await?;
    ended
}

/// Waits for SIGTERM or SIGINT, or for a daemon that ends by itself: another took its name.
async fn until_told(daemon: Option<&Daemon>) -> Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = int.recv() => break,
            () = tokio::time::sleep(LOOK) => {
                if daemon.is_some_and(|it| !it.is_running()) {
                    anyhow::bail!(
                        "the daemon has ended, and the log says why; if another was started under its name, give \
                         each a name of its own with --daemon-name"
                    );
                }
            }
        }
    }
    tracing::info!("told to end");
    Ok(())
}

fn run<F: Future<Output = Result<()>>>(work: impl FnOnce() -> F) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("starting the threads that serve")?.block_on(async { work().await })
}
