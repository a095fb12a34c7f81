//! The driver's options for our servers. Used by `mongod.rs` and `replica_set.rs`.
//!
//! The driver's own way to wait for a server is kept short: a test that expects a refusal should not take
//! half a minute to see it.

use std::time::Duration;

use mongodb::options::{
    AuthMechanism, ClientOptions, Credential, ServerAddress, Tls, TlsOptions, WriteConcern,
};

use super::Access;

const SERVER_SELECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// The least the driver allows: it learns of elections sooner.
const HEARTBEAT_FREQUENCY: Duration = Duration::from_millis(500);

impl Access {
    /// For one server, whatever its state.
    pub(super) fn direct_options(&self, port: u16) -> ClientOptions {
        let mut options = self.driver_options(&[port]);
        options.direct_connection = Some(true);
        options
    }

    /// For a whole replica set: finds the primary, retries, and calls a write done when a majority has it.
    pub(super) fn replica_set_options(&self, ports: &[u16], name: &str) -> ClientOptions {
        let mut options = self.driver_options(ports);
        options.repl_set_name = Some(name.to_owned());
        options.write_concern = Some(WriteConcern::majority());
        options.retry_writes = Some(true);
        options.retry_reads = Some(true);
        options
    }

    fn driver_options(&self, ports: &[u16]) -> ClientOptions {
        let mut options = ClientOptions::default();
        options.hosts = ports.iter().map(|&port| address(port)).collect();
        options.server_selection_timeout = Some(SERVER_SELECTION_TIMEOUT);
        options.heartbeat_freq = Some(HEARTBEAT_FREQUENCY);
        options.credential = self.credentials.as_ref().map(|credentials| {
            Credential::builder()
                .username(credentials.user.clone())
                .password(credentials.password.clone())
                .source("admin".to_owned())
                .mechanism(AuthMechanism::ScramSha256)
                .build()
        });
        options.tls = self.tls.as_ref().map(|tls| {
            let mut files = TlsOptions::default();
            files.ca_file_path = Some(tls.authority.clone());
            files.cert_key_file_path.clone_from(&tls.certificate);
            Tls::Enabled(files)
        });
        options
    }
}

fn address(port: u16) -> ServerAddress {
    ServerAddress::Tcp { host: "127.0.0.1".to_owned(), port: Some(port) }
}
