//! Oplog entries: parsing, and reading the operations within.

use tidemark_base::bson::Doc;
use tidemark_oplog::entry::{Action, Body, Change, Entry, Fuzzy, Operation, Step};
use tidemark_oplog::filter::Filter;
use tidemark_oplog::names::Namespace;

/// One entry.
#[must_use]
pub fn entry(bytes: &[u8]) -> bool {
    let decoded = decode(bytes);
    decode(&repaired(bytes)) || decoded
}

/// Parses, and reads what is in the entry. Whether all of it was understood.
fn decode(bytes: &[u8]) -> bool {
    let Ok(raw) = Doc::new(bytes) else { return false };
    let entry = match Entry::parse(raw, Fuzzy::default()) {
        Ok(entry) => entry,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    assert_eq!(entry.raw, raw);
    let filter = Filter::default();
    let operations = match entry.body {
        Body::Group(operations) => operations,
        Body::Transaction(step) => match step.step {
            Step::Part(operations) | Step::Prepare(operations) | Step::Commit(operations) => operations,
            Step::CommitPrepared | Step::Abort => return true,
        },
        Body::Change(change) => {
            check(&change, bytes);
            return true;
        }
        Body::Command(command) => {
            let _ = filter.command(&command);
            return true;
        }
        Body::Nothing => return true,
    };
    let mut understood = true;
    for operation in operations.iter() {
        match operation {
            Ok(Operation::Change(change)) => check(&change, bytes),
            Ok(Operation::Command(command)) => drop(filter.command(&command)),
            Err(_) => understood = false,
        }
    }
    understood
}

/// A change names a document of a collection, and all that it says stands in the entry.
fn check(change: &Change<'_>, bytes: &[u8]) {
    let (Action::Insert { id, .. } | Action::Update { id, .. } | Action::Delete { id }) = change.action;
    assert_eq!(id.name, b"_id");
    assert!(bytes.as_ptr_range().contains(&id.name.as_ptr()));
    let namespace = change.target.namespace;
    assert_eq!(Namespace::parse(namespace.full()), Ok(namespace));
    let _ = Filter::default().keeps(namespace);
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
