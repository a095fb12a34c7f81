//! Getting in: from what was configured to clients of the driver.

use crate::config::{Login, SetConfig};
use crate::{Error, Result};
use mongodb::Client;
use mongodb::options::{ClientOptions, Credential, ServerAddress, Tls, TlsOptions};
use rustix::fs::{MemfdFlags, memfd_create};
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tidemark_base::protocol::{Address, Connection};
use tokio::sync::Mutex;

/// How long the driver looks for a member that can serve; conf calls go on meanwhile.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How to get into a replica set.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    /// Its name; empty if it is not known.
    pub(crate) name: String,
    pub(crate) seeds: Vec<Address>,
    login: Option<Login>,
    tls: Option<Authority>,
}

/// Who vouches for the members.
#[derive(Clone, Debug)]
enum Authority {
    /// A file of the configuration.
    File(PathBuf),
    /// A text that the server handed over: a file in memory, since the driver wants a path and nothing is kept on disk.
    Memory(Arc<File>),
}

impl Authority {
    fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Memory(file) => format!("/proc/self/fd/{}", file.as_raw_fd()).into(),
        }
    }
}

impl Reach {
    /// As the agent's own file says.
    pub(crate) fn of_config(set: &SetConfig) -> Self {
        Self {
            name: set.name.clone(),
            seeds: set.seeds.clone(),
            login: set.login.clone(),
            tls: set.tls_ca_file.clone().map(Authority::File),
        }
    }

    /// As the server hands over.
    pub(crate) fn of_connection(connection: &Connection) -> Result<Self> {
        let tls = connection.ca_pem.as_ref().map(|pem| {
            let failed = |source| Error::Io { what: "keep a certificate in memory".to_owned(), source };
            let memory =
                memfd_create("tidemark-ca", MemfdFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
            let mut file = File::from(memory);
            file.write_all(pem.as_bytes()).map_err(failed)?;
            Ok::<_, Error>(Authority::Memory(Arc::new(file)))
        });
        let login = (!connection.user.is_empty()).then(|| Login {
            username: connection.user.clone(),
            password: crate::config::Secret::new(connection.password.clone()),
            auth_source: match connection.auth_source.as_str() {
                "" => "admin".to_owned(),
                other => other.to_owned(),
            },
        });
        Ok(Self { name: String::new(), seeds: connection.seeds.clone(), login, tls: tls.transpose()? })
    }

    /// Whether connections are encrypted.
    pub(crate) const fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The driver's options, for the whole set or for one server.
    fn options(&self, hosts: Vec<ServerAddress>, direct: bool) -> ClientOptions {
        let mut options = ClientOptions::default();
        options.hosts = hosts;
        options.app_name = Some("tidemark-agent".to_owned());
        options.connect_timeout = Some(CONNECT_TIMEOUT);
        options.server_selection_timeout = Some(SELECTION_TIMEOUT);
        options.direct_connection = Some(direct);
        if !direct && !self.name.is_empty() {
            options.repl_set_name = Some(self.name.clone());
        }
        options.credential = self.login.as_ref().map(|login| {
            Credential::builder()
                .username(login.username.clone())
                .password(login.password.reveal().to_owned())
                .source(login.auth_source.clone())
                .build()
        });
        options.tls = self.tls.as_ref().map(|authority| {
            let mut tls = TlsOptions::default();
            tls.ca_file_path = Some(authority.path());
            Tls::Enabled(tls)
        });
        options
    }

    /// A client of one server alone.
    pub(crate) fn direct(&self, address: &Address) -> Result<Client> {
        Client::with_options(self.options(vec![server(address)], true))
            .map_err(Error::source(format!("make a client of {}:{}", address.host, address.port)))
    }
}

fn server(address: &Address) -> ServerAddress {
    let host = address.host.trim_matches(['[', ']']).to_owned();
    ServerAddress::Tcp { host, port: Some(address.port) }
}

/// A replica set, connected as far as it lets us.
pub(crate) struct Source {
    pub(crate) reach: Reach,
    /// Finds the primary, and any member.
    pub(crate) client: Client,
    direct: Mutex<HashMap<String, Client>>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl Source {
    /// Connects in the background; what fails is said by the first question.
    pub(crate) fn new(reach: Reach) -> Result<Self> {
        let hosts = reach.seeds.iter().map(server).collect();
        let client = Client::with_options(reach.options(hosts, false))
            .map_err(Error::source(format!("make a client of the replica set '{}'", reach.name)))?;
        Ok(Self { reach, client, direct: Mutex::default() })
    }

    /// A client of one member, made once.
    pub(crate) async fn member(&self, address: &Address) -> Result<Client> {
        let key = node(address);
        let mut clients = self.direct.lock().await;
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = self.reach.direct(address)?;
        clients.insert(key, client.clone());
        Ok(client)
    }

    /// Forgets clients of members that are no longer part of the set.
    pub(crate) async fn keep_members(&self, members: &[Address]) {
        let names: Vec<String> = members.iter().map(node).collect();
        self.direct.lock().await.retain(|name, _| names.contains(name));
    }
}

/// What the agent calls a member.
pub(crate) fn node(address: &Address) -> String {
    format!("{}:{}", address.host, address.port)
}
