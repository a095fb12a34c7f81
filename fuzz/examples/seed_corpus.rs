//! Writes the seeds in `fuzz/corpus/`: the parts of the golden store and captured oplog entries, and each cut
//! in half.
//!
//! Run by hand when a format gets a new version: `cargo run -p tidemark-fuzz --example seed_corpus`. Files are
//! named by their contents, so that seeds which are there already are not written twice. What the fuzzer
//! itself finds is kept only if it has found a mistake.

#[path = "seed_corpus/dumps.rs"]
mod dumps;
#[path = "seed_corpus/head.rs"]
mod head;
#[path = "seed_corpus/roots.rs"]
mod roots;
#[path = "seed_corpus/runs.rs"]
mod runs;
#[path = "seed_corpus/sent.rs"]
mod sent;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;
use tidemark_base::bson::{Doc, DocWriter, Element, kind};
use tidemark_base::{BlockId, BlockKind};
use tidemark_blockstore::{Header, fuzzing};
use tidemark_oplog::update::Update;
use tidemark_testkit::captures;

type Done = Result<(), Box<dyn Error>>;

/// Seeds larger than this make the fuzzer slow, in bytes.
const SMALL_BYTES: usize = 1200;

fn main() -> Done {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let store = here.join("../blockstore/testdata/v1");
    keep(here, "superblock", &std::fs::read(store.join("superblock"))?)?;
    keep(here, "refs_log", &std::fs::read(store.join("refs.log"))?)?;
    for number in 1..=3 {
        let pack = std::fs::read(store.join(format!("packs/{number:016x}.pack")))?;
        keep(here, "pack_scan", pack.get(..pack.len().min(SMALL_BYTES)).unwrap_or_default())?;
        keep_records(here, &pack)?;
    }
    keep_rows(here, &store.join("index.db"))?;
    keep_slices(here)?;
    keep_entries(here)?;
    keep_updates(here)?;
    head::keep_keys(here)?;
    head::keep_patches(here)?;
    roots::keep_roots(here)?;
    runs::keep_runs(here)?;
    dumps::keep_archives(here)?;
    dumps::keep_metadata(here)?;
    sent::keep_sent(here)
}

/// One record of each kind, codec and emptiness, and the plain bytes of nodes.
fn keep_records(here: &Path, pack: &[u8]) -> Done {
    let mut seen = Vec::new();
    let mut rest = pack.get(48..).unwrap_or_default();
    while !rest.is_empty() {
        let header = Header::decode(rest)?;
        let (record, after) = rest.split_at(usize::try_from(header.record_len())?);
        rest = after;
        if header.kind == BlockKind::Node {
            let node = fuzzing::block(record).ok_or("a node of the golden store is damaged")?;
            keep(here, "node", node.bytes())?;
        }
        let sort = (header.kind, header.codec, header.plain_len == 0);
        if record.len() <= SMALL_BYTES && !seen.contains(&sort) {
            seen.push(sort);
            keep(here, "record", record)?;
        }
    }
    Ok(())
}

/// The first row of each table, from a copy of the database.
fn keep_rows(here: &Path, index: &Path) -> Done {
    let scratch = tempfile::tempdir()?;
    let copy = scratch.path().join("index.db");
    std::fs::copy(index, &copy)?;
    let connection = rusqlite::Connection::open(copy)?;
    let mut statement =
        connection.prepare("SELECT key, value FROM row GROUP BY substr(key, 1, 1) ORDER BY key")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    for row in rows {
        let (key, value) = row?;
        keep(here, "row", &[&[u8::try_from(key.len())?], key.as_slice(), &value].concat())?;
    }
    // No session is open in the golden store: one of epoch 2 with an owner and one pin.
    let key = [b"s".as_slice(), &1u64.to_be_bytes()].concat();
    let body = [&2u64.to_le_bytes()[..], &[7; 16], &1u32.to_le_bytes(), &[8; 32]].concat();
    keep(here, "row", &[&[9], key.as_slice(), &fuzzing::seal(&key, &body)].concat())
}

/// The shortest captured entry of each kind: operation, command and what stands beside it.
fn keep_entries(here: &Path) -> Done {
    let mut shortest: BTreeMap<String, &[u8]> = BTreeMap::new();
    for capture in captures::all()? {
        for raw in &capture.entries {
            let kept = shortest.entry(entry_kind(Doc::new(raw)?)?).or_insert(raw);
            if raw.len() < kept.len() {
                *kept = raw;
            }
        }
    }
    shortest.values().filter(|raw| raw.len() <= SMALL_BYTES).try_for_each(|raw| keep(here, "entry", raw))
}

/// The names that decide how an entry is read: its type, its command, and signs of sessions and forms.
fn entry_kind(raw: Doc<'_>) -> Result<String, Box<dyn Error>> {
    const SIGNS: [&[u8]; 8] =
        [b"$v", b"alwaysUpsert", b"count", b"dropTarget", b"idIndex", b"lsid", b"partialTxn", b"prepare"];
    let op = raw.get("op")?.and_then(Element::as_str).unwrap_or_default();
    let o = raw.get("o")?.and_then(Element::as_object).unwrap_or(Doc::EMPTY);
    let command = o.elements().take(usize::from(op == "c"));
    let signs =
        raw.elements().chain(o.elements()).filter(|it| it.as_ref().is_ok_and(|it| SIGNS.contains(&it.name)));
    let names = command.chain(signs).filter_map(Result::ok);
    let names: Vec<String> = names.map(|it| String::from_utf8_lossy(it.name).into_owned()).collect();
    Ok(format!("{op} {}", names.join(" ")))
}

/// The shortest captured update of each form, with the document it was made on.
fn keep_updates(here: &Path) -> Done {
    let mut shortest: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for capture in captures::all()? {
        let mut documents: BTreeMap<(&str, &[u8]), Vec<u8>> = BTreeMap::new();
        for raw in &capture.entries {
            let raw = Doc::new(raw)?;
            let text =
                |name| Ok::<_, Box<dyn Error>>(raw.get(name)?.and_then(Element::as_str).unwrap_or_default());
            let o = raw.get("o")?.and_then(Element::as_object).unwrap_or(Doc::EMPTY);
            let holder = raw.get("o2")?.and_then(Element::as_object).unwrap_or(o);
            let Some(id) = holder.get("_id")? else { continue };
            let key = (text("ns")?, id.value);
            match (text("op")?, documents.get(&key)) {
                ("i", _) => drop(documents.insert(key, o.as_bytes().to_vec())),
                ("u", Some(document)) => {
                    let len = u16::try_from(document.len()).map(u16::to_le_bytes);
                    let mut new = Vec::new();
                    Update::parse(o)?.apply(Doc::new(document)?, &mut new)?;
                    if let Ok(len) = len {
                        let seed = [&len, document.as_slice(), o.as_bytes()].concat();
                        let kept = shortest.entry(update_form(o)?).or_insert_with(|| seed.clone());
                        if seed.len() < kept.len() {
                            *kept = seed;
                        }
                    }
                    documents.insert(key, new);
                }
                _ => {}
            }
        }
    }
    shortest
        .values()
        .filter(|seed| seed.len() <= SMALL_BYTES)
        .try_for_each(|seed| keep(here, "diff", seed))?;
    keep(here, "diff", &modifiers())
}

/// A document and an update with every operator that is known, of fields, elements and what is not there:
/// servers since 5.0 write none, so no capture has one outside of an `applyOps`.
fn modifiers() -> Vec<u8> {
    let mut document = Vec::new();
    let mut w = DocWriter::new(&mut document);
    let open = w.begin();
    w.int32(b"_id", 1);
    let array = w.begin_field(kind::ARRAY, b"a");
    w.int32(b"0", 1);
    w.int32(b"x", 2);
    w.end(array);
    let object = w.begin_field(kind::OBJECT, b"b");
    w.int64(b"c", 3);
    w.end(object);
    w.end(open);
    let mut o = Vec::new();
    let mut w = DocWriter::new(&mut o);
    let open = w.begin();
    let operators: [(&[u8], &[&[u8]]); 4] = [
        (b"$set", &[b"a.0", b"b.d.e", b"n10", b"n2"]),
        (b"$unset", &[b"a.1", b"b.x"]),
        (b"$inc", &[b"b.c", b"a.3"]),
        (b"$push", &[b"p"]),
    ];
    for (operator, paths) in operators {
        let operands = w.begin_field(kind::OBJECT, operator);
        paths.iter().for_each(|path| w.int32(path, 7));
        w.end(operands);
    }
    w.end(open);
    let len = u16::try_from(document.len()).unwrap_or(u16::MAX).to_le_bytes();
    [&len, document.as_slice(), &o].concat()
}

/// What kind of update it is, and of a diff the sections that occur at each level.
fn update_form(o: Doc<'_>) -> Result<String, Box<dyn Error>> {
    let diff = match Update::parse(o)? {
        Update::Replacement(_) => return Ok("replacement".to_owned()),
        Update::Modifiers(o) => {
            return Ok(format!(
                "{:?}",
                o.elements().filter_map(Result::ok).map(|it| it.name).collect::<Vec<_>>()
            ));
        }
        Update::Diff(diff) => diff,
    };
    let mut levels: Vec<BTreeSet<char>> = Vec::new();
    let mut open = vec![(0, diff)];
    while let Some((depth, diff)) = open.pop() {
        levels.resize(levels.len().max(depth + 1), BTreeSet::new());
        for section in diff.elements() {
            let section = section?;
            let letter = section.name.first().copied().map_or('-', char::from);
            levels.get_mut(depth).into_iter().for_each(|level| level.extend([letter]));
            open.extend(section.as_object().filter(|_| letter == 's').map(|nested| (depth + 1, nested)));
        }
    }
    Ok(format!("{levels:?}"))
}

/// The golden slices, and chains as the target makes them of eight bytes for each slice.
fn keep_slices(here: &Path) -> Done {
    for name in ["compressed", "raw"] {
        keep(here, "slice", &std::fs::read(here.join("../oplog/testdata/slice-v1").join(name))?)?;
    }
    // Two that follow each other; the second of another term, so a fork; a gap; an overlap.
    let first = [5, 1, 2, 0b01_01_01, 0, 1, 3, 0];
    for second in [
        [8, 1, 2, 0b01_01_01, 1, 2, 3, 0],
        [8, 1, 2, 0b10_10_10, 1, 2, 3, 0],
        [9, 1, 2, 0b01_01_01, 1, 2, 3, 0],
        [7, 1, 3, 0b01_01_01, 1, 2, 3, 0],
    ] {
        keep(here, "chain", &[first, second].concat())?;
    }
    Ok(())
}

/// Writes a seed and its first half.
fn keep(here: &Path, target: &str, bytes: &[u8]) -> Done {
    let folder = here.join("corpus").join(target);
    std::fs::create_dir_all(&folder)?;
    for part in [bytes, bytes.get(..bytes.len() / 2).unwrap_or_default()] {
        let name: String = BlockId::of(BlockKind::Leaf, part).to_string().chars().take(16).collect();
        std::fs::write(folder.join(name), part)?;
    }
    Ok(())
}
