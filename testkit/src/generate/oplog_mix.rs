//! Oplog entries as a real 6.0 server writes them for a busy collection of orders.
//!
//! 60 % updates (`$v: 2` diffs), 20 % inserts, 15 % deletes, 5 % pushes to an array, about 300 bytes each.
//! Used by benches (parse, apply) and by model tests: every update and delete meets a live order, every
//! insert is new, and the final state is known without applying anything ([`OplogMix::live`],
//! [`OplogMix::document`]), because an order's versions are pure functions. Keeps 16 bytes per live order.

use super::orders::{Orders, Version};
use super::writer::{Index, Writer, document};
use tidemark_base::{CollectionUuid, OpTime, SeededEntropy, Timestamp};

/// How many entries share a second.
const ENTRIES_PER_SECOND: u32 = 1000;
const TERM: i64 = 1;

/// The collection that the entries are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `db.collection`.
    pub namespace: String,
    /// Its uuid.
    pub uuid: CollectionUuid,
}

/// An order that exists, and its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// The number of the order.
    pub number: u64,
    /// How far it has come.
    pub version: Version,
}

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The order is new.
    Insert(Live),
    /// The order changes to this version by an update.
    Update(Live),
    /// The order changes to this version by a push to its items.
    Push(Live),
    /// The order, until now at this version, is gone.
    Delete(Live),
}

/// The stream of entries of one seed.
#[derive(Clone, Debug)]
pub struct OplogMix {
    orders: Orders,
    target: Target,
    entropy: SeededEntropy,
    live: Vec<Live>,
    next_number: u64,
    last: Timestamp,
}

impl OplogMix {
    /// A stream over the orders 0 to `initial`, all as inserted. Entries come after the timestamp `after`.
    #[must_use]
    pub fn new(orders: Orders, target: Target, initial: u64, seed: u64, after: Timestamp) -> Self {
        let live = (0..initial).map(|number| Live { number, version: Version::default() }).collect();
        Self { orders, target, entropy: SeededEntropy::new(seed), live, next_number: initial, last: after }
    }

    /// The position of the last entry.
    #[must_use]
    pub const fn last(&self) -> OpTime {
        OpTime { ts: self.last, term: TERM }
    }

    /// The orders that exist now, in no order.
    #[must_use]
    pub fn live(&self) -> &[Live] {
        &self.live
    }

    /// Appends the document of an order at its version.
    pub fn document(&self, order: Live, out: &mut Vec<u8>) {
        self.orders.document_at(order.number, order.version, out);
    }

    /// Appends the next entry and says what it does.
    pub fn entry(&mut self, out: &mut Vec<u8>) -> Effect {
        let effect = self.choose();
        self.write(effect, out);
        effect
    }

    /// Appends the next entry, of an effect that the caller has chosen and keeps account of.
    pub fn write(&mut self, effect: Effect, out: &mut Vec<u8>) {
        self.last = after(self.last);
        document(out, |w| match effect {
            Effect::Insert(order) => {
                self.head("i", w);
                w.object("o", |w| self.orders.write(order.number, order.version, w));
                w.object("o2", |w| self.orders.id(order.number, w));
                self.tail(w);
            }
            Effect::Update(order) => {
                self.head("u", w);
                w.object("o", |w| diff(w, |w| self.update(order, w)));
                w.object("o2", |w| self.orders.id(order.number, w));
                self.tail(w);
            }
            Effect::Push(order) => {
                self.head("u", w);
                w.object("o", |w| diff(w, |w| self.push(order, w)));
                w.object("o2", |w| self.orders.id(order.number, w));
                self.tail(w);
            }
            Effect::Delete(order) => {
                self.head("d", w);
                w.object("o", |w| self.orders.id(order.number, w));
                self.tail(w);
            }
        });
    }

    /// Appends the next entry: an order is replaced as a whole by this version of it.
    pub fn replacement(&mut self, order: Live, out: &mut Vec<u8>) {
        self.last = after(self.last);
        document(out, |w| {
            self.head("u", w);
            w.object("o", |w| self.orders.write(order.number, order.version, w));
            w.object("o2", |w| self.orders.id(order.number, w));
            self.tail(w);
        });
    }

    /// Decides what happens next, and lets it happen to the list of live orders.
    fn choose(&mut self) -> Effect {
        let dice = self.entropy.below(100);
        let at = usize::try_from(self.entropy.below(self.live.len() as u64)).unwrap_or_default();
        match self.live.get_mut(at) {
            Some(order) if dice < 60 => {
                order.version.updates += 1;
                Effect::Update(*order)
            }
            Some(order) if dice < 65 => {
                order.version.pushed += 1;
                Effect::Push(*order)
            }
            Some(_) if dice < 80 => Effect::Delete(self.live.swap_remove(at)),
            _ => {
                let order = Live { number: self.next_number, version: Version::default() };
                self.next_number += 1;
                self.live.push(order);
                Effect::Insert(order)
            }
        }
    }

    fn update(&self, order: Live, w: &mut Writer<'_>) {
        let Live { number, version } = order;
        let change = self.orders.change(number, version.updates);
        let had_note = self.orders.note(number, version.updates - 1).is_some();
        w.object("u", |w| {
            // Servers sort the fields of a modifier update by path.
            if let (Some(note), true) = (&change.note, had_note) {
                w.strs("note", note);
            }
            w.str("status", change.status);
            w.date("updated", change.updated_ms);
            w.i32("version", i32::try_from(version.updates).unwrap_or(i32::MAX));
        });
        if let (Some(note), false) = (&change.note, had_note) {
            w.object("i", |w| w.strs("note", note));
        }
        if let Some(state) = change.payment_state {
            w.object("spayment", |w| w.object("u", |w| w.str("state", state)));
        }
    }

    fn push(&self, order: Live, w: &mut Writer<'_>) {
        let index = u64::from(self.orders.items(order.number)) + u64::from(order.version.pushed) - 1;
        w.object("sitems", |w| {
            w.bool("a", true);
            w.object(&Index::with_prefix(b'u', index), |w| self.orders.item(order.number, index, w));
        });
    }

    fn head(&self, op: &str, w: &mut Writer<'_>) {
        w.str("op", op);
        w.str("ns", &self.target.namespace);
        w.binary("ui", 4, self.target.uuid.as_bytes());
    }

    fn tail(&self, w: &mut Writer<'_>) {
        w.timestamp("ts", self.last);
        w.i64("t", TERM);
        w.i64("v", 2);
        w.date("wall", i64::from(self.last.secs) * 1000 + i64::from(self.last.ordinal / 10));
    }
}

fn diff(w: &mut Writer<'_>, fill: impl FnOnce(&mut Writer<'_>)) {
    w.i32("$v", 2);
    w.object("diff", fill);
}

fn after(ts: Timestamp) -> Timestamp {
    if ts.ordinal < ENTRIES_PER_SECOND {
        Timestamp { ordinal: ts.ordinal + 1, ..ts }
    } else {
        Timestamp { secs: ts.secs.saturating_add(1), ordinal: 1 }
    }
}

#[cfg(test)]
mod tests;
