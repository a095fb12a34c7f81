//! `tidemark get`: one document, as Extended JSON.

use super::divergences::Divergences;
use super::origin::{self, OriginArgs};
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::place::HeadArg;
use crate::times::At;
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;
use std::fmt;
use tidemark_base::bson::Doc;
use tidemark_head::dump::extjson::{parse_document, write_document};
use tidemark_head::run::Source;
use tidemark_head::state::State;
use tidemark_oplog::names::Namespace;

const EXAMPLES: &str = "\
Examples:
  tidemark get --store backup --name rs0 --ns shop.orders --id 4711
  tidemark get --store backup --name rs0 --ns shop.orders --id '\"A-17\"' --time 2026-11-22T10:00:00Z
  tidemark get --store backup --name rs0 --ns shop.orders --id '{\"$oid\":\"655f0c1e2f8fb814c8f1a2b3\"}'
";

/// Show one document, as canonical Extended JSON
///
/// Exits with 4 if there is no such document, and with 3 if operations do not fit on the way to a point in time.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    head: HeadArg,
    #[command(flatten)]
    origin: OriginArgs,
    /// Its collection
    #[arg(long, value_name = "DB.COLL")]
    ns: String,
    /// Its _id as Extended JSON: 4711, '"text"', '{"$oid":"…"}'; numbers of any type find each other
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    id: String,
}

#[derive(Serialize)]
struct Got {
    namespace: String,
    at: At,
    document: Box<RawValue>,
    divergences: Divergences,
}

impl fmt::Display for Got {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::safe::json(self.document.get()))
    }
}

pub(crate) fn run(args: &GetArgs, out: Output) -> Result<Exit> {
    let namespace = Namespace::parse(&args.ns).map_err(|error| Problem::Usage(error.to_string()))?;
    let asked = parse_id(&args.id)?;
    let id = Doc::new(&asked)?.get("_id")?.context("an _id was just written")?;
    let store = args.head.open(out)?;
    let look = |state: &State, source: &dyn Source| {
        let found = state.catalog().named(namespace.database(), namespace.collection()).next();
        found.map(|uuid| state.get(source, uuid, id)).transpose()
    };
    let (found, at, divergences) = origin::look(&args.head, &args.origin, &store, out, look)?;
    let shown = args.ns.escape_debug();
    let found = found.ok_or_else(|| Problem::NotThere(format!("there is no collection {shown}")))?;
    let document = found.ok_or_else(|| {
        let id = args.id.escape_debug();
        Problem::NotThere(format!("there is no document in {shown} with the _id {id}"))
    })?;
    let mut text = Vec::new();
    write_document(Doc::new(&document)?, &mut text).context("the document cannot be shown")?;
    let document = RawValue::from_string(String::from_utf8(text)?)?;
    let exit = if divergences.count == 0 { Exit::Done } else { Exit::Found };
    if divergences.count > 0 {
        // The document stands alone on standard output.
        out.note(&divergences.to_string());
    }
    out.result(&Got { namespace: args.ns.clone(), at: At::of(at), document, divergences })?;
    Ok(exit)
}

/// A document whose only field is the `_id` that the text says.
fn parse_id(text: &str) -> Result<Vec<u8>> {
    let usage = |why: String| Problem::Usage(format!("--id {}: {why}", text.escape_debug()));
    let document = parse_document(format!("{{\"_id\":{text}}}").as_bytes()).map_err(|error| {
        usage(format!("{}; an _id is given as JSON, text in double quotes", error.problem))
    })?;
    if Doc::new(&document)?.elements().count() != 1 {
        return Err(usage("this is more than one value".to_owned()).into());
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_json_value() {
        let id = |text: &str| bson::Document::from_reader(parse_id(text).unwrap().as_slice()).unwrap();
        assert_eq!(id("4711"), bson::doc! {"_id": 4711});
        assert_eq!(id("\"A-17\""), bson::doc! {"_id": "A-17"});
        assert_eq!(id("{\"a\": 1, \"b\": 2}"), bson::doc! {"_id": {"a": 1, "b": 2}});
        for bad in ["", "abc", "1, \"x\": 2", "1}", "{", "'a'"] {
            let error = parse_id(bad).unwrap_err().to_string();
            assert!(error.starts_with("--id "), "{error}");
        }
    }
}
