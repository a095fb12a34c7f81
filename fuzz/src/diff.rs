//! Updates of documents: diffs, modifiers and replacements, both document and update from outside.
//!
//! What is sound BSON is compared with the slow model of the tests of `oplog`.

#[path = "../../oplog/tests/update_model/slow/mod.rs"]
mod slow;

use tidemark_base::bson::{Doc, check};
use tidemark_oplog::update::{Fit, Update};

/// An update: the length of the document in two bytes, the document, the `o` of the update.
#[must_use]
pub fn diff(bytes: &[u8]) -> bool {
    let Some((len, rest)) = bytes.split_first_chunk() else { return false };
    let Some((document, o)) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len))) else {
        return false;
    };
    let decoded = apply(document, o);
    apply(&repaired(document), &repaired(o)) || decoded
}

fn apply(document: &[u8], o: &[u8]) -> bool {
    let (Ok(document), Ok(o)) = (Doc::new(document), Doc::new(o)) else { return false };
    let mut out = b"before".to_vec();
    let result = Update::parse(o).and_then(|update| update.apply(document, &mut out));
    let new = out.strip_prefix(b"before").expect("what was there stays");
    if check(document).is_ok() && check(o).is_ok() {
        let expected = slow::apply(document.as_bytes(), o.as_bytes());
        let found = result.as_ref().map(|fit| (new.to_vec(), *fit == Fit::Whole));
        assert_eq!(found.ok(), expected.ok());
    }
    match result {
        Ok(_) => {
            let _ = Doc::new(new).expect("a document comes of it");
            true
        }
        Err(error) => {
            assert!(new.is_empty() && !error.to_string().is_empty());
            false
        }
    }
}

/// The bytes with the length they have and a terminator.
fn repaired(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    if let Some(field) = bytes.first_chunk_mut() {
        *field = len;
    }
    if let Some(last) = bytes.last_mut() {
        *last = 0;
    }
    bytes
}
