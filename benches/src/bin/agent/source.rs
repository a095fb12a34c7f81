//! A replica set of one with orders of a shop in it, and bursts of changes.

use anyhow::Result;
use bson::{RawArrayBuf, RawDocumentBuf, rawdoc};
use tidemark_base::bson::split;
use tidemark_base::{Entropy as _, SeededEntropy};
use tidemark_testkit::generate::orders::Orders;
use tidemark_testkit::live::{Options, ReplicaSet};

/// Documents of one command.
const TOGETHER: u64 = 5000;

pub(crate) fn start(oplog_mb: u32) -> Result<ReplicaSet> {
    Ok(ReplicaSet::start(1, &Options { oplog_size_mb: oplog_mb, ..Options::default() })?)
}

/// Inserts orders by their numbers.
pub(crate) fn insert(set: &ReplicaSet, numbers: std::ops::Range<u64>) -> Result<()> {
    let client = set.client()?;
    let collection = client.database("shop").collection::<RawDocumentBuf>("orders");
    let mut bytes = Vec::new();
    let mut begin = numbers.start;
    while begin < numbers.end {
        let end = numbers.end.min(begin + TOGETHER);
        bytes.clear();
        (begin..end).for_each(|number| Orders::new(1).document(number, &mut bytes));
        let documents = split(&bytes)
            .map(|it| Ok(RawDocumentBuf::from_bytes(it?.as_bytes().to_vec())?))
            .collect::<Result<Vec<_>>>()?;
        collection.insert_many(documents).run()?;
        begin = end;
    }
    Ok(())
}

/// Updates so many orders, each by an entry of its own: a new status and a time.
pub(crate) fn update(set: &ReplicaSet, count: u64) -> Result<()> {
    let database = set.client()?.database("shop");
    let mut done = 0;
    while done < count {
        let mut updates = RawArrayBuf::new();
        for number in done..count.min(done + TOGETHER) {
            let mut order = Vec::new();
            Orders::new(1).document(number, &mut order);
            let order = RawDocumentBuf::from_bytes(order)?;
            let Some(id) = order.get("_id")? else { continue };
            let number = i64::try_from(number)?;
            updates.push(rawdoc! {
                "q": {"_id": bson::RawBson::from(id)},
                "u": {"$set": {"status": "on its way", "changed": number}},
            });
        }
        let updates = bson::Bson::try_from(bson::RawBson::Array(updates))?;
        let command = bson::doc! {"update": "orders", "ordered": false, "updates": updates};
        database.run_command(command).run()?;
        done += TOGETHER;
    }
    Ok(())
}

/// Inserts so many documents of a MiB of noise in one transaction: entries of 16 MiB, one after the other.
pub(crate) fn transaction(set: &ReplicaSet, count: u64) -> Result<()> {
    let client = set.client()?;
    let collection = client.database("shop").collection::<bson::Document>("noise");
    collection.insert_one(bson::doc! {}).run()?;
    let mut session = client.start_session().run()?;
    session.start_transaction().run()?;
    let mut entropy = SeededEntropy::new(3);
    for _ in 0..count {
        let mut bytes = vec![0; 1 << 20];
        entropy.fill(&mut bytes);
        let noise = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes };
        collection.insert_one(bson::doc! {"noise": noise}).session(&mut session).run()?;
    }
    session.commit_transaction().run()?;
    Ok(())
}
