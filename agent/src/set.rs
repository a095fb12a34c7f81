//! One replica set: from an order to a copy, a tail, or rest.
//!
//! A task of its own, started by the conf loop, so that sets do not wait for each other. What there is to do is read from
//! the server's durable state each time, and after everything unexpected; the order only says whether to do it at all.

use crate::backoff::Backoff;
use crate::copy::{self, Copy};
use crate::mothership::Mothership;
use crate::source::Source;
use crate::tail::Tail;
use crate::{Error, Result};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tidemark_base::protocol::{BeginSync, Code, Role, SetOrder, SetState, Sync, Task, Tip};
use tokio::sync::{Notify, watch};

/// How long the last slice may take when the agent is told to stop.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How often the state is read while the order and the state do not agree.
const PAUSE: Duration = Duration::from_secs(2);
/// How often it is looked whether another copy is wanted, while a head should be built of the last.
const LOOK: Duration = Duration::from_secs(10);

/// The work for one replica set.
#[derive(Debug)]
pub(crate) struct SetTask {
    pub(crate) id: String,
    pub(crate) source: Arc<Source>,
    pub(crate) mothership: Arc<Mothership>,
    pub(crate) orders: watch::Receiver<SetOrder>,
    pub(crate) stop: watch::Receiver<bool>,
    /// Rung when a conf call is wanted at once.
    pub(crate) conf_now: Arc<Notify>,
}

impl SetTask {
    /// Works until told to stop.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let mut stop = self.stop.clone();
            let has_work = |order: &SetOrder| order.role == Role::Active && order.task != Task::Rest;
            let order = tokio::select! {
                () = told(&mut stop) => return,
                order = self.orders.wait_for(has_work) => match order {
                    Ok(order) => order.clone(),
                    Err(_) => return,
                },
            };
            tracing::info!(set = self.id, task = ?order.task, "active");
            let outcome = tokio::select! {
                outcome = self.work(&order) => outcome,
                () = changed(self.orders.clone(), order.clone()) => {
                    tracing::info!(set = self.id, "another order");
                    backoff.reset();
                    continue;
                }
                () = async { told(&mut stop).await; tokio::time::sleep(LAST_WORDS).await } => return,
            };
            if *self.stop.borrow() {
                return;
            }
            match outcome {
                Ok(()) => {
                    backoff.reset();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => self.after(&error, &mut backoff).await,
            }
        }
    }

    /// What failed, said, and the pause it needs.
    async fn after(&self, error: &Error, backoff: &mut Backoff) {
        match error.refusal().map(|refusal| refusal.code) {
            Some(Code::Stopped | Code::NotFound) => {
                tracing::info!(set = self.id, "{error}; asking for orders");
                self.conf_now.notify_one();
                tokio::time::sleep(PAUSE).await;
            }
            Some(Code::UnknownKey) => {
                tracing::error!(set = self.id, "{error}; trying again in a minute");
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            _ => {
                tracing::warn!(set = self.id, "{error}");
                backoff.pause().await;
            }
        }
    }

    /// Does what the state says, until something ends it.
    async fn work(&self, order: &SetOrder) -> Result<()> {
        let (id, _) = self.source.config().await?;
        if id != self.id {
            self.conf_now.notify_one();
            return Err(Error::unexpected(
                "the replica set's id",
                format!("it was {} and is now {id}", self.id),
            ));
        }
        let SetState { task, tip, sync } = self.mothership.state(&self.id).await?;
        match (task, tip) {
            (Task::Rest, _) => {
                self.conf_now.notify_one();
                tokio::time::sleep(PAUSE).await;
                Ok(())
            }
            (Task::Tail, Some(tip)) => self.tail(tip).run().await,
            (Task::Tail, None) => Err(Error::unexpected("the server's state", "a tail without a tip")),
            (Task::Copy, tip) => self.copy_and_tail(tip, sync, order).await,
        }
    }

    fn tail(&self, tip: Tip) -> Tail<'_> {
        let tip = watch::Sender::new(tip);
        Tail {
            set: &self.id,
            source: &self.source,
            mothership: &self.mothership,
            tip,
            stop: self.stop.clone(),
        }
    }

    async fn copy_and_tail(&self, tip: Option<Tip>, sync: Option<Sync>, order: &SetOrder) -> Result<()> {
        // Also one that has ended: while a head is built of it, the oplog goes on.
        let (tip, sync) = match (tip, sync) {
            (Some(tip), Some(sync)) if sync.is_wanted => (tip, sync),
            (_, last) => self.begin(last.map(|sync| sync.number)).await?,
        };
        let tail = self.tail(tip);
        let copy = Copy {
            set: &self.id,
            sync: sync.number,
            source: &self.source,
            mothership: &self.mothership,
            orders: self.orders.clone(),
            tip: tail.tip.subscribe(),
        };
        tracing::info!(set = self.id, copy = sync.number, throttle = ?order.throttle_bytes_per_second, "copying");
        let mut tailing = pin!(tail.run());
        tokio::select! {
            ended = &mut tailing => return ended,
            copied = copy.run() => if !copied? {
                return Ok(());
            },
        }
        loop {
            tokio::select! {
                ended = &mut tailing => return ended,
                () = tokio::time::sleep(LOOK) => if self.is_another_copy_wanted(sync.number).await {
                    return Ok(());
                },
            }
        }
    }

    /// Whether, while a head should be built of a copy, another one was ordered: orders do not say which copy they mean.
    async fn is_another_copy_wanted(&self, copied: u32) -> bool {
        if self.orders.borrow().task != Task::Copy {
            return false;
        }
        let state = self.mothership.state(&self.id).await;
        let last = state.ok().and_then(|it| it.sync);
        last.is_some_and(|last| last.number != copied || !last.is_wanted)
    }

    /// Begins a copy, and the chain after it.
    async fn begin(&self, after: Option<u32>) -> Result<(Tip, Sync)> {
        let at = copy::begin(&self.source).await?;
        let sync = self.mothership.begin(&self.id, &BeginSync { after, at }).await?;
        let state = self.mothership.state(&self.id).await?;
        let tip = state.tip.ok_or_else(|| Error::unexpected("the server's state", "a copy without a tip"))?;
        Ok((tip, sync))
    }
}

/// Waits until it is told to stop; whoever tells may also be gone.
pub(crate) async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits for an order by which what is done is no longer what is wanted.
async fn changed(mut orders: watch::Receiver<SetOrder>, mut done: SetOrder) {
    loop {
        if orders.changed().await.is_err() {
            // Nobody gives orders any more: the agent stops, which is told elsewhere.
            return std::future::pending().await;
        }
        let now = orders.borrow_and_update().clone();
        if begins_anew(&mut done, &now) {
            return;
        }
    }
}

fn begins_anew(done: &mut SetOrder, now: &SetOrder) -> bool {
    // The copy that was ordered has ended, and its tail goes on.
    if done.task == Task::Copy && now.task == Task::Tail {
        done.task = Task::Tail;
    }
    let is_copied_otherwise =
        now.excluded_namespaces != done.excluded_namespaces || now.sync_source != done.sync_source;
    now.role != done.role || now.task != done.task || now.task == Task::Copy && is_copied_otherwise
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::protocol::SyncSource;

    fn order(role: Role, task: Task) -> SetOrder {
        SetOrder {
            id: String::new(),
            role,
            task,
            excluded_namespaces: Vec::new(),
            sync_source: SyncSource::Secondary,
            throttle_bytes_per_second: None,
            connection: None,
        }
    }

    #[test]
    fn what_goes_on_and_what_begins_anew() {
        let mut done = order(Role::Active, Task::Copy);
        assert!(!begins_anew(&mut done, &order(Role::Active, Task::Copy)));
        let slower = SetOrder { throttle_bytes_per_second: Some(1), ..order(Role::Active, Task::Copy) };
        assert!(!begins_anew(&mut done, &slower));
        let from_primary = SetOrder { sync_source: SyncSource::Primary, ..order(Role::Active, Task::Copy) };
        assert!(begins_anew(&mut done, &from_primary));
        assert!(!begins_anew(&mut done, &order(Role::Active, Task::Tail)), "the copy has ended");
        assert!(begins_anew(&mut done, &order(Role::Active, Task::Copy)), "a new copy");
        assert!(begins_anew(&mut done, &order(Role::Standby, Task::Tail)));
        assert!(begins_anew(&mut done, &order(Role::Active, Task::Rest)));
    }
}
