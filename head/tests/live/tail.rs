//! What an agent does: reads the oplog on from where it was, and appends it to the store as slices.

use crate::place;
use mongodb::sync::Client;
use tidemark_base::bson::Doc;
use tidemark_base::{OpTime, Timestamp};
use tidemark_blockstore::{Session, Store};
use tidemark_oplog::slice::{Link, SliceWriter};
use tidemark_oplog::store::SliceStore;
use tidemark_testkit::live::{entry_optime, oplog_from};
use tidemark_testkit::workload::Dice;

/// One slice in so many entries ends there, whatever its length.
const MEAN_LEN: u32 = 40;

pub(crate) struct Tail {
    client: Client,
    slices: SliceStore,
    session: Session,
    writer: SliceWriter,
    next: Timestamp,
    dice: Dice,
    appended: u32,
}

impl Tail {
    /// Begins the chain just before the first entry that is to be read.
    pub(crate) fn start(client: &Client, store: &Store, first: Timestamp, seed: u64) -> Self {
        let before = Timestamp { ordinal: first.ordinal.checked_sub(1).unwrap(), ..first };
        let start = Link::genesis(OpTime { ts: before, term: OpTime::NO_TERM });
        let (slices, session) = (place::name().slices(store), store.session(&[]).unwrap());
        slices.start(&session, start).unwrap();
        Self::after(client, slices, session, start, seed)
    }

    /// Goes on from where the chain ends: what an agent does that is told so.
    pub(crate) fn resume(client: &Client, store: &Store, seed: u64) -> Self {
        let (slices, session) = (place::name().slices(store), store.session(&[]).unwrap());
        let end = slices.tip().unwrap().unwrap().link;
        Self::after(client, slices, session, end, seed)
    }

    fn after(client: &Client, slices: SliceStore, session: Session, end: Link, seed: u64) -> Self {
        let (writer, dice) = (SliceWriter::new(end), Dice::new(seed));
        let next = Timestamp { ordinal: end.at.ts.ordinal + 1, ..end.at.ts };
        Self { client: client.clone(), slices, session, writer, next, dice, appended: 0 }
    }

    /// Takes everything up to a moment that the server has reached; what is no slice yet is appended later.
    pub(crate) fn take(&mut self, until: OpTime) {
        for entry in oplog_from(&self.client, self.next).unwrap() {
            let at = entry_optime(&entry).unwrap();
            if at.ts > until.ts {
                break;
            }
            let entry = Doc::new(entry.as_bytes()).unwrap();
            if self.dice.one_in(MEAN_LEN) || !self.writer.would_fit(entry) {
                self.cut();
            }
            self.writer.push(entry).unwrap();
            self.next = Timestamp { ordinal: at.ts.ordinal + 1, ..at.ts };
        }
    }

    /// Appends what is left.
    pub(crate) fn finish(&mut self) {
        self.cut();
    }

    /// How many slices were appended.
    pub(crate) const fn appended(&self) -> u32 {
        self.appended
    }

    fn cut(&mut self) {
        if let Some(slice) = self.writer.finish() {
            self.slices.append(&self.session, &slice.bytes).unwrap();
            self.appended += 1;
        }
    }
}
