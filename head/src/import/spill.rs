//! Blocks of what is put aside: documents by ascending key, until the base is written.
//!
//! Nobody reads them but who wrote them, within one import, so their form is no format. A block begins with four
//! zeros, which no documents do. Then come documents as they are; and of each large one, which is in the store
//! already, four zeros, the length of the key, the key, the name of its node, and what nodes count of it.

#![warn(clippy::indexing_slicing)]

use crate::run::base::{Batches, Buffer, Collected, LargeItem, Merged, Sorted, Task, Tools};
use crate::run::{Problem, Result, RunError};
use std::collections::VecDeque;
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::codec::{Put, Reader};
use tidemark_base::limits::MAX_KEY_BYTES;
use tidemark_base::{BlockId, BlockKind};
use tidemark_blockstore::{Block, BlockRef};

/// About how long a block is: a little less than what is named fastest.
const BLOCK_BYTES: usize = 240 << 10;

/// What a block begins with, and a large item in it.
const MARK: [u8; 4] = [0; 4];

/// How many blocks are read ahead.
const AHEAD: usize = 2;

/// How many blocks are on their way at once.
const PUT_AT_ONCE: usize = 16;

/// Puts all items, and names the blocks.
pub(super) fn put(tools: &Arc<Tools>, mut items: Merged<'_>) -> Result<Vec<BlockId>> {
    let (mut blocks, mut putting) = (Vec::new(), VecDeque::new());
    let mut plain = Vec::new();
    loop {
        let item = items.next()?;
        let is_end = item.is_none();
        if plain.len() >= BLOCK_BYTES || (is_end && !plain.is_empty()) {
            let (bytes, tools) = (std::mem::take(&mut plain), Arc::clone(tools));
            let charge = tools.meter.charge(bytes.capacity());
            let meter = Arc::clone(&tools.meter);
            putting.push_back(Task::begin(&meter, move || {
                let put = tools.session.put_passing(&[BlockRef::leaf(&bytes)]);
                drop(charge);
                put
            }));
        }
        while putting.len() >= if is_end { 1 } else { PUT_AT_ONCE } {
            let Some(task) = putting.pop_front() else { break };
            blocks.extend(Task::wait(task)?);
        }
        let Some(item) = item else { return Ok(blocks) };
        if plain.is_empty() {
            plain.reserve(BLOCK_BYTES + (4 << 10));
            plain.extend_from_slice(&MARK);
        }
        match item.batch.large(item.number) {
            None => plain.extend_from_slice(item.batch.document(item.number)),
            Some(large) => {
                plain.extend_from_slice(&MARK);
                let key = item.key();
                plain.put_u32(u32::try_from(key.len()).expect("keys are of at most a MiB"));
                plain.extend_from_slice(key);
                plain.extend_from_slice(large.id.as_bytes());
                plain.put_u64(large.plain_bytes);
            }
        }
    }
}

/// What these blocks hold, one after the other.
pub(super) fn batches(tools: &Arc<Tools>, blocks: Vec<BlockId>) -> Batches<'static> {
    let tools = Arc::clone(tools);
    let mut rest = blocks.into_iter();
    let mut reading = VecDeque::new();
    Box::new(move || {
        while reading.len() < AHEAD
            && let Some(id) = rest.next()
        {
            let tools = Arc::clone(&tools);
            let meter = Arc::clone(&tools.meter);
            reading.push_back(Task::begin(&meter, move || read(&tools, id)));
        }
        reading.pop_front().map(Task::wait).transpose()
    })
}

fn read(tools: &Tools, id: BlockId) -> Result<Arc<Sorted>> {
    let block = tools.session.get(&[id]).pop();
    let block = block.unwrap_or(Err(tidemark_blockstore::Error::Missing { id }))?;
    let damaged = |problem| RunError::Damaged { block: id, problem };
    let found = items(tools, &block).map_err(damaged)?;
    if !found.ascends() {
        return Err(damaged(Problem::Order));
    }
    Ok(Arc::new(found.batch(Buffer::read(block, &tools.meter), &tools.meter)))
}

fn items(tools: &Tools, block: &Block) -> Result<Collected, Problem> {
    let mut found = Collected::default();
    let mut reader = Reader::new(block.bytes());
    if block.kind() != BlockKind::Leaf || reader.array("mark")? != MARK {
        return Err(Problem::Form("documents that were put aside"));
    }
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
