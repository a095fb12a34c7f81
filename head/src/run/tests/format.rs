//! The bytes, built by hand from `docs/format.md`, and names that must never change.

use super::*;
use crate::run::index::{self, Amount, Child};
use crate::run::large::{Large, Lengths};

fn plain(session: &Session, id: BlockId) -> Vec<u8> {
    session.read(&[id]).remove(0).unwrap().bytes().to_vec()
}

#[test]
fn a_leaf_of_patches_is_laid_out_as_written() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let (key, document) = numbered(1, b"");
    let (next_key, next) = numbered(2, b"");
    let mut writer = RunWriter::new(&session, RunKind::Patch);
    writer.push_patch(&key, &patch(Doc::new(&document).unwrap(), false)).unwrap();
    writer.push_patch(&next_key, &patch(Doc::new(&next).unwrap(), true)).unwrap();
    let run = writer.finish().unwrap().unwrap();
    let len = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let expected = [
        &[4, 1, 2],
        &[len(&key)][..],
        &key,
        // Expects no document, and leaves one.
        &[1, 1 << 2, len(&document)],
        &document,
        &[len(&next_key)],
        &next_key,
        // Expects a document, and deletes it.
        &[1, 2 << 2 | 1, 0],
    ];
    let expected = expected.concat();
    assert_eq!(plain(&session, run.top), expected);
    assert_eq!(run.plain_bytes, expected.len() as u64 - 3);
}

#[test]
fn a_leaf_of_a_catalog_is_laid_out_as_written() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let children = [7, 8, 9].map(|n| BlockId::of(BlockKind::Leaf, &[n]));
    let mut writer = RunWriter::new(&session, RunKind::Catalog);
    writer.push(b"a", b"first", &children[..1]).unwrap();
    writer.push(b"bb", &[5; 300], &children[1..]).unwrap();
    let run = writer.finish().unwrap().unwrap();
    let names: Vec<u8> = children.iter().flat_map(|child| *child.as_bytes()).collect();
    let items = [&b"\x01a\x05first\x01"[..], b"\x02bb\xac\x02", &[5; 300], b"\x02"].concat();
    let expected = [&[3, 0, 0, 0][..], &names, &[3, 1, 3], &items].concat();
    assert_eq!(plain(&session, run.top), expected);
    assert_eq!(run.plain_bytes, (items.len() + 3 * 32) as u64);
}

#[test]
fn a_large_item_is_laid_out_as_written() {
    let children = [7, 8].map(|n| BlockId::of(BlockKind::Leaf, &[n]));
    let lengths = Lengths { key: 2, head: 1, contents: 300 };
    let large = Large { own_children: 0, lengths, inline: b"kkh" };
    let names: Vec<u8> = children.iter().flat_map(|child| *child.as_bytes()).collect();
    let expected = [&[2, 0, 0, 0][..], &names, b"\x02\x01\x02", b"\x00\x02\x01\xac\x02kkh"].concat();
    assert_eq!(large.encode(RunKind::Patch, &children).unwrap(), expected);
}

#[test]
fn an_index_node_is_laid_out_as_written() {
    let child = |n: u8, separator: &[u8]| Child {
        id: BlockId::of(BlockKind::Leaf, &[n]),
        separator: separator.to_vec(),
        amount: Amount { items: n.into(), plain_bytes: 300, ..Amount::default() },
    };
    let children = [child(1, b"above"), child(2, b"s")];
    let names: Vec<u8> = children.iter().flat_map(|child| *child.id.as_bytes()).collect();
    let expected = [&[2, 0, 0, 0][..], &names, b"\x01\x01\x01\x07", b"\x01\xac\x02", b"\x01s\x02\xac\x02"];
    assert_eq!(index::encode(RunKind::Base, 7, &children).unwrap(), expected.concat());
    // Of patches it is told what they come to.
    let told = |amount: Amount| Amount { gone: 1, fresh_bytes: 200, ..amount };
    let children = children.map(|child| Child { amount: told(child.amount), ..child });
    let expected = [
        &[2, 0, 0, 0][..],
        &names,
        b"\x01\x01\x02\x07",
        b"\x01\xac\x02\x01\xc8\x01",
        b"\x01s\x02\xac\x02\x01\xc8\x01",
    ];
    assert_eq!(index::encode(RunKind::Patch, 7, &children).unwrap(), expected.concat());
}

#[test]
fn the_names_of_runs_are_frozen() {
    // If this fails, what is written now shares nothing with what was written before.
    let mut items = documents(3000, 500);
    items.extend(documents(3001, 600_000).split_off(&numbered(3000, &[]).0));
    let names = KINDS.map(|kind| {
        let store = store();
        let session = store.session(&[]).unwrap();
        write(&session, kind, &items).unwrap().top.to_string()[..16].to_owned()
    });
    assert_eq!(names, ["2578a57e9c244d97", "ba131c2afce68f73", "3fc9d00cef52e66e"]);
}
