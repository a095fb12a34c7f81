//! Where a workload takes place: names of databases and collections, documents, and a count of what was done.

use super::dice::Dice;
use super::stage::Shared;
use crate::live::until;
use bson::{Bson, Document, doc};
use mongodb::sync::{Client, Collection, Database};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A collection with documents that is only written to, and never capped. What a user's `applyOps` inserts into
/// a full capped collection pushes out others, and a 6.0 primary does not log that: its secondaries differ from
/// it, and so would we.
pub(super) const PLAIN: &str = "plain";

/// The collections that come and go.
const NAMES: [&str; 6] = ["c0", "c1", "c2", "c3", "dots.and /more", "cü"];
/// An election may be under way.
const PATIENCE: Duration = Duration::from_secs(60);

/// One worker, and its view of the server.
#[derive(Debug)]
pub struct World {
    pub(super) client: Client,
    pub(super) dice: Dice,
    pub(super) databases: [String; 2],
    pub(super) shared: Shared,
}

impl World {
    pub(super) fn database(&mut self) -> Database {
        let name = &self.databases[usize::from(self.dice.one_in(3))];
        self.client.database(name)
    }

    /// Any name of a collection that comes and goes.
    pub(super) fn name(&mut self) -> &'static str {
        self.dice.pick(&NAMES)
    }

    /// Makes every collection that steps on documents write to, where it is not there.
    pub(super) fn furnish(&mut self) {
        for name in self.databases.clone() {
            let database = self.client.database(&name);
            let made = until("all collections to be there", PATIENCE, || {
                self.furnish_one(&database).map_err(|error| error.to_string())
            });
            made.unwrap();
        }
    }

    fn furnish_one(&mut self, database: &Database) -> mongodb::error::Result<()> {
        let there = database.list_collection_names().run()?;
        let is_missing = |name: &&&str| !there.iter().any(|it| it == *name);
        NAMES
            .iter()
            .chain(&[PLAIN, "large"])
            .filter(is_missing)
            .try_for_each(|it| database.create_collection(*it).run())?;
        if !there.iter().any(|it| it == "series") {
            if there.iter().any(|it| it == "system.buckets.series") {
                // An election came between the view and the collection below it, and nobody drops that any more.
                self.run(database, doc! {"drop": "system.buckets.series"})?;
            }
            let series = doc! {"timeField": "t", "metaField": "m"};
            self.run(database, doc! {"create": "series", "timeseries": series})?;
        }
        // Whoever finds a file makes no indexes.
        self.upload(database, "kept".to_owned(), 1)
    }

    pub(super) fn collection(&mut self) -> Collection<Document> {
        let name = if self.dice.one_in(6) { PLAIN } else { self.name() };
        self.database().collection(name)
    }

    /// Equal numbers of different types are one `_id`.
    pub(super) fn id(&mut self) -> Bson {
        let number = self.dice.below(40);
        match self.dice.below(12) {
            0 => f64::from(number).into(),
            1 => i64::from(number).into(),
            2 => format!("s{}", number % 8).into(),
            3 => doc! {"a": number % 4, "b": "x"}.into(),
            _ => number.into(),
        }
    }

    pub(super) fn value(&mut self) -> Bson {
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

    pub(super) fn document(&mut self) -> Document {
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
    pub(super) fn run(&self, database: &Database, mut command: Document) -> mongodb::error::Result<()> {
        command.insert("maxTimeMS", 30_000);
        database.run_command(command).run().map(drop)
    }

    pub(super) fn count(&self, kind: &'static str, accepted: bool) {
        self.shared.count(kind, accepted);
        self.shared.done.fetch_add(1, Ordering::SeqCst);
    }
}
