//! How the golden store of format version 1 is written: one session after another, a collection between.
//!
//! Used by the example `write_golden` and by the test that it still writes what it wrote. May only be changed
//! together with the format's version; the stores of older versions are kept as bytes.

use crate::golden_store::{Contents, GoldenBlock, ROOT, SNAPSHOT, noise, options};
use std::path::Path;
use std::sync::Arc;
use tidemark_base::BlockId;
use tidemark_blockstore::{
    BlockRef, Expect, GcOptions, NewRef, Quiet, RefChange, RefVersion, Result, Session, Store,
};

/// Set by the first publish, deleted by the third.
const TIP: &str = "g/local/h/golden/tip";

fn set(name: &str, expect: Expect, roots: Vec<BlockId>, value: &[u8]) -> RefChange {
    RefChange { name: name.into(), expect, set: Some(NewRef { roots, value: value.to_vec() }) }
}

/// Writes the store into an empty or missing folder.
pub(crate) fn write(root: &Path) -> Result<()> {
    let contents = Contents::new()?;
    // The log is rewritten as soon as that is allowed, so that it begins with a checkpoint of refs.
    let backend = options(1).rewrite_log_from_bytes(1).create(root)?;
    let store = Store::new(Arc::new(backend));
    let refs = |blocks: &[GoldenBlock]| Contents::root_of(blocks);
    let put = |session: &Session, blocks: &[GoldenBlock]| {
        let blocks: Vec<_> = blocks.iter().map(|it| BlockRef { kind: it.kind, bytes: &it.bytes }).collect();
        session.put(&blocks).map(drop)
    };

    let session = store.session(&[])?;
    put(&session, &contents.first)?;
    let root_change = set(ROOT, Expect::Absent, refs(&contents.first), b"first");
    session.publish(&[root_change, set(TIP, Expect::Absent, Vec::new(), &noise(11, 40))])?;
    session.close()?;

    let session = store.session(&[])?;
    put(&session, &contents.garbage)?;
    session.sync()?;
    session.close()?;
    store.collect(GcOptions::default(), &Quiet)?;

    let session = store.session(&[ROOT])?;
    put(&session, &contents.second)?;
    let both = [refs(&contents.first), refs(&contents.second)].concat();
    session.publish(&[set(SNAPSHOT, Expect::Absent, both, &noise(10, 24))])?;
    session.publish(&[RefChange { name: TIP.into(), expect: Expect::Any, set: None }])?;
    let expect = Expect::Version(RefVersion(1));
    session.publish(&[set(ROOT, expect, refs(&contents.second), b"second")])?;
    session.close()
}
