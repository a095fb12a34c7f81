//! Several workers at once, until they are told to end.

use super::{Stage, World};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tidemark_base::threads;

/// Threads that take steps on two databases.
#[derive(Debug)]
pub struct Workers {
    threads: Vec<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
}

impl Workers {
    /// Starts so many, each of which rests so long after each step.
    ///
    /// # Panics
    /// If no thread can be started.
    #[must_use]
    pub fn start(stage: &Stage, seed: u64, databases: &[String; 2], count: u64, rest: Duration) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let work = |thread: u64| {
            let mut world: World = stage.world(seed.wrapping_mul(1000) + thread, databases);
            let is_over = is_over.clone();
            let work = move || {
                while !is_over.load(Ordering::SeqCst) {
                    world.step();
                    std::thread::sleep(rest);
                }
            };
            threads::spawn("workload", work).unwrap()
        };
        Self { threads: (1..=count).map(work).collect(), is_over }
    }

    /// Waits until so many more steps are done.
    ///
    /// # Panics
    /// If a worker has ended by itself.
    pub fn wait_for(&self, stage: &Stage, steps: usize) {
        let before = stage.done();
        while stage.done() < before + steps {
            assert!(self.threads.iter().all(|thread| !thread.is_finished()), "a worker has ended by itself");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Tells all to end, and waits until they have.
    ///
    /// # Panics
    /// If one has panicked.
    pub fn finish(self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
