//! The arguments of the service.

use crate::data::DataArg;
use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Example, the first time:
  tidemark serve --data /var/lib/tidemark --public-url https://backup.example.com:8080
  tidemark admin add-user owner@example.com --data /var/lib/tidemark
The first user owns the installation, and is made by this command or signs up in a browser on this machine.
";

/// Serve everything in one process: pages and API, the agents' server, the daemon
///
/// All of it lies in one folder, which is made if it is not there. Ends on SIGTERM or SIGINT, once what is in memory
/// is written.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(super) data: DataArg,
    #[command(flatten)]
    pub(super) web: WebArgs,
    #[command(flatten)]
    pub(super) daemon: WorkArgs,
    #[command(flatten)]
    pub(super) log: LogArg,
}

/// Serve pages, API and agents, and leave the work to daemons
#[derive(Debug, Args)]
pub(crate) struct FrontendArgs {
    #[command(flatten)]
    pub(super) data: DataArg,
    #[command(flatten)]
    pub(super) web: WebArgs,
    #[command(flatten)]
    pub(super) log: LogArg,
}

/// Work: build heads, apply oplog, take snapshots, prepare restores
#[derive(Debug, Args)]
pub(crate) struct DaemonArgs {
    #[command(flatten)]
    pub(super) data: DataArg,
    #[command(flatten)]
    pub(super) daemon: WorkArgs,
    #[command(flatten)]
    pub(super) log: LogArg,
}

/// What the front-end is told.
#[derive(Debug, Args)]
pub(super) struct WebArgs {
    /// Where pages and API are served
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub(super) listen: SocketAddr,
    /// Where agents are served
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8081")]
    pub(super) listen_agents: SocketAddr,
    /// How browsers reach this, for links and certificates; else by this host's name
    #[arg(long, value_name = "URL")]
    pub(super) public_url: Option<String>,
    /// How agents reach it; else as browsers, by the other port
    #[arg(long, value_name = "URL")]
    pub(super) agents_url: Option<String>,
    /// A further name or address for the certificate; may be given several times
    #[arg(long = "name", value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// A certificate of your own, with its chain, as PEM; else one is made by a CA of the installation's own
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(super) tls_certificate: Option<PathBuf>,
    /// Its key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(super) tls_key: Option<PathBuf>,
    /// Serve without TLS: on loopback only, unless --behind-proxy says that a proxy does it
    #[arg(long, conflicts_with = "tls_certificate")]
    pub(super) plain_http: bool,
    /// A proxy with TLS stands before this, and says in X-Forwarded-For who is asking
    #[arg(long)]
    pub(super) behind_proxy: bool,
    /// Let anybody sign up; who does has no role anywhere
    #[arg(long)]
    pub(super) open_sign_up: bool,
    /// A file with the token that /metrics asks for; without it there are no metrics
    #[arg(long, value_name = "FILE")]
    pub(super) metrics_token_file: Option<PathBuf>,
    /// The agent's program to hand out; else the one beside this program, if there is one
    #[arg(long, value_name = "FILE")]
    pub(super) agent_program: Option<PathBuf>,
}

/// What the daemon is told.
#[derive(Debug, Args)]
pub(super) struct WorkArgs {
    /// The daemon's name; each of several on one installation needs its own
    #[arg(long, value_name = "NAME")]
    pub(super) daemon_name: Option<String>,
    /// How much memory all heads together may hold of what is not written yet, and as much for a build
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = memory)]
    pub(super) memory_mib: usize,
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct LogArg {
    /// How to log; TIDEMARK_LOG says how much
    #[arg(long, value_enum, default_value = "text")]
    pub(super) log: Log,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Log {
    /// Lines for people
    Text,
    /// A JSON document on each line
    Json,
}

fn memory(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(mib @ 64..=1_048_576) => Ok(mib),
        _ => Err("it is 64 to 1048576".to_owned()),
    }
}
