//! An agent in a runtime of its own, so that it can be killed.

use crate::server::Server;
use std::time::Duration;
use tidemark_agent::config::{Config, Login, Secret, SetConfig};
use tidemark_agent::{Error, Shutdown, run};
use tidemark_base::protocol::Address;
use tidemark_testkit::live::{Access, ReplicaSet, until};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

pub(crate) const GROUP: &str = "0123456789abcdef01234567";
pub(crate) const KEY: &str = "an-agent-key";
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A running agent.
pub(crate) struct Agent {
    runtime: Runtime,
    shutdown: Shutdown,
    task: JoinHandle<Result<(), Error>>,
}

impl Agent {
    pub(crate) fn start(config: Config) -> Self {
        // What went on is shown with a failed test.
        let log = tracing_subscriber::fmt().with_test_writer().with_max_level(tracing::Level::INFO);
        let _ = log.try_init();
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let shutdown = Shutdown::default();
        let task = runtime.spawn(run(config, shutdown.listen()));
        Self { runtime, shutdown, task }
    }

    /// As a power cut would.
    pub(crate) fn kill(self) {
        self.runtime.shutdown_background();
    }

    /// As SIGTERM would; what the agent ended with.
    pub(crate) fn stop(self) -> Result<(), Error> {
        self.shutdown.tell();
        self.end()
    }

    /// Waits for it to end by itself.
    pub(crate) fn end(self) -> Result<(), Error> {
        let Self { runtime, task, shutdown } = self;
        let outcome = runtime.block_on(async { tokio::time::timeout(PATIENCE, task).await });
        drop(shutdown);
        outcome.expect("it ends in time").expect("it does not panic")
    }
}

/// How an agent gets into a set, as whom a test says.
pub(crate) fn set_config(set: &ReplicaSet, access: &Access) -> SetConfig {
    let host = set.host();
    let (name, _) = host.split_once('/').unwrap();
    let seeds =
        set.members().iter().map(|it| Address { host: "127.0.0.1".to_owned(), port: it.port() }).collect();
    SetConfig {
        name: name.to_owned(),
        seeds,
        tls_ca_file: access.tls.as_ref().map(|tls| tls.authority.clone()),
        login: access.credentials.as_ref().map(|it| Login {
            username: it.user.clone(),
            password: Secret::new(it.password.clone()),
            auth_source: "admin".to_owned(),
        }),
    }
}

pub(crate) fn config(server: &Server, agent: &str, sets: Vec<SetConfig>) -> Config {
    Config {
        agent: agent.to_owned(),
        host: "test".to_owned(),
        group: GROUP.to_owned(),
        key: Secret::new(KEY.to_owned()),
        motherships: vec![server.address()],
        ca_file: None,
        sets,
    }
}

/// An agent of one set, with every right.
pub(crate) fn of_set(server: &Server, set: &ReplicaSet) -> Agent {
    Agent::start(config(server, "a", vec![set_config(set, set.access())]))
}

/// Waits until something holds, with what is seen instead.
pub(crate) fn wait<T>(what: &str, look: impl FnMut() -> Result<T, String>) -> T {
    until(what, PATIENCE, look).unwrap()
}
