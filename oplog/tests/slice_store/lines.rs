//! The line that leads to the tip, through chains that were begun where others were left.

use crate::make::{slice, slices_of, start};
use crate::places::Place;
use tidemark_base::Timestamp;
use tidemark_oplog::slice::{Link, Slice};
use tidemark_oplog::store::{SliceStore, StoreError};

/// Begins a new chain behind a slice, or where all began.
fn restart(slices: &SliceStore, session: &tidemark_blockstore::Session, after: Option<&Slice>) {
    let from = after.map_or(start(), |it| it.header.end());
    let change = slices.restarting(from).unwrap().unwrap();
    session.publish(&[change]).unwrap();
    assert_eq!(slices.restarting(from).unwrap(), None);
}

#[test]
fn a_line_goes_back_through_the_chains_it_came_from() {
    let store = Place::memory().store();
    let slices = slices_of(&store);
    let session = store.session(&[]).unwrap();
    slices.start(&session, start()).unwrap();
    let begin = start().at.ts.secs;
    let append = |after: Link, at: u32, text| {
        let made = slice(after, [begin + at, begin + at + 1], text);
        slices.append(&session, &made.bytes).unwrap();
        made
    };
    let line = |from: Option<u32>, to: u32| {
        let at = |secs: u32| Timestamp { secs: begin + secs, ordinal: u32::MAX };
        let tip = slices.tip().unwrap().unwrap();
        let found = slices.line(&tip, from.map(at), at(to).min(tip.link.at.ts));
        found.map(|found| found.into_iter().map(|it| it.header).collect::<Vec<_>>())
    };
    let a = append(start(), 10, "a");
    let b = append(a.header.end(), 20, "b");
    let c = append(b.header.end(), 30, "c");
    assert_eq!(line(None, 99).unwrap(), [a.header, b.header, c.header]);
    // Back behind `b`, then from there on twice, the first time in vain.
    restart(&slices, &session, Some(&b));
    let left = append(b.header.end(), 40, "left");
    restart(&slices, &session, Some(&b));
    assert_eq!(line(None, 99).unwrap(), [a.header, b.header]);
    let d = append(b.header.end(), 50, "d");
    let tip = slices.tip().unwrap().unwrap();
    assert_eq!(tip.chain.0, 3);
    assert_eq!(line(None, 99).unwrap(), [a.header, b.header, d.header]);
    assert_eq!(line(Some(11), 99).unwrap(), [b.header, d.header]);
    assert_eq!(line(Some(15), 25).unwrap(), [b.header]);
    assert_eq!(line(Some(30), 99).unwrap(), [d.header]);
    assert!(line(Some(60), 99).unwrap().is_empty());
    assert_eq!(slices.line_start(&tip).unwrap(), start());
    // Older than what is kept.
    slices.expire(&session, a.header.last.ts).unwrap();
    assert!(matches!(line(Some(5), 99), Err(StoreError::NotCovered { .. })));
    assert_eq!(line(Some(11), 99).unwrap(), [b.header, d.header]);
    assert_eq!(slices.line_start(&tip).unwrap(), a.header.end());
    assert_ne!(left.header.end(), d.header.end());
    restart(&slices, &session, None);
    assert!(line(None, 99).unwrap().is_empty());
}
