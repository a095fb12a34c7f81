//! Patches: what each change becomes, how each pair composes, and that grouping makes no difference.

mod changes;
mod groupings;
mod hostile;
mod ids;
mod stored;
mod table;

use super::*;
use tidemark_base::bson::{Doc, DocWriter, Element, kind};
use tidemark_oplog::entry::{Action, Change, Manner, Target};
use tidemark_oplog::names::Namespace;
use tidemark_oplog::update::Update;

const USER: Manner = Manner::User { upsert: false, fuzzy: false };
const UPSERT: Manner = Manner::User { upsert: true, fuzzy: false };

/// A document `{_id: 1, v: value}`.
fn document(value: i32) -> Vec<u8> {
    with_id(kind::INT32, &1_i32.to_le_bytes(), |w| w.int32(b"v", value))
}

fn with_id(kind: u8, id: &[u8], fields: impl FnOnce(&mut DocWriter<'_>)) -> Vec<u8> {
    written(|w| {
        w.raw(kind, b"_id", id);
        fields(w);
    })
}

fn written(fields: impl FnOnce(&mut DocWriter<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = DocWriter::new(&mut out);
    let open = w.begin();
    fields(&mut w);
    w.end(open);
    out
}

/// What a change does; its document or payload is its own.
#[derive(Clone, Debug)]
enum Deed {
    Insert(Vec<u8>),
    Replace(Vec<u8>),
    Modify(Vec<u8>),
    Diff(Vec<u8>),
    Delete,
}

/// A change that owns what it is made of.
#[derive(Clone, Debug)]
struct Step {
    manner: Manner,
    /// A document with the `_id` as this change spells it.
    id: Vec<u8>,
    deed: Deed,
}

impl Step {
    fn new(manner: Manner, deed: Deed) -> Self {
        Self { manner, id: document(0), deed }
    }

    fn id(&self) -> Element<'_> {
        Doc::new(&self.id).unwrap().get("_id").unwrap().unwrap()
    }

    fn update(&self) -> Option<Update<'_>> {
        Some(match &self.deed {
            Deed::Replace(new) => Update::Replacement(Doc::new(new).unwrap()),
            Deed::Modify(modifiers) => Update::Modifiers(Doc::new(modifiers).unwrap()),
            Deed::Diff(diff) => Update::Diff(Doc::new(diff).unwrap()),
            Deed::Insert(_) | Deed::Delete => return None,
        })
    }

    fn change(&self) -> Change<'_> {
        let id = self.id();
        let action = match (&self.deed, self.update()) {
            (_, Some(update)) => Action::Update { id, update },
            (Deed::Insert(document), _) => {
                let document = Doc::new(document).unwrap();
                Action::Insert { id: document.get("_id").unwrap().unwrap(), document }
            }
            _ => Action::Delete { id },
        };
        let target = Target { uuid: None, namespace: Namespace::parse("a.b").unwrap() };
        Change { target, manner: self.manner, action }
    }

    fn patch(&self, found: &mut Vec<Misfit>) -> Patch<'_> {
        Patch::of(&self.change(), found)
    }
}

fn insert(manner: Manner, value: i32) -> Step {
    Step::new(manner, Deed::Insert(document(value)))
}

fn replace(manner: Manner, value: i32) -> Step {
    Step::new(manner, Deed::Replace(document(value)))
}

/// A diff that sets `v`.
fn diff(manner: Manner, value: i32) -> Step {
    let diff = written(|w| {
        let section = w.begin_field(kind::OBJECT, b"u");
        w.int32(b"v", value);
        w.end(section);
    });
    Step::new(manner, Deed::Diff(diff))
}

/// A modifier that appends to the array `l`, which it makes if it is missing: the order of updates shows.
fn push(manner: Manner, value: i32) -> Step {
    push_to(manner, b"l", value)
}

fn push_to(manner: Manner, name: &[u8], value: i32) -> Step {
    let modifiers = written(|w| {
        let operator = w.begin_field(kind::OBJECT, b"$push");
        w.int32(name, value);
        w.end(operator);
    });
    Step::new(manner, Deed::Modify(modifiers))
}

fn delete(manner: Manner) -> Step {
    Step::new(manner, Deed::Delete)
}

fn operations(found: &[Misfit]) -> u32 {
    found.iter().map(Misfit::operations).sum()
}

/// Steps composed one by one, from the left; and how many misfits that showed.
fn composed<'a>(steps: &'a [Step], found: &mut Vec<Misfit>) -> Patch<'a> {
    let mut folder = Folder::new();
    steps.iter().fold(Patch::nothing(), |older, step| {
        let newer = step.patch(found);
        folder.compose(older, newer, found)
    })
}

/// What a patch makes of a document.
fn folded(below: Option<&[u8]>, patch: &Patch<'_>, found: &mut Vec<Misfit>) -> Option<Vec<u8>> {
    let mut out = b"before".to_vec();
    let below = below.map(|below| Doc::new(below).unwrap());
    match Folder::new().fold(below, patch, &mut out, found) {
        Outcome::Document => Some(out.split_off(6)),
        Outcome::Gone => {
            assert_eq!(out, b"before");
            None
        }
    }
}

/// A patch in words: what it expects, and then a document by its `v`, or a list of updates.
fn words(patch: &Patch<'_>) -> String {
    let expects = match patch.expects() {
        Expects::Any => "any".to_owned(),
        Expects::Absent => "absent".to_owned(),
        Expects::Present { operations } => format!("present {operations}"),
    };
    let then = match patch.then() {
        Then::Document(bytes) => {
            let v = Doc::new(bytes).unwrap().get("v").unwrap();
            format!("document {}", v.and_then(Element::as_integer).map_or("-".to_owned(), |v| v.to_string()))
        }
        Then::Gone => "gone".to_owned(),
        Then::Updates(updates) => {
            let updates: Vec<String> = updates.iter().map(|pending| pending_words(&pending)).collect();
            format!("[{}]", updates.join(", "))
        }
    };
    format!("{expects}: {then}")
}

fn pending_words(pending: &Pending<'_>) -> String {
    let form = match pending.update {
        Update::Replacement(_) => "replace",
        Update::Modifiers(_) => "modify",
        Update::Diff(_) => "diff",
    };
    let fit = match pending.fit {
        Fit::Strict => "!",
        Fit::Tolerant => "?",
        Fit::Upsert(_) => "+",
    };
    format!("{form}{fit}")
}
