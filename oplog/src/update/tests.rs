//! Every rule about updates, by an example. What `tests/update_model.rs` finds is only as right as its model;
//! these are what a 6.0.5 server was seen to make of the same documents and updates.

mod arrays;
mod diffs;
mod fit;
mod forms;
mod limits;
mod modifiers;

use super::{Update, UpdateError};
use bson::{Document, RawDocumentBuf};
use tidemark_base::bson::Doc;

fn raw(document: &Document) -> Vec<u8> {
    bson::serialize_to_vec(document).unwrap()
}

/// What an update makes of raw bytes.
fn applied(document: &[u8], o: &[u8]) -> Result<Vec<u8>, UpdateError> {
    let mut out = b"before".to_vec();
    let result = Update::parse(Doc::new(o)?).and_then(|update| update.apply(Doc::new(document)?, &mut out));
    match result {
        Ok(_) => Ok(out.split_off(6)),
        Err(error) => {
            assert_eq!(out, b"before", "an error leaves the buffer as it was");
            Err(error)
        }
    }
}

/// Asserts what an update makes of a document, field order and types included.
#[track_caller]
fn makes(document: &Document, o: &Document, expected: &Document) {
    match applied(&raw(document), &raw(o)) {
        Ok(bytes) if bytes == raw(expected) => {}
        Ok(bytes) => {
            let found = RawDocumentBuf::from_bytes(bytes).unwrap();
            panic!("{document} {o}\nmade {found:?}\nnot  {expected}");
        }
        Err(error) => panic!("{document} {o}: {error}"),
    }
}

/// Asserts that an update is refused, with this text in the message.
#[track_caller]
fn refuses(document: &Document, o: &Document, text: &str) -> UpdateError {
    let error = applied(&raw(document), &raw(o)).expect_err(&format!("{document} {o}"));
    assert!(error.to_string().contains(text), "{error}");
    error
}
