//! The copy: every collection that the filter keeps, read in natural order from one member.
//!
//! Run by a set's task beside the tail, which has begun at the same entry. It goes on from what the server has: after a
//! crash, an election or a lost member the same collections are gone on with, where the record ids of the member allow
//! it, and scanned again where not. Copies read with majority concern from a member that is not behind the beginning, so
//! that whatever they miss is in the oplog that is tailed. Which collections there are counts only once a majority has it:
//! after a drop that was rolled back the oplog would not say what the copy lacks.
//!
//! Deliberately not here: order by `_id` (a scan that cannot be gone on with is begun anew), and what documents mean.

mod begin;
mod choice;
mod member;
mod scan;
mod throttle;

pub(crate) use begin::begin;

use crate::backoff::Backoff;
use crate::mothership::{Copied, Mothership};
use crate::source::{self, Found, Source};
use crate::{Error, Result};
use choice::Choice;
use member::Member;
use scan::Scan;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use throttle::Throttle;
use tidemark_base::CollectionUuid;
use tidemark_base::protocol::{EndScan, EndSync, SetOrder, Sync, SyncCollection, Tip};
use tidemark_oplog::filter::Filter;
use tokio::sync::watch;

/// The copy of one set.
#[derive(Debug)]
pub(crate) struct Copy<'a> {
    pub(crate) set: &'a str,
    /// The number of the copy.
    pub(crate) sync: u32,
    pub(crate) source: &'a Source,
    pub(crate) mothership: &'a Mothership,
    pub(crate) orders: watch::Receiver<SetOrder>,
    /// How far the tail is acknowledged.
    pub(crate) tip: watch::Receiver<Tip>,
}

/// A collection that is to be scanned, under the name it has now, and how far it is.
type Task = (Found, SyncCollection);

impl Copy<'_> {
    /// Copies all there is to copy, and ends the copy. False if another copy is wanted by now.
    ///
    /// # Errors
    /// What the server refuses: the state must be read again. Failures of the source are tried again here.
    pub(crate) async fn run(&self) -> Result<bool> {
        let (mut backoff, mut choice) = (Backoff::default(), Choice::default());
        loop {
            let error = match self.attempt(&mut choice).await {
                Ok(is_whole) => return Ok(is_whole),
                Err(error) if error.refusal().is_some() => return Err(error),
                Err(error) => error,
            };
            tracing::warn!(set = self.set, "the copy is interrupted: {error}");
            backoff.pause().await;
        }
    }

    async fn attempt(&self, choice: &mut Choice) -> Result<bool> {
        let state = self.mothership.state(self.set).await?;
        let Some(sync) = state.sync.filter(|sync| sync.number == self.sync && sync.is_wanted) else {
            return Ok(false);
        };
        if sync.until.is_some() {
            return Ok(true);
        }
        let order = self.orders.borrow().clone();
        let member = choice.choose(self.source, &order.sync_source, &sync).await?;
        member.await_majority(sync.at).await.inspect_err(|error| choice.blame(&member, error))?;
        tracing::info!(set = self.set, copy = self.sync, "copying from {}", member.node);
        // An election fails this too.
        let tasks = self.tasks(&member, &order, &sync).await;
        let tasks = tasks.inspect_err(|error| choice.doubt(&member, error))?;
        self.scans(&member, tasks).await.inspect_err(|error| choice.blame(&member, error))?;
        self.finish().await?;
        Ok(true)
    }

    /// Scans what is to be scanned, two collections at once. Fails when one of them gets no further.
    async fn scans(&self, member: &Member, tasks: VecDeque<Task>) -> Result<()> {
        let tasks = Mutex::new(tasks);
        let throttle = Throttle::new(self.orders.clone());
        tokio::try_join!(self.work(member, &tasks, &throttle), self.work(member, &tasks, &throttle))?;
        Ok(())
    }

    /// What is still to be scanned. Describes what is new, and ends what is gone.
    async fn tasks(&self, member: &Member, order: &SetOrder, sync: &Sync) -> Result<VecDeque<Task>> {
        let filter = Filter::new(&order.excluded_namespaces, &[] as &[&str])
            .map_err(|error| Error::unexpected("the namespaces that are left out", error))?;
        let mut known: BTreeMap<_, _> = sync.collections.iter().map(|it| (it.uuid, it.clone())).collect();
        let mut tasks = VecDeque::new();
        let seen = member.settled(self.source, seen(member, &filter, &known)).await?;
        for (found, description) in seen {
            let progress = match (known.remove(&found.uuid), description) {
                (Some(progress), _) => progress,
                (None, Some(description)) => {
                    self.mothership.describe(&self.copied(found.uuid), description).await?
                }
                (None, None) => continue,
            };
            if !progress.is_done {
                tasks.push_back((found, progress));
            }
        }
        // Dropped since, or never there by the oplog alone: whatever is missing of them, the oplog says.
        for gone in known.into_values().filter(|it| !it.is_done) {
            let message = EndScan { scan: gone.scan, batches: gone.next };
            self.mothership.end_scan(&self.copied(gone.uuid), &message).await?;
        }
        Ok(tasks)
    }

    /// Scans one collection after the other.
    async fn work(&self, member: &Member, tasks: &Mutex<VecDeque<Task>>, throttle: &Throttle) -> Result<()> {
        loop {
            let next = tasks.lock().expect("nobody panics while holding it").pop_front();
            let Some((found, progress)) = next else { return Ok(()) };
            let copied = self.copied(progress.uuid);
            let (mothership, source) = (self.mothership, self.source);
            Scan { mothership, source, copied, member, found, throttle }.run(progress).await?;
        }
    }

    /// Waits until the oplog sent reaches behind everything copied, and says so.
    async fn finish(&self) -> Result<()> {
        // Behind everything that the scans can have seen, whichever member they read.
        let until = self.source.settled().await?.ts;
        tracing::info!(
            set = self.set,
            copy = self.sync,
            "all collections are copied; the copy is whole at {until}"
        );
        let mut tip = self.tip.clone();
        // Gone with the tail, and then nobody asks any more.
        let _ = tip.wait_for(|tip| tip.at.ts >= until).await;
        self.mothership.end(self.set, self.sync, &EndSync { until }).await?;
        tracing::info!(set = self.set, copy = self.sync, "the copy has ended");
        Ok(())
    }

    const fn copied(&self, uuid: CollectionUuid) -> Copied<'_> {
        Copied { set: self.set, sync: self.sync, uuid }
    }
}

/// The collections of a member that the filter keeps, with descriptions of those that are not known; without one, if a
/// collection has gone meanwhile.
async fn seen(
    member: &Member,
    filter: &Filter,
    known: &BTreeMap<CollectionUuid, SyncCollection>,
) -> Result<Vec<(Found, Option<Vec<u8>>)>> {
    let mut seen = Vec::new();
    for found in source::collections(&member.client, filter).await? {
        let description = match known.contains_key(&found.uuid) {
            true => None,
            false => found.describe(&member.client).await?,
        };
        seen.push((found, description));
    }
    Ok(seen)
}
