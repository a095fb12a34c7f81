//! Two dumps that must be the same.

use std::path::Path;
use tidemark_testkit::dump_dir;

/// Compares two directories file by file. Documents are equal to the byte; metadata but for the order of
/// options' fields, which mongodump leaves to chance.
pub(crate) fn files(theirs: &Path, ours: &Path) {
    let theirs = dump_dir::read(theirs).unwrap();
    let mut ours = dump_dir::read(ours).unwrap();
    if !theirs.files.contains_key("prelude.json") {
        ours.files.remove("prelude.json").unwrap();
    }
    assert!(ours.files.keys().eq(theirs.files.keys()));
    let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    for (path, bytes) in &theirs.files {
        if path.ends_with(".json") {
            assert_eq!(json(&ours.files[path]), json(bytes), "{path}");
            assert_eq!(ours.files[path].len(), bytes.len(), "{path}");
        } else {
            assert!(ours.files[path] == *bytes, "{path}");
        }
    }
}
