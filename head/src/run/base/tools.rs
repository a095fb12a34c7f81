//! What all who work on one build share.

use super::buffer::Meter;
use super::item::LargeItem;
use super::task::Task;
use crate::run::cut::KeyCutter;
use crate::run::error::Result;
use crate::run::large::{Large, Lengths};
use crate::run::record::RunKind;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::{Arc, Mutex, PoisonError};
use tidemark_blockstore::{BlockRef, Cutter, Scratch, Session};

/// Pieces of a large document are put in portions of about so much, in bytes.
const PORTION_BYTES: usize = 4 << 20;

/// The session that is written to, how leaves are cut, and the count of the memory that is used.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) session: Session,
    pub(crate) meter: Arc<Meter>,
    pub(super) leaves: KeyCutter,
    values: Cutter,
    /// Documents over this length are large items.
    pub(super) max_leaf_item_bytes: usize,
    /// Where documents are put aside, once any are.
    drawer: Mutex<Option<Arc<Drawer>>>,
}

/// A file, and threads that may wait for its disk, so that those of the pool need not.
#[derive(Debug)]
pub(crate) struct Drawer {
    pub(crate) scratch: Arc<Scratch>,
    /// None if there are no threads to be had: then the others wait.
    waiting: Option<ThreadPool>,
}

/// So many threads keep any disk busy.
const MOST_WAITING: usize = 8;

impl Drawer {
    /// Begins work that waits for the disk.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        meter: &Arc<Meter>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Task<T> {
        match &self.waiting {
            Some(waiting) => Task::begin_on(waiting, meter, work),
            None => Task::begin(meter, work),
        }
    }
}

impl Tools {
    pub(crate) fn new(session: Session) -> Self {
        let superblock = session.store().superblock();
        let (leaves, values) = (KeyCutter::leaves(superblock), superblock.cutter());
        let max_leaf_item_bytes = superblock.cut_sizes.max_bytes as usize / 2;
        let drawer = Mutex::default();
        Self { session, meter: Arc::default(), leaves, values, max_leaf_item_bytes, drawer }
    }

    /// Where this build puts documents aside.
    pub(crate) fn drawer(&self) -> Result<Arc<Drawer>> {
        let mut drawer = self.drawer.lock().unwrap_or_else(PoisonError::into_inner);
        match &*drawer {
            Some(found) => Ok(Arc::clone(found)),
            None => {
                let scratch = Arc::new(self.session.store().scratch()?);
                let threads = rayon::current_num_threads().clamp(2, MOST_WAITING);
                let waiting = ThreadPoolBuilder::new().num_threads(threads).build().ok();
                Ok(Arc::clone(drawer.insert(Arc::new(Drawer { scratch, waiting }))))
            }
        }
    }

    /// Puts a document that no leaf takes, cut by its contents.
    pub(super) fn put_large(&self, document: &[u8]) -> Result<LargeItem> {
        let pieces: Vec<BlockRef<'_>> = self.values.cut(document).map(BlockRef::leaf).collect();
        let mut children = Vec::with_capacity(pieces.len());
        for some in pieces.chunks((PORTION_BYTES / self.max_leaf_item_bytes).max(1)) {
            children.extend(self.session.put(some)?);
        }
        let lengths = Lengths { key: 0, head: 0, contents: document.len() };
        let large = Large { own_children: 0, lengths, inline: &[] };
        let plain = large.encode(RunKind::Base, &children)?;
        let mut id = self.session.put(&[BlockRef::node(&plain)])?;
        let id = id.pop().expect("put names every block it is given");
        Ok(LargeItem { id, plain_bytes: large.plain_bytes() })
    }
}
