//! What did not fit is counted for ever, and told with all that is known of it.

use crate::rig::*;
use tidemark_base::{CollectionUuid, UnixMillis};
use tidemark_blockstore::{Expect, NewRef, RefChange};
use tidemark_head::catalog::{self, RunStack};
use tidemark_head::head::Head;
use tidemark_head::root::Root;
use tidemark_head::run::{Run, RunKind};
use tidemark_head::{Diverged, HeadError, Span, What, snapshot};

#[test]
fn a_head_that_has_diverged_is_never_proven_clean() {
    let store = store();
    let mut head = head(&store, &doc! {});
    let (clean, _) = head.snapshot(&UnixMillis(0)).unwrap();
    apply(&mut head, &[insert(11, 500), insert(12, 500), delete(13, 999)]).unwrap();
    assert_eq!(head.take_divergences().len(), 1);
    let (folded_late, _) = head.snapshot(&UnixMillis(0)).unwrap();
    head.compact().unwrap();
    assert_eq!(head.take_divergences().len(), 1);
    drop(head);
    let mut head = Head::claim(&store, &name()).unwrap();
    let (folded, taken) = head.snapshot(&UnixMillis(0)).unwrap();
    assert_eq!(taken.diverged, Diverged { operations: 2, first: optime(11, 1) });
    let prove = |id| snapshot::prove(&store, &name(), id).unwrap().snapshot;
    let told = |it: &snapshot::Snapshot| (it.diverged.operations, it.proven.unwrap().divergences);
    for (id, expected) in [(clean, (0, 0)), (folded_late, (1, 1)), (folded, (2, 0))] {
        assert!(!snapshot::get(&store, &name(), id).unwrap().is_clean(), "only stored");
        let proven = prove(id);
        assert_eq!(told(&proven), expected);
        assert_eq!(proven.is_clean(), id == clean);
    }
    head.rewind(clean).unwrap();
    assert!(head.state().diverged().is_none());
}

#[test]
fn what_found_no_document_is_told_with_its_key_and_where_it_lies() {
    let mut head = head(&store(), &doc! {});
    apply(&mut head, &[noop(11, 1), delete(13, 999), delete(14, 998)]).unwrap();
    head.compact().unwrap();
    let found = head.take_divergences();
    let mut key = Vec::new();
    let document = doc! {"_id": 998}.to_vec().unwrap();
    let document = tidemark_base::bson::Doc::new(&document).unwrap();
    tidemark_head::key::key_of_document(document, &mut key).unwrap();
    assert_eq!((found[0].at, found[0].id.as_ref(), found[0].key.as_ref()), (None, None, Some(&key)));
    assert_eq!(found[0].within, Some(Span { first: optime(13, 1), last: optime(14, 1) }));
    let text = found[0].to_string();
    assert!(text.starts_with("app.a between 13,1 term 1 and 14,1 term 1, key "), "{text}");
}

#[test]
fn an_id_is_told_as_json_without_what_a_terminal_obeys() {
    let mut head = head(&store(), &doc! {});
    let twice = |secs, id: &str| entry(secs, doc! {"op": "i", "ns": "app.a", "o": {"_id": id}});
    let (wild, long) = ("\"\u{1b}[2J\u{9b}\u{202e}", "x".repeat(100_000));
    apply(&mut head, &[twice(11, wild), twice(12, wild), twice(13, &long), twice(14, &long)]).unwrap();
    let found = head.take_divergences();
    let text = found[0].to_string();
    assert!(text.contains(r#", {"_id":"\"\u001b[2J\u{9b}\u{202e}"}: "#), "{text}");
    assert!(found[1].to_string().len() < 400);
}

#[test]
fn of_many_divergences_the_first_are_kept_and_all_are_counted() {
    let mut head = head(&store(), &doc! {});
    let gone = CollectionUuid::from_bytes([2; 16]);
    let gone = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: gone.as_bytes().to_vec() };
    let into = |secs| entry(secs, doc! {"op": "i", "ns": "app.b", "o": {"_id": 1}, "ui": gone.clone()});
    let many: Vec<_> = (12..2012).map(into).collect();
    apply(&mut head, &many).unwrap();
    // As many again, found when they are folded.
    let many: Vec<_> = (3000..5000).map(|n| delete(n, i32::try_from(n).unwrap())).collect();
    apply(&mut head, &many).unwrap();
    head.compact().unwrap();
    let found = head.take_divergences();
    assert_eq!((found.len(), found[999].at), (1000, Some(optime(1011, 1))));
    let all = Diverged { operations: 4000, first: optime(12, 1) };
    assert_eq!((found.diverged(), head.state().diverged()), (all, all));
    assert_eq!((head.take_divergences().len(), head.state().diverged()), (0, all));
}

#[test]
fn an_operator_that_does_more_when_applied_twice_is_told_where_the_copy_may_have_had_it() {
    let store = store();
    let documents = [doc! {"_id": 1, "n": 1}];
    let mut head = head_at(&store, optime(10, 1), &doc! {}, &documents, Some(timestamp(12)));
    let inc = doc! {"op": "u", "ns": "app.a", "ui": uuid(), "o": {"$inc": {"n": 1}}, "o2": {"_id": 1}};
    apply(&mut head, &[users(11, true, inc.clone()), noop(12, 1), users(13, true, inc)]).unwrap();
    let found = head.take_divergences();
    assert!(matches!(&found[..], [it] if matches!(it.what, What::Doubt(_)) && it.at == Some(optime(11, 1))));
    assert_eq!(head.state().diverged().operations, 1);
}

/// The run of the order is replaced by garbage.
#[test]
fn the_order_of_a_capped_collection_is_proven_too() {
    let store = store();
    let mut head = head(&store, &capped());
    head.snapshot(&UnixMillis(0)).unwrap();
    let root = Root::read(&store, head.root()).unwrap();
    let mut entries = catalog::read(&store, root.catalog.as_ref()).unwrap();
    let session = store.session(&[&name().head()]).unwrap();
    let top = session.put(&[tidemark_blockstore::BlockRef::leaf(b"no documents at all")]).unwrap()[0];
    let run = Run { kind: RunKind::Base, top, items: 3, plain_bytes: 19, first: None, last: None };
    entries.get_mut(&A).unwrap().order = RunStack { base: Some(run), patches: Vec::new() };
    let catalog = catalog::write(&session, entries.iter().map(|(uuid, entry)| (*uuid, entry))).unwrap();
    let root = Root { catalog, ..root }.put(&session).unwrap();
    let value = store.get_ref(&name().snapshot(1)).unwrap().unwrap().value;
    let set = Some(NewRef { roots: vec![root], value });
    session.publish(&[RefChange { name: name().snapshot(7), expect: Expect::Absent, set }]).unwrap();
    let proof = snapshot::prove(&store, &name(), 7);
    assert!(matches!(proof, Err(HeadError::Run(_))), "{proof:?}");
}
