//! `$v: 2` diffs of documents.
//!
//! The result keeps the old order of fields; what is not found is appended, updates before inserts. A field
//! name that the stored document repeats is changed or removed wherever it occurs, as the server's own diff
//! applier does (observed on 6.0.5); the primary that logged the diff had changed the first only, so members
//! of a real set differ there too. Whether a diff is an error does not depend on the document: what does not
//! apply is checked all the same, so that a form of diff that is not known is never passed over.

use super::changes::{Change, Changes, patch};
use super::output::Output;
use super::{UpdateError, array_diff, check_depth, id_first};
use tidemark_base::bson::{Doc, Element, kind};

/// Appends what the diff makes of a whole document: its `_id` stays, and stands in front.
pub(super) fn apply(document: Doc<'_>, diff: Doc<'_>, out: &mut Vec<u8>) -> Result<(), UpdateError> {
    let mut changes = Changes::new();
    changes.read(diff)?;
    let id_stays =
        document.first_element()?.is_some_and(|first| first.name == b"_id") && !changes.moves(b"_id");
    if id_stays {
        return whole(document, &mut changes, out);
    }
    let mut unordered = Vec::with_capacity(document.as_bytes().len().saturating_add(diff.as_bytes().len()));
    whole(document, &mut changes, &mut unordered)?;
    let unordered = Doc::new(&unordered)?;
    // A diff cannot remove an `_id`, only move it (observed on 6.0.5).
    let id = unordered.get("_id")?.or(document.get("_id")?);
    id_first(id, unordered, out)
}

fn whole(document: Doc<'_>, changes: &mut Changes<'_>, out: &mut Vec<u8>) -> Result<(), UpdateError> {
    let mut out = Output::new(out);
    let open = out.begin()?;
    fields(document, changes, &mut out, 0)?;
    out.end(open)
}

/// Writes the fields of a document, changed. What does not change is copied in one go up to the next change.
fn fields(
    document: Doc<'_>,
    changes: &mut Changes<'_>,
    out: &mut Output<'_>,
    depth: usize,
) -> Result<(), UpdateError> {
    let mut elements = document.elements();
    let mut uncopied = elements.rest();
    loop {
        let here = elements.rest();
        let Some(old) = elements.next().transpose()? else { break };
        let Some((change, new)) = changes.meet(old.name) else { continue };
        out.copy(uncopied, here)?;
        uncopied = elements.rest();
        match change {
            Change::Delete | Change::Insert => {}
            Change::Update => out.value(old.name, new)?,
            Change::Binary => patched(old, new, out)?,
            Change::Nested => nested(old, old.name, new, out, depth + 1)?,
        }
    }
    out.copy(uncopied, &[])?;
    for new in changes.appended() {
        out.value(new.name, new)?;
    }
    changes.unmet().try_for_each(|diff| check(diff, depth + 1))
}

/// Applies a nested diff, of a document or an array, to the field it is for, and writes it as `name`.
///
/// A value of another kind becomes null, as in 6.0 (newer servers leave it): it only happens when a log is
/// replayed over a later state, and a later entry then sets the field.
pub(super) fn nested(
    old: Element<'_>,
    name: &[u8],
    diff: Element<'_>,
    out: &mut Output<'_>,
    depth: usize,
) -> Result<(), UpdateError> {
    check_depth(depth)?;
    let content = content(diff)?;
    let is_array = is_of_array(content)?;
    let fits = old.kind == if is_array { kind::ARRAY } else { kind::OBJECT };
    let Some(document) = old.as_doc().filter(|_| fits) else {
        check(diff, depth)?;
        return out.null(name);
    };
    let open = out.begin_field(old.kind, name)?;
    if is_array {
        array_diff::elements(document, content, out, depth)?;
    } else {
        let mut changes = Changes::new();
        changes.read(content)?;
        fields(document, &mut changes, out, depth)?;
    }
    out.end(open)
}

/// Checks a nested diff that is not applied.
pub(super) fn check(diff: Element<'_>, depth: usize) -> Result<(), UpdateError> {
    check_depth(depth)?;
    let content = content(diff)?;
    if is_of_array(content)? {
        return array_diff::check(content, depth);
    }
    let mut changes = Changes::new();
    changes.read(content)?;
    changes.unmet().try_for_each(|diff| check(diff, depth + 1))
}

fn content(diff: Element<'_>) -> Result<Doc<'_>, UpdateError> {
    diff.as_object().ok_or_else(|| UpdateError::BadDiff("a nested diff is no document".into()))
}

/// Whether a diff is of an array: it begins with `a`, which is no section of a document's diff.
fn is_of_array(diff: Doc<'_>) -> Result<bool, UpdateError> {
    Ok(diff.first_element()?.is_some_and(|first| first.name == b"a"))
}

/// Applies a binary patch: the payload up to the offset, then the data, and no more. What it does not fit
/// stays as it is.
fn patched(old: Element<'_>, new: Element<'_>, out: &mut Output<'_>) -> Result<(), UpdateError> {
    let (offset, data) = patch(new)?;
    match old.as_binary().and_then(|(subtype, payload)| Some((subtype, payload.get(..offset)?))) {
        Some((subtype, kept)) => out.binary(old.name, subtype, [kept, data]),
        None => out.value(old.name, old),
    }
}
