//! Changes of documents: every operator, pipelines, filters of arrays, retryable and not, one and many.

use super::world::{PLAIN, World};
use bson::{Bson, Document, doc};
use mongodb::error::{Error, Result};
use mongodb::options::{ReturnDocument, UpdateModifications};

impl World {
    pub(super) fn insert(&mut self) -> Result<()> {
        let document = self.document();
        self.collection().insert_one(document).run().map(drop)
    }

    pub(super) fn insert_many(&mut self) -> Result<()> {
        let documents: Vec<_> = (0..1 + self.dice.below(8)).map(|_| self.document()).collect();
        self.collection().insert_many(documents).ordered(false).run().map(drop)
    }

    pub(super) fn replace(&mut self) -> Result<()> {
        let mut document = self.document();
        document.remove("_id");
        let (filter, upsert) = (doc! {"_id": self.id()}, self.dice.one_in(2));
        self.collection().replace_one(filter, document).upsert(upsert).run().map(drop)
    }

    pub(super) fn delete(&mut self) -> Result<()> {
        let filter = doc! {"_id": self.id()};
        self.collection().delete_one(filter).run().map(drop)
    }

    pub(super) fn delete_many(&mut self) -> Result<()> {
        let filter = doc! {"x": {"$lt": self.dice.below(30)}};
        self.collection().delete_many(filter).run().map(drop)
    }

    /// One modifier by every operator there is.
    fn modifiers(&mut self) -> Document {
        let (n, value) = (self.dice.below(100), self.value());
        match self.dice.below(26) {
            0 => doc! {"$set": {"x": n}},
            1 => doc! {"$set": {"n10": value.clone(), "n2": n, "new.deep.er": value}},
            2 => doc! {"$set": {"o.p.q": value, "o.z": n}},
            3 => doc! {"$set": {format!("arr.{}", n % 9): value}},
            4 => doc! {"$unset": {"s": ""}, "$set": {"u1": value}},
            5 => doc! {"$unset": {format!("arr.{}", n % 5): "", "o.p.r": ""}},
            6 => doc! {"$inc": {"x": n, "count": 1_i64}},
            7 => doc! {"$mul": {"x": 1.5}},
            8 => doc! {"$rename": {"s": "renamed", "u1": "o.moved"}},
            9 => doc! {"$min": {"x": n}, "$max": {"count": n}},
            10 => doc! {"$currentDate": {"at": true, "stamp": {"$type": "timestamp"}}},
            11 => doc! {"$push": {"arr": n}},
            12 => doc! {"$push": {"arr": {"$each": [n, 1, 2], "$slice": -5, "$sort": 1}}},
            13 => doc! {"$push": {"arr": {"$each": [value], "$position": 1}}},
            14 => doc! {"$addToSet": {"arr": {"$each": [n % 5, n % 7]}}},
            15 => doc! {"$pop": {"arr": if n % 2 == 0 { 1 } else { -1 }}},
            16 => doc! {"$pull": {"arr": {"$gt": n % 9}}},
            17 => doc! {"$pullAll": {"arr": [1, 2, n % 9]}},
            18 => doc! {"$bit": {"x": {"xor": n}}},
            19 => doc! {"$set": {"objs.$[].v.w": n}},
            20 => doc! {"$set": {"objs.1.v": value}},
            21 => doc! {"$push": {"objs": {"k": n % 4, "v": value}}},
            22 => doc! {"$pull": {"objs": {"k": n % 4}}},
            23 => doc! {"$set": {"o": {"a": {"b": value}}}, "$inc": {"x": 1}},
            24 => {
                doc! {"$setOnInsert": {"made": n}, "$set": {"text": "t".repeat(usize::try_from(n).unwrap())}}
            }
            _ => doc! {"$set": {"arr": [], "objs": [{"k": n, "v": value}]}},
        }
    }

    /// A pipeline; some change the order of fields, or all of them.
    fn pipeline(&mut self) -> Vec<Document> {
        let n = self.dice.below(100);
        let array = doc! {"$cond": [{"$isArray": "$arr"}, "$arr", []]};
        match self.dice.below(8) {
            0 => vec![doc! {"$set": {"sum": {"$concat": ["n", {"$toString": n}]}, "o.p": n}}],
            1 => vec![doc! {"$unset": ["s", "o.a", "x"]}, doc! {"$set": {"x": n}}],
            2 => vec![doc! {"$replaceWith": {"z": "$x", "x": n, "o": "$o", "_id": "$_id", "arr": array}}],
            3 => vec![doc! {"$project": {"o": 1, "x": 1, "arr": 1}}],
            4 => vec![doc! {"$set": {"arr": {"$slice": [array, 2]}}}],
            5 => vec![doc! {"$set": {"arr": {"$concatArrays": [array, [n, {"deep": [n]}]]}}}],
            6 => vec![doc! {"$set": {"objs": {"$map": {
                "input": {"$cond": [{"$isArray": "$objs"}, "$objs", []]},
                "in": {"k": "$$this.k", "v": {"w": n}},
            }}}}],
            _ => vec![
                doc! {"$replaceWith": {"$mergeObjects": [{"first": n}, "$$ROOT", {"last": {"$literal": n}}]}},
            ],
        }
    }

    fn modification(&mut self) -> UpdateModifications {
        match self.dice.one_in(4) {
            true => UpdateModifications::Pipeline(self.pipeline()),
            false => UpdateModifications::Document(self.modifiers()),
        }
    }

    pub(super) fn update(&mut self) -> Result<()> {
        let (filter, change, upsert) = (doc! {"_id": self.id()}, self.modification(), self.dice.one_in(4));
        self.collection().update_one(filter, change).upsert(upsert).run().map(drop)
    }

    pub(super) fn update_many(&mut self) -> Result<()> {
        let (filter, change) = (doc! {"x": {"$gt": self.dice.below(90)}}, self.modification());
        self.collection().update_many(filter, change).run().map(drop)
    }

    pub(super) fn update_in_arrays(&mut self) -> Result<()> {
        let n = self.dice.below(4);
        let collection = self.collection();
        match self.dice.one_in(2) {
            true => {
                let change = doc! {"$set": {"objs.$[it].v.w": n, "objs.$[it].more": {"x": n}}};
                let filters = vec![doc! {"it.k": {"$gte": n}}];
                collection
                    .update_many(doc! {"objs.k": {"$gte": 0}}, change)
                    .array_filters(filters)
                    .run()
                    .map(drop)
            }
            false => {
                let change = doc! {"$inc": {"objs.$.k": 1}};
                collection.update_many(doc! {"objs.k": n}, change).run().map(drop)
            }
        }
    }

    pub(super) fn find_and_modify(&mut self) -> Result<()> {
        let filter = doc! {"_id": self.id()};
        let collection = self.collection();
        match self.dice.below(3) {
            0 => collection.find_one_and_delete(filter).run().map(drop),
            1 => {
                let change = self.modification();
                let after = ReturnDocument::After;
                collection
                    .find_one_and_update(filter, change)
                    .upsert(true)
                    .return_document(after)
                    .run()
                    .map(drop)
            }
            _ => {
                let document = doc! {"x": self.dice.below(100), "replaced": true};
                collection.find_one_and_replace(filter, document).run().map(drop)
            }
        }
    }

    /// The user's own `applyOps`: modifiers are logged as they are, missing documents are made.
    ///
    /// It locks the whole server, and waits for what is prepared; a 6.0 server that waits so can neither
    /// finish a prepare nor answer it. So never both.
    pub(super) fn apply_ops(&mut self) -> Result<()> {
        let prepared = self.shared.prepared.clone();
        let prepared = prepared.lock().unwrap();
        if *prepared > 0 {
            return Err(Error::custom("a transaction is prepared"));
        }
        let database = self.database();
        let namespace = format!("{}.{PLAIN}", database.name());
        let operation = match self.dice.below(3) {
            0 => doc! {"op": "i", "ns": namespace, "o": {"_id": self.id(), "by": "applyOps"}},
            1 => {
                let change = doc! {"$set": {"n2": 1, "n10": 2, "o.by": "applyOps"}, "$unset": {"s": true}};
                doc! {"op": "u", "ns": namespace, "o2": {"_id": self.id()}, "o": change}
            }
            _ => doc! {"op": "d", "ns": namespace, "o": {"_id": self.id()}},
        };
        self.run(&self.client.database("admin"), doc! {"applyOps": [operation]})
    }

    /// Measurements of a time-series collection, and changes of its buckets.
    pub(super) fn measure(&mut self) -> Result<()> {
        let series = self.database().collection::<Document>("series");
        let meta = self.dice.below(4);
        match self.dice.below(8) {
            0 => series.delete_many(doc! {"m": meta}).run().map(drop),
            1 => series.update_many(doc! {"m": meta}, doc! {"$set": {"m": meta + 10}}).run().map(drop),
            _ => {
                let start = i64::from(self.dice.below(3)) * 4_000_000;
                let one = |i: i32| {
                    let t = bson::DateTime::from_millis(1_700_000_000_000 + start + i64::from(i) * 1000);
                    doc! {"t": t, "m": meta, "v": i, format!("f{}", i % 3): Bson::from(f64::from(i))}
                };
                let many = (0..1 + self.dice.below(30)).map(one).collect::<Vec<_>>();
                series.insert_many(many).run().map(drop)
            }
        }
    }
}
