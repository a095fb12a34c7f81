//! The diff from one document to another, as a server would log it: what applying it must undo.

use crate::slow::tree::{Fields, Value, get};
use tidemark_testkit::raw::kind;

/// A diff that makes `new` of `old`, but for the order of fields. None if they are equal but for that. Names
/// must not repeat.
pub(crate) fn diff(old: &Fields, new: &Fields) -> Option<Fields> {
    let (mut deletes, mut updates, mut inserts, mut nested) = (vec![], vec![], vec![], vec![]);
    for (name, _) in old.iter().filter(|(name, _)| get(new, name).is_none()) {
        deletes.push((name.clone(), Value::Plain(kind::BOOL, vec![0])));
    }
    for (name, value) in new {
        match get(old, name) {
            None => inserts.push((name.clone(), value.clone())),
            Some(old) => match change(old, value) {
                None => {}
                Some(Change::Value) => updates.push((name.clone(), value.clone())),
                Some(Change::Nested(diff)) => nested.push(([b"s", name.as_slice()].concat(), diff)),
            },
        }
    }
    let mut diff = Fields::new();
    for (section, fields) in [("d", deletes), ("u", updates), ("i", inserts)] {
        if !fields.is_empty() {
            diff.push((section.into(), Value::Object(fields)));
        }
    }
    diff.extend(nested);
    (!diff.is_empty()).then_some(diff)
}

enum Change {
    Value,
    Nested(Value),
}

fn change(old: &Value, new: &Value) -> Option<Change> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => diff(old, new).map(Value::Object).map(Change::Nested),
        (Value::Array(old), Value::Array(new)) => array_diff(old, new).map(Value::Object).map(Change::Nested),
        _ if old == new => None,
        _ => Some(Change::Value),
    }
}

fn array_diff(old: &Fields, new: &Fields) -> Option<Fields> {
    let mut diff = vec![(b"a".to_vec(), Value::Plain(kind::BOOL, vec![1]))];
    if new.len() < old.len() {
        let length = i32::try_from(new.len()).expect("small");
        diff.push((b"l".to_vec(), Value::Plain(kind::INT32, length.to_le_bytes().to_vec())));
    }
    for (at, (_, value)) in new.iter().enumerate() {
        let change = old.get(at).map_or(Some(Change::Value), |(_, old)| change(old, value));
        match change {
            None => {}
            Some(Change::Value) => diff.push((format!("u{at}").into_bytes(), value.clone())),
            Some(Change::Nested(nested)) => diff.push((format!("s{at}").into_bytes(), nested)),
        }
    }
    (diff.len() > 1).then_some(diff)
}

/// The same document with all fields sorted by name.
pub(crate) fn sorted(fields: &Fields) -> Fields {
    let mut fields: Fields = fields.iter().map(|(name, value)| (name.clone(), sorted_value(value))).collect();
    fields.sort_by(|one, two| one.0.cmp(&two.0));
    fields
}

fn sorted_value(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(sorted(fields)),
        // Elements stay where they are.
        Value::Array(fields) => {
            Value::Array(fields.iter().map(|(name, value)| (name.clone(), sorted_value(value))).collect())
        }
        plain @ Value::Plain(..) => plain.clone(),
    }
}
