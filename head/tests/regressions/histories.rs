//! Entries of another history are refused, however they come.

use crate::rig::*;
use tidemark_base::{OpTime, Timestamp};
use tidemark_blockstore::Store;
use tidemark_head::HeadError;
use tidemark_head::follow::follow;
use tidemark_head::head::Head;
use tidemark_oplog::slice::{Digest, Link, SliceWriter};

fn assert_fork(head: &mut Head, entries: &[Vec<u8>]) {
    let (at, before) = (head.at(), ids(head));
    let outcome = apply(head, entries);
    assert!(matches!(outcome, Err(HeadError::Fork { .. })), "{outcome:?}");
    assert_eq!((head.at(), ids(head)), (at, before));
}

#[test]
fn a_batch_from_before_us_to_behind_us_must_hold_our_entry() {
    let mut head = head(&store(), &doc! {});
    apply(&mut head, &[noop(11, 1), insert(12, 500)]).unwrap();
    assert_fork(&mut head, &[noop(11, 1), insert_in(13, 2, 600)]);
    assert_fork(&mut head, &[noop(11, 1), insert(13, 600)]);
    apply(&mut head, &[noop(11, 1), insert(12, 500), insert(13, 600)]).unwrap();
    assert_eq!(ids(&head), [0, 1, 2, 500, 600]);
}

#[test]
fn terms_never_fall() {
    let mut head = head(&store(), &doc! {});
    apply(&mut head, &[noop(11, 5)]).unwrap();
    assert_fork(&mut head, &[noop(12, 3)]);
    assert_fork(&mut head, &[noop(12, 7), noop(13, 6)]);
    apply(&mut head, &[noop(12, OpTime::NO_TERM), noop(13, 6)]).unwrap();
}

#[test]
fn an_entry_behind_us_of_a_later_term_is_of_another_history() {
    let mut head = head(&store(), &doc! {});
    apply(&mut head, &[noop(11, 1), noop(13, 1)]).unwrap();
    assert_fork(&mut head, &[noop(12, 2)]);
    assert_fork(&mut head, &[noop(12, 2), noop(14, 2)]);
}

#[test]
fn a_slice_of_another_term_is_not_passed() {
    let mut head = head(&store(), &doc! {});
    apply(&mut head, &[noop(11, 1)]).unwrap();
    let end = |term| Link { at: optime(11, term), digest: Digest([7; 32]) };
    assert!(matches!(head.pass_slice(end(2)), Err(HeadError::Fork { .. })));
    head.pass_slice(end(1)).unwrap();
}

#[test]
fn the_position_of_a_copy_need_be_no_entry_and_gets_its_term_from_one() {
    for is_entry in [false, true] {
        let store = store();
        let at = optime(10, OpTime::NO_TERM);
        let mut head = head_at(&store, at, &doc! {}, &[], None);
        let ends = if is_entry { vec![noop(9, 3), noop(10, 3)] } else { vec![noop(9, 3)] };
        apply(&mut head, &ends).unwrap();
        if is_entry {
            assert_eq!(head.at(), optime(10, 3));
            assert_fork(&mut head, &[noop(10, 4)]);
            assert_fork(&mut head, &[noop(9, 3), insert_in(12, 3, 7)]);
        }
        apply(&mut head, &[ends, vec![insert_in(12, 3, 7)]].concat()).unwrap();
        assert_eq!(ids(&head), [7]);
    }
}

fn append(store: &Store, after: Link, entries: &[Vec<u8>]) -> Link {
    let session = store.session(&[]).unwrap();
    let mut writer = SliceWriter::new(after);
    for entry in entries {
        writer.push(tidemark_base::bson::Doc::new(entry).unwrap()).unwrap();
    }
    let slice = writer.finish().unwrap();
    name().slices(store).append(&session, &slice.bytes).unwrap().tip().link
}

fn bring(head: &mut Head) -> Result<(), HeadError> {
    let slices = name().slices(head.store());
    let tip = slices.tip().unwrap().unwrap();
    let position = head.state().position();
    follow(&slices, &tip, position, Timestamp::MAX, &mut |entries, end| {
        head.apply(entries)?;
        end.map_or(Ok(()), |end| head.pass_slice(end))
    })
}

/// A head that was brought on without slices, and a chain that begins where the copy was taken.
#[test]
fn a_chain_that_begins_at_a_copy_in_another_term_is_not_followed() {
    for (term, fits) in [(1, true), (0, false), (2, false), (OpTime::NO_TERM, true)] {
        let store = store();
        let mut head = head(&store, &doc! {});
        apply(&mut head, &[noop(11, 2)]).unwrap();
        let session = store.session(&[]).unwrap();
        let start = name().slices(&store).start(&session, Link::genesis(optime(10, term))).unwrap();
        append(&store, start.link, &[noop(11, 2), insert_in(12, 2, 500)]);
        let outcome = bring(&mut head);
        assert_eq!(outcome.is_ok(), fits, "term {term}: {outcome:?}");
        assert_eq!(matches!(outcome, Err(HeadError::Fork { .. })), !fits, "term {term}");
    }
}
