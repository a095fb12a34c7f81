//! Seeds of what `head` stores: keys and patches.

use super::{Done, keep};
use std::error::Error;
use std::path::Path;
use tidemark_base::bson::{Doc, DocWriter, kind};
use tidemark_head::patch::{Folder, Patch};
use tidemark_oplog::entry::{Action, Change, Manner, Target};
use tidemark_oplog::names::Namespace;
use tidemark_oplog::update::Update;
use tidemark_testkit::generate::ids::every_id_type;

/// Each kind of `_id` with the one after it.
pub(super) fn keep_keys(here: &Path) -> Done {
    let cases = every_id_type();
    for (a, b) in cases.iter().zip(cases.iter().skip(1)) {
        let id =
            |document| -> Result<_, Box<dyn Error>> { Ok(Doc::new(document)?.get("_id")?.ok_or("no _id")?) };
        let (a, b) = (id(&a.document)?, id(&b.document)?);
        let len = u16::try_from(a.value.len())?.to_le_bytes();
        keep(here, "key", &[&[a.kind, b.kind], len.as_slice(), a.value, b.value].concat())?;
    }
    Ok(())
}

/// Patches of every sort of change, and of pairs of them, each with each.
pub(super) fn keep_patches(here: &Path) -> Done {
    let document = |operator: Option<&[u8]>, name: &[u8]| {
        let mut out = Vec::new();
        let mut w = DocWriter::new(&mut out);
        let open = w.begin();
        match operator.map(|operator| w.begin_field(kind::OBJECT, operator)) {
            Some(operands) => {
                w.int32(name, 7);
                w.end(operands);
            }
            None => w.int32(name, 1),
        }
        w.end(open);
        out
    };
    let (whole, diff, push) =
        (document(None, b"_id"), document(Some(b"i"), b"a"), document(Some(b"$push"), b"l"));
    let (whole, diff, push) = (Doc::new(&whole)?, Doc::new(&diff)?, Doc::new(&push)?);
    let id = whole.get("_id")?.ok_or("no _id")?;
    let upsert = Manner::User { upsert: true, fuzzy: false };
    let changes = [
        (Manner::Strict, Action::Insert { id, document: whole }),
        (Manner::Tolerant, Action::Insert { id, document: whole }),
        (Manner::Strict, Action::Delete { id }),
        (Manner::Strict, Action::Update { id, update: Update::Diff(diff) }),
        (upsert, Action::Update { id, update: Update::Modifiers(push) }),
        (Manner::Tolerant, Action::Update { id, update: Update::Replacement(whole) }),
    ];
    let target = Target { uuid: None, namespace: Namespace::parse("a.b")? };
    let (mut folder, mut found) = (Folder::new(), Vec::new());
    let singles: Vec<Patch<'_>> = changes
        .iter()
        .map(|&(manner, action)| Patch::of(&Change { target, manner, action }, &mut found))
        .collect();
    let stored = |patch: &Patch<'_>| {
        let mut out = Vec::new();
        patch.encode_head(&mut out);
        [out.as_slice(), patch.payload()].concat()
    };
    for older in &singles {
        for newer in &singles {
            let pair = folder.compose(older.clone(), newer.clone(), &mut found);
            let (pair, newer) = (stored(&pair), stored(newer));
            let len = u16::try_from(pair.len())?.to_le_bytes();
            keep(here, "patch", &[&len, pair.as_slice(), &newer].concat())?;
        }
    }
    Ok(())
}
