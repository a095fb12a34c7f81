//! `prelude.json`: who made the dump, for tools newer than 100.8.

use super::Versions;
use super::extjson::{parse_document, write_string};
use super::metadata::MetadataError;
use tidemark_base::bson::{Doc, Element};

/// The file's name.
pub(super) const FILE: &str = "prelude.json";

pub(super) fn write(versions: &Versions) -> Vec<u8> {
    let mut out = b"{".to_vec();
    for (name, value) in [("ServerVersion", &versions.server), ("ToolVersion", &versions.tool)] {
        let Some(value) = value else { continue };
        if out.len() > 1 {
            out.push(b',');
        }
        write_string(name, &mut out);
        out.push(b':');
        write_string(value, &mut out);
    }
    out.push(b'}');
    out
}

pub(super) fn parse(text: &[u8]) -> Result<Versions, MetadataError> {
    let raw = parse_document(text)?;
    let document = Doc::new(&raw)?;
    let text =
        |name| Ok::<_, MetadataError>(document.get(name)?.and_then(Element::as_str).map(str::to_owned));
    Ok(Versions { server: text("ServerVersion")?, tool: text("ToolVersion")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_newer_tools_write_it() {
        let text = br#"{"ServerVersion":"6.0.5","ToolVersion":"100.18.0"}"#;
        let versions = parse(text).unwrap();
        assert_eq!(versions, Versions { server: Some("6.0.5".into()), tool: Some("100.18.0".into()) });
        assert_eq!(write(&versions), text);
        assert_eq!(parse(&write(&Versions::default())).unwrap(), Versions::default());
        assert!(parse(b"").is_err());
    }
}
