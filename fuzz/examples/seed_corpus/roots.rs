//! Seeds of roots and of the records of their catalogs.

use super::{Done, keep};
use std::path::Path;
use tidemark_base::bson::Doc;
use tidemark_base::{BlockId, BlockKind, OpTime, Timestamp};
use tidemark_head::Diverged;
use tidemark_head::catalog::{self, Entry, RunStack};
use tidemark_head::root::Root;
use tidemark_head::run::{Run, RunKind};
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;

/// Roots with and without their parts, records with stacks of several heights.
pub(super) fn keep_roots(here: &Path) -> Done {
    let at = OpTime { ts: Timestamp { secs: 1_700_000_000, ordinal: 7 }, term: 3 };
    let empty = Root::empty(at);
    let block = |n: u8| BlockId::of(BlockKind::Leaf, &[n]);
    let run = |kind, n| {
        let (first, last) = (Some(at), (kind == RunKind::Patch).then_some(at));
        Run { kind, top: block(n), items: 5, plain_bytes: 500, first: first.and(last), last }
    };
    let full = Root {
        catalog: Some(run(RunKind::Catalog, 1)),
        open: vec![block(2), block(3)],
        fuzzy_until: Some(at.ts),
        diverged: Diverged { operations: 3, first: at },
        filter: Filter::new(["logs", "app.cache"], ["app"])?,
        ..empty
    };
    let sound = Root { open: Vec::new(), diverged: Diverged::NONE, ..full.clone() };
    for root in [&full, &sound, &empty] {
        keep(here, "root", &root.encode()?)?;
    }
    let document = Doc::EMPTY.as_bytes().to_vec();
    let collection = Collection {
        database: "app".to_owned(),
        name: "orders".to_owned(),
        options: document.clone(),
        indexes: vec![document.clone(), document],
    };
    let bare = Entry::empty(collection);
    let stack = RunStack {
        base: Some(run(RunKind::Base, 4)),
        patches: vec![run(RunKind::Patch, 5), run(RunKind::Patch, 6)],
    };
    let capped = Entry { documents: stack.clone(), order: stack.clone(), next_order: 10, ..bare.clone() };
    for entry in [&bare, &Entry { documents: stack, ..bare.clone() }, &capped] {
        keep(here, "catalog_record", &catalog::record(entry))?;
    }
    Ok(())
}
