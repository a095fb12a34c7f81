//! Seeds of dumps: small archives of every kind of part, and metadata as mongodump wrote it.

use crate::{Done, SMALL_BYTES, keep};
use extjson::parse_document;
use std::path::Path;
use tidemark_base::bson::DocWriter;
use tidemark_head::dump::{ArchiveWriter, Compression, Kind, Namespace, Part, Sink, Versions, extjson};
use tidemark_testkit::{corpus, dumps};

/// Archives, plain and packed, and one with interleaved collections.
pub(crate) fn keep_archives(here: &Path) -> Done {
    let mut users = Namespace::bare("admin", "system.users");
    users.uuid = Some("a31b033c499c4b1d9eb9411aeb523ec7".parse()?);
    let mut plain = Namespace::bare("d", "c\n");
    plain.indexes = vec![parse_document(br#"{"v":2,"key":{"_id":1},"name":"_id_"}"#)?];
    let view = of_kind("v", Kind::View, r#"{"viewOn":"c","pipeline":[]}"#)?;
    let series = of_kind("ts", Kind::TimeSeries, r#"{"timeseries":{"timeField":"t"}}"#)?;
    let parts: Vec<Part> = [users, plain, view, series].map(Part::of).into();
    let versions = Versions { server: Some("6.0.5".to_owned()), tool: None };
    for compression in [Compression::Plain, Compression::Gzip] {
        let mut writer = ArchiveWriter::new(Vec::new(), "seed", compression, &versions, parts.clone())?;
        for part in &parts {
            writer.begin(part)?;
            if part.stream.is_some() {
                writer.documents(&parse_document(br#"{"_id":1,"t":{"$date":"2020-01-01T00:00:00Z"}}"#)?)?;
            }
            writer.end()?;
        }
        keep(here, "archive", &writer.finish()?)?;
    }
    keep(here, "archive", &interleaved()?)
}

fn of_kind(name: &str, kind: Kind, options: &str) -> Result<Namespace, extjson::JsonError> {
    Ok(Namespace { kind, options: parse_document(options.as_bytes())?, ..Namespace::bare("d", name) })
}

/// Two collections, block by block, and an oplog. The checksums are left to the target.
fn interleaved() -> Result<Vec<u8>, extjson::JsonError> {
    let mut out = vec![0x6d, 0xe2, 0x99, 0x81];
    let terminator = [0xff; 4];
    out.extend(parse_document(br#"{"concurrent_collections":4,"version":"0.1","server_version":"6.0.5"}"#)?);
    let names = [("d", "a"), ("d", "b"), ("", "oplog")];
    for (database, collection) in names {
        let metadata = if database.is_empty() { "" } else { "{}" };
        let entry = format!(r#"{{"db":"{database}","collection":"{collection}","metadata":"{metadata}"}}"#);
        out.extend(parse_document(entry.as_bytes())?);
    }
    out.extend(terminator);
    let mut block = |(database, collection): (&str, &str), is_end| {
        let mut w = DocWriter::new(&mut out);
        let open = w.begin();
        w.string(b"db", database.as_bytes());
        w.string(b"collection", collection.as_bytes());
        w.bool(b"EOF", is_end);
        w.int64(b"CRC", 0);
        w.end(open);
        if !is_end {
            let document = w.begin();
            w.int32(b"_id", 1);
            w.end(document);
        }
        out.extend(terminator);
    };
    [names, names].as_flattened().iter().for_each(|name| block(*name, false));
    names.into_iter().for_each(|name| block(name, true));
    Ok(out)
}

/// The metadata of the sample dump, and a text of each type of value.
pub(crate) fn keep_metadata(here: &Path) -> Done {
    for (path, bytes) in &dumps::folder("dir")?.files {
        if path.ends_with(".metadata.json") && bytes.len() <= SMALL_BYTES {
            keep(here, "metadata", bytes)?;
        }
    }
    for file in corpus::all()? {
        let mut texts = file.valid.iter().map(|it| &it.canonical_extjson);
        if let Some(text) = texts.find(|it| it.len() <= SMALL_BYTES) {
            keep(here, "metadata", text.as_bytes())?;
        }
    }
    Ok(())
}
