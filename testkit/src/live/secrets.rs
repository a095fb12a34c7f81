//! What the members of one deployment share: the key of the key file, the root user, the certificates.
//!
//! Made once for a deployment; every member writes them into its own run folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tidemark_base::{Entropy, OsEntropy};

use super::run_folder::RunFolder;
use super::{Access, Certificates, ClientTls, Credentials, Error, Options, TlsMode};

/// Keys, passwords and certificates of one deployment.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The key by which members know each other, and the root user. None without auth.
    pub(super) auth: Option<AuthSecrets>,
    /// The certificates and how they are used. None without TLS.
    pub(super) tls: Option<(TlsMode, Certificates)>,
}

#[derive(Clone, Debug)]
pub(super) struct AuthSecrets {
    pub(super) key: String,
    pub(super) root: Credentials,
}

impl Secrets {
    /// New secrets for what the options ask for.
    ///
    /// # Errors
    /// As [`Certificates::generate`].
    pub fn generate(options: &Options) -> Result<Self, Error> {
        let auth = options.auth.then(|| AuthSecrets {
            key: random_hex(),
            root: Credentials { user: "root".to_owned(), password: random_hex() },
        });
        let tls = options.tls.map(|mode| Ok::<_, Error>((mode, Certificates::generate()?))).transpose()?;
        Ok(Self { auth, tls })
    }

    /// Puts the files into a member's run folder and says which arguments name them.
    pub(super) fn install(&self, folder: &RunFolder, in_replica_set: bool) -> Result<Vec<String>, Error> {
        let mut args = Vec::new();
        if let Some(auth) = &self.auth {
            // The least mongod allows: users are made in every test, and their passwords protect nothing.
            args.extend(["--setParameter", "scramSHA256IterationCount=5000"].map(str::to_owned));
            if in_replica_set {
                let path = write_secret(folder, "key", &auth.key)?;
                args.extend(["--keyFile".to_owned(), path]);
            } else {
                args.push("--auth".to_owned());
            }
        }
        if let Some((mode, certificates)) = &self.tls {
            let authority = write_secret(folder, "authority.pem", &certificates.authority)?;
            let server = write_secret(folder, "server.pem", &certificates.server)?;
            write_secret(folder, "client.pem", &certificates.client)?;
            args.extend(["--tlsMode", "requireTLS", "--tlsCAFile"].map(str::to_owned));
            args.extend([authority, "--tlsCertificateKeyFile".to_owned(), server]);
            if *mode == TlsMode::ClientCertificateOptional {
                args.push("--tlsAllowConnectionsWithoutCertificates".to_owned());
            }
        }
        Ok(args)
    }

    /// How a client gets in that has every right, with the files of this member's folder.
    pub(super) fn root_access(&self, folder: &Path) -> Access {
        Access {
            credentials: self.auth.as_ref().map(|auth| auth.root.clone()),
            tls: self.tls.as_ref().map(|(mode, _)| ClientTls {
                authority: folder.join("authority.pem"),
                certificate: (*mode == TlsMode::ClientCertificateRequired).then(|| folder.join("client.pem")),
            }),
        }
    }
}

/// 48 random bytes in hex, which is also valid base64, as a key file wants it.
fn random_hex() -> String {
    let mut bytes = [0; 48];
    OsEntropy.fill(&mut bytes);
    hex::encode(bytes)
}

/// Only the owner may read it: mongod refuses a key file that others can.
fn write_secret(folder: &RunFolder, name: &str, text: &str) -> Result<String, Error> {
    let path = folder.path().join(name);
    fs::write(&path, text).map_err(Error::io("write", &path))?;
    fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(Error::io("protect", &path))?;
    Ok(path.to_string_lossy().into_owned())
}
