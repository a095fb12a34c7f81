//! A source that rolls back: the front-end begins the oplog again at an earlier end, and the head goes back to it.

#![expect(clippy::unwrap_used, reason = "a test")]

use bson::{Document, doc};
use std::collections::BTreeSet;
use std::sync::Arc;
use tidemark_base::bson::Doc;
use tidemark_base::{CollectionUuid, OpTime, SeededEntropy, Timestamp, UnixMillis};
use tidemark_blockstore::{MemoryBackend, Store};
use tidemark_head::HeadError;
use tidemark_head::follow::follow;
use tidemark_head::fork::Fork;
use tidemark_head::head::{Head, HeadName, Line, stands_on_line};
use tidemark_head::import::Import;
use tidemark_head::snapshot;
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::{Link, SliceWriter};

const A: CollectionUuid = CollectionUuid::from_bytes([1; 16]);

fn name() -> HeadName {
    HeadName::new("local", "rs0").unwrap()
}

fn ts(secs: u32) -> Timestamp {
    Timestamp { secs, ordinal: 1 }
}

fn insert(secs: u32, term: i64) -> Vec<u8> {
    let id = i32::try_from(secs).unwrap() + 10_000 * i32::try_from(term).unwrap();
    let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: A.as_bytes().to_vec() };
    let ts = bson::Timestamp { time: secs, increment: 1 };
    doc! {"ts": ts, "t": term, "v": 2_i64, "wall": bson::DateTime::from_millis(0), "ui": uuid, "op": "i",
    "ns": "app.a", "o": {"_id": id}, "o2": {"_id": id}}
    .to_vec()
    .unwrap()
}

fn import(store: &Store, secs: u32) -> Import {
    let at = OpTime { ts: ts(secs), term: 1 };
    let mut import = Import::begin(store, at, Filter::default(), usize::MAX).unwrap();
    let options = Doc::EMPTY.as_bytes().to_vec();
    let (database, name) = ("app".to_owned(), "a".to_owned());
    import.collection(A, Collection { database, name, options, indexes: Vec::new() }).unwrap();
    import
}

/// A head of an empty copy made at 10, consistent from `fuzzy_until` on, and its log that begins there.
fn head(fuzzy_until: Option<u32>) -> (Store, Head) {
    let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(3))));
    let head = import(&store, 10).finish(&name(), fuzzy_until.map(ts)).unwrap();
    let session = store.session(&[]).unwrap();
    name().slices(&store).start(&session, Link::genesis(OpTime { ts: ts(10), term: 1 })).unwrap();
    (store, head)
}

/// Stores a slice with inserts at these seconds.
fn append(store: &Store, secs: &[u32], term: i64) {
    let slices = name().slices(store);
    let mut writer = SliceWriter::new(slices.tip().unwrap().unwrap().link);
    secs.iter().for_each(|secs| writer.push(Doc::new(&insert(*secs, term)).unwrap()).unwrap());
    slices.append(&store.session(&[]).unwrap(), &writer.finish().unwrap().bytes).unwrap();
}

/// Begins the log again where the slice ends whose last entry is of this second.
fn fork(store: &Store, secs: u32) {
    let slices = name().slices(store);
    let tip = slices.tip().unwrap().unwrap();
    let line = slices.line(&tip, None, tip.link.at.ts).unwrap();
    let end = line.iter().find(|it| it.header.last.ts == ts(secs)).map(|it| it.header.end());
    let end = end.unwrap_or(line[0].header.previous);
    assert_eq!(end.at.ts, ts(secs));
    slices.restart(&store.session(&[]).unwrap(), &tip, end).unwrap();
}

fn catch_up(head: &mut Head) {
    let slices = name().slices(head.store());
    let (tip, position) = (slices.tip().unwrap().unwrap(), head.state().position());
    follow(&slices, &tip, position, Timestamp::MAX, &mut |entries, end| {
        head.apply(entries)?;
        end.into_iter().try_for_each(|end| head.pass_slice(end))
    })
    .unwrap();
}

fn ids(fork: &Fork) -> BTreeSet<i32> {
    let mut ids = BTreeSet::new();
    let each = &mut |document: &[u8]| {
        ids.insert(Document::from_reader(document).unwrap().get_i32("_id").unwrap());
        Ok(())
    };
    fork.state().for_each(fork.session(), A, each).unwrap();
    ids
}

fn head_ids(head: &mut Head) -> BTreeSet<i32> {
    head.flush().unwrap();
    ids(&Fork::of_head(head.store(), &name()).unwrap())
}

#[test]
fn what_was_applied_of_a_branch_that_was_left_is_undone() {
    let (store, mut head) = head(None);
    append(&store, &[11, 12], 1);
    catch_up(&mut head);
    let (kept, _) = head.snapshot(&UnixMillis(0)).unwrap();
    append(&store, &[13], 1);
    catch_up(&mut head);
    let (left, _) = head.snapshot(&UnixMillis(0)).unwrap();
    append(&store, &[14], 1);
    catch_up(&mut head);
    assert_eq!(head.rewind_to_line().unwrap(), Line::Stands);
    assert!(stands_on_line(&store, &name()).unwrap());
    fork(&store, 12);
    append(&store, &[20], 2);
    assert!(!stands_on_line(&store, &name()).unwrap());
    let Line::WentBack(at) = head.rewind_to_line().unwrap() else { panic!() };
    assert_eq!(at.ts, ts(12));
    assert_eq!(head.rewind_to_line().unwrap(), Line::Stands);
    catch_up(&mut head);
    assert_eq!(head_ids(&mut head), [10_011, 10_012, 20_020].into());
    assert!(snapshot::get(&store, &name(), left).unwrap().is_dead_branch);
    assert!(!snapshot::get(&store, &name(), kept).unwrap().is_dead_branch);
    // The chain is the one that the front-end began.
    assert_eq!(name().slices(&store).tip().unwrap().unwrap().chain.0, 2);
}

#[test]
fn what_was_not_flushed_is_all_that_is_forgotten_where_that_is_enough() {
    let (store, mut head) = head(None);
    append(&store, &[11, 12], 1);
    catch_up(&mut head);
    let root = head.flush().unwrap();
    append(&store, &[13], 1);
    catch_up(&mut head);
    fork(&store, 12);
    assert!(matches!(head.rewind_to_line().unwrap(), Line::WentBack(at) if at.ts == ts(12)));
    assert_eq!(head.root(), root);
    append(&store, &[14], 2);
    catch_up(&mut head);
    assert_eq!(head_ids(&mut head), [10_011, 10_012, 20_014].into());
}

#[test]
fn a_root_in_the_middle_of_a_slice_is_on_the_line_if_its_entry_is() {
    let (store, mut head) = head(None);
    append(&store, &[11, 12], 1);
    catch_up(&mut head);
    let within = [insert(13, 1), insert(14, 1)];
    head.apply(&within.each_ref().map(|entry| Doc::new(entry).unwrap())).unwrap();
    head.flush().unwrap();
    append(&store, &[13, 14, 15], 1);
    assert_eq!(head.rewind_to_line().unwrap(), Line::Stands);
    fork(&store, 12);
    append(&store, &[14, 16], 2);
    assert_eq!(head.rewind_to_line().unwrap(), Line::Lost, "no snapshot was taken before");
}

#[test]
fn a_copy_that_saw_what_was_rolled_back_is_lost() {
    for (until, forked_at, expected) in [(14, 12, true), (12, 12, false)] {
        let (store, mut head) = head(Some(until));
        append(&store, &[11, 12], 1);
        append(&store, &[13, 15], 1);
        fork(&store, forked_at);
        append(&store, &[20], 2);
        let found = head.rewind_to_line().unwrap();
        assert_eq!(found == Line::Lost, expected, "consistent from {until} on: {found:?}");
    }
}

#[test]
fn a_new_copy_takes_the_place_of_the_old_and_leaves_its_snapshots() {
    let (store, mut head) = head(None);
    append(&store, &[11, 12], 1);
    catch_up(&mut head);
    let (before, _) = head.snapshot(&UnixMillis(0)).unwrap();
    append(&store, &[40], 1);
    catch_up(&mut head);
    let (behind, _) = head.snapshot(&UnixMillis(0)).unwrap();
    let session = store.session(&[]).unwrap();
    let slices = name().slices(&store);
    let tip = slices.tip().unwrap().unwrap();
    slices.restart(&session, &tip, Link::genesis(OpTime { ts: ts(30), term: 1 })).unwrap();
    let mut import = import(&store, 30);
    let document = doc! {"_id": 7}.to_vec().unwrap();
    import.documents(A, &[Doc::new(&document).unwrap()]).unwrap();
    let mut again = import.replace(&name(), Some(ts(31))).unwrap();
    assert!(matches!(head.flush(), Err(HeadError::Fenced { .. })));
    assert_eq!(again.rewind_to_line().unwrap(), Line::Stands);
    append(&store, &[32], 2);
    catch_up(&mut again);
    let (taken, _) = again.snapshot(&UnixMillis(0)).unwrap();
    assert_eq!(taken, 3, "numbers go on");
    assert_eq!(ids(&Fork::of_snapshot(&store, &name(), before).unwrap()), [10_011, 10_012].into());
    assert_eq!(ids(&Fork::of_snapshot(&store, &name(), taken).unwrap()), [7, 20_032].into());
    assert_eq!(ids(&Fork::at(&store, &name(), ts(32)).unwrap()), [7, 20_032].into());
    assert!(!snapshot::get(&store, &name(), before).unwrap().is_dead_branch);
    assert!(
        snapshot::get(&store, &name(), behind).unwrap().is_dead_branch,
        "of a state that the source left"
    );
    // The new line never leads back into the old one.
    fork(&store, 30);
    append(&store, &[33], 3);
    assert_eq!(again.rewind_to_line().unwrap(), Line::Lost);
}

/// Forks at random places, of which the head learns sooner or later: it always ends where the line leads.
#[test]
fn however_the_source_rolls_back_the_head_is_what_the_line_says() {
    for seed in 0..u64::from(tidemark_testkit::rounds(20)) {
        let mut random = SeededEntropy::new(seed);
        let mut below = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
        let (store, mut head) = head(None);
        head.snapshot(&UnixMillis(0)).unwrap();
        // Ends of slices with what the source has there.
        let mut line: Vec<(u32, BTreeSet<i32>)> = vec![(10, BTreeSet::new())];
        let (mut secs, mut term) = (10, 1);
        for _ in 0..60 {
            match below(10) {
                0 if line.len() > 1 => {
                    line.truncate(1 + below(line.len() - 1));
                    term += 1;
                    fork(&store, line.last().unwrap().0);
                }
                1 => drop(head.snapshot(&UnixMillis(0))),
                2..5 => {
                    let lost = head.rewind_to_line().unwrap();
                    assert_ne!(lost, Line::Lost, "there is a snapshot at the beginning");
                    catch_up(&mut head);
                    let (last, expected) = line.last().unwrap();
                    assert_eq!((head.at().ts, &head_ids(&mut head)), (ts(*last), expected), "seed {seed}");
                }
                _ => {
                    let entries: Vec<u32> =
                        (1..=1 + below(3)).map(|it| secs + u32::try_from(it).unwrap()).collect();
                    secs = *entries.last().unwrap();
                    append(&store, &entries, term);
                    let mut ids = line.last().unwrap().1.clone();
                    ids.extend(
                        entries
                            .iter()
                            .map(|it| i32::try_from(*it).unwrap() + 10_000 * i32::try_from(term).unwrap()),
                    );
                    line.push((secs, ids));
                }
            }
        }
        head.rewind_to_line().unwrap();
        catch_up(&mut head);
        head.flush().unwrap();
        for (at, expected) in &line {
            assert_eq!(&ids(&Fork::at(&store, &name(), ts(*at)).unwrap()), expected, "seed {seed}, {at}");
        }
    }
}
