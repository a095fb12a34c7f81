//! Roots and the records of their catalogs.

use tidemark_head::catalog;
use tidemark_head::root::Root;

/// The plain bytes of a root.
#[must_use]
pub fn root(bytes: &[u8]) -> bool {
    let Ok(root) = Root::decode(bytes) else { return false };
    assert_eq!(root.encode().expect("no more children than were decoded"), bytes);
    true
}

/// A collection's record in a catalog.
#[must_use]
pub fn catalog_record(bytes: &[u8]) -> bool {
    let Some(again) = catalog::record_again(bytes) else { return false };
    assert_eq!(again, bytes);
    true
}
