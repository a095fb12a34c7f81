//! Documents of a capped collection in the order of their insertion.
//!
//! They lie by key. One pass notes of each where it stands by key and by insertion; then they are read again in
//! windows of the order, within each by key, so that neighbours are read together and memory is bounded: by a
//! window, and some 30 bytes for each document. Compaction numbers them anew here, too.

use super::State;
use super::capped;
use super::told::Misfits;
use crate::delta::by_ref;
use crate::divergences::Divergences;
use crate::error::{HeadError, Result};
use crate::run::{KeyRange, Problem, Run, RunError, RunKind, RunWriter, Source};
use crate::stack::{MergeCursor, Report, Stack};
use tidemark_base::bson::Doc;
use tidemark_base::{BlockId, CollectionUuid};
use tidemark_blockstore::Session;

/// So much of documents is held together, in bytes; at least one document.
pub(super) const WINDOW_BYTES: usize = 64 << 20;

/// One key in so many is kept, to find documents again.
const MARK_EVERY: usize = 64;

/// Where a document stands. Sorts by the order of insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// The number of its insertion; the largest if it has none, which only a divergence leaves behind.
    number: u64,
    /// How many stand before it by key.
    rank: usize,
    bytes: usize,
}

/// Takes the key of a document, the document, and its number.
type Each<'e> = &'e mut dyn FnMut(&[u8], &[u8], u64) -> Result<()>;

/// Goes through documents by key, each with its number.
fn with_numbers(
    source: &dyn Source,
    documents: Stack<'_>,
    order: Stack<'_>,
    report: Report<'_>,
    each: Each<'_>,
) -> Result<()> {
    let mut documents = MergeCursor::open(source, documents, &KeyRange::ALL);
    let mut order = MergeCursor::open(source, order, &KeyRange::ALL);
    let mut numbered = next_number(&mut order)?;
    while let Some((key, document)) = documents.next(report)? {
        while numbered.as_ref().is_some_and(|(at, _)| at.as_slice() < key) {
            numbered = next_number(&mut order)?;
        }
        let number = numbered.as_ref().filter(|(at, _)| at == key).map_or(u64::MAX, |(_, number)| *number);
        each(key, document, number)?;
    }
    Ok(())
}

fn next_number(order: &mut MergeCursor<'_>) -> Result<Option<(Vec<u8>, u64)>> {
    let found = order.next(&mut |_, _| {})?;
    Ok(found.map(|(key, place)| {
        let number = Doc::new(place).ok().and_then(capped::number);
        (key.to_vec(), number.unwrap_or(u64::MAX))
    }))
}

/// Gives the documents of a base the numbers from 0 on, in the order they have, and says how many there are.
/// What comes out depends on the documents and their order alone: places without a document are gone.
pub(super) fn renumber(
    session: &Session,
    base: Option<&Run>,
    order: Stack<'_>,
) -> Result<(Option<Run>, u64)> {
    let documents = Stack { base, ..Stack::default() };
    let mut old: Vec<(u64, usize)> = Vec::new();
    with_numbers(session, documents, order, &mut |_, _| {}, &mut |_, _, number| {
        old.push((number, old.len()));
        Ok(())
    })?;
    old.sort_unstable();
    let mut by_rank: Vec<(usize, u64)> =
        old.into_iter().zip(0..).map(|((_, rank), new)| (rank, new)).collect();
    by_rank.sort_unstable();
    let count = by_rank.len() as u64;
    let mut writer = RunWriter::new(session, RunKind::Base);
    let mut documents = MergeCursor::open(session, documents, &KeyRange::ALL);
    for (_, number) in by_rank {
        let Some((key, document)) = documents.next(&mut |_, _| {})? else { break };
        // The spelling of the document: 1 may have become 1.0.
        if let Some(id) = Doc::new(document).ok().and_then(|document| document.get("_id").ok().flatten()) {
            writer.push(key, &capped::place(id, number), &[])?;
        }
    }
    Ok((writer.finish()?, count))
}

impl State {
    /// The documents of a capped collection in the order of insertion. One without a place comes last.
    pub(super) fn in_order(
        &self,
        source: &dyn Source,
        uuid: CollectionUuid,
        window_bytes: usize,
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Divergences> {
        let Some(stored) = self.stored.get(&uuid) else { return Ok(Divergences::default()) };
        let (top, order) = (self.documents.sorted(uuid), self.orders.sorted(uuid));
        let (top, order): (Vec<_>, Vec<_>) = (top.iter().collect(), order.iter().collect());
        let (top, order) = (by_ref(&top), by_ref(&order));
        let (documents, order) = (stored.documents.as_stack(&top), stored.order.as_stack(&order));
        let (mut places, mut marks) = (Vec::new(), Vec::new());
        let mut misfits = Misfits::new();
        let report = &mut |key: &[u8], misfit| misfits.push((key.to_vec(), misfit));
        with_numbers(source, documents, order, report, &mut |key, document, number| {
            let rank = places.len();
            if rank.is_multiple_of(MARK_EVERY) {
                marks.push(key.to_vec());
            }
            places.push(Place { number, rank, bytes: document.len() });
            Ok(())
        })?;
        places.sort_unstable();
        let documents = MergeCursor::open(source, documents, &KeyRange::ALL);
        let block = stored.documents.runs().next().map(|run| run.top);
        let mut again = Again { documents, next: 0, marks: &marks, block };
        let mut rest = places.as_slice();
        while !rest.is_empty() {
            let (window, later) = rest.split_at(window_len(rest, window_bytes));
            again.read(window, each)?;
            rest = later;
        }
        self.told(source, uuid, self.span_of(uuid), misfits)
    }
}

/// How many of the first documents are held together.
fn window_len(places: &[Place], window_bytes: usize) -> usize {
    let mut held = 0;
    let fits = |place: &&Place| {
        held += place.bytes;
        held <= window_bytes
    };
    places.iter().take_while(fits).count().max(1)
}

/// Reads documents again that were seen before.
struct Again<'s> {
    documents: MergeCursor<'s>,
    /// The rank of the document that comes next.
    next: usize,
    /// Of each [`MARK_EVERY`] documents the first key.
    marks: &'s [Vec<u8>],
    /// Of the first run, for errors.
    block: Option<BlockId>,
}

impl Again<'_> {
    /// Hands the documents of a window on, in its order.
    fn read(&mut self, window: &[Place], each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut by_rank: Vec<(usize, usize)> =
            window.iter().enumerate().map(|(turn, place)| (place.rank, turn)).collect();
        by_rank.sort_unstable();
        let mut held: Vec<(usize, std::ops::Range<usize>)> = Vec::with_capacity(by_rank.len());
        let mut bytes = Vec::with_capacity(window.iter().map(|place| place.bytes).sum());
        for (rank, turn) in by_rank {
            let start = bytes.len();
            self.document(rank, &mut bytes)?;
            held.push((turn, start..bytes.len()));
        }
        held.sort_unstable_by_key(|(turn, _)| *turn);
        held.into_iter().try_for_each(|(_, range)| each(bytes.get(range).unwrap_or_default()))
    }

    /// Appends the document of this rank.
    fn document(&mut self, rank: usize, out: &mut Vec<u8>) -> Result<()> {
        let is_near = (self.next..self.next.saturating_add(MARK_EVERY)).contains(&rank);
        if let Some(mark) = self.marks.get(rank / MARK_EVERY).filter(|_| !is_near) {
            self.documents.seek(mark);
            self.next = rank - rank % MARK_EVERY;
        }
        while let Some((_, document)) = self.documents.next(&mut |_, _| {})? {
            self.next += 1;
            if self.next > rank {
                out.extend_from_slice(document);
                return Ok(());
            }
        }
        // Seeking and going through find the same in a sound run.
        let count =
            Problem::Count { what: "documents read twice", said: rank as u64 + 1, found: self.next as u64 };
        Err(self.block.map_or(HeadError::Broken, |block| RunError::Damaged { block, problem: count }.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tidemark_base::bson::DocWriter;
    use tidemark_base::{OpTime, SeededEntropy};
    use tidemark_blockstore::{MemoryBackend, Store};
    use tidemark_oplog::catalog::Collection;
    use tidemark_oplog::filter::Filter;

    const A: CollectionUuid = CollectionUuid::from_bytes([1; 16]);

    fn document(write: impl FnOnce(&mut DocWriter<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        let mut w = DocWriter::new(&mut out);
        let open = w.begin();
        write(&mut w);
        w.end(open);
        out
    }

    #[test]
    fn the_order_is_the_same_whatever_is_held_together() {
        let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1))));
        let session = store.session(&[]).unwrap();
        let mut state = State::empty(OpTime::NULL, Filter::default());
        let (database, name) = ("app".to_owned(), "a".to_owned());
        let options = document(|w| w.bool(b"capped", true));
        state.insert_collection(A, Collection { database, name, options, indexes: Vec::new() }).unwrap();
        let noise = [7; 100];
        let made = |n: u32| {
            document(|w| {
                w.int32(b"_id", n.wrapping_mul(0x9e37_79b9).cast_signed());
                w.binary(b"noise", 0, &noise[..n as usize % 100]);
            })
        };
        let documents: Vec<Vec<u8>> = (0..3000).map(made).collect();
        let parts: Vec<Doc<'_>> = documents.iter().map(|it| Doc::new(it).unwrap()).collect();
        // In a base, in a patch run, and in memory.
        state.put_documents(A, &parts[..2000]).unwrap();
        state.compact(&session).unwrap();
        state.put_documents(A, &parts[2000..2500]).unwrap();
        state.flush(&session).unwrap();
        state.put_documents(A, &parts[2500..]).unwrap();
        for window_bytes in [0, 200, 5000, 50_000, usize::MAX] {
            let mut found = Vec::new();
            let each = &mut |document: &[u8]| {
                found.push(document.to_vec());
                Ok(())
            };
            state.in_order(&session, A, window_bytes, each).unwrap();
            assert!(found == documents, "windows of {window_bytes}");
        }
    }
}
