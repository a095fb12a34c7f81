//! Changes of single entries, routed in parallel: most of what an oplog holds.
//!
//! Where a change goes is seen by its namespace alone, which is the same for many entries in a row. Two kinds need
//! the state to change before the next one is looked at, and go one by one: those in capped collections, whose
//! order counts, and the first in a collection that takes its real UUID from it. The former are in no other
//! collection, so they may go behind all others of a batch; behind the latter, everything is routed again.

use super::State;
use super::route::{Waiting, diverged, no_key};
use crate::delta::{Bulk, WORTH_THREADS};
use crate::divergence::{Divergence, What};
use crate::error::{HeadError, Result};
use crate::run::Source;
use rayon::prelude::*;
use tidemark_base::CollectionUuid;
use tidemark_base::bson::Doc;
use tidemark_oplog::entry::{Body, Entry, Fuzzy, Manner, Target};

/// How many entries are parsed, and routed, as one piece: so few that they are near all the while.
const PIECE_ENTRIES: usize = 512;

/// Where a change goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goes {
    /// Into the delta.
    To(CollectionUuid),
    /// Into a capped collection.
    InOrder,
    /// Nowhere: it is not backed up.
    Out,
    /// Nowhere: there is no such collection.
    Nowhere,
    /// To a collection that takes its UUID from it.
    Adopted,
}

/// One piece of a batch, routed.
pub(super) struct Piece {
    bulk: Bulk,
    in_order: Vec<usize>,
    divergences: Vec<Divergence>,
    /// Where it was not gone on, and why if that is an error.
    stopped: Option<(usize, Option<HeadError>)>,
}

/// The pieces of a batch, parsed; those that are nothing but changes also routed, as far as the state tells before
/// the batch.
pub(super) type Parsed<'a> = (Vec<Vec<Entry<'a>>>, Vec<Option<Piece>>);

impl State {
    /// Parses entries.
    ///
    /// # Errors
    /// The first, whatever the threads.
    pub(super) fn parsed<'a>(&self, entries: &[Doc<'a>], fuzzy: Fuzzy) -> Result<Parsed<'a>> {
        let parse = |raw: &[Doc<'a>]| -> Result<_> {
            let mut entries = Vec::with_capacity(raw.len());
            for raw in raw {
                entries.push(Entry::parse(*raw, fuzzy)?);
            }
            let is_change = |entry: &Entry<'_>| matches!(entry.body, Body::Change(_));
            let routed = entries.iter().all(is_change).then(|| self.route(&entries));
            Ok((entries, routed))
        };
        let pieces: Vec<_> = if entries.len() < WORTH_THREADS {
            entries.chunks(PIECE_ENTRIES).map(parse).collect()
        } else {
            entries.par_chunks(PIECE_ENTRIES).map(parse).collect()
        };
        pieces.into_iter().collect()
    }

    /// Applies entries each of which is a change, or lets them wait. What was routed must be so as the state is now.
    pub(super) fn changes<'a>(
        &mut self,
        source: &dyn Source,
        mut pieces: Vec<(&'a [Entry<'a>], Option<Piece>)>,
        waiting: &mut Waiting<'a>,
    ) -> Result<()> {
        // How many pieces are routed at once: few behind a change that makes what was routed void, until it seems
        // that there are no more of these.
        let mut at_once = usize::MAX;
        while !pieces.is_empty() {
            self.settle(waiting);
            let count = at_once.min(pieces.len());
            let (now, _) = pieces.split_at_mut(count);
            let route = |(entries, routed): &mut (&'a [Entry<'a>], Option<Piece>)| {
                routed.take().unwrap_or_else(|| self.route(entries))
            };
            let is_little = now.iter().map(|(entries, _)| entries.len()).sum::<usize>() < WORTH_THREADS;
            let mut routed: Vec<Piece> = if is_little || now.iter().all(|(_, routed)| routed.is_some()) {
                now.iter_mut().map(route).collect()
            } else {
                now.par_iter_mut().map(route).collect()
            };
            let stopped_in = routed.iter().position(|piece| piece.stopped.is_some());
            if let Some(number) = stopped_in {
                routed.truncate(number + 1);
            }
            let stopped = routed.last_mut().and_then(|piece| piece.stopped.take());
            let mut in_order = Vec::new();
            let mut bulks = Vec::with_capacity(routed.len());
            for (piece, (entries, _)) in routed.into_iter().zip(&*now) {
                self.divergences.extend(piece.divergences);
                in_order.extend(piece.in_order.into_iter().filter_map(|number| entries.get(number)));
                bulks.push((*entries, piece.bulk));
            }
            let found = self.documents.apply_bulk(bulks);
            self.divergences.extend(found);
            for entry in in_order {
                self.entry(source, entry, waiting)?;
            }
            let Some((number, error)) = stopped else {
                pieces.drain(..count);
                at_once = at_once.saturating_mul(2);
                continue;
            };
            if let Some(error) = error {
                return Err(error);
            }
            at_once = 1;
            pieces.drain(..stopped_in.unwrap_or_default());
            pieces.iter_mut().for_each(|(_, routed)| *routed = None);
            if let Some((first, _)) = pieces.first_mut() {
                let (_, from) = first.split_at(number);
                if let Some((entry, behind)) = from.split_first() {
                    self.entry(source, entry, waiting)?;
                    *first = behind;
                }
            }
        }
        Ok(())
    }

    fn entry<'a>(
        &mut self,
        source: &dyn Source,
        entry: &'a Entry<'a>,
        waiting: &mut Waiting<'a>,
    ) -> Result<()> {
        match &entry.body {
            Body::Change(change) => self.change(source, entry.at, change, waiting),
            _ => Ok(()),
        }
    }

    /// Routes a piece, as far as that can be done without changing anything.
    fn route(&self, entries: &[Entry<'_>]) -> Piece {
        let bulk = Bulk::new(entries.len());
        let mut piece = Piece { bulk, in_order: Vec::new(), divergences: Vec::new(), stopped: None };
        let mut last: Option<(Target<'_>, Goes)> = None;
        for (number, entry) in (0..).zip(entries) {
            let Body::Change(change) = &entry.body else { continue };
            let goes = last.filter(|(target, _)| *target == change.target).map(|(_, goes)| goes);
            let goes = goes.unwrap_or_else(|| self.goes(change.target));
            last = Some((change.target, goes));
            match goes {
                Goes::To(uuid) => {
                    let in_piece = u32::try_from(number).expect("there are far fewer in a piece");
                    if let Err(problem) = piece.bulk.push(in_piece, entry.at, uuid, change) {
                        piece.stopped = Some((number, Some(no_key(entry.at, change, problem))));
                        break;
                    }
                }
                Goes::InOrder => piece.in_order.push(number),
                Goes::Out => {}
                Goes::Nowhere if change.manner == Manner::Strict => {
                    let found = diverged(entry.at, change, change.target.uuid, What::NoCollection);
                    piece.divergences.push(found);
                }
                Goes::Nowhere => {}
                Goes::Adopted => {
                    piece.stopped = Some((number, None));
                    break;
                }
            }
        }
        piece.bulk.seal();
        piece
    }

    fn goes(&self, target: Target<'_>) -> Goes {
        let namespace = target.namespace;
        if !self.filter.keeps(namespace) {
            return Goes::Out;
        }
        let (database, name) = (namespace.database(), namespace.collection());
        let by_name = || self.catalog.named(database, name).next();
        let Some(uuid) = target.uuid.or_else(by_name) else { return Goes::Nowhere };
        if self.catalog.get(uuid).is_none() {
            let is_adopted = self.adopted_from(uuid, database, name).is_some();
            return if is_adopted { Goes::Adopted } else { Goes::Nowhere };
        }
        if self.capped.contains(&uuid) { Goes::InOrder } else { Goes::To(uuid) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up;
    use std::sync::Arc;
    use tidemark_base::bson::DocWriter;
    use tidemark_base::{OpTime, SeededEntropy, Timestamp};
    use tidemark_blockstore::{MemoryBackend, Store};
    use tidemark_oplog::catalog::Collection;
    use tidemark_oplog::filter::Filter;

    fn document(write: impl FnOnce(&mut DocWriter<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        let mut w = DocWriter::new(&mut out);
        let open = w.begin();
        write(&mut w);
        w.end(open);
        out
    }

    /// An insert in the `n`th of so many collections, by a UUID that nobody knows.
    fn insert(n: u32, collections: u32) -> Vec<u8> {
        let id = document(|w| w.int32(b"_id", n.cast_signed()));
        let [which, ..] = (n % collections).to_le_bytes();
        document(|w| {
            w.string(b"op", b"i");
            w.string(b"ns", format!("app.c{which}").as_bytes());
            w.binary(b"ui", 4, &[which + 1; 16]);
            w.raw(3, b"o", &id);
            w.raw(3, b"o2", &id);
            w.timestamp(b"ts", Timestamp { secs: 1, ordinal: n + 1 });
            w.int64(b"t", 1);
            w.int64(b"v", 2);
        })
    }

    #[test]
    fn what_was_routed_is_not_all_routed_again_for_each_collection_that_takes_its_uuid() {
        const COLLECTIONS: u32 = 40;
        let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1))));
        let raw: Vec<_> = (0..20_000).map(|n| insert(n, COLLECTIONS)).collect();
        let entries: Vec<_> = raw.iter().map(|it| Doc::new(it).unwrap()).collect();
        let opened = || {
            let mut state = State::empty(OpTime::NULL, Filter::default());
            for n in 0..COLLECTIONS {
                let (database, name) = ("app".to_owned(), format!("c{n}"));
                let uuid = made_up::uuid_of(&database, &name);
                let options = document(|_| {});
                let collection = Collection { database, name, options, indexes: Vec::new() };
                state.insert_collection(uuid, collection).unwrap();
            }
            state
        };
        let (mut whole, mut one_by_one) = (opened(), opened());
        // On one thread, whose memory is counted: a hundred kilobytes for each piece that is routed.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let info = pool.install(|| allocation_counter::measure(|| whole.apply(&store, &entries).unwrap()));
        assert!(info.bytes_total < 60 << 20, "{}", info.bytes_total);
        for entry in &entries {
            one_by_one.apply(&store, &[*entry]).unwrap();
        }
        let [whole, one_by_one] = [&mut whole, &mut one_by_one].map(|state| {
            assert_eq!(state.take_divergences().diverged().operations, 0);
            state.flush(&store.session(&[]).unwrap()).unwrap()
        });
        assert_eq!(whole, one_by_one);
    }
}
