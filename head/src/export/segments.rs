//! Segments: the documents of a collection in stretches of about 64 MiB, each measured for itself.
//!
//! A segment ends with the document by which it has so many bytes or more: so they follow from the documents and
//! their order alone, however those are stored and whatever is read at once. A restore can go on at any of them.

#![warn(clippy::indexing_slicing)]

use super::prepare::{Measured, Segment};
use crate::dump::Sum;
use crate::key::key_of_document;
use crate::stack::Batch;
use tidemark_base::bson::Doc;

/// How long a segment is at least, but for the last one of a collection.
pub(super) const SEGMENT_BYTES: u64 = 64 << 20;

/// Divides documents into segments as they come.
#[derive(Debug)]
pub(super) struct Segments {
    least_bytes: u64,
    done: Vec<Segment>,
    /// Of those that are done.
    sum: Sum,
    open: Option<Open>,
}

/// A segment to which more will come.
#[derive(Debug)]
struct Open {
    first_key: Vec<u8>,
    documents: u64,
    bytes: u64,
    sum: Sum,
}

impl Open {
    fn begin(first: &[u8]) -> Self {
        let mut first_key = Vec::new();
        // Only what a dump is given beside the collections could be without an _id: nobody looks for it by key.
        let _ = Doc::new(first).map(|first| key_of_document(first, &mut first_key));
        Self { first_key, documents: 0, bytes: 0, sum: Sum::default() }
    }
}

impl Segments {
    pub(super) fn new(least_bytes: u64) -> Self {
        Self { least_bytes, done: Vec::new(), sum: Sum::default(), open: None }
    }

    /// Takes documents.
    pub(super) fn add(&mut self, batch: &Batch) {
        let Some(first) = batch.documents().next() else { return };
        let open = self.open.get_or_insert_with(|| Open::begin(first));
        if open.bytes + (batch.bytes as u64) < self.least_bytes {
            open.documents += batch.count;
            open.bytes += batch.bytes as u64;
            batch.pieces().for_each(|piece| open.sum.add(piece));
            return;
        }
        // A segment ends here: only now it matters where one document ends and the next begins.
        for document in batch.documents() {
            let open = self.open.get_or_insert_with(|| Open::begin(document));
            open.documents += 1;
            open.bytes += document.len() as u64;
            open.sum.add(document);
            if open.bytes >= self.least_bytes {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        let Some(Open { first_key, documents, bytes, sum }) = self.open.take() else { return };
        self.sum.append(&sum);
        self.done.push(Segment { first_key, documents, bytes, crc: sum.value() });
    }

    /// What all of it comes to.
    pub(super) fn finish(mut self) -> Measured {
        self.close();
        let Self { done: segments, sum, .. } = self;
        let documents = segments.iter().map(|segment| segment.documents).sum();
        let bytes = segments.iter().map(|segment| segment.bytes).sum();
        Measured { documents, bytes, crc: sum.value(), segments }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidemark_base::bson::DocWriter;

    fn document(n: usize, bytes: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut w = DocWriter::new(&mut out);
        let open = w.begin();
        w.int32(b"_id", i32::try_from(n).unwrap());
        w.binary(b"value", 0, &vec![7; bytes]);
        w.end(open);
        out
    }

    /// One document after the other.
    fn plainly(documents: &[Vec<u8>], least_bytes: usize) -> Vec<Segment> {
        let (mut found, mut rest) = (Vec::new(), documents);
        while let Some(first) = rest.first() {
            let mut bytes = 0;
            let is_before_last = |it: &&Vec<u8>| {
                bytes += it.len();
                bytes < least_bytes
            };
            let count = (rest.iter().take_while(is_before_last).count() + 1).min(rest.len());
            let (some, others) = rest.split_at(count);
            let mut first_key = Vec::new();
            key_of_document(Doc::new(first).unwrap(), &mut first_key).unwrap();
            let all = some.concat();
            let mut digest = crate::dump::checksum();
            digest.update(&all);
            let crc = digest.finalize();
            found.push(Segment { first_key, documents: count as u64, bytes: all.len() as u64, crc });
            rest = others;
        }
        found
    }

    proptest! {
        #[test]
        fn segments_are_the_same_however_documents_come(
            lengths in prop::collection::vec(0..300_usize, 0..60),
            batches in prop::collection::vec(0..9_usize, 1..60),
            least_bytes in 1..2000_usize,
        ) {
            let documents: Vec<Vec<u8>> = lengths.iter().zip(0..).map(|(bytes, n)| document(n, *bytes)).collect();
            let mut segments = Segments::new(least_bytes as u64);
            let (mut rest, mut sizes) = (documents.as_slice(), batches.iter().cycle());
            let mut turns = 0;
            while !rest.is_empty() && turns < 1000 {
                turns += 1;
                let size = if turns > 100 { 1 } else { *sizes.next().unwrap() };
                let (some, others) = rest.split_at(size.min(rest.len()));
                let mut batch = Batch::default();
                some.iter().for_each(|document| batch.document(document));
                segments.add(&batch);
                rest = others;
            }
            let measured = segments.finish();
            prop_assert_eq!(&measured.segments, &plainly(&documents, least_bytes));
            let whole = plainly(&documents, usize::MAX);
            let found = (measured.documents, measured.bytes, measured.crc);
            let expected = whole.first().map_or((0, 0, 0), |it| (it.documents, it.bytes, it.crc));
            prop_assert_eq!(found, expected);
        }
    }
}
