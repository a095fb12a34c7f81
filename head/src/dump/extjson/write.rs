//! From raw BSON to canonical Extended JSON, as MongoDB's tools write it: one line, no spaces, nothing escaped
//! for HTML.

use super::error::WriteError;
use super::{decimal, double};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::Write as _;
use tidemark_base::bson::{Doc, Element, kind};
use tidemark_base::codec::{CodecError, CodecProblem, Reader};
use tidemark_base::limits::{MAX_BSON_BYTES, MAX_BSON_DEPTH};

/// Appends the text of a document.
///
/// # Errors
/// If the document is broken or too deep, or holds what JSON cannot say; a part may have been written then.
pub fn write_document(document: Doc<'_>, out: &mut Vec<u8>) -> Result<(), WriteError> {
    members(document, false, 1, out)
}

fn members(document: Doc<'_>, is_array: bool, depth: usize, out: &mut Vec<u8>) -> Result<(), WriteError> {
    if depth > MAX_BSON_DEPTH {
        return Err(WriteError::Depth);
    }
    out.push(if is_array { b'[' } else { b'{' });
    for (number, element) in document.elements().enumerate() {
        let element = element?;
        if number > 0 {
            out.push(b',');
        }
        if !is_array {
            text(element.name, out)?;
            out.push(b':');
        }
        value(element, depth, out)?;
    }
    out.push(if is_array { b']' } else { b'}' });
    Ok(())
}

fn value(element: Element<'_>, depth: usize, out: &mut Vec<u8>) -> Result<(), WriteError> {
    let mut reader = Reader::new(element.value);
    match element.kind {
        kind::OBJECT | kind::ARRAY => {
            let is_array = element.kind == kind::ARRAY;
            members(Doc::new(element.value)?, is_array, depth + 1, out)?;
        }
        kind::STRING => text(string(&mut reader)?, out)?,
        kind::NULL => out.extend_from_slice(b"null"),
        kind::BOOL => {
            out.extend_from_slice(if reader.u8("boolean")? == 0 { b"false" } else { b"true" });
        }
        kind::INT32 => {
            let value = i32::from_le_bytes(reader.array("int32")?);
            put(out, format_args!("{{\"$numberInt\":\"{value}\"}}"));
        }
        kind::INT64 => put(out, format_args!("{{\"$numberLong\":\"{}\"}}", reader.i64("int64")?)),
        kind::DOUBLE => {
            let value = double::format(f64::from_le_bytes(reader.array("double")?));
            put(out, format_args!("{{\"$numberDouble\":\"{value}\"}}"));
        }
        kind::DECIMAL128 => {
            let value = decimal::format(reader.array("decimal")?);
            put(out, format_args!("{{\"$numberDecimal\":\"{value}\"}}"));
        }
        kind::DATE => {
            put(out, format_args!("{{\"$date\":{{\"$numberLong\":\"{}\"}}}}", reader.i64("date")?));
        }
        kind::TIMESTAMP => {
            let (ordinal, secs) = (reader.u32("ordinal")?, reader.u32("seconds")?);
            put(out, format_args!("{{\"$timestamp\":{{\"t\":{secs},\"i\":{ordinal}}}}}"));
        }
        kind::OBJECT_ID => object_id(&mut reader, out)?,
        kind::MIN_KEY => out.extend_from_slice(b"{\"$minKey\":1}"),
        kind::MAX_KEY => out.extend_from_slice(b"{\"$maxKey\":1}"),
        kind::UNDEFINED => out.extend_from_slice(b"{\"$undefined\":true}"),
        _ => rare_value(element, depth, out)?,
    }
    Ok(())
}

/// Binary data, regular expressions, code, and what is deprecated.
fn rare_value(element: Element<'_>, depth: usize, out: &mut Vec<u8>) -> Result<(), WriteError> {
    let mut reader = Reader::new(element.value);
    match element.kind {
        kind::BINARY => binary(&mut reader, out)?,
        kind::REGEX => {
            out.extend_from_slice(b"{\"$regularExpression\":{\"pattern\":");
            text(cstring(&mut reader)?, out)?;
            out.extend_from_slice(b",\"options\":");
            text(cstring(&mut reader)?, out)?;
            out.extend_from_slice(b"}}");
        }
        kind::SYMBOL => wrapped_text(b"{\"$symbol\":", string(&mut reader)?, out)?,
        kind::CODE => wrapped_text(b"{\"$code\":", string(&mut reader)?, out)?,
        kind::CODE_WITH_SCOPE => {
            reader.u32("code length")?;
            out.extend_from_slice(b"{\"$code\":");
            text(string(&mut reader)?, out)?;
            out.extend_from_slice(b",\"$scope\":");
            members(Doc::new(reader.rest())?, false, depth + 1, out)?;
            out.push(b'}');
        }
        kind::DB_POINTER => {
            out.extend_from_slice(b"{\"$dbPointer\":{\"$ref\":");
            text(string(&mut reader)?, out)?;
            out.extend_from_slice(b",\"$id\":");
            object_id(&mut reader, out)?;
            out.extend_from_slice(b"}}");
        }
        other => {
            let problem = CodecProblem::Unknown { value: u64::from(other) };
            return Err(CodecError { what: "element type", offset: 0, problem }.into());
        }
    }
    Ok(())
}

fn put(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to a vector works");
}

fn wrapped_text(head: &[u8], value: &[u8], out: &mut Vec<u8>) -> Result<(), WriteError> {
    out.extend_from_slice(head);
    text(value, out)?;
    out.push(b'}');
    Ok(())
}

fn string<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], CodecError> {
    let bytes = reader.prefixed("string", MAX_BSON_BYTES)?;
    Ok(bytes.split_last().map_or(bytes, |(_, text)| text))
}

fn cstring<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], CodecError> {
    let len = reader.rest().iter().position(|byte| *byte == 0).unwrap_or(reader.rest().len());
    let text = reader.bytes("text", len)?;
    reader.u8("terminator")?;
    Ok(text)
}

fn object_id(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let id: [u8; 12] = reader.array("ObjectId")?;
    put(out, format_args!("{{\"$oid\":\"{}\"}}", hex::encode(id)));
    Ok(())
}

fn binary(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), WriteError> {
    const OLD: u8 = 2;
    reader.u32("binary length")?;
    let subtype = reader.u8("subtype")?;
    let mut payload = reader.rest();
    if subtype == OLD {
        // It holds its length a second time, which the text leaves out.
        let inner = reader.u32("inner length").map_err(|_| WriteError::OldBinary)?;
        payload = reader.rest();
        if usize::try_from(inner) != Ok(payload.len()) {
            return Err(WriteError::OldBinary);
        }
    }
    let base64 = STANDARD.encode(payload);
    put(out, format_args!("{{\"$binary\":{{\"base64\":\"{base64}\",\"subType\":\"{subtype:02x}\"}}}}"));
    Ok(())
}

fn text(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), WriteError> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let lossy: String = String::from_utf8_lossy(bytes).chars().take(80).collect();
        return Err(WriteError::NotUtf8 { text: lossy.escape_debug().to_string() });
    };
    write_string(text, out);
    Ok(())
}

/// Appends a text as a JSON string.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => put(out, format_args!("\\u{byte:04x}")),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
