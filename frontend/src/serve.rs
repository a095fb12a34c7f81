//! The two listeners: 8080 for people and programs, 8081 for agents.
//!
//! Plain HTTP is served on loopback alone, unless somebody says that a proxy with TLS stands before it. Whoever is slow
//! with a handshake or with headers is sent away, and there is an end to how many may be connected at once.

mod crowd;

use crate::error::{Error, Result};
use crate::tls::Tls;
use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsAcceptor;
use crowd::Crowd;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long the headers of a request may take. Tests do not wait so long.
const HEADER_TIME: Duration = if cfg!(test) { Duration::from_millis(300) } else { Duration::from_secs(20) };
/// How long a TLS handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Most connections to one listener.
const MAX_CONNECTIONS: usize = 2048;

/// Where, and how, is listened.
pub struct Listener {
    /// The address; port 0 takes any.
    pub address: SocketAddr,
    /// Who can read what is said.
    pub security: Security,
}

/// Who can read what is said on a listener.
#[derive(Clone)]
pub enum Security {
    /// Nobody else.
    Tls(Arc<Tls>),
    /// Whoever is in between: on loopback nobody.
    Plain {
        /// Somebody says that a proxy with TLS stands before it.
        behind_proxy: bool,
    },
}

/// A listener at work.
pub struct Serving {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    task: JoinHandle<io::Result<()>>,
}

/// Begins to serve. When this returns, connections are accepted. Each request carries the address it came from
/// (`ConnectInfo<SocketAddr>`).
///
/// # Errors
/// [`Error::PlainHttp`]; [`Error::Listen`].
pub fn serve(listener: Listener, router: Router) -> Result<Serving> {
    let Listener { address, security } = listener;
    if matches!(security, Security::Plain { behind_proxy: false }) && !address.ip().is_loopback() {
        return Err(Error::PlainHttp { address });
    }
    let failed = |source| Error::Listen { address, source };
    let bound = TcpListener::bind(address).map_err(failed)?;
    bound.set_nonblocking(true).map_err(failed)?;
    let address = bound.local_addr().map_err(failed)?;
    let handle = Handle::new();
    let server = axum_server::from_tcp(bound).map_err(failed)?.handle(handle.clone());
    let crowd = Crowd::new(MAX_CONNECTIONS);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let task = match security {
        Security::Tls(tls) => {
            let acceptor =
                RustlsAcceptor::new(tls.config()).handshake_timeout(HANDSHAKE_TIME).acceptor(crowd);
            let mut server = server.acceptor(acceptor).http1_only();
            bound_headers(server.http_builder());
            tokio::spawn(server.serve(service))
        }
        Security::Plain { .. } => {
            let mut server = server.acceptor(crowd).http1_only();
            bound_headers(server.http_builder());
            tokio::spawn(server.serve(service))
        }
    };
    Ok(Serving { address, handle, task })
}

fn bound_headers(builder: &mut Builder<TokioExecutor>) {
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME);
}

impl Serving {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more, and waits so long for the requests that are under way.
    ///
    /// # Errors
    /// [`Error::Listen`] if it had failed.
    pub async fn stop(self, grace: Duration) -> Result<()> {
        self.handle.graceful_shutdown(Some(grace));
        let done = self.task.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        done.map_err(|source| Error::Listen { address: self.address, source })
    }
}

#[cfg(test)]
mod tests;
