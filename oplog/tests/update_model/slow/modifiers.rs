//! Modifiers on trees: one path after the other, in the server's order, each changing the document.

use super::tree::{Fields, NULL, Refused, Value, get, numbered};
use std::cmp::Ordering;
use tidemark_base::limits::MAX_BSON_DEPTH;
use tidemark_testkit::raw::kind;

#[derive(Clone, Debug)]
enum Action {
    Set(Value),
    Unset,
    Increment(Value),
    Push(Vec<Value>),
}

type Path<'a> = Vec<&'a [u8]>;

/// What happened at the end of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Nothing,
    /// Nothing, since the path led nowhere.
    Skipped,
    /// The new value is as long as the old one.
    SameSize,
    Reshaped,
}

/// What the modifiers make of a document; `fits` is cleared if a path that is not only unset is skipped.
pub(crate) fn apply(document: &Fields, o: &Fields, fits: &mut bool) -> Result<Fields, Refused> {
    let mut actions = Vec::new();
    for (operator, operands) in o.iter().filter(|(name, _)| name != b"$v") {
        if ![b"$set".as_slice(), b"$unset", b"$inc", b"$push"].contains(&operator.as_slice()) {
            return Err(Refused);
        }
        for (path, operand) in operands.object().ok_or(Refused)? {
            let path: Path<'_> = path.split(|byte| *byte == b'.').collect();
            actions.push((path, action(operator, operand)?));
        }
    }
    judge_paths(&actions)?;
    actions.sort_by(|one, two| order_of_paths(&one.0, &two.0));
    let mut root = Node::from(&Value::Object(document.clone()));
    let mut reshaped = false;
    for (path, action) in &actions {
        let effect = root.change(path, action)?;
        reshaped |= effect == Effect::Reshaped;
        *fits &= effect != Effect::Skipped || matches!(action, Action::Unset);
    }
    match root.value(reshaped) {
        Value::Object(fields) => Ok(fields),
        _ => unreachable!("the root is never changed itself"),
    }
}

fn action(operator: &[u8], operand: &Value) -> Result<Action, Refused> {
    match operator {
        b"$set" => Ok(Action::Set(operand.clone())),
        b"$unset" => Ok(Action::Unset),
        b"$inc" if operand.integer().is_some() || operand.double().is_some() => {
            Ok(Action::Increment(operand.clone()))
        }
        b"$inc" => Err(Refused),
        _ => match operand.object().map(|clauses| (clauses.len(), get(clauses, b"$each"))) {
            None | Some((_, None)) => Ok(Action::Push(vec![operand.clone()])),
            Some((1, Some(Value::Array(each)))) => {
                Ok(Action::Push(each.iter().map(|(_, value)| value.clone()).collect()))
            }
            Some(_) => Err(Refused),
        },
    }
}

fn judge_paths(actions: &[(Path<'_>, Action)]) -> Result<(), Refused> {
    for (at, (path, _)) in actions.iter().enumerate() {
        let positional = |part: &&[u8]| *part == b"$" || part.starts_with(b"$[");
        let conflict =
            actions[..at].iter().any(|(other, _)| path.starts_with(other) || other.starts_with(path));
        if conflict
            || path.len() > MAX_BSON_DEPTH
            || path.iter().any(|part| part.is_empty() || positional(part))
        {
            return Err(Refused);
        }
    }
    Ok(())
}

fn order_of_paths(one: &[&[u8]], two: &[&[u8]]) -> Ordering {
    let pairs = one.iter().zip(two).map(|(one, two)| {
        let digit = |part: &[u8]| part.first().is_some_and(|byte| (b'1'..=b'9').contains(byte));
        if digit(one) && digit(two) { one.len().cmp(&two.len()).then(one.cmp(two)) } else { one.cmp(two) }
    });
    pairs.fold(Ordering::Equal, Ordering::then)
}

fn position(part: &[u8]) -> Option<usize> {
    let digits =
        std::str::from_utf8(part).ok().filter(|part| part.chars().all(|digit| digit.is_ascii_digit()))?;
    digits.parse::<u32>().ok().map(|position| position as usize)
}

/// A value with what was done to it.
enum Node {
    Object(Vec<(Vec<u8>, Node)>),
    Array { elements: Vec<(Vec<u8>, Node)>, changed: bool, last: Option<(Vec<u8>, usize)>, len: usize },
    Plain(u8, Vec<u8>),
}

impl Node {
    fn from(value: &Value) -> Self {
        let nodes =
            |fields: &Fields| fields.iter().map(|(name, value)| (name.clone(), Self::from(value))).collect();
        match value {
            Value::Object(fields) => Self::Object(nodes(fields)),
            Value::Array(fields) => {
                Self::Array { elements: nodes(fields), changed: false, last: None, len: fields.len() }
            }
            Value::Plain(kind, bytes) => Self::Plain(*kind, bytes.clone()),
        }
    }

    /// The value, changed arrays numbered anew if asked for.
    fn value(&self, renumber: bool) -> Value {
        let fields = |nodes: &[(Vec<u8>, Self)]| -> Fields {
            nodes.iter().map(|(name, node)| (name.clone(), node.value(renumber))).collect()
        };
        match self {
            Self::Object(nodes) => Value::Object(fields(nodes)),
            Self::Array { elements, changed, .. } if *changed && renumber => {
                Value::Array(numbered(fields(elements).into_iter().map(|(_, value)| value)))
            }
            Self::Array { elements, .. } => Value::Array(fields(elements)),
            Self::Plain(kind, bytes) => Value::Plain(*kind, bytes.clone()),
        }
    }

    /// Goes down a path and does what is to be done at its end.
    fn change(&mut self, path: &[&[u8]], action: &Action) -> Result<Effect, Refused> {
        let (part, rest) = path.split_first().expect("a path has a component");
        match self {
            Self::Plain(..) => Ok(Effect::Skipped),
            Self::Object(fields) => {
                let Some(at) = fields.iter().position(|(name, _)| name == part) else {
                    let Some(new) = created(rest, action) else { return Ok(Effect::Nothing) };
                    fields.push((part.to_vec(), new));
                    return Ok(Effect::Reshaped);
                };
                if !rest.is_empty() {
                    return fields[at].1.change(rest, action);
                }
                match changed(&fields[at].1.value(false), action)? {
                    None => {
                        fields.remove(at);
                        Ok(Effect::Reshaped)
                    }
                    Some((new, effect)) => {
                        fields[at].1 = new;
                        Ok(effect)
                    }
                }
            }
            Self::Array { elements, changed: touched, last, len } => {
                let Some(at) = position(part) else { return Ok(Effect::Skipped) };
                // In the order of the paths, positions may only repeat under the same name, or grow.
                if last.as_ref().is_some_and(|(name, before)| name != part && *before >= at) {
                    return Err(Refused);
                }
                *last = Some((part.to_vec(), at));
                let effect = if at >= *len && elements.get(at).is_none() {
                    let Some(new) = created(rest, action) else { return Ok(Effect::Nothing) };
                    if at - elements.len() > 1_500_000 {
                        return Err(Refused);
                    }
                    while elements.len() < at {
                        elements.push((elements.len().to_string().into_bytes(), Self::from(&NULL)));
                    }
                    elements.push((at.to_string().into_bytes(), new));
                    Effect::Reshaped
                } else if rest.is_empty() {
                    let (new, effect) = changed(&elements[at].1.value(false), action)?
                        .unwrap_or((Self::from(&NULL), Effect::Reshaped));
                    elements[at].1 = new;
                    effect
                } else {
                    elements[at].1.change(rest, action)?
                };
                *touched |= !matches!(effect, Effect::Nothing | Effect::Skipped);
                Ok(effect)
            }
        }
    }
}

/// What an action makes of nothing, below these missing parents.
fn created(parents: &[&[u8]], action: &Action) -> Option<Node> {
    let value = match action {
        Action::Unset => return None,
        Action::Set(value) | Action::Increment(value) => value.clone(),
        Action::Push(values) => Value::Array(numbered(values.iter().cloned())),
    };
    let wrap = |inside, parent: &&[u8]| Value::Object(vec![(parent.to_vec(), inside)]);
    Some(Node::from(&parents.iter().rev().fold(value, wrap)))
}

/// What an action makes of a value; nothing if it goes.
fn changed(old: &Value, action: &Action) -> Result<Option<(Node, Effect)>, Refused> {
    let new = match (action, old) {
        (Action::Unset, _) => return Ok(None),
        (Action::Set(new), _) if new == old => return Ok(Some((Node::from(new), Effect::Nothing))),
        (Action::Set(new), _) => new.clone(),
        (Action::Increment(by), _) => sum(old, by)?,
        (Action::Push(values), Value::Array(elements)) => {
            let all = elements.iter().map(|(_, value)| value).chain(values).cloned();
            return Ok(Some((Node::from(&Value::Array(numbered(all))), Effect::Reshaped)));
        }
        (Action::Push(_), _) => return Err(Refused),
    };
    let effect = if new.size() == old.size() { Effect::SameSize } else { Effect::Reshaped };
    Ok(Some((Node::from(&new), effect)))
}

#[expect(clippy::cast_precision_loss, reason = "as the server does")]
fn sum(old: &Value, by: &Value) -> Result<Value, Refused> {
    if let (Some(one), Some(two)) = (old.integer(), by.integer()) {
        let sum = one.checked_add(two).ok_or(Refused)?;
        let narrow = [old, by].iter().all(|value| value.size() == 4);
        return Ok(match i32::try_from(sum) {
            Ok(sum) if narrow => Value::Plain(kind::INT32, sum.to_le_bytes().to_vec()),
            _ => Value::Plain(kind::INT64, sum.to_le_bytes().to_vec()),
        });
    }
    let number = |value: &Value| value.double().or(value.integer().map(|n| n as f64)).ok_or(Refused);
    let sum: f64 = number(old)? + number(by)?;
    Ok(Value::Plain(kind::DOUBLE, sum.to_le_bytes().to_vec()))
}
