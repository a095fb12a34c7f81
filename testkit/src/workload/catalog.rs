//! Changes of the catalog: every kind of collection, index and option, and what makes collections of others.

use super::world::World;
use bson::{Document, doc};
use mongodb::error::Result;

impl World {
    pub(super) fn create(&mut self) -> Result<()> {
        let database = self.database();
        let name = self.name();
        if self.dice.one_in(2) {
            // Else nearly every name is taken, and most collections stay what the first insert made them.
            self.run(&database, doc! {"drop": name})?;
        }
        let mut command = doc! {"create": name};
        let n = self.dice.below(100);
        command.extend(match self.dice.below(9) {
            0 => doc! {"capped": true, "size": 4000 + n, "max": 20 + n},
            1 => doc! {"capped": true, "size": 20_000 + n},
            2 => doc! {"clusteredIndex": {"key": {"_id": 1}, "unique": true, "name": format!("by id {n}")}},
            3 => doc! {"collation": {"locale": "en", "strength": 1 + n % 3, "numericOrdering": n % 2 == 0}},
            4 => doc! {"validator": {"x": {"$ne": 1000}}, "validationLevel": "moderate"},
            5 => doc! {"changeStreamPreAndPostImages": {"enabled": true}},
            6 => doc! {"storageEngine": {"wiredTiger": {"configString": "block_compressor=zlib"}}},
            _ => doc! {},
        });
        self.run(&database, command)
    }

    pub(super) fn create_series(&mut self) -> Result<()> {
        let database = self.database();
        let granularity = self.dice.pick(&["seconds", "minutes"]);
        let series = doc! {"timeField": "t", "metaField": "m", "granularity": granularity};
        if self.dice.one_in(2) {
            self.run(&database, doc! {"drop": "series"})?;
        }
        let mut command = doc! {"create": "series", "timeseries": series};
        if self.dice.one_in(2) {
            command.insert("expireAfterSeconds", 1_000_000_000);
        }
        self.run(&database, command)
    }

    pub(super) fn view(&mut self) -> Result<()> {
        let database = self.database();
        let (on, n) = (self.name(), self.dice.below(50));
        let pipeline = vec![doc! {"$match": {"x": {"$gt": n}}}];
        match self.dice.below(3) {
            0 => self.run(&database, doc! {"create": "view", "viewOn": on, "pipeline": pipeline}),
            1 => self.run(&database, doc! {"collMod": "view", "viewOn": on, "pipeline": pipeline}),
            _ => self.run(&database, doc! {"drop": "view"}),
        }
    }

    pub(super) fn drop_collection(&mut self) -> Result<()> {
        let database = self.database();
        let name = if self.dice.one_in(8) { "series" } else { self.name() };
        self.run(&database, doc! {"drop": name})
    }

    pub(super) fn drop_database(&mut self) -> Result<()> {
        let database = self.client.database(&self.databases[1]);
        self.run(&database, doc! {"dropDatabase": 1})
    }

    /// Within a database or to the other one, over a target or not.
    pub(super) fn rename(&mut self) -> Result<()> {
        let from = format!("{}.{}", self.database().name(), self.name());
        let to = format!("{}.{}", self.database().name(), self.name());
        let command = doc! {"renameCollection": from, "to": to, "dropTarget": !self.dice.one_in(3)};
        let _alone = self.shared.renaming.lock().unwrap();
        self.run(&self.client.database("admin"), command)
    }

    pub(super) fn create_index(&mut self) -> Result<()> {
        let database = self.database();
        let n = self.dice.below(100);
        let spec = match self.dice.below(12) {
            0 => doc! {"key": {"x": 1}, "name": "x"},
            1 => doc! {"key": {"x": -1, "s": 1}, "name": "x s", "unique": true},
            // Often fails on what is there: the build is aborted.
            2 => doc! {"key": {"n2": 1}, "name": "unique", "unique": true, "sparse": true},
            3 => doc! {"sparse": 1, "key": {"o.p.q": 1}, "name": "sparse", "hidden": n % 2 == 0},
            4 => doc! {"key": {"x": 1}, "name": "partial", "partialFilterExpression": {"x": {"$gt": n}}},
            5 => doc! {"key": {"s": "text", "text": "text"}, "name": "text", "weights": {"s": 3}},
            6 => doc! {"key": {"s": "hashed"}, "name": "hashed"},
            7 => doc! {"key": {"$**": 1}, "name": "wild", "wildcardProjection": {"o": 0}},
            8 => doc! {"expireAfterSeconds": 1_000_000_000.5, "key": {"at": 1.0}, "name": "ttl"},
            9 => doc! {"key": {"s": 1}, "name": "fr", "collation": {"locale": "fr"}, "background": true},
            10 => doc! {"key": {"geo": "2d"}, "name": "geo", "min": -100, "max": 100_i64, "bits": 20.0},
            _ => doc! {"key": {"arr": 1}, "name": "arr", "v": 1},
        };
        let (name, spec) = match self.dice.one_in(8) {
            true => ("series", doc! {"key": {"v": 1, "m": -1}, "name": format!("v{}", n % 3)}),
            false => (self.name(), spec),
        };
        self.run(&database, doc! {"createIndexes": name, "indexes": [spec]})
    }

    pub(super) fn drop_indexes(&mut self) -> Result<()> {
        let database = self.database();
        let index = self.dice.pick(&["x", "x s", "sparse", "text", "ttl", "wild", "*"]);
        let name = self.name();
        self.run(&database, doc! {"dropIndexes": name, "index": index})
    }

    pub(super) fn coll_mod(&mut self) -> Result<()> {
        let database = self.database();
        let (name, n) = (self.name(), self.dice.below(100));
        let index = |options: Document| {
            let mut index = doc! {"name": if n % 2 == 0 { "x" } else { "sparse" }};
            index.extend(options);
            doc! {"index": index}
        };
        let (name, change) = match self.dice.below(16) {
            0 => (name, doc! {"validator": {"x": {"$ne": n + 1000}}}),
            1 => (name, doc! {"validator": {}}),
            2 => (name, doc! {"validationLevel": "moderate"}),
            3 => (name, doc! {"validationAction": "warn", "validator": {"s": {"$ne": n}}}),
            4 => (name, doc! {"changeStreamPreAndPostImages": {"enabled": n % 2 == 0}}),
            5 => (name, doc! {"cappedSize": 5000 + n}),
            6 => (name, doc! {"cappedMax": n % 30}),
            7 => (name, index(doc! {"hidden": n % 3 != 0})),
            8 => (name, index(doc! {"expireAfterSeconds": 1_000_000_000 + n})),
            9 => (name, index(doc! {"prepareUnique": n % 3 != 0})),
            10 => (name, index(doc! {"unique": true})),
            11 => (name, doc! {"expireAfterSeconds": "off"}),
            12 => (name, doc! {"expireAfterSeconds": 1_000_000_000 + n}),
            13 => {
                ("series", doc! {"timeseries": {"granularity": if n % 2 == 0 { "minutes" } else { "hours" }}})
            }
            14 => ("series", doc! {"expireAfterSeconds": 1_000_000_000 + n}),
            _ => ("series", doc! {"expireAfterSeconds": "off"}),
        };
        let mut command = doc! {"collMod": name};
        command.extend(change);
        self.run(&database, command)
    }

    pub(super) fn out(&mut self) -> Result<()> {
        let (database, other) = (self.database(), self.database().name().to_owned());
        let (from, to) = (self.name(), self.name());
        let last = match self.dice.one_in(2) {
            true => doc! {"$out": {"db": other, "coll": to}},
            false => doc! {"$merge": {"into": {"db": other, "coll": to}, "whenMatched": "merge"}},
        };
        let pipeline =
            vec![doc! {"$match": {"x": {"$gt": self.dice.below(60)}}}, doc! {"$set": {"o.out": 1}}, last];
        self.run(&database, doc! {"aggregate": from, "pipeline": pipeline, "cursor": {}})
    }

    pub(super) fn make_capped(&mut self) -> Result<()> {
        let database = self.database();
        let (from, to, size) = (self.name(), self.name(), 4096 + 1000 * self.dice.below(8));
        match self.dice.below(3) {
            0 => self.run(&database, doc! {"convertToCapped": from, "size": size}),
            1 => {
                self.run(&database, doc! {"cloneCollectionAsCapped": from, "toCollection": to, "size": size})
            }
            _ => self.run(&database, doc! {"emptycapped": from}),
        }
    }
}
