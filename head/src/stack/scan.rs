//! The documents of a whole stack, read part by part on all threads and handed on in order.
//!
//! For exports, proofs and whoever else goes through everything. A few parts for each thread are being read while one
//! is handed on, so memory is bounded whatever the stack: a part that becomes much longer than nodes and patches let
//! expect is given up, and read again piece by piece when its turn comes. Documents that no patch touches are neither copied nor
//! looked at but for their key: what is handed on then is a stretch of the base's leaf.

#![warn(clippy::indexing_slicing)]

use super::parts::{Part, Parts};
use super::{MergeCursor, Next, Report, Stack};
use crate::patch::Misfit;
use crate::run::{Cached, KeyRange, Result, RunError, Source, Stretch};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::Duration;
use tidemark_base::bson::split;

/// Most bytes that nodes and leaves of patches are held in: parts that lie side by side read the same.
const CACHE_BYTES: usize = 64 << 20;

/// About how long a part is, in bytes of documents and patches: many times a leaf, and of which a few for each
/// thread can be held.
const PART_BYTES: u64 = 2 << 20;

/// How much longer a part, or its documents, may be and still be read as a whole. One that is not comes about where
/// many keys begin with the same kilobyte, which nodes cannot tell apart, or where short patches make long documents.
const HUGE_TIMES: u64 = 16;

/// How many parts are being read, or read and not handed on, for each thread of the pool.
const PARTS_PER_THREAD: usize = 3;

/// About how many bytes of documents are handed on together if they are not read in parallel.
const BATCH_BYTES: usize = 2 << 20;

/// Shorter stretches of a leaf than this are copied: who writes shall not have to do it in small pieces.
const COPIED_BYTES: usize = 16 << 10;

/// For how long a thread of the pool sleeps that has nothing to do but wait.
const NAP: Duration = Duration::from_micros(100);

/// Documents that come one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pieces: Vec<Piece>,
    /// What patches made of documents, and what is short.
    made: Vec<u8>,
    /// How many they are.
    pub(crate) count: u64,
    /// Their length.
    pub(crate) bytes: usize,
    /// The length of the longest one.
    pub(crate) longest_bytes: usize,
    misfits: Vec<(Vec<u8>, Misfit)>,
}

#[derive(Debug)]
enum Piece {
    Stretch(Stretch),
    /// Stands in what was made.
    Made(Range<usize>),
}

impl Batch {
    /// The documents, whole ones in each piece.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Stretch(stretch) => stretch.bytes(),
            Piece::Made(range) => self.made.get(range.clone()).unwrap_or_default(),
        })
    }

    /// The documents, one by one.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &[u8]> {
        let documents = self.pieces().flat_map(split);
        documents.map(|document| document.expect("they were split before to be checked").as_bytes())
    }

    fn stretch(&mut self, stretch: Stretch) {
        self.count += stretch.documents;
        self.bytes += stretch.bytes().len();
        self.longest_bytes = self.longest_bytes.max(stretch.longest_bytes);
        if stretch.bytes().len() < COPIED_BYTES {
            self.put(stretch.bytes());
        } else {
            self.pieces.push(Piece::Stretch(stretch));
        }
    }

    /// Adds a document.
    pub(crate) fn document(&mut self, document: &[u8]) {
        self.count += 1;
        self.bytes += document.len();
        self.longest_bytes = self.longest_bytes.max(document.len());
        self.put(document);
    }

    fn put(&mut self, documents: &[u8]) {
        let start = self.made.len();
        self.made.extend_from_slice(documents);
        let end = self.made.len();
        match self.pieces.last_mut() {
            Some(Piece::Made(range)) => range.end = end,
            _ => self.pieces.push(Piece::Made(start..end)),
        }
    }

    /// Takes documents from a cursor until there are no more, or `most_bytes` of them. Whether there may be more.
    fn fill(&mut self, documents: &mut MergeCursor<'_>, most_bytes: usize) -> Result<bool> {
        let mut misfits = std::mem::take(&mut self.misfits);
        let report = &mut |key: &[u8], misfit| misfits.push((key.to_vec(), misfit));
        while self.bytes < most_bytes {
            match documents.next_piece(report)? {
                Some(Next::Stretch(stretch)) => self.stretch(stretch),
                Some(Next::Document(document)) => self.document(document),
                None => {
                    self.misfits = misfits;
                    return Ok(false);
                }
            }
        }
        self.misfits = misfits;
        Ok(true)
    }
}

/// Goes through all documents of a stack. `work` is done with them in parallel, part by part; what comes of it is
/// given to `each` in the order of the keys, on this thread. What does not fit is reported before that.
///
/// # Errors
/// Damage; failures of the store; what `work` and `each` return.
pub(crate) fn scan<T, E>(
    source: &dyn Source,
    stack: Stack<'_>,
    work: &(dyn Fn(Batch) -> Result<T, E> + Sync),
    report: Report<'_>,
    each: &mut dyn FnMut(T) -> Result<(), E>,
) -> Result<(), E>
where
    T: Send,
    E: From<RunError> + Send,
{
    scan_by(PART_BYTES, source, stack, work, report, each)
}

/// The same in parts of about so many bytes.
pub(super) fn scan_by<T, E>(
    part_bytes: u64,
    source: &dyn Source,
    stack: Stack<'_>,
    work: &(dyn Fn(Batch) -> Result<T, E> + Sync),
    report: Report<'_>,
    each: &mut dyn FnMut(T) -> Result<(), E>,
) -> Result<(), E>
where
    T: Send,
    E: From<RunError> + Send,
{
    let own = Cached::new(source, CACHE_BYTES);
    let source: &dyn Source = if source.cache().is_some() { source } else { &own };
    let mut parts = Parts::open(source, stack, part_bytes)?;
    let mut next = parts.next()?;
    let most_ahead = PARTS_PER_THREAD * rayon::current_num_threads();
    let most_bytes = part_bytes.saturating_mul(HUGE_TIMES);
    rayon::in_place_scope_fifo(|scope| {
        let mut ahead: VecDeque<Ahead<T, E>> = VecDeque::new();
        loop {
            while ahead.len() < most_ahead
                && let Some(part) = next.take()
            {
                next = parts.next()?;
                let is_only = ahead.is_empty() && next.is_none();
                if is_only || part.bytes > most_bytes {
                    ahead.push_back(Ahead::Here(part));
                    continue;
                }
                let (done, answer) = sync_channel(1);
                let range = part.range.clone();
                scope.spawn_fifo(move |_| {
                    // Nobody waits for it any more if another part has failed.
                    let _ = done.send(read(most_bytes, source, stack, &range, work));
                });
                ahead.push_back(Ahead::There(part, answer));
            }
            match ahead.pop_front() {
                None => return Ok(()),
                Some(Ahead::Here(part)) => read_here(source, stack, &part.range, work, report, each)?,
                Some(Ahead::There(part, answer)) => {
                    // Without an answer the part has panicked, and so will the scope.
                    let Some(found) = wait(&answer) else { return Ok(()) };
                    let Some(Done { misfits, of_work }) = found? else {
                        read_here(source, stack, &part.range, work, report, each)?;
                        continue;
                    };
                    misfits.into_iter().for_each(|(key, misfit)| report(&key, misfit));
                    each(of_work)?;
                }
            }
        }
    })
}

/// A part that comes later.
enum Ahead<T, E> {
    /// It is read on this thread when its turn comes.
    Here(Part),
    /// It is being read; none comes if it was given up.
    There(Part, Receiver<Result<Option<Done<T>>, E>>),
}

struct Done<T> {
    misfits: Vec<(Vec<u8>, Misfit)>,
    of_work: T,
}

/// Reads a part as a whole; none if it has more bytes of documents than this.
fn read<T, E: From<RunError>>(
    most_bytes: u64,
    source: &dyn Source,
    stack: Stack<'_>,
    range: &KeyRange,
    work: &(dyn Fn(Batch) -> Result<T, E> + Sync),
) -> Result<Option<Done<T>>, E> {
    let mut batch = Batch::default();
    let most_bytes = usize::try_from(most_bytes).unwrap_or(usize::MAX);
    if batch.fill(&mut MergeCursor::of_part(source, stack, range), most_bytes)? {
        return Ok(None);
    }
    let misfits = std::mem::take(&mut batch.misfits);
    Ok(Some(Done { misfits, of_work: work(batch)? }))
}

/// Reads a part on this thread, and hands it on piece by piece.
fn read_here<T, E: From<RunError>>(
    source: &dyn Source,
    stack: Stack<'_>,
    range: &KeyRange,
    work: &(dyn Fn(Batch) -> Result<T, E> + Sync),
    report: Report<'_>,
    each: &mut dyn FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let mut documents = MergeCursor::open(source, stack, range);
    let mut is_more = true;
    while is_more {
        let mut batch = Batch::default();
        is_more = batch.fill(&mut documents, BATCH_BYTES)?;
        std::mem::take(&mut batch.misfits).into_iter().for_each(|(key, misfit)| report(&key, misfit));
        each(work(batch)?)?;
    }
    Ok(())
}

/// Waits for an answer; none if it will never come. A thread of the pool works on what there is meanwhile, since what
/// it waits for may be waiting for a thread.
fn wait<T>(answer: &Receiver<T>) -> Option<T> {
    if rayon::current_thread_index().is_none() {
        return answer.recv().ok();
    }
    loop {
        match answer.try_recv() {
            Ok(found) => return Some(found),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {}
        }
        if rayon::yield_now() != Some(rayon::Yield::Executed) {
            match answer.recv_timeout(NAP) {
                Ok(found) => return Some(found),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}
