//! The conf loop: says what is seen, and hands orders to the tasks of the replica sets.
//!
//! One for each agent. It learns the id of each set, starts a task for it with its first order, and goes on calling,
//! whatever becomes of one set. A set whose id has changed is another set: its task ends, and a new one waits for orders.

use crate::backoff::Backoff;
use crate::config::Config;
use crate::mothership::Mothership;
use crate::report::{self, Found, Identity};
use crate::set::{SetTask, told};
use crate::source::{Reach, Source};
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;
use tidemark_base::protocol::{
    Code, ConfRequest, ConfResponse, Connection, ReleaseRequest, Role, SetOrder, SetReport,
};
use tidemark_base::{Clock, Entropy, OsEntropy, SystemClock};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

/// The bounds of what the server may ask for as a pause.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// After an unknown key.
const KEY_PAUSE: Duration = Duration::from_secs(60);
/// So often in a row a primary may be one that the driver does not believe: it may be slow to see an election.
const MOST_DISBELIEVED: u32 = 2;
/// And so soon it is asked again: nothing is read of a set meanwhile.
const DOUBT_PAUSE: Duration = Duration::from_secs(5);
/// How long it may take to give the sets back at the end.
const RELEASE_PATIENCE: Duration = Duration::from_secs(5);
/// How long a set may take to say how it is: the others wait for it.
const REPORT_PATIENCE: Duration = Duration::from_secs(12);

/// The loop, and what it knows.
#[derive(Debug)]
pub(crate) struct Conf {
    config: Config,
    mothership: Arc<Mothership>,
    incarnation: String,
    sets: Vec<Known>,
    stop: watch::Receiver<bool>,
    conf_now: Arc<Notify>,
}

/// A replica set that the agent was told of.
#[derive(Debug)]
struct Known {
    source: Arc<Source>,
    /// Its id and its members, once it has said so.
    identity: Option<Identity>,
    work: Option<Work>,
    /// How to connect, as the server said; none where the agent's own file says.
    given: Option<Connection>,
    /// How many calls in a row found a primary that the driver does not believe.
    disbelieved: u32,
    /// What was wrong with it the last time, so that it is logged once.
    failure: String,
}

/// The task of a set.
#[derive(Debug)]
struct Work {
    orders: watch::Sender<SetOrder>,
    task: JoinHandle<()>,
}

impl Drop for Work {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Known {
    fn new(reach: Reach, given: Option<Connection>) -> Result<Self> {
        let source = Arc::new(Source::new(reach)?);
        Ok(Self { source, identity: None, work: None, given, disbelieved: 0, failure: String::new() })
    }

    fn id(&self) -> Option<&String> {
        self.identity.as_ref().map(|(id, _)| id)
    }

    /// Set up at the server.
    fn of_connection(connection: &Connection) -> Result<Self> {
        Self::new(Reach::of_connection(connection)?, Some(connection.clone()))
    }
}

impl Conf {
    /// Makes clients; nothing is sent.
    pub(crate) fn new(
        config: Config,
        mothership: Arc<Mothership>,
        stop: watch::Receiver<bool>,
    ) -> Result<Self> {
        let mut incarnation = [0; 8];
        OsEntropy.fill(&mut incarnation);
        let sets = config.sets.iter().map(|set| Known::new(Reach::of_config(set), None));
        let sets = sets.collect::<Result<_>>()?;
        let conf_now = Arc::new(Notify::new());
        Ok(Self { config, mothership, incarnation: hex::encode(incarnation), sets, stop, conf_now })
    }

    /// Calls until told to stop; then waits for the tasks to send what they hold, and lets another agent take over.
    ///
    /// # Errors
    /// [`Error::Group`]: nothing may be sent to another group.
    pub(crate) async fn run(mut self) -> Result<()> {
        let mut backoff = Backoff::default();
        let mut stop = self.stop.clone();
        loop {
            let called = tokio::select! {
                () = told(&mut stop) => break,
                called = self.call() => called,
            };
            let pause = match called {
                Ok(pause) => {
                    backoff.reset();
                    pause
                }
                Err(error @ Error::Group { .. }) => return Err(error),
                Err(error) if error.refusal().is_some_and(|refusal| refusal.code == Code::UnknownKey) => {
                    tracing::error!("{error}; trying again in a minute");
                    KEY_PAUSE
                }
                Err(error) => {
                    let pause = backoff.next();
                    tracing::warn!("the conf call failed: {error}; trying again in {} ms", pause.as_millis());
                    pause
                }
            };
            tokio::select! {
                () = told(&mut stop) => break,
                () = tokio::time::sleep(pause) => {}
                () = async { self.conf_now.notified().await; tokio::time::sleep(SHORTEST_PAUSE).await } => {}
            }
        }
        self.end().await;
        if tokio::time::timeout(RELEASE_PATIENCE, self.release()).await.is_err() {
            tracing::warn!(
                "the server did not take the replica sets back in time: another agent waits for a while"
            );
        }
        Ok(())
    }

    /// Waits for the tasks, each of which has its own bound.
    async fn end(&mut self) {
        for known in &mut self.sets {
            if let Some(work) = &mut known.work {
                // A panic of a task has been printed.
                let _ = (&mut work.task).await;
            }
        }
    }

    /// Gives the sets back that this agent reads, so that another need not wait until it was silent for long. A conf
    /// call that is still on its way may take one again: then the other waits as it would for an agent that died.
    async fn release(&self) {
        for known in &self.sets {
            let is_active = |work: &&Work| work.orders.borrow().role == Role::Active;
            let Some((set, _)) = known.id().zip(known.work.as_ref().filter(is_active)) else { continue };
            let message =
                ReleaseRequest { agent: self.config.agent.clone(), incarnation: self.incarnation.clone() };
            match self.mothership.release(set, &message).await {
                Ok(()) => tracing::info!(set, "given back: another agent may take over"),
                Err(error) => {
                    tracing::warn!(set, "not given back, so another agent waits for a while: {error}");
                }
            }
        }
    }

    /// One call; says how long to wait for the next.
    async fn call(&mut self) -> Result<Duration> {
        let sets = self.reports().await;
        let message = ConfRequest {
            agent: self.config.agent.clone(),
            incarnation: self.incarnation.clone(),
            host: self.config.host.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            clock_ms: SystemClock::new().now().0,
            is_check: false,
            sets,
        };
        let answer = self.mothership.conf(&message).await?;
        if answer.group != self.config.group {
            return Err(Error::Group { expected: self.config.group.clone(), found: answer.group });
        }
        let pause = self.obey(answer);
        let in_doubt = self.sets.iter().any(|known| known.disbelieved > 0);
        Ok(if in_doubt { pause.min(DOUBT_PAUSE) } else { pause })
    }

    /// Asks all sets at once how they are. One that does not answer is reported as it was known, if it was.
    async fn reports(&mut self) -> Vec<SetReport> {
        let mut asking = JoinSet::new();
        for (index, known) in self.sets.iter().enumerate() {
            let (source, identity) = (Arc::clone(&known.source), known.identity.clone());
            asking.spawn(async move {
                let asked = tokio::time::timeout(REPORT_PATIENCE, report::report(&source, identity)).await;
                let late = |_| Error::unexpected("the state of the replica set", "no answer in time");
                (index, asked.map_err(late).flatten())
            });
        }
        let mut reports = Vec::new();
        for (index, report) in asking.join_all().await {
            let Some(known) = self.sets.get_mut(index) else { continue };
            reports.extend(known.seen(report));
        }
        reports
    }

    fn obey(&mut self, answer: ConfResponse) -> Duration {
        let mut pause = Duration::from_millis(answer.next_ms).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        for order in answer.sets {
            match order.connection.as_ref().map(|connection| self.connect(&order.id, connection)) {
                // Asked how it is with the next call, which comes at once, and then told what to do.
                Some(Ok(true)) => {
                    pause = SHORTEST_PAUSE;
                    continue;
                }
                Some(Err(error)) => {
                    tracing::error!(set = order.id, "what the server says how to connect: {error}");
                }
                Some(Ok(false)) | None => {}
            }
            match self.sets.iter_mut().find(|known| known.id() == Some(&order.id)) {
                Some(known) => known.obey(order, &self.mothership, &self.stop, &self.conf_now),
                None => tracing::debug!(set = order.id, "an order for a set that has not said its id"),
            }
        }
        pause
    }

    /// Connects to a set that is set up at the server, unless it is connected just so. The agent's own file is stronger.
    fn connect(&mut self, id: &str, connection: &Connection) -> Result<bool> {
        // A set has many addresses: one that is known already is never connected to once more.
        let is_same = |known: &&mut Known| {
            known.id().is_some_and(|it| it == id) || known.source.reach.seeds == connection.seeds
        };
        match self.sets.iter_mut().find(is_same) {
            Some(known) if known.given.as_ref().is_none_or(|given| given == connection) => return Ok(false),
            Some(known) => *known = Known::of_connection(connection)?,
            None => self.sets.push(Known::of_connection(connection)?),
        }
        Ok(true)
    }
}

impl Known {
    /// Hands an order to the task, or starts one with it.
    fn obey(
        &mut self,
        order: SetOrder,
        mothership: &Arc<Mothership>,
        stop: &watch::Receiver<bool>,
        conf_now: &Arc<Notify>,
    ) {
        if let Some(work) = self.work.as_ref().filter(|work| !work.task.is_finished()) {
            work.orders.send_if_modified(|last| {
                let is_new = *last != order;
                *last = order;
                is_new
            });
            return;
        }
        let (orders, receiver) = watch::channel(order.clone());
        let task = SetTask {
            id: order.id,
            source: Arc::clone(&self.source),
            mothership: Arc::clone(mothership),
            orders: receiver,
            stop: stop.clone(),
            conf_now: Arc::clone(conf_now),
        };
        self.work = Some(Work { orders, task: tokio::spawn(task.run()) });
    }

    /// A driver that has seen a later election takes the primary of an earlier one for old news, for as long as it lives:
    /// after a while it is replaced, and the work begins anew from the server's state.
    fn believe(&mut self, is_disbelieved: bool) {
        self.disbelieved = if is_disbelieved { self.disbelieved + 1 } else { 0 };
        if self.disbelieved < MOST_DISBELIEVED {
            return;
        }
        self.disbelieved = 0;
        match Source::new(self.source.reach.clone()) {
            Ok(source) => {
                tracing::warn!(
                    set = self.source.reach.name,
                    "its primary is of an earlier election: connecting anew"
                );
                (self.source, self.work) = (Arc::new(source), None);
            }
            Err(error) => tracing::error!(set = self.source.reach.name, "{error}"),
        }
    }

    /// Takes note of how the set is, and says what is to be reported of it.
    fn seen(&mut self, report: Result<Found>) -> Option<SetReport> {
        let name = self.source.reach.name.clone();
        match report {
            Ok(Found { mut report, identity, is_disbelieved }) => {
                self.failure.clear();
                self.believe(is_disbelieved);
                let old = self.identity.replace(identity).map(|(old, _)| old);
                if let Some(old) = old.filter(|old| *old != report.id) {
                    let words =
                        format!("its id has changed from {old} to {}: it is another replica set", report.id);
                    tracing::error!(set = name, "{words}");
                    report.problems.push(words);
                    self.work = None;
                }
                Some(report)
            }
            Err(error) => {
                let words = error.to_string();
                if self.failure != words {
                    tracing::error!(set = name, "{words}");
                    self.failure.clone_from(&words);
                }
                Some(SetReport {
                    id: self.id()?.clone(),
                    name,
                    members: Vec::new(),
                    source_clock_ms: None,
                    majority: None,
                    oldest: None,
                    problems: vec![words],
                })
            }
        }
    }
}
