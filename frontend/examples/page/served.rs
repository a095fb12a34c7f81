//! The site of the tests behind the real listener, with TLS of a CA of its own.

use crate::Result;
use crate::rig::Rig;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use tempfile::TempDir;
use tidemark_frontend::login::Doors;
use tidemark_frontend::serve::{Listener, Security, Serving, serve};
use tidemark_frontend::tls::{Source, Tls};

/// A site that can be reached.
pub(crate) struct Served {
    pub(crate) rig: Rig,
    /// Its address, without a slash at the end.
    pub(crate) url: String,
    _serving: Serving,
    _keys: TempDir,
}

impl Served {
    /// Serves a site with nobody in it.
    pub(crate) fn start() -> Result<Self> {
        // Links and cookies say the port before it is listened on.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let url = format!("https://127.0.0.1:{port}");
        let (rig, keys) = (Rig::at(Doors::new(false, false), &url), tempfile::tempdir()?);
        let names = vec!["127.0.0.1".to_owned()];
        let tls = Tls::open(Source::OwnCa { folder: keys.path().join("tls"), names }, &*rig.clock)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let serving =
            serve(Listener { address, security: Security::Tls(Arc::new(tls)) }, rig.router.clone())?;
        Ok(Self { rig, url, _serving: serving, _keys: keys })
    }
}
