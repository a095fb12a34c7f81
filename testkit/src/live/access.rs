//! How a client gets into a server: as whom, and with which certificates.
//!
//! The same value serves the driver ([`Access::driver_options`], in `client.rs`) and MongoDB's tools.

use std::path::PathBuf;

/// A user of the `admin` database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// The files a client needs for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// The authority the client trusts.
    pub authority: PathBuf,
    /// The certificate and key the client shows.
    pub certificate: Option<PathBuf>,
}

/// Who a client is and how it connects. The default is nobody, without TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The user; None for nobody.
    pub credentials: Option<Credentials>,
    /// TLS; None for unencrypted.
    pub tls: Option<ClientTls>,
}

impl Access {
    /// The same way in, as this user.
    #[must_use]
    pub fn as_user(&self, user: &str, password: &str) -> Self {
        let credentials = Some(Credentials { user: user.to_owned(), password: password.to_owned() });
        Self { credentials, ..self.clone() }
    }

    /// The same way in, as nobody.
    #[must_use]
    pub fn as_nobody(&self) -> Self {
        Self { credentials: None, ..self.clone() }
    }

    /// The same user, unencrypted.
    #[must_use]
    pub fn without_tls(&self) -> Self {
        Self { tls: None, ..self.clone() }
    }

    /// The arguments by which mongodump and mongorestore get in.
    pub(super) fn tool_arguments(&self) -> Vec<String> {
        let mut args = Vec::new();
        if let Some(Credentials { user, password }) = &self.credentials {
            args.extend([format!("--username={user}"), format!("--password={password}")]);
            args.push("--authenticationDatabase=admin".to_owned());
        }
        if let Some(ClientTls { authority, certificate }) = &self.tls {
            args.extend(["--ssl".to_owned(), format!("--sslCAFile={}", authority.display())]);
            args.extend(certificate.iter().map(|path| format!("--sslPEMKeyFile={}", path.display())));
        }
        args
    }
}
