//! TLS of both ports: under a CA of the installation's own, or with a certificate that somebody else made.
//!
//! The CA is made on the first start, in a folder, and lasts; agents are told its fingerprint and trust nothing else.
//! The server's own certificate is made anew at each start and long before it ends, under the CA, without a restart;
//! its key is never written anywhere. A certificate from elsewhere is read again when its files change.

mod authority;

use crate::error::{Error, Result};
use authority::Authority;
use axum::http::Uri;
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidemark_base::{Clock, UnixMillis};

/// How long a server's certificate is good for, in milliseconds,
const LIFE_MS: u64 = 90 * DAY_MS;
/// and with how much of that left it is made anew.
const RENEW_MS: u64 = 30 * DAY_MS;
const DAY_MS: u64 = 24 * 3_600_000;
/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(600);

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A CA in this folder, made if there is none, and these names for the server.
    OwnCa {
        /// The folder.
        folder: PathBuf,
        /// Host names and addresses.
        names: Vec<String>,
    },
    /// Files that somebody else made: the chain with the server's certificate first, and its key.
    Files {
        /// The chain, as PEM.
        certificates: PathBuf,
        /// The key, as PEM.
        key: PathBuf,
    },
}

/// The certificate of a server, as it is now.
pub struct Tls {
    config: RustlsConfig,
    maker: Maker,
    present: Mutex<Present>,
}

enum Maker {
    OwnCa { authority: Box<Authority>, names: Vec<String> },
    Files { certificates: PathBuf, key: PathBuf },
}

/// What the present certificate is of.
struct Present {
    /// Of one that was made here: when it ends.
    until: UnixMillis,
    /// Of one from files: their contents, hashed.
    files: Option<blake3::Hash>,
}

impl Tls {
    /// Makes or reads what is needed. Blocks.
    ///
    /// # Errors
    /// If files cannot be read or written, are not what they should be, or could be read by others.
    pub fn open(source: Source, clock: &dyn Clock) -> Result<Self> {
        let maker = match source {
            Source::OwnCa { folder, names } => {
                Maker::OwnCa { authority: Box::new(Authority::open(&folder, clock.now())?), names }
            }
            Source::Files { certificates, key } => Maker::Files { certificates, key },
        };
        let (config, present) = maker.make(clock.now(), None)?.expect("nothing is there to be left as it is");
        let config = RustlsConfig::from_config(config);
        Ok(Self { config, maker, present: Mutex::new(present) })
    }

    /// The certificate of the CA, as PEM; none where the certificate comes from elsewhere.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        match &self.maker {
            Maker::OwnCa { authority, .. } => Some(authority.pem()),
            Maker::Files { .. } => None,
        }
    }

    /// The SHA-256 of the CA's certificate, in hexadecimal digits, by which people and install scripts know it.
    #[must_use]
    pub fn ca_fingerprint(&self) -> Option<String> {
        match &self.maker {
            Maker::OwnCa { authority, .. } => Some(authority.fingerprint()),
            Maker::Files { .. } => None,
        }
    }

    /// Makes the certificate anew if it ends soon, or reads it if its files have changed; whether it did. Connections
    /// that are there stay as they are. Blocks.
    ///
    /// # Errors
    /// As [`Self::open`]; the old one stays in use.
    pub fn renew(&self, clock: &dyn Clock) -> Result<bool> {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((config, made)) = self.maker.make(clock.now(), Some(&present))? else { return Ok(false) };
        *present = made;
        self.config.reload_from_config(config);
        Ok(true)
    }

    /// Renews for ever: for a task of its own.
    pub async fn keep(self: Arc<Self>, clock: Arc<dyn Clock>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let (tls, clock) = (Arc::clone(&self), Arc::clone(&clock));
            match tokio::task::spawn_blocking(move || tls.renew(&*clock)).await {
                Ok(Ok(true)) => tracing::info!("the server's certificate was renewed"),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => tracing::error!(%error, "the server's certificate cannot be renewed"),
                Err(error) => tracing::error!(%error, "the server's certificate cannot be renewed"),
            }
        }
    }

    pub(crate) fn config(&self) -> RustlsConfig {
        self.config.clone()
    }
}

impl Maker {
    /// A certificate, unless the present one may stay.
    fn make(
        &self,
        now: UnixMillis,
        present: Option<&Present>,
    ) -> Result<Option<(Arc<ServerConfig>, Present)>> {
        match self {
            Self::OwnCa { authority, names } => {
                // A clock that was set back makes it new as well: it may not have begun by then.
                let is_good = |it: &Present| {
                    it.until.0.saturating_sub(now.0) <= LIFE_MS && it.until.0 > now.0.saturating_add(RENEW_MS)
                };
                if present.is_some_and(is_good) {
                    return Ok(None);
                }
                let until = UnixMillis(now.0.saturating_add(LIFE_MS));
                let (chain, key) = authority.issue(names, now, until)?;
                let config = configure(chain, key).map_err(|problem| Error::Certificate { problem })?;
                Ok(Some((config, Present { until, files: None })))
            }
            Self::Files { certificates, key } => {
                let (chain, secret) = (read(certificates)?, read(key)?);
                let hash = blake3::hash(&[chain.as_slice(), &[0], &secret].concat());
                if present.is_some_and(|it| it.files == Some(hash)) {
                    return Ok(None);
                }
                let bad = |path: &Path, problem: String| Error::BadFile { path: path.to_owned(), problem };
                let chain: Vec<_> =
                    CertificateDer::pem_slice_iter(&chain).collect::<Result<_, _>>().map_err(|error| {
                        bad(certificates, format!("it is not a chain of certificates in PEM: {error}"))
                    })?;
                let secret = PrivateKeyDer::from_pem_slice(&secret)
                    .map_err(|_| bad(key, "it does not hold a private key in PEM".to_owned()))?;
                let config = configure(chain, secret).map_err(|problem| bad(certificates, problem))?;
                Ok(Some((config, Present { until: UnixMillis(u64::MAX), files: Some(hash) })))
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::File { action: "reading", path: path.to_owned(), source })
}

fn configure(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let config = builder.with_no_client_auth().with_single_cert(chain, key);
    let mut config =
        config.map_err(|error| format!("the certificate and its key are not usable: {error}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The host of the public URL, which the certificate must be for.
///
/// # Errors
/// [`Error::BadUrl`].
pub fn host_of(public_url: &str) -> Result<String> {
    let bad = |problem| Error::BadUrl { problem };
    let uri: Uri =
        public_url.parse().map_err(|_| bad("it should look like https://backup.example.com:8080"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(bad("it should begin with https://"));
    }
    let host = uri.host().ok_or(bad("it has no host"))?;
    Ok(host.trim_start_matches('[').trim_end_matches(']').to_owned())
}

#[cfg(test)]
mod tests;
