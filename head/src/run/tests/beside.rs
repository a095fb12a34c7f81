//! Runs whose blocks are put by other threads while items are pushed.

use super::*;
use tidemark_blockstore::Error;
use tidemark_blockstore::fault::{Fault, FaultAt, FaultBackend};

/// Written with batches of so many bytes, by tasks.
fn write_beside(session: &Session, kind: RunKind, items: &Items, batch_bytes: usize) -> Result<Option<Run>> {
    RunWriter::write(session, kind, |writer| {
        writer.set_batch_bytes(batch_bytes);
        items.iter().try_for_each(|(key, item)| push(writer, kind, key, item))
    })
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

fn items() -> Items {
    let mut items = documents(1500, 700);
    for n in 1500..1503 {
        let (key, document) = numbered(n, &noise(7, 400_000));
        items.insert(key, (document, Vec::new()));
    }
    items
}

#[test]
fn the_same_items_make_the_same_run_whoever_puts_them() {
    let items = items();
    for kind in KINDS {
        let alone = store();
        let expected = write(&alone.session(&[]).unwrap(), kind, &items);
        for batch_bytes in [1, 100_000, usize::MAX] {
            let beside = || {
                let store = store();
                let session = store.session(&[]).unwrap();
                let run = write_beside(&session, kind, &items, batch_bytes).unwrap();
                assert!(read_all(&session, run.as_ref().unwrap()).unwrap() == items, "{kind:?}");
                run
            };
            assert_eq!(beside(), expected, "{kind:?}");
            // A pool of one thread has nobody else who could do the work.
            for threads in [1, 3] {
                assert_eq!(pool(threads).install(beside), expected, "{kind:?}, {threads}");
            }
        }
    }
}

#[test]
fn many_runs_at_once_in_a_pool_of_one_thread_and_of_few_are_all_written() {
    use rayon::prelude::*;
    let items = documents(300, 700);
    for threads in [1, 2] {
        let store = store();
        let session = store.session(&[]).unwrap();
        let write = |_| write_beside(&session, RunKind::Patch, &items, 1).unwrap().unwrap().top;
        let tops: BTreeSet<BlockId> = pool(threads).install(|| (0..40).into_par_iter().map(write).collect());
        assert_eq!(tops.len(), 1);
    }
}

#[test]
fn the_failure_that_explains_the_others_is_told_and_nobody_is_at_work_then() {
    let items = items();
    let mut failed = 0;
    for call in 1..60 {
        let memory = Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1)));
        let store = Store::new(Arc::new(FaultBackend::new(
            memory,
            FaultAt { call, fault: Fault::Fail, and_all_later: false },
        )));
        let Ok(session) = store.session(&[]) else { continue };
        let written = write_beside(&session, RunKind::Base, &items, 100_000);
        let Err(error) = written else { continue };
        failed += 1;
        assert!(matches!(error, RunError::Store(Error::Injected { .. })), "{call}: {error}");
    }
    assert!(failed > 5, "{failed}");
}

#[test]
fn what_fill_returns_is_told() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let error = RunWriter::write(&session, RunKind::Base, |writer| {
        writer.set_batch_bytes(1);
        let items = documents(500, 700);
        items.iter().try_for_each(|(key, item)| push(writer, RunKind::Base, key, item))?;
        Err(RunError::WrongKind { kind: RunKind::Base })
    });
    assert!(matches!(error, Err(RunError::WrongKind { .. })));
}
