//! Blocks that are what somebody wrote, and no sound part of a run: an error, or items in order; never a panic.

use super::index::{Amount, Child};
use super::*;
use tidemark_blockstore::{Block, BlockRef, encode_node};

/// Puts another block in place of the one at the end of `path` (from the top), under its right name, and nodes
/// above it that name it. Returns the top.
fn replace(session: &Session, path: &[BlockId], kind: BlockKind, plain: &[u8]) -> Option<BlockId> {
    // The store itself refuses a node without a list of children.
    let mut id = session.put(&[BlockRef { kind, bytes: plain }]).ok()?.remove(0);
    for pair in path.windows(2).rev() {
        let block = session.read(&[pair[0]]).remove(0).unwrap();
        let node = Node::decode(block.bytes()).unwrap();
        let children: Vec<_> =
            node.children().map(|child| if child == pair[1] { id } else { child }).collect();
        id = session.put(&[BlockRef::node(&encode_node(&children, node.body).unwrap())]).unwrap().remove(0);
    }
    Some(id)
}

/// The first path of each length from the top, and one to a block of each length that is asked for.
fn paths(session: &Session, run: &Run) -> Vec<Vec<BlockId>> {
    let mut found = vec![vec![run.top]];
    let mut at = 0;
    while let Some(path) = found.get(at).cloned() {
        at += 1;
        let block = session.read(&[*path.last().unwrap()]).remove(0).unwrap();
        if block.kind() == BlockKind::Node {
            let children: Vec<_> = Node::decode(block.bytes()).unwrap().children().collect();
            let some = [0, children.len() / 2, children.len().saturating_sub(1)];
            for child in some.into_iter().collect::<BTreeSet<_>>() {
                found.extend(children.get(child).map(|child| [path.as_slice(), &[*child]].concat()));
            }
        }
    }
    found
}

/// Small leaves, a large item in the middle, two levels of nodes.
fn items(kind: RunKind) -> Items {
    let (count, bytes) = if kind == RunKind::Catalog { (500, 40) } else { (500, 700) };
    let mut items = documents(count, bytes);
    let (key, document) = numbered(count / 2, &noise(9, 300_000));
    items.insert(key, (document, Vec::new()));
    items
}

/// Reads it in every way: an error, or as many items as it says, in order.
fn try_all(session: &Session, run: &Run, keys: &[&Vec<u8>]) -> bool {
    let all = read_all(session, run);
    if let Ok(items) = &all {
        assert_eq!(items.len() as u64, run.items);
    }
    let reader = RunReader::open(session, run);
    let mut cursor = reader.cursor(KeyRange::ALL);
    for key in keys {
        let got = reader.get(key);
        cursor.seek(key);
        let _ = cursor.advance();
        if let Ok(items) = &all {
            let got = got.unwrap().map(|item| (item.bytes, item.children));
            assert_eq!(got.as_ref(), items.get(*key));
        }
    }
    // In two parts, by way of a cache: an error as well, or the same items.
    let cached = Cached::new(session, 1 << 20);
    let reader = RunReader::open(&cached, run);
    for key in keys {
        let below = KeyRange { from: None, before: Some((*key).clone()) };
        let above = KeyRange { from: Some((*key).clone()), before: None };
        let [below, above] = [below, above].map(|range| rest(&mut reader.cursor(range).of_part()));
        if let (Ok(below), Ok(above)) = (below, above) {
            let both: Items = below.into_iter().chain(above).collect();
            assert!(all.as_ref().is_ok_and(|all| *all == both));
        }
    }
    match all {
        Err(RunError::Damaged { .. } | RunError::Store(_)) => false,
        Err(other) => panic!("{other}"),
        Ok(_) => true,
    }
}

/// The first, the last and some other positions.
fn positions(len: usize) -> impl Iterator<Item = usize> {
    (0..len).filter(move |at| *at < 80 || *at + 40 > len || *at % (len / 40 + 1) == 0)
}

#[test]
fn no_flip_and_no_cut_of_any_block_does_worse_than_an_error() {
    for kind in KINDS {
        let store = store();
        let session = store.session(&[]).unwrap();
        let items = items(kind);
        let run = write(&session, kind, &items).unwrap();
        let keys: Vec<&Vec<u8>> = items.keys().step_by(125).collect();
        let (mut read, mut refused, mut blocks) = (0, 0, 0);
        for path in paths(&session, &run) {
            blocks += 1;
            let block = session.read(&[*path.last().unwrap()]).remove(0).unwrap();
            let plain = block.bytes();
            let flips = positions(plain.len()).map(|at| {
                let mut bad = plain.to_vec();
                bad[at] ^= 1 << (at % 8);
                bad
            });
            let cuts = positions(plain.len()).map(|at| plain[..at].to_vec());
            for bad in flips.chain(cuts).step_by(if plain.len() > 2000 { 3 } else { 1 }) {
                let Some(top) = replace(&session, &path, block.kind(), &bad) else { continue };
                let sound = try_all(&session, &Run { top, ..run.clone() }, &keys);
                if sound { read += 1 } else { refused += 1 }
            }
        }
        println!("{kind:?}: {blocks} blocks, {refused} refused, {read} read");
        assert!(blocks >= 4 && refused > 400 && read > 100, "{kind:?}");
    }
}

#[test]
fn a_run_that_says_more_or_less_than_there_is_is_damaged() {
    let store = store();
    let session = store.session(&[]).unwrap();
    for (kind, count) in KINDS.into_iter().flat_map(|kind| [(kind, 3), (kind, 500)]) {
        let run = write(&session, kind, &documents(count, 600)).unwrap();
        for wrong in [
            Run { items: run.items + 1, ..run.clone() },
            Run { plain_bytes: run.plain_bytes - 1, ..run.clone() },
            Run { kind: if kind == RunKind::Base { RunKind::Patch } else { RunKind::Base }, ..run.clone() },
        ] {
            let error = read_all(&session, &wrong).unwrap_err();
            assert!(matches!(error, RunError::Damaged { .. }), "{error}");
        }
        let missing = Run { top: BlockId::of(BlockKind::Leaf, b"elsewhere"), ..run };
        assert!(matches!(read_all(&session, &missing), Err(RunError::Store(_))));
    }
}

#[test]
fn a_child_in_place_of_another_is_found() {
    let store = store();
    let session = store.session(&[]).unwrap();
    for kind in KINDS {
        let run = write(&session, kind, &documents(3000, 500)).unwrap();
        let block = session.read(&[run.top]).remove(0).unwrap();
        let node = Node::decode(block.bytes()).unwrap();
        let children: Vec<BlockId> = node.children().collect();
        for (a, b) in [(0, 1), (1, 0), (0, children.len() - 1)] {
            let mut children = children.clone();
            children[a] = children[b];
            let top = session.put(&[BlockRef::node(&encode_node(&children, node.body).unwrap())]).unwrap()[0];
            assert!(matches!(read_all(&session, &Run { top, ..run.clone() }), Err(RunError::Damaged { .. })));
        }
        // A node as its own child would have to be of its own level.
        let mut deeper = children.clone();
        deeper[0] = run.top;
        let top = session.put(&[BlockRef::node(&encode_node(&deeper, node.body).unwrap())]).unwrap()[0];
        let error = read_all(&session, &Run { top, ..run.clone() }).unwrap_err();
        assert!(matches!(error, RunError::Damaged { problem: Problem::Level { .. }, .. }), "{error}");
    }
}

#[test]
fn a_document_behind_the_end_of_its_leaf_is_not_passed_over_where_a_part_ends() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let run = write(&session, RunKind::Base, &documents(500, 600)).unwrap();
    let block = session.read(&[run.top]).remove(0).unwrap();
    let index = index::decode(RunKind::Base, Node::decode(block.bytes()).unwrap()).unwrap();
    let [first, second] = [&index.children[0], &index.children[1]];
    // The last document of the first leaf gets an _id that belongs behind all others.
    let leaf = session.read(&[first.id]).remove(0).unwrap();
    let documents: Vec<Doc<'_>> = tidemark_base::bson::split(leaf.bytes()).map(Result::unwrap).collect();
    let (last, others) = documents.split_last().unwrap();
    let moved = numbered(100_000, &last.get("value").unwrap().unwrap().value[5..]).1;
    assert_eq!(moved.len(), last.as_bytes().len());
    let plain = [others.iter().map(|it| it.as_bytes()).collect::<Vec<_>>().concat(), moved].concat();
    let top = replace(&session, &[run.top, first.id], BlockKind::Leaf, &plain).unwrap();
    let range = KeyRange { from: None, before: Some(second.separator.clone()) };
    let bad = Run { top, ..run };
    let mut cursor = RunReader::open(&session, &bad).cursor(range).of_part();
    let error = rest(&mut cursor).unwrap_err();
    assert!(matches!(error, RunError::Damaged { problem: Problem::Range, .. }), "{error}");
}

#[test]
fn after_an_error_a_cursor_is_at_its_end() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let run = write(&session, RunKind::Base, &documents(3, 10)).unwrap();
    let mut cursor = RunReader::open(&session, &Run { items: 4, ..run }).cursor(KeyRange::ALL);
    for _ in 0..3 {
        assert!(cursor.advance().unwrap());
    }
    assert!(cursor.advance().is_err());
    assert!(!cursor.advance().unwrap() && cursor.current().is_none());
}

/// A session that notes how many bytes were asked for at once, at most.
struct Noted<'s>(&'s Session, std::sync::Mutex<usize>);

impl Source for Noted<'_> {
    fn read(&self, ids: &[BlockId]) -> Vec<tidemark_blockstore::Result<Block>> {
        let found = self.0.read(ids);
        let bytes: usize = found.iter().flatten().map(|block| block.bytes().len()).sum();
        let mut most = self.1.lock().unwrap();
        *most = bytes.max(*most);
        found
    }
}

#[test]
fn of_a_large_item_with_pieces_that_are_far_too_long_few_are_read() {
    let store = store();
    let session = store.session(&[]).unwrap();
    let (_, document) = numbered(1, &noise(1, 300 << 10));
    let pieces: Vec<BlockId> =
        (0..64).map(|n| session.put(&[BlockRef::leaf(&vec![n; 4 << 20])]).unwrap()[0]).collect();
    let lengths = large::Lengths { key: 0, head: 0, contents: document.len() };
    let large = large::Large { own_children: 0, lengths, inline: &[] };
    let top = session.put(&[BlockRef::node(&large.encode(RunKind::Base, &pieces).unwrap())]).unwrap()[0];
    let plain_bytes = document.len() as u64;
    let run = Run { kind: RunKind::Base, top, items: 1, plain_bytes, first: None, last: None };
    let noted = Noted(&session, std::sync::Mutex::new(0));
    let error = RunReader::open(&noted, &run).cursor(KeyRange::ALL).advance().unwrap_err();
    assert!(matches!(error, RunError::Damaged { problem: Problem::Count { .. }, .. }), "{error}");
    let most = *noted.1.lock().unwrap();
    assert!(most <= 5 * (4 << 20), "{most} bytes were read at once");
}

/// A run of this kind whose two lowest nodes say that as much lies below them as can be counted, and the top that
/// it is less.
fn with_lying_nodes(session: &Session, kind: RunKind) -> Run {
    let leaf = |n: u8| BlockId::of(BlockKind::Leaf, &[n]);
    let child = |id, n: u8, plain_bytes| {
        let separator = if n == 0 { Vec::new() } else { vec![n] };
        Child { id, separator, amount: Amount::of(1 << 60, plain_bytes) }
    };
    let put = |plain: Vec<u8>| session.put(&[BlockRef::node(&plain)]).unwrap().remove(0);
    let nodes = [0_u8, 4].map(|n| {
        let children = [n, n + 2].map(|n| child(leaf(n), n, u64::MAX / 2));
        (n, put(index::encode(kind, 1, &children).unwrap()))
    });
    let children = nodes.map(|(n, id)| child(id, n, 1 << 40));
    let top = put(index::encode(kind, 2, &children).unwrap());
    Run { kind, top, items: 1 << 61, plain_bytes: 1 << 41, first: None, last: None }
}

#[test]
fn planning_a_compaction_finds_nodes_that_contradict_those_above() {
    let store = store();
    let session = store.session(&[]).unwrap();
    for kind in [RunKind::Base, RunKind::Patch] {
        let run = with_lying_nodes(&session, kind);
        let outline = Outline::read(&session, &run, 128);
        assert!(matches!(outline, Err(RunError::Damaged { .. })), "{outline:?}");
    }
}
