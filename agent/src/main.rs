//! `tidemark-agent`: the agent behind a command line.
//!
//! Without a command it runs until SIGTERM or SIGINT; `check` looks for problems and ends. Nothing secret is taken from
//! arguments.

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use tidemark_agent::check::{Weight, check};
use tidemark_agent::config::{Config, Flags};
use tidemark_agent::{Shutdown, run};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Backs up MongoDB replica sets to a Tidemark server.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    told: Told,
    /// How to log.
    #[arg(long, global = true, value_enum, default_value = "text")]
    log: Log,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Command {
    /// Run until told to stop (as without a command).
    Run,
    /// Look for everything that can be wrong, with its fix, and end; 1 if a problem blocks.
    Check,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Log {
    Text,
    Json,
}

/// Every one of them can stand in the file, too.
#[derive(Args, Debug)]
struct Told {
    /// The configuration: lines of `key = value`, or TOML if it ends with .toml.
    #[arg(long, short, global = true)]
    config: Option<PathBuf>,
    /// What the agent calls itself (key: agent).
    #[arg(long, global = true)]
    agent: Option<String>,
    /// The group it is for (key: mmsGroupId).
    #[arg(long, global = true)]
    group: Option<String>,
    /// A file that holds the agent's key and nothing else (key: mmsApiKeyFile).
    #[arg(long, global = true)]
    key_file: Option<PathBuf>,
    /// Addresses of the Backup HTTP server, tried in turn (key: mothership).
    #[arg(long, global = true)]
    mothership: Option<String>,
    /// Who vouches for it, as PEM (key: sslTrustedMMSBackupServerCertificate).
    #[arg(long, global = true)]
    ca_file: Option<PathBuf>,
    /// Replica sets, as name/host:port,host:port; several of them with semicolons between (key: replicaSets).
    #[arg(long, global = true)]
    replica_sets: Option<String>,
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("TIDEMARK_AGENT_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,tidemark_agent=info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A line that cannot be written, on a full disk say, is lost. To complain of that would panic, and end the work.
    let log = log.log_internal_errors(false);
    match cli.log {
        Log::Text => log.init(),
        Log::Json => log.json().init(),
    }
    let Told { config, agent, group, key_file, mothership, ca_file, replica_sets } = cli.told;
    let flags = Flags { config, agent, group, key_file, mothership, ca_file, replica_sets };
    let config = Config::load(&flags, |name| std::env::var(name).ok())?;
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // Enough for a copy and its tail; each thread keeps memory of its own.
        .worker_threads(2)
        .max_blocking_threads(4)
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        match cli.command {
            Some(Command::Check) => look(&config).await,
            Some(Command::Run) | None => work(config).await,
        }
    })
}

async fn work(config: Config) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::default();
    let stop = shutdown.listen();
    let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut int = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        tracing::info!("told to stop");
        shutdown.tell();
        // A second one does not wait for the last slice.
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        std::process::exit(1);
    });
    run(config, stop).await?;
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
async fn look(config: &Config) -> anyhow::Result<ExitCode> {
    let problems = check(config).await?;
    for problem in &problems {
        println!("{problem}");
    }
    if problems.is_empty() {
        println!("no problem found");
    }
    let blocks = problems.iter().any(|problem| problem.weight == Weight::Blocks);
    Ok(if blocks { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
