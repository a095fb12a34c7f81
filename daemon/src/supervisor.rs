//! The thread that looks: which jobs there are, which of its own have ended, and whether to end.
//!
//! It does no work itself, so that heartbeats come whatever the jobs do. Whatever fails here is tried again at the next
//! look; jobs go on meanwhile, since their leases are hints.

use crate::chores;
use crate::error::{DaemonError, Result};
use crate::jobs::{self, Class};
use crate::shared::Shared;
use crate::work::Work;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tidemark_base::{ErrorKind, threads};
use tidemark_metadata::rules::lease::Holder;
use tidemark_metadata::{Job, Outcome, Record, Text};

/// How often leases are renewed: four times as often as they run out.
const BEAT: Duration = Duration::from_secs(15);
/// How often an outcome that cannot be noted is tried again while the daemon ends.
const LAST_ATTEMPTS: u32 = 5;

pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    holder: Holder,
    running: BTreeMap<String, Running>,
    /// When leases were last renewed, by the monotonic clock.
    beat: Option<Duration>,
    /// What went wrong at the last look, to be told once.
    trouble: Option<String>,
}

/// A job in work.
struct Running {
    work: Arc<Work>,
    class: Class,
    thread: Option<JoinHandle<Result<Outcome>>>,
    /// Once it has ended: how.
    outcome: Option<Outcome>,
}

impl Supervisor {
    pub(crate) fn new(shared: Arc<Shared>, holder: Holder) -> Self {
        Self { shared, holder, running: BTreeMap::new(), beat: None, trouble: None }
    }

    pub(crate) fn run(mut self) {
        loop {
            let looked = self.look();
            self.tell(looked.err());
            if self.shared.bell.rest(self.shared.config.poll) {
                return self.end();
            }
        }
    }

    /// What lasts is told once.
    fn tell(&mut self, error: Option<DaemonError>) {
        let trouble = error.map(|error| error.to_string());
        match (&self.trouble, &trouble) {
            (before, Some(now)) if before.as_ref() != Some(now) => tracing::warn!("work waits: {now}"),
            (Some(_), None) => tracing::info!("work goes on"),
            _ => {}
        }
        self.trouble = trouble;
    }

    /// Does everything, whatever fails of it; the first failure is told.
    fn look(&mut self) -> Result<()> {
        let (reaped, lived) = (self.reap(), self.live());
        let (queued, claimed) = (chores::queue(&self.shared), self.claim());
        reaped.and(lived).and(queued).and(claimed)
    }

    /// Notes how jobs ended.
    fn reap(&mut self) -> Result<()> {
        for running in self.running.values_mut() {
            if running.thread.as_ref().is_some_and(JoinHandle::is_finished)
                && let Some(thread) = running.thread.take()
            {
                let ended = thread.join().unwrap_or(Err(DaemonError::Panicked));
                running.outcome = Some(outcome(&running.work, ended));
            }
        }
        let ended: Vec<String> =
            self.running.iter().filter(|(_, it)| it.outcome.is_some()).map(|(id, _)| id.clone()).collect();
        let mut failed = Ok(());
        for id in ended {
            match self.finish(&id) {
                Ok(()) => drop(self.running.remove(&id)),
                // Its outcome is kept, and noted at the next look.
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        failed
    }

    fn finish(&self, id: &str) -> Result<()> {
        let Some(Running { work, outcome: Some(outcome), .. }) = self.running.get(id) else { return Ok(()) };
        let (shared, job) = (&self.shared, &work.job);
        let finished =
            shared.metadata.finish_job(&work.claim, outcome, shared.now(), shared.entropy().as_mut());
        match finished {
            // Another's by now, or gone with its subject: nobody asks how it ended here.
            Err(error) if matches!(error.kind(), ErrorKind::Fenced | ErrorKind::NotFound) => return Ok(()),
            other => other?,
        }
        let told = match outcome {
            Outcome::Failed(why) => Some(why),
            // Only the first failure in a row.
            Outcome::Again(why) if job.failures == 0 => Some(why),
            _ => None,
        };
        if let Some(why) = told {
            let text = format!("{}: {why}", jobs::name(job.kind));
            shared.note(job.group, "JOB_FAILED", Some(&job.subject), &text);
        }
        Ok(())
    }

    /// Says that this daemon lives, and its jobs too.
    fn live(&mut self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let monotonic = shared.clock.monotonic();
        if self.beat.is_some_and(|beat| monotonic < beat + BEAT) {
            return Ok(());
        }
        if !shared.metadata.daemon_lives(&shared.me, shared.now())? {
            tracing::error!("another daemon was started as {}: this one ends", shared.config.name);
            shared.bell.ring();
            return Ok(());
        }
        for Running { work, .. } in self.running.values() {
            match shared.metadata.job_heartbeat(&work.claim, shared.now(), &work.progress()) {
                Ok(false) => {}
                Ok(true) => work.cancel(),
                Err(error) if matches!(error.kind(), ErrorKind::Fenced | ErrorKind::NotFound) => work.fence(),
                Err(error) => return Err(error.into()),
            }
        }
        self.beat = Some(monotonic);
        Ok(())
    }

    /// Takes jobs, the urgent ones first, as many as there is room for.
    fn claim(&mut self) -> Result<()> {
        if self.shared.bell.is_rung() {
            return Ok(());
        }
        let mut claimable = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.shared.metadata.open_jobs(after.as_deref(), usize::MAX)?;
            let Some(last) = page.last() else { break };
            after = Some(last.record.id());
            for job in page.into_iter().map(|stored| stored.record) {
                match self.running.get(&job.id()) {
                    // Orders come with the next look, not only with the next beat.
                    Some(running) if job.cancel_requested && running.work.claim.epoch == job.epoch => {
                        running.work.cancel();
                    }
                    Some(_) => {}
                    None => claimable.extend(Class::of(job.kind).map(|class| (class, job))),
                }
            }
        }
        claimable.retain(|(_, job)| job.is_claimable(&self.holder, self.shared.now()));
        claimable.sort_by_key(|(_, job)| (jobs::rank(job.kind), job.queued_at));
        for (class, job) in claimable {
            let busy = self.running.values().filter(|it| it.class == class).count();
            if busy < class.places(&self.shared.config) {
                self.begin(class, &job)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, class: Class, job: &Job) -> Result<()> {
        let (shared, id) = (&self.shared, job.id());
        let Some(claim) = shared.metadata.claim_job(&id, &self.holder, shared.now())? else { return Ok(()) };
        tracing::debug!(job = id, "begins");
        let work = Arc::new(Work::new(Arc::clone(shared), job.clone(), claim));
        let mine = Arc::clone(&work);
        let (thread, outcome) = match threads::spawn(jobs::name(job.kind), move || jobs::run(&mine)) {
            Ok(thread) => (Some(thread), None),
            Err(error) => (None, Some(Outcome::Again(Text::fit(&DaemonError::from(error).to_string())))),
        };
        self.running.insert(id, Running { work, class, thread, outcome });
        Ok(())
    }

    /// Waits for all jobs, and lays them down.
    fn end(mut self) {
        let mut failures = 0;
        while !self.running.is_empty() && failures < LAST_ATTEMPTS {
            if let Err(error) = self.reap().and_then(|()| self.live()) {
                failures += 1;
                tracing::warn!("a job cannot be laid down: {error}");
            }
            let still = self.running.values().find_map(|it| it.thread.as_ref()).is_some();
            if still {
                // The bell has rung, so this is no rest: the thread itself is waited for.
                self.join_one();
            }
        }
        // Threads are not left behind, whatever the metadata says.
        while self.running.values().any(|it| it.thread.is_some()) {
            self.join_one();
        }
    }

    /// Waits for one thread.
    fn join_one(&mut self) {
        let Some(running) = self.running.values_mut().find(|it| it.thread.is_some()) else { return };
        if let Some(thread) = running.thread.take() {
            let ended = thread.join().unwrap_or(Err(DaemonError::Panicked));
            running.outcome = Some(outcome(&running.work, ended));
        }
    }
}

/// How a piece of work ended.
fn outcome(work: &Work, ended: Result<Outcome>) -> Outcome {
    let error = match ended {
        Ok(outcome) => return outcome,
        Err(error) => error,
    };
    if work.is_cancelled() {
        return Outcome::Cancelled;
    }
    if work.is_over() {
        return Outcome::Released;
    }
    tracing::warn!(job = work.claim.job, kind = %error.kind(), "failed: {error}");
    Outcome::Again(Text::fit(&error.to_string()))
}
