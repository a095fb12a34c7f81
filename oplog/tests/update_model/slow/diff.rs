//! Diffs on trees: first the whole diff is judged, then it is applied.

use super::tree::{Fields, NULL, Refused, Value, get, numbered};
use tidemark_base::limits::MAX_BSON_DEPTH;
use tidemark_testkit::raw::kind;

/// What the diff makes of a document; `fits` is cleared if a part of it has no place there.
pub(crate) fn apply(document: &Fields, diff: &Fields, fits: &mut bool) -> Result<Fields, Refused> {
    judge_object(diff, 0)?;
    Ok(object(document, diff, fits))
}

fn is_of_array(diff: &Fields) -> bool {
    diff.first().is_some_and(|(name, _)| name == b"a")
}

fn judge(diff: &Value, depth: usize) -> Result<(), Refused> {
    match diff {
        Value::Object(_) if depth >= MAX_BSON_DEPTH => Err(Refused),
        Value::Object(diff) if is_of_array(diff) => judge_array(diff, depth),
        Value::Object(diff) => judge_object(diff, depth),
        _ => Err(Refused),
    }
}

fn judge_object(diff: &Fields, depth: usize) -> Result<(), Refused> {
    let names: Vec<&[u8]> = diff.iter().map(|(name, _)| name.as_slice()).collect();
    let nested = names.iter().position(|name| name.starts_with(b"s")).unwrap_or(names.len());
    let (plain, nested) = names.split_at(nested);
    let in_order: Vec<&[u8]> =
        [b"d", b"u", b"i", b"b"].map(|s| s.as_slice()).into_iter().filter(|s| plain.contains(s)).collect();
    if names.is_empty() || plain != in_order || nested.iter().any(|name| !name.starts_with(b"s")) {
        return Err(Refused);
    }
    let mut fields: Vec<&[u8]> = Vec::new();
    for (section, content) in diff {
        let content_fields = content.object().ok_or(Refused)?;
        match section.as_slice() {
            [b's', field @ ..] => {
                fields.push(field);
                judge(content, depth + 1)?;
            }
            b"b" => {
                for (field, patch) in content_fields {
                    fields.push(field);
                    parts_of(patch).ok_or(Refused)?;
                }
            }
            _ => fields.extend(content_fields.iter().map(|(field, _)| field.as_slice())),
        }
    }
    let twice = fields.iter().enumerate().any(|(at, field)| fields[..at].contains(field));
    if twice { Err(Refused) } else { Ok(()) }
}

fn judge_array(diff: &Fields, depth: usize) -> Result<(), Refused> {
    let mut edits = diff.as_slice();
    match edits.split_first() {
        Some(((_, Value::Plain(kind::BOOL, value)), rest)) if *value == [1] => edits = rest,
        _ => return Err(Refused),
    }
    let mut length = None;
    if let Some(((name, value), rest)) = edits.split_first()
        && name == b"l"
    {
        let Value::Plain(kind::INT32, _) = value else { return Err(Refused) };
        length = value.integer().filter(|length| (0..=4 << 20).contains(length));
        length.ok_or(Refused)?;
        edits = rest;
    }
    let mut last = -1;
    for (name, content) in edits {
        let (section, position) = edit(name).ok_or(Refused)?;
        if position <= last || position >= length.unwrap_or(4 << 20) {
            return Err(Refused);
        }
        last = position;
        if section == b's' {
            judge(content, depth + 1)?;
        }
    }
    Ok(())
}

/// The letter and the position in the name of an array element's change.
fn edit(name: &[u8]) -> Option<(u8, i64)> {
    let (section, digits) = name.split_first()?;
    let text = std::str::from_utf8(digits).ok()?;
    let all_digits = text.chars().all(|digit| digit.is_ascii_digit());
    (all_digits && matches!(section, b'u' | b's'))
        .then(|| text.parse().ok())
        .flatten()
        .map(|at| (*section, at))
}

/// Offset and data of a binary patch.
fn parts_of(patch: &Value) -> Option<(usize, &[u8])> {
    let patch = patch.object().filter(|patch| patch.len() == 2)?;
    let offset = usize::try_from(get(patch, b"o")?.integer()?).ok()?;
    match get(patch, b"d")? {
        Value::Plain(kind::BINARY, bytes) => Some((offset, &bytes[5..])),
        _ => None,
    }
}

fn object(old: &Fields, diff: &Fields, fits: &mut bool) -> Fields {
    let patched_names =
        get(diff, b"b").and_then(Value::object).into_iter().flatten().map(|(name, _)| name.as_slice());
    let nested_names = diff.iter().filter_map(|(name, _)| name.strip_prefix(b"s"));
    *fits &= patched_names.chain(nested_names).all(|name| get(old, name).is_some());
    let nothing = Fields::new();
    let section = |name: &[u8]| get(diff, name).and_then(Value::object).unwrap_or(&nothing);
    let mut new = Fields::new();
    for (name, value) in old {
        if get(section(b"d"), name).is_some() || get(section(b"i"), name).is_some() {
            continue;
        }
        let mut value = value.clone();
        if let Some(updated) = get(section(b"u"), name) {
            value = updated.clone();
        } else if let Some(patch) = get(section(b"b"), name) {
            value = patched(&value, patch, fits);
        } else if let Some(diff) = get(diff, &[b"s", name.as_slice()].concat()) {
            value = nested(&value, diff, fits);
        }
        new.push((name.clone(), value));
    }
    new.extend(section(b"u").iter().filter(|(name, _)| get(old, name).is_none()).cloned());
    new.extend(section(b"i").iter().cloned());
    new
}

fn nested(old: &Value, diff: &Value, fits: &mut bool) -> Value {
    match (old, diff) {
        (Value::Array(old), Value::Object(diff)) if is_of_array(diff) => Value::Array(array(old, diff, fits)),
        (Value::Object(old), Value::Object(diff)) if !is_of_array(diff) => {
            Value::Object(object(old, diff, fits))
        }
        _ => {
            *fits = false;
            NULL
        }
    }
}

fn patched(old: &Value, patch: &Value, fits: &mut bool) -> Value {
    let (offset, data) = parts_of(patch).expect("judged");
    let payload = match old {
        Value::Plain(kind::BINARY, bytes) => bytes[5..].get(..offset).map(|kept| (bytes, kept)),
        _ => None,
    };
    let Some((bytes, kept)) = payload else {
        *fits = false;
        return old.clone();
    };
    let payload = [kept, data].concat();
    let len = u32::try_from(payload.len()).expect("small");
    Value::Plain(kind::BINARY, [&len.to_le_bytes(), &bytes[4..5], &payload].concat())
}

fn array(old: &Fields, diff: &Fields, fits: &mut bool) -> Fields {
    let length =
        get(diff, b"l").and_then(Value::integer).map(|length| usize::try_from(length).expect("judged"));
    let mut values: Vec<Option<Value>> = old.iter().map(|(_, value)| Some(value.clone())).collect();
    if let Some(length) = length {
        values.resize(length, None);
    }
    for (section, position, content) in diff.iter().filter_map(|(name, content)| {
        let (section, position) = edit(name)?;
        Some((section, usize::try_from(position).ok()?, content))
    }) {
        if position >= values.len() {
            values.resize(position + 1, None);
        }
        values[position] = match &values[position] {
            _ if section == b'u' => Some(content.clone()),
            Some(old) => Some(nested(old, content, fits)),
            None => {
                *fits = false;
                None
            }
        };
    }
    numbered(values.into_iter().map(|value| value.unwrap_or(NULL)))
}
