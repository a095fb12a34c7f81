//! Stored patches: two of one document, which composed must do what they do one after the other.

use tidemark_base::bson::{Doc, DocWriter};
use tidemark_base::codec::Reader;
use tidemark_head::patch::{Folder, Misfit, Outcome, Patch};

/// Two patches: the length of the first in two bytes, the first, the second; each a head and its payload.
#[must_use]
pub fn patch(bytes: &[u8]) -> bool {
    let Some((len, rest)) = bytes.split_first_chunk() else { return false };
    let Some((older, newer)) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len))) else {
        return false;
    };
    let (Some(older), Some(newer)) = (open(older), open(newer)) else { return false };
    let (mut folder, mut found) = (Folder::new(), Vec::new());
    let both = folder.compose(older.clone(), newer.clone(), &mut found);
    store(&both);
    let mut below = Vec::new();
    let mut w = DocWriter::new(&mut below);
    let document = w.begin();
    w.int32(b"_id", 1);
    w.end(document);
    for below in [None, Some(below.as_slice())] {
        let mut one_by_one = Vec::new();
        let middle = fold(below, &older, &mut one_by_one);
        let last = fold(middle.as_deref(), &newer, &mut one_by_one);
        let composed = fold(below, &both, &mut found);
        // Replacements of other documents are found when a patch is made, not when it is opened.
        if !one_by_one.iter().any(|misfit| matches!(misfit, Misfit::OtherId | Misfit::BadId(_))) {
            assert_eq!(composed, last);
        }
    }
    true
}

/// Opens a patch; what opens is stored as it was.
fn open(bytes: &[u8]) -> Option<Patch<'_>> {
    let head_len = if bytes.first()? & 0x0c == 0x0c { 5 } else { 1 };
    let (head, payload) = bytes.split_at_checked(head_len)?;
    let patch = Patch::decode(&mut Reader::new(head), payload).ok()?;
    assert_eq!(store(&patch), bytes);
    Some(patch)
}

/// The patch as bytes, which it can be opened from.
fn store(patch: &Patch<'_>) -> Vec<u8> {
    let mut head = Vec::new();
    patch.encode_head(&mut head);
    let opened = Patch::decode(&mut Reader::new(&head), patch.payload()).expect("what is stored opens");
    assert_eq!(&opened, patch);
    [head.as_slice(), patch.payload()].concat()
}

fn fold(below: Option<&[u8]>, patch: &Patch<'_>, found: &mut Vec<Misfit>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let below = below.map(|below| Doc::new(below).expect("a document came of it"));
    let outcome = Folder::new().fold(below, patch, &mut out, found);
    assert!(outcome == Outcome::Document || out.is_empty());
    (outcome == Outcome::Document).then_some(out)
}
