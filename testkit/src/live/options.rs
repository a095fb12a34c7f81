//! What a test may choose about the servers it starts.

/// How the servers treat TLS. They refuse unencrypted connections either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Clients check the server; they may show a certificate of their own.
    ClientCertificateOptional,
    /// Clients must show a certificate signed by the same authority.
    ClientCertificateRequired,
}

/// What a test may choose; the default is a small, fast server without auth and TLS.
#[derive(Clone, Debug)]
pub struct Options {
    /// Size of the oplog of a replica set member. Entries older than this may vanish at any time.
    pub oplog_size_mb: u32,
    /// How long a replica set goes without its primary before it elects another.
    pub election_timeout_ms: u32,
    /// Turn on access control, with a root user; members of a set know each other by a key file.
    pub auth: bool,
    /// Turn on TLS, with certificates made for the occasion.
    pub tls: Option<TlsMode>,
    /// `--setParameter name=value`, after our own ones.
    pub set_parameters: Vec<(String, String)>,
    /// More arguments, after all others.
    pub extra_args: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            oplog_size_mb: 64,
            // Shorter, and a machine busy with other tests starts elections of its own.
            election_timeout_ms: 2000,
            auth: false,
            tls: None,
            set_parameters: Vec::new(),
            extra_args: Vec::new(),
        }
    }
}
