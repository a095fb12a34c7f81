//! Making stores, and folders that are none.

use crate::disks::Breaking;
use crate::sample::{Sample, assert_is_store, assert_says, options};
use std::path::Path;
use tempfile::TempDir;
use tidemark_base::ErrorKind;
use tidemark_blockstore::{Error, Result};

#[test]
fn two_stores_do_not_fit_into_one_folder() {
    let mut sample = Sample::new();
    let error = options().create(&sample.root).unwrap_err();
    assert!(matches!(&error, Error::NotEmpty { path } if *path == sample.root), "{error:?}");
    assert_says(&error, ErrorKind::Invalid, &["not empty", "empty or missing folder"]);
    sample.assert_whole();
}

#[test]
fn a_store_is_not_made_among_other_files() {
    let dir = TempDir::new().unwrap();
    let letter = dir.path().join("letter.txt");
    std::fs::write(&letter, "dear reader").unwrap();
    let error = options().create(dir.path()).unwrap_err();
    assert!(matches!(error, Error::NotEmpty { .. }), "{error:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was added");
    std::fs::remove_file(&letter).unwrap();
    assert_is_store(options().create(dir.path()));
}

#[test]
fn a_folder_without_a_store_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    let cases = [
        (dir.path().join("missing"), "does not exist"),
        (dir.path().to_owned(), "no superblock"),
        (file, "not a folder"),
    ];
    for (path, why) in cases {
        let error = options().open(&path).unwrap_err();
        assert!(matches!(&error, Error::NotAStore { path: found, .. } if *found == path), "{error:?}");
        assert_says(&error, ErrorKind::Invalid, &[why, "tidemark store init", "right folder"]);
    }
}

#[test]
fn a_superblock_that_is_none_is_named() {
    let mut sample = Sample::new();
    let superblock = std::fs::read(sample.path("superblock")).unwrap();
    std::fs::write(sample.path("superblock"), b"#!/bin/sh\n").unwrap();
    assert!(matches!(sample.open_error(), Error::NotAStore { .. }));
    std::fs::remove_file(sample.path("superblock")).unwrap();
    assert_says(&sample.open_error(), ErrorKind::Invalid, &["superblock is missing", "was lost"]);
    std::fs::write(sample.path("superblock"), superblock).unwrap();
    sample.assert_whole();
}

/// At every step: either the store is whole, or it is none, says so, and can be made once the folder is
/// emptied as the message asks.
#[test]
fn a_store_whose_making_was_cut_short_is_whole_or_none() {
    let mut whole = 0;
    let mut none = 0;
    for changes in 0.. {
        let dir = TempDir::new().unwrap();
        let root = dir.path().join("store");
        let made = options().disk(Breaking::after(changes).disk()).create(&root);
        let cut = made.is_err();
        drop(made);
        match options().open(&root) {
            Ok(backend) => {
                whole += 1;
                assert_eq!(backend.healed(), [], "after {changes} changes");
                assert_is_store(Ok(backend));
                assert!(matches!(options().create(&root), Err(Error::NotEmpty { .. })));
            }
            Err(error) => {
                none += 1;
                assert!(cut, "after {changes} changes: {error}");
                assert!(matches!(error, Error::NotAStore { .. }), "after {changes} changes: {error:?}");
                assert_says(&error, ErrorKind::Invalid, &["superblock", "tidemark store init"]);
                make_again(&root).unwrap();
            }
        }
        if !cut {
            break;
        }
    }
    assert!(none >= 5 && whole >= 2, "{none} were cut short, {whole} whole");
}

/// What the messages tell the operator to do.
fn make_again(root: &Path) -> Result<()> {
    match options().create(root) {
        Err(Error::NotEmpty { .. }) => {
            std::fs::remove_dir_all(root).unwrap();
            options().create(root).map(drop)
        }
        outcome => outcome.map(drop),
    }
}
