//! Documents with hundreds of fields of mixed types at the top level.

use super::words::{PHRASES, pick, stream};
use super::writer::{Index, document};

/// Appends document `n` of a seed with `fields` fields besides its int64 `_id`.
pub fn wide(seed: u64, n: u64, fields: u64, out: &mut Vec<u8>) {
    let mut e = stream(seed, n, 0);
    document(out, |w| {
        w.i64("_id", i64::try_from(n).unwrap_or(i64::MAX));
        for field in 0..fields {
            let name = Index::padded(field, 4);
            let value = e.next_u64();
            match value % 6 {
                0 => w.i64(&name, i64::from_le_bytes(value.to_le_bytes())),
                1 => w.str(&name, pick(&PHRASES, &mut e)),
                2 => w.bool(&name, value & 64 == 0),
                3 => w.null(&name),
                4 => w.decimal(&name, value >> 20, -3),
                _ => w.date(&name, i64::from_le_bytes((value >> 22).to_le_bytes())),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_document_has_the_fields_asked_for() {
        let mut bytes = Vec::new();
        wide(1, 7, 400, &mut bytes);
        let read = bson::Document::from_reader(bytes.as_slice()).unwrap();
        assert_eq!(read.len(), 401);
        assert_eq!(read.to_vec().unwrap(), bytes);
    }
}
