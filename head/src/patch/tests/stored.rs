//! Patches as bytes: golden examples, round trips.

use super::*;
use Manner::{Strict, Tolerant};
use tidemark_base::codec::Reader;

/// Stores a patch, opens it again, and checks that nothing changed.
pub(super) fn stored_and_opened(patch: &Patch<'_>) -> Patch<'static> {
    let mut head = Vec::new();
    patch.encode_head(&mut head);
    head.push(0xee);
    let mut reader = Reader::new(&head);
    let opened = Patch::decode(&mut reader, patch.payload()).unwrap();
    assert_eq!(reader.rest(), [0xee]);
    assert_eq!(&opened, patch);
    opened.into_owned()
}

#[track_caller]
fn is(steps: &[Step], head: &[u8], payload: &[u8]) {
    let patch = composed(steps, &mut Vec::new());
    let mut found = Vec::new();
    patch.encode_head(&mut found);
    assert_eq!((found.as_slice(), patch.payload()), (head, payload));
    stored_and_opened(&patch);
}

/// As `docs/format.md` describes them. If one of these changes, so has the format.
#[test]
fn heads_and_payloads_byte_for_byte() {
    is(&[insert(Tolerant, 1)], &[0x00], &document(1));
    is(&[insert(Strict, 1)], &[0x04], &document(1));
    is(&[delete(Strict), insert(Strict, 1)], &[0x08], &document(1));
    is(&[diff(Strict, 1), delete(Strict), insert(Strict, 1)], &[0x0c, 2, 0, 0, 0], &document(1));
    is(&[delete(Tolerant)], &[0x01], &[]);
    is(&[insert(Strict, 1), delete(Strict)], &[0x05], &[]);
    is(&[delete(Strict)], &[0x09], &[]);
    is(&[push(Strict, 1), push(Strict, 1), delete(Strict)], &[0x0d, 3, 0, 0, 0], &[]);
    is(&[], &[0x02], &[]);

    let payload = |step: &Step| match &step.deed {
        Deed::Insert(bytes) | Deed::Replace(bytes) | Deed::Modify(bytes) | Deed::Diff(bytes) => bytes.clone(),
        Deed::Delete => Vec::new(),
    };
    for (step, tag) in [
        (replace(Strict, 1), 0x00),
        (replace(Tolerant, 1), 0x01),
        (push(Strict, 1), 0x04),
        (push(USER, 1), 0x05),
        (diff(Strict, 1), 0x08),
        (diff(Tolerant, 1), 0x09),
    ] {
        is(std::slice::from_ref(&step), &[0x02], &[&[tag], payload(&step).as_slice()].concat());
    }
    let id = with_id(kind::INT32, &1_i32.to_le_bytes(), |_| {});
    for (step, tag) in [(push(UPSERT, 1), 0x06), (diff(UPSERT, 1), 0x0a)] {
        is(std::slice::from_ref(&step), &[0x02], &[&[tag], id.as_slice(), &payload(&step)].concat());
    }
    let steps = [diff(Strict, 1), replace(Strict, 2), push(Tolerant, 3)];
    let bytes = [&[0], payload(&steps[1]).as_slice(), &[5], &payload(&steps[2])].concat();
    is(&steps, &[0x0a], &bytes);
}
