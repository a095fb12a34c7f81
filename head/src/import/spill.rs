//! Chunks of what is put aside: documents by ascending key, in a scratch file until the base is written.
//!
//! Nobody reads them but who wrote them, within one import, so their form is no format. In a chunk are documents as
//! they are; and of each large one, which is in the store already, four zeros, with which no document begins, the
//! length of the key, the key, the name of its node, and what nodes count of it.

#![warn(clippy::indexing_slicing)]

use crate::run::base::{Batches, Buffer, Collected, LargeItem, Merged, Sorted, Task, Tools};
use crate::run::{Problem, Result, RunError};
use std::collections::VecDeque;
use std::sync::Arc;
use tidemark_base::BlockId;
use tidemark_base::bson::Doc;
use tidemark_base::codec::{Put, Reader};
use tidemark_base::limits::MAX_KEY_BYTES;
use tidemark_blockstore::{Scratch, Spot};

/// About how long a chunk is, in bytes.
const CHUNK_BYTES: usize = 256 << 10;

/// What a large item begins with.
const MARK: [u8; 4] = [0; 4];

/// How many chunks of a stretch are read ahead.
const AHEAD: usize = 2;

/// How many chunks are on their way at once.
const PUT_AT_ONCE: usize = 16;

/// Puts all items, and says where the chunks are.
pub(super) fn put(tools: &Arc<Tools>, mut items: Merged<'_>) -> Result<Vec<Spot>> {
    let drawer = tools.drawer()?;
    let scratch = &drawer.scratch;
    let (mut spots, mut putting) = (Vec::new(), VecDeque::new());
    let mut chunk = scratch.chunk(CHUNK_BYTES);
    loop {
        let item = items.next()?;
        let is_end = item.is_none();
        let next_bytes = item.as_ref().map_or(0, |item| item.batch.document(item.number).len());
        let is_full = chunk.bytes().len() + next_bytes > CHUNK_BYTES;
        if (is_full || is_end) && !chunk.bytes().is_empty() {
            let full = std::mem::replace(&mut chunk, scratch.chunk(CHUNK_BYTES));
            let (scratch, charge) = (Arc::clone(scratch), tools.meter.charge(full.memory_bytes()));
            putting.push_back(drawer.begin(&tools.meter, move || {
                let put = scratch.write(full);
                drop(charge);
                put
            }));
        }
        while putting.len() >= if is_end { 1 } else { PUT_AT_ONCE } {
            let Some(task) = putting.pop_front() else { break };
            spots.push(Task::wait(task)?);
        }
        let Some(item) = item else { return Ok(spots) };
        match item.batch.large(item.number) {
            None => chunk.extend_from_slice(item.batch.document(item.number)),
            Some(large) => chunk.extend_from_slice(&large_item(item.key(), large)),
        }
    }
}

fn large_item(key: &[u8], large: LargeItem) -> Vec<u8> {
    let mut item = MARK.to_vec();
    item.put_u32(u32::try_from(key.len()).expect("keys are of at most a MiB"));
    item.extend_from_slice(key);
    item.extend_from_slice(large.id.as_bytes());
    item.put_u64(large.plain_bytes);
    item
}

/// What these chunks hold, one after the other.
pub(super) fn batches(tools: &Arc<Tools>, chunks: Vec<Spot>) -> Batches<'static> {
    let tools = Arc::clone(tools);
    let mut rest = chunks.into_iter();
    let mut reading = VecDeque::new();
    Box::new(move || {
        while reading.len() < AHEAD
            && let Some(spot) = rest.next()
        {
            let (drawer, reader) = (tools.drawer()?, Arc::clone(&tools));
            let scratch = Arc::clone(&drawer.scratch);
            reading.push_back(drawer.begin(&tools.meter, move || read(&reader, &scratch, spot)));
        }
        reading.pop_front().map(Task::wait).transpose()
    })
}

fn read(tools: &Tools, scratch: &Arc<Scratch>, spot: Spot) -> Result<Arc<Sorted>> {
    let chunk = scratch.read(spot)?;
    // It passed its checksum: whatever is wrong was wrong when it was put.
    let items = items(tools, chunk.bytes()).map_err(RunError::PutAside)?;
    if !items.ascends() {
        return Err(RunError::PutAside(Problem::Order));
    }
    Ok(Arc::new(items.batch(Buffer::read(chunk, scratch, &tools.meter), &tools.meter)))
}

fn items(tools: &Tools, chunk: &[u8]) -> Result<Collected, Problem> {
    let mut found = Collected::default();
    let mut reader = Reader::new(chunk);
    while !reader.rest().is_empty() {
        let start = reader.offset();
        if reader.rest().starts_with(&MARK) {
            reader.bytes("mark", MARK.len())?;
            let key_bytes = reader.len_u32("length of the key", MAX_KEY_BYTES)?;
            let key = reader.bytes("key", key_bytes)?;
            let id = BlockId::from_bytes(reader.array("name")?);
            let plain_bytes = reader.u64("length")?;
            found.large(tools, key, LargeItem { id, plain_bytes });
        } else {
            let (document, _) = Doc::first(reader.rest())?;
            reader.bytes("document", document.as_bytes().len())?;
            found.document(tools, document, start)?;
        }
    }
    Ok(found)
}
