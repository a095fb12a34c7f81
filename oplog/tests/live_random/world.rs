//! Where a workload takes place: names of databases and collections, documents, and a count of what was done.

use crate::dice::Dice;
use bson::{Bson, Document, doc};
use mongodb::sync::{Client, Collection, Database};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A collection with documents that is only written to, and never capped. What a user's `applyOps` inserts into
/// a full capped collection pushes out others, and a 6.0 primary does not log that: its secondaries differ from
/// it, and so would we.
pub(crate) const PLAIN: &str = "plain";

/// How often each kind of step was accepted and refused.
pub(crate) type Counts = BTreeMap<&'static str, (u32, u32)>;

/// One thread's view of the server.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) dice: Dice,
    pub(crate) databases: [String; 2],
    pub(crate) counts: Arc<Mutex<Counts>>,
    /// Steps done by all threads.
    pub(crate) done: Arc<AtomicUsize>,
    /// Held by who renames: in a 6.0 server two renames between databases, one each way, wait for each other.
    pub(crate) renaming: Arc<Mutex<()>>,
    /// How many transactions are prepared, or about to be.
    pub(crate) prepared: Arc<Mutex<usize>>,
}

impl World {
    pub(crate) fn database(&mut self) -> Database {
        let name = &self.databases[usize::from(self.dice.one_in(3))];
        self.client.database(name)
    }

    /// Any name of a collection that comes and goes.
    pub(crate) fn name(&mut self) -> &'static str {
        self.dice.pick(&["c0", "c1", "c2", "c3", "dots.and /more", "cü"])
    }

    pub(crate) fn collection(&mut self) -> Collection<Document> {
        let name = if self.dice.one_in(6) { PLAIN } else { self.name() };
        self.database().collection(name)
    }

    /// Equal numbers of different types are one `_id`.
    pub(crate) fn id(&mut self) -> Bson {
        let number = self.dice.below(40);
        match self.dice.below(12) {
            0 => f64::from(number).into(),
            1 => i64::from(number).into(),
            2 => format!("s{}", number % 8).into(),
            3 => doc! {"a": number % 4, "b": "x"}.into(),
            _ => number.into(),
        }
    }

    pub(crate) fn value(&mut self) -> Bson {
        let number = self.dice.below(100);
        match self.dice.below(9) {
            0 => f64::from(number).into(),
            1 => format!("text {number}").into(),
            2 => Bson::Null,
            3 => vec![number, number + 1].into(),
            4 => doc! {"k": number, "": {"d": 1, "i": 2, "u": 3}}.into(),
            5 => i64::from(number).into(),
            _ => number.into(),
        }
    }

    pub(crate) fn document(&mut self) -> Document {
        let mut document = doc! {"_id": self.id(), "x": self.dice.below(100)};
        for name in ["arr", "objs", "o", "s", "n10", "n2", "u1", "text"] {
            if self.dice.one_in(3) {
                continue;
            }
            let value: Bson = match name {
                "arr" => (0..self.dice.below(6)).map(Bson::from).collect::<Vec<_>>().into(),
                "objs" => {
                    let one = |k: i32| Bson::from(doc! {"k": k, "v": {"w": k}});
                    (0..self.dice.below(4)).map(one).collect::<Vec<_>>().into()
                }
                "o" => doc! {"p": {"q": self.value(), "r": 1}, "a": self.value()}.into(),
                "text" => "long ".repeat(usize::try_from(self.dice.below(60)).unwrap()).into(),
                _ => self.value(),
            };
            document.insert(name, value);
        }
        document
    }

    /// Runs a command of a database; its answer is of no interest. Not for ever: servers have deadlocks.
    pub(crate) fn run(&self, database: &Database, mut command: Document) -> mongodb::error::Result<()> {
        command.insert("maxTimeMS", 30_000);
        database.run_command(command).run().map(drop)
    }

    pub(crate) fn count(&self, kind: &'static str, accepted: bool) {
        let mut counts = self.counts.lock().unwrap();
        let (yes, no) = counts.entry(kind).or_default();
        *(if accepted { yes } else { no }) += 1;
        self.done.fetch_add(1, Ordering::SeqCst);
    }
}
