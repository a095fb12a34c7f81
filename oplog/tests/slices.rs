//! Slices of what a real server wrote, and slices of every version so far.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use tidemark_base::bson::{Doc, split};
use tidemark_base::{OpTime, SeededEntropy};
use tidemark_oplog::chain;
use tidemark_oplog::slice::{Header, Link, SliceReader, SliceWriter, optime};
use tidemark_testkit::captures;

/// The entries cut into slices of random numbers of them, the writer's own limits kept.
fn cut(start: Link, entries: &[&[u8]], random: &mut SeededEntropy) -> Vec<Vec<u8>> {
    let mut writer = SliceWriter::new(start);
    let mut slices = Vec::new();
    let mut left = 0;
    for entry in entries {
        let entry = Doc::new(entry).unwrap();
        if left == 0 || !writer.would_fit(entry) {
            slices.extend(writer.finish().map(|it| it.bytes));
            left = 1 + random.below(200);
        }
        writer.push(entry).unwrap();
        left -= 1;
    }
    slices.extend(writer.finish().map(|it| it.bytes));
    slices
}

#[test]
fn the_entries_of_all_captures_come_back_byte_for_byte_from_slices_of_any_size() {
    let mut random = SeededEntropy::new(1);
    let mut plain = Vec::new();
    let mut slices_read = 0;
    for name in captures::names().unwrap() {
        let capture = captures::get(name).unwrap();
        let before = OpTime { ts: capture.fetch_after, term: OpTime::NO_TERM };
        let slices = cut(Link::genesis(before), &capture.entries, &mut random);
        let mut entries = capture.entries.iter();
        let mut headers: Vec<Header> = Vec::new();
        for slice in &slices {
            let reader = SliceReader::open(slice).unwrap();
            for entry in reader.decode(&mut plain).unwrap().iter() {
                assert_eq!(Some(&entry.as_bytes()), entries.next(), "{name}");
            }
            headers.push(*reader.header());
        }
        assert_eq!(entries.next(), None, "{name}");
        assert_eq!(chain::check(&headers), [], "{name}");
        let last = headers.last().unwrap().last;
        assert_eq!(Ok(last), optime(Doc::new(capture.entries.last().unwrap()).unwrap()), "{name}");
        assert_eq!(last.ts, capture.stop, "{name}");
        slices_read += slices.len();
    }
    assert!(slices_read > 100, "only {slices_read} slices");
}

/// Two slices of version 1, one behind the other: compressed, and of an entry that cannot be. Written once
/// and kept for ever; if they cannot be read, no store of that time can.
#[test]
fn slices_of_version_1_are_read() {
    let kept = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/slice-v1").join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let entries = kept("entries.bson");
    let entries: Vec<Doc<'_>> = split(&entries).map(Result::unwrap).collect();
    assert_eq!(entries.len(), 21);
    let (first, second) = entries.split_at(20);
    let start = Link::genesis(OpTime { ts: "1700000000,1".parse().unwrap(), term: 3 });
    let mut writer = SliceWriter::new(start);
    let mut plain = Vec::new();
    for (name, entries, digest) in [
        ("compressed", first, "20fc17826510a8af4dd90004111f008a114242a62dad7f99be539c455393831d"),
        ("raw", second, "08174248a8045ab21a244cdc30d2db68a92f1b697b8af1842aee5131d3af56a9"),
    ] {
        let slice = kept(name);
        let reader = SliceReader::open(&slice).unwrap();
        let found: Vec<Doc<'_>> = reader.decode(&mut plain).unwrap().iter().collect();
        assert_eq!(found, entries);
        assert_eq!(reader.header().digest.to_string(), digest);
        // What is written now says the same, whatever zstd makes of it.
        entries.iter().for_each(|entry| writer.push(*entry).unwrap());
        let now = writer.finish().unwrap();
        assert_eq!(now.header.end(), reader.header().end());
        assert_eq!(now.header.previous, reader.header().previous);
    }
}
