//! What an update makes of a document, on trees: slow, with a copy for every step, but plain.
//!
//! Used by the tests beside it and by the fuzz target `diff`.

mod diff;
mod modifiers;
pub(crate) mod tree;

use tidemark_base::limits::MAX_BSON_BYTES;
use tree::{Fields, Refused, Value, decode, encode, get};

/// What the update `o` makes of `document`, both sound, and whether all of it fitted. `Refused` if it is an
/// error.
pub(crate) fn apply(document: &[u8], o: &[u8]) -> Result<(Vec<u8>, bool), Refused> {
    let mut fits = true;
    let document = decode(document).map_err(|_| Refused)?;
    let o = decode(o).map_err(|_| Refused)?;
    let new = match form(&o)? {
        Form::Replacement => id_first(o),
        Form::Modifiers => modifiers::apply(&document, &o, &mut fits)?,
        Form::Diff(diff) => {
            let new = diff::apply(&document, diff, &mut fits)?;
            match (get(&new, b"_id"), get(&document, b"_id")) {
                (None, Some(id)) => [vec![(b"_id".to_vec(), id.clone())], new].concat(),
                _ => id_first(new),
            }
        }
    };
    let new = encode(&new);
    if new.len() > MAX_BSON_BYTES { Err(Refused) } else { Ok((new, fits)) }
}

enum Form<'o> {
    Replacement,
    Modifiers,
    Diff(&'o Fields),
}

fn form(o: &Fields) -> Result<Form<'_>, Refused> {
    if get(o, b"_id").is_some() {
        return Ok(Form::Replacement);
    }
    let version = match get(o, b"$v") {
        None => 1.0,
        Some(version) => match (version.integer(), version.double()) {
            (Some(1), _) => 1.0,
            (Some(2), _) => 2.0,
            (_, Some(double)) => double,
            _ => return Err(Refused),
        },
    };
    if version == 2.0 {
        get(o, b"diff").and_then(Value::object).map(Form::Diff).ok_or(Refused)
    } else if version == 1.0 && o.iter().all(|(name, _)| name.starts_with(b"$")) {
        Ok(Form::Modifiers)
    } else {
        Err(Refused)
    }
}

/// The first `_id`, then all else as it stands.
fn id_first(mut fields: Fields) -> Fields {
    if let Some(at) = fields.iter().position(|(name, _)| name == b"_id") {
        let id = fields.remove(at);
        fields.insert(0, id);
    }
    fields
}
