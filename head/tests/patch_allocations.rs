//! A large document that is inserted and then changed over and over is not copied into new memory each time.

#![expect(clippy::unwrap_used, reason = "a test")]

use bson::{Document, doc};
use std::hint::black_box;
use tidemark_base::bson::Doc;
use tidemark_head::patch::{Folder, Patch, Then};
use tidemark_oplog::entry::{Action, Change, Manner, Target};
use tidemark_oplog::names::Namespace;
use tidemark_oplog::update::Update;

const LARGE_BYTES: usize = 8 << 20;

fn patch(action: Action<'_>) -> Patch<'_> {
    let target = Target { uuid: None, namespace: Namespace::parse("a.b").unwrap() };
    Patch::of(&Change { target, manner: Manner::Strict, action }, &mut Vec::new())
}

#[test]
fn updates_of_a_large_document_that_is_in_memory_take_no_memory() {
    let bytes = vec![7; LARGE_BYTES];
    let blob = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes };
    let document = doc! {"_id": 1, "b": blob, "x": 0}.to_vec().unwrap();
    let document = Doc::new(&document).unwrap();
    let id = document.first_element().unwrap().unwrap();
    let mut held = patch(Action::Insert { id, document }).into_owned();
    let diffs: Vec<_> = (1..=100).map(|n| doc! {"u": {"x": n}}.to_vec().unwrap()).collect();
    let (mut folder, mut found) = (Folder::new(), Vec::new());
    let info = allocation_counter::measure(|| {
        for diff in &diffs {
            let newer = patch(Action::Update { id, update: Update::Diff(Doc::new(diff).unwrap()) });
            let older = std::mem::replace(&mut held, Patch::nothing());
            held = black_box(folder.compose(older, newer, &mut found).into_owned());
        }
    });
    assert!(info.bytes_total < 4 * LARGE_BYTES as u64, "{info:?}");
    let Then::Document(document) = held.then() else { panic!("{:?}", held.then()) };
    assert_eq!(Document::from_reader(&document[..]).unwrap().get_i32("x").unwrap(), 100);
    assert_eq!(found, []);
}
