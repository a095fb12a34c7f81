//! Random batches and questions: every store answers as the other does.

use crate::stores::all;
use proptest::prelude::*;
use std::collections::BTreeMap;
use tidemark_metadata::{By, Change, Collection, Expect, Query, Store, Version, Write};

/// One step: changes given by small numbers, so that they meet often.
type Plan = Vec<(u8, u8, u8, u8)>;

fn id_of(n: u8) -> String {
    format!("{}:{}", n % 2, n % 5)
}

/// Makes changes from a plan, with what is known of the present versions; some expectations are wrong on purpose.
fn changes(plan: &Plan, known: &BTreeMap<String, Version>) -> Vec<Change> {
    let one = |&(id, expect, write, key): &(u8, u8, u8, u8)| {
        let id = id_of(id);
        let present = known.get(&id).copied();
        let expect = match (expect % 8, present) {
            (0, _) => Expect::Absent,
            (1, _) => Expect::At(Version(7)),
            (_, Some(version)) => Expect::At(version),
            (_, None) => Expect::Absent,
        };
        let key = (!key.is_multiple_of(3)).then(|| format!("k{}", key % 3));
        let write = match write % 4 {
            0 => Write::Delete,
            1 => Write::Keep,
            _ => Write::Put { key, body: write.to_string() },
        };
        Change { collection: Collection::Group, id, expect, write }
    };
    plan.iter().map(one).collect()
}

/// All that a store says, without the versions.
fn answers(store: &dyn Store) -> Vec<(String, Option<String>, String)> {
    let questions = [By::IdPrefix(""), By::IdPrefix("0:"), By::Key("k1"), By::Key("k2")];
    let ask = |by| store.scan(Collection::Group, Query { by, after: None, limit: 100 }).unwrap();
    questions.into_iter().flat_map(ask).map(|it| (it.id, it.key, it.body)).collect()
}

fn versions(store: &dyn Store) -> BTreeMap<String, Version> {
    let query = Query { by: By::IdPrefix(""), after: None, limit: 100 };
    store.scan(Collection::Group, query).unwrap().into_iter().map(|it| (it.id, it.version)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn all_stores_answer_alike(plans in prop::collection::vec(prop::collection::vec(any::<(u8, u8, u8, u8)>(), 1..5), 1..25)) {
        let benches = all();
        for plan in plans {
            let outcomes: Vec<_> = benches
                .iter()
                .map(|it| it.store.apply(&changes(&plan, &versions(&*it.store))).map(drop).map_err(|e| e.kind()))
                .collect();
            prop_assert!(outcomes.windows(2).all(|it| it[0] == it[1]), "{outcomes:?}");
            let said: Vec<_> = benches.iter().map(|it| answers(&*it.store)).collect();
            prop_assert!(said.windows(2).all(|it| it[0] == it[1]), "{said:?}");
        }
    }
}
