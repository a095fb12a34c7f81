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
        while !pieces.is_empty() {
            self.settle(waiting);
            let route = |(entries, routed): &mut (&'a [Entry<'a>], Option<Piece>)| {
                routed.take().unwrap_or_else(|| self.route(entries))
            };
            let is_little = pieces.iter().map(|(entries, _)| entries.len()).sum::<usize>() < WORTH_THREADS;
            let mut routed: Vec<Piece> = if is_little || pieces.iter().all(|(_, routed)| routed.is_some()) {
                pieces.iter_mut().map(route).collect()
            } else {
                pieces.par_iter_mut().map(route).collect()
            };
            let stopped_in = routed.iter().position(|piece| piece.stopped.is_some());
            if let Some(number) = stopped_in {
                routed.truncate(number + 1);
            }
            let stopped = routed.last_mut().and_then(|piece| piece.stopped.take());
            let mut in_order = Vec::new();
            let mut bulks = Vec::with_capacity(routed.len());
            for (piece, (entries, _)) in routed.into_iter().zip(&pieces) {
                self.divergences.extend(piece.divergences);
                in_order.extend(piece.in_order.into_iter().filter_map(|number| entries.get(number)));
                bulks.push((*entries, piece.bulk));
            }
            let found = self.documents.apply_bulk(bulks);
            self.divergences.extend(found);
            for entry in in_order {
                self.entry(source, entry, waiting)?;
            }
            let Some((number, error)) = stopped else { break };
            if let Some(error) = error {
                return Err(error);
            }
            pieces.drain(..stopped_in.unwrap_or_default());
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
