//! The front-end of a process: its parts put together, and both listeners.

use super::arguments::WebArgs;
use super::room;
use crate::data::{Data, DataArg};
use anyhow::{Context as _, Result};
use axum::Router;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidemark_base::{Clock, OsEntropy};
use tidemark_frontend::ingest::{self, Ingest, Limits};
use tidemark_frontend::install::{self, Parcel, Trust};
use tidemark_frontend::login::Doors;
use tidemark_frontend::metrics::{self, Metrics};
use tidemark_frontend::serve::{Listener, Security, Serving, serve};
use tidemark_frontend::site::{Parts, Site};
use tidemark_frontend::tls::{Source, Tls, host_of};
use tidemark_frontend::{download, page, public};
use tokio::task::JoinHandle;

/// The front-end at work.
pub(super) struct Web {
    pages: Serving,
    agents: Serving,
    renewal: Option<JoinHandle<()>>,
}

/// How the outside reaches the front-end.
struct Urls {
    public: String,
    agents: String,
}

pub(super) async fn start(
    folder: &DataArg,
    args: &WebArgs,
    data: &Data,
    clock: &Arc<dyn Clock>,
) -> Result<Web> {
    let urls = urls(args)?;
    let tls = open_tls(folder, args, &urls, clock)?;
    let site = site(folder, data, &urls, clock)?;
    let metrics = Metrics::new();
    let pages = pages(args, &site, &metrics, &urls, tls.as_deref())?;
    let space = room::for_uploads(&folder.blocks());
    let agents = ingest::router(Ingest::new(site, metrics, Some(space), Limits::default()));
    let security = || match &tls {
        Some(tls) => Security::Tls(Arc::clone(tls)),
        None => Security::Plain { behind_proxy: args.behind_proxy },
    };
    let pages = serve(Listener { address: args.listen, security: security() }, pages)?;
    let agents = serve(Listener { address: args.listen_agents, security: security() }, agents)?;
    let renewal = tls.map(|tls| tokio::spawn(tls.keep(Arc::clone(clock))));
    tracing::info!(pages = %pages.address(), agents = %agents.address(), url = urls.public, "serving");
    if data.metadata.is_new()? {
        tracing::warn!(
            "nobody owns this installation yet: sign up at {} from this machine, or run tidemark admin add-user",
            urls.public
        );
    }
    Ok(Web { pages, agents, renewal })
}

impl Web {
    pub(super) async fn stop(self, grace: Duration) -> Result<()> {
        let (pages, agents) = tokio::join!(self.pages.stop(grace), self.agents.stop(grace));
        if let Some(renewal) = self.renewal {
            renewal.abort();
        }
        pages?;
        Ok(agents?)
    }
}

fn site(folder: &DataArg, data: &Data, urls: &Urls, clock: &Arc<dyn Clock>) -> Result<Site> {
    let sealing = folder.sealing(&mut OsEntropy)?;
    Ok(Site::new(Parts {
        metadata: data.metadata.clone(),
        store: data.store.clone(),
        sealing,
        clock: Arc::clone(clock),
        entropy: Mutex::new(Box::new(OsEntropy)),
        public_url: urls.public.clone(),
    }))
}

fn pages(args: &WebArgs, site: &Site, metrics: &Metrics, urls: &Urls, tls: Option<&Tls>) -> Result<Router> {
    let token = args.metrics_token_file.as_ref().map(|file| {
        let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let token = text.trim().to_owned();
        anyhow::ensure!(token.len() >= 16, "{}: a token has 16 characters or more", file.display());
        Ok(token)
    });
    let token = token.transpose()?;
    let parcel = Parcel {
        agent: args.agent_program.clone().or_else(agent_beside),
        ca_pem: tls.and_then(Tls::ca_pem).map(ToOwned::to_owned),
        mothership: urls.agents.clone(),
    };
    let doors = Doors::new(args.open_sign_up, args.behind_proxy);
    let trust = Trust { public_url: urls.public.clone(), fingerprint: tls.and_then(Tls::ca_fingerprint) };
    Ok(public::router(site.clone())
        .merge(page::router(site.clone(), doors, trust))
        .merge(download::router(site.clone()))
        .merge(metrics::router(site.clone(), metrics.clone(), token.as_deref()))
        .merge(install::router(site.clone(), parcel)))
}

fn open_tls(
    folder: &DataArg,
    args: &WebArgs,
    urls: &Urls,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<Tls>>> {
    if args.plain_http {
        return Ok(None);
    }
    let source = match (&args.tls_certificate, &args.tls_key) {
        (Some(certificates), Some(key)) => {
            Source::Files { certificates: certificates.clone(), key: key.clone() }
        }
        _ => {
            let mut names = vec![host_of(&urls.public)?, host_of(&urls.agents)?];
            names.extend(["localhost", "127.0.0.1", "::1"].map(ToOwned::to_owned));
            names.extend(args.names.iter().cloned());
            names.sort();
            names.dedup();
            Source::OwnCa { folder: folder.data.join("tls"), names }
        }
    };
    Ok(Some(Arc::new(Tls::open(source, &**clock)?)))
}

fn urls(args: &WebArgs) -> Result<Urls> {
    let scheme = if args.plain_http && !args.behind_proxy { "http" } else { "https" };
    let public = match &args.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("{scheme}://{}:{}", own_name(args), args.listen.port()),
    };
    let host = host_of(&public)?;
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let agents = match &args.agents_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("{scheme}://{host}:{}", args.listen_agents.port()),
    };
    Ok(Urls { public, agents })
}

/// The address that is listened on if it is one, else this host's name.
fn own_name(args: &WebArgs) -> String {
    let ip = args.listen.ip();
    if !ip.is_unspecified() {
        return if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
    }
    rustix::system::uname().nodename().to_string_lossy().to_lowercase()
}

/// The agent's program beside this one, as they are built and shipped.
fn agent_beside() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    Some(own.with_file_name("tidemark-agent")).filter(|it| it.is_file())
}
