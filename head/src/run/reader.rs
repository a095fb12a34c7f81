//! Reading a run: single items, and cursors over stretches of it.

use super::cursor::RunCursor;
use super::error::Result;
use super::range::KeyRange;
use super::record::Run;
use super::source::Source;
use tidemark_base::BlockId;

/// Reads one run. Cheap to make: nothing is read before it is asked for.
#[derive(Clone)]
pub struct RunReader<'s> {
    source: &'s dyn Source,
    run: Run,
}

impl std::fmt::Debug for RunReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunReader").field("run", &self.run).finish_non_exhaustive()
    }
}

/// An item of a run, on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its contents; of a patch the payload alone.
    pub bytes: Vec<u8>,
    /// The blocks below it; only in a catalog.
    pub children: Vec<BlockId>,
}

impl<'s> RunReader<'s> {
    /// A reader of `run`.
    #[must_use]
    pub fn open(source: &'s dyn Source, run: &Run) -> Self {
        Self { source, run: run.clone() }
    }

    /// The run.
    #[must_use]
    pub const fn run(&self) -> &Run {
        &self.run
    }

    /// The item with this key. Reads one block of each level.
    ///
    /// # Errors
    /// Damage, and failures of the store.
    pub fn get(&self, key: &[u8]) -> Result<Option<Item>> {
        let mut cursor = self.cursor(KeyRange::only(key));
        let found = cursor.next()?;
        Ok(found.map(|found| Item { bytes: found.bytes.to_vec(), children: found.children().collect() }))
    }

    /// A cursor over the items with keys in `range`, before the first of them.
    #[must_use]
    pub fn cursor(&self, range: KeyRange) -> RunCursor<'s> {
        RunCursor::new(self.source, self.run.clone(), range)
    }
}
