//! Bases of batches against what the plain writer writes.

use super::*;
use crate::key::key_of_document;
use crate::run::{Run, RunKind, RunWriter};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemark_base::bson::{Doc, DocWriter};
use tidemark_base::{Entropy as _, SeededEntropy};
use tidemark_blockstore::fault::{Fault, FaultAt, FaultBackend};
use tidemark_blockstore::{Backend, MemoryBackend, Store};

type Documents = BTreeMap<Vec<u8>, Vec<u8>>;

fn tools() -> Arc<Tools> {
    let store = Store::new(Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1))));
    Arc::new(Tools::new(store.session(&[]).unwrap()))
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    SeededEntropy::new(seed).fill(&mut bytes);
    bytes
}

fn document(id: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut w = DocWriter::new(&mut bytes);
    let open = w.begin();
    w.string(b"_id", id);
    w.binary(b"value", 0, value);
    w.end(open);
    bytes
}

fn put(documents: &mut Documents, document: Vec<u8>) {
    let mut key = Vec::new();
    key_of_document(Doc::new(&document).unwrap(), &mut key).unwrap();
    documents.insert(key, document);
}

/// Documents with these numbers; some are large, some nearly.
fn numbered(numbers: impl IntoIterator<Item = u64>, version: u64) -> Documents {
    let mut documents = Documents::new();
    for n in numbers {
        let len = match n % 199 {
            0 => 140_000,
            1 => 131_072 - 60 + usize::try_from(n % 90).unwrap(),
            2 | 3 => 100_000,
            _ => usize::try_from((n * 7919 + version) % 1700).unwrap(),
        };
        put(&mut documents, document(format!("{n:06}").as_bytes(), &noise(n + version, len)));
    }
    documents
}

fn plainly(tools: &Tools, documents: &Documents) -> Option<Run> {
    let mut writer = RunWriter::new(&tools.session, RunKind::Base);
    documents.iter().for_each(|(key, document)| writer.push(key, document, &[]).unwrap());
    writer.finish().unwrap()
}

fn sorted(tools: &Tools, documents: &Documents) -> Sorted {
    tools.sort(documents.values().flatten().copied().collect()).unwrap()
}

/// Written in batches of so many.
fn in_batches(tools: &Arc<Tools>, documents: &Documents, count: usize) -> Option<Run> {
    let mut writer = BaseWriter::new(tools);
    let all: Vec<_> = documents.iter().collect();
    for some in all.chunks(count) {
        let batch = sorted(tools, &some.iter().map(|(k, v)| ((*k).clone(), (*v).clone())).collect());
        writer.push(&batch, 0..batch.len()).unwrap();
        if count > 50 {
            writer.let_go().unwrap();
        }
    }
    writer.finish().unwrap()
}

fn above<'s>(tools: &Tools, layers: &[&Documents]) -> Merged<'s> {
    let batches = layers.iter().map(|layer| Some(Arc::new(sorted(tools, layer))));
    Merged::open(batches.map(|mut batch| -> Batches<'s> { Box::new(move || Ok(batch.take())) })).unwrap()
}

#[test]
fn batches_of_any_size_make_the_run_of_the_plain_writer() {
    let documents = numbered(0..3000, 0);
    let expected = plainly(&tools(), &documents);
    for count in [1, 2, 77, 1000, 5000] {
        let tools = tools();
        assert_eq!(in_batches(&tools, &documents, count), expected, "{count}");
        tools.meter.wait_for_tasks();
        assert_eq!(tools.meter.bytes(), 0, "all memory is given back");
    }
    assert_eq!(in_batches(&tools(), &Documents::new(), 1), None);
}

#[test]
fn a_batch_has_the_last_of_each_key_by_key() {
    let tools = tools();
    let (old, new) = (numbered(0..300, 5), numbered(100..400, 0));
    let mut bytes: Vec<u8> = old.values().rev().flatten().copied().collect();
    bytes.extend(new.values().flatten());
    let batch = tools.sort(bytes).unwrap();
    let mut expected = old;
    expected.extend(new);
    assert_eq!(batch.len(), expected.len());
    for (number, (key, document)) in expected.iter().enumerate() {
        assert_eq!(batch.key(number), key);
        match batch.large(number) {
            None => assert_eq!(batch.document(number), document),
            Some(large) => assert_eq!(large.plain_bytes, document.len() as u64),
        }
    }
    let first = batch.first(150, &tools.meter);
    assert!((0..150).all(|n| first.key(n) == batch.key(n) && first.large(n) == batch.large(n)));
    assert_eq!((first.len(), first.document(149)), (150, batch.document(149)));
    assert_eq!((batch.up_to(batch.key(17)), batch.up_to(b""), batch.up_to(&[0xff])), (18, 0, 400));
}

#[test]
fn what_is_unfit_is_refused() {
    let tools = tools();
    let good = document(b"a", b"x");
    let mut broken = document(b"b", b"x");
    broken[4] = 0x7e;
    assert!(matches!(tools.sort([good.clone(), broken].concat()), Err(Unfit::Broken { .. })));
    assert!(matches!(tools.sort(vec![5, 0, 0, 0, 0]), Err(Unfit::Key(_))));
    assert!(matches!(tools.sort(good[1..].to_vec()), Err(Unfit::Broken { .. })));
    let batch = tools.sort(good).unwrap();
    let mut writer = BaseWriter::new(&tools);
    writer.push(&batch, 0..1).unwrap();
    assert!(matches!(writer.push(&batch, 0..1), Err(crate::run::RunError::Order { .. })));
}

/// Layers merged over a run, in every shape, against all of it written at once.
#[test]
fn a_merge_is_what_is_written_of_all_at_once() {
    let base = numbered((0..4000).map(|n| n * 3), 0);
    let none = Documents::new();
    let layers: Vec<(&str, Documents)> = vec![
        ("nothing", Documents::new()),
        ("before all", numbered([0], 3)),
        ("behind all", numbered(12_001..12_400, 0)),
        ("the last replaced", numbered([3999 * 3], 9)),
        ("here and there", numbered((0..40).map(|n| n * 307 + 1), 0)),
        ("one stretch", numbered(5000..5100, 0)),
        ("replaced and new", numbered((0..12_000).step_by(100), 4)),
        ("large ones replaced", numbered((0..12_000).step_by(199), 4)),
        ("everywhere", numbered((0..12_000).map(|n| n + n % 2), 8)),
    ];
    for below in [&base, &none, &numbered([199 * 3], 0), &numbered([7], 0)] {
        for (name, layer) in &layers {
            let newest = numbered((0..12_300).step_by(977), 11);
            for over in [vec![layer], vec![layer, &newest]] {
                let mut all = below.clone();
                over.iter().for_each(|layer| all.extend((*layer).clone()));
                let tools = tools();
                let run = in_batches(&tools, below, 500);
                let merged = merge_into(&tools, run.as_ref(), above(&tools, &over), 1 << 20).unwrap();
                assert_eq!(
                    merged,
                    plainly(&tools, &all),
                    "{name}, {} layers over {}",
                    over.len(),
                    below.len()
                );
            }
        }
    }
}

#[test]
fn keys_alike_for_kilobytes_are_merged_right() {
    let long = |n: u32, version: u64| {
        let id = [vec![b'k'; 2000], format!("{n:05}").into_bytes()].concat();
        document(&id, &noise(u64::from(n) + version, 3000))
    };
    let (mut below, mut layer) = (Documents::new(), Documents::new());
    (0..900).for_each(|n| put(&mut below, long(n * 2, 0)));
    (0..900).step_by(50).for_each(|n| put(&mut layer, long(n * 2 + n % 2, 1)));
    put(&mut below, document(b"zz", b"behind"));
    let mut all = below.clone();
    all.extend(layer.clone());
    let tools = tools();
    let run = in_batches(&tools, &below, 100);
    let merged = merge_into(&tools, run.as_ref(), above(&tools, &[&layer]), 1 << 20).unwrap();
    assert_eq!(merged, plainly(&tools, &all));
}

/// Counts what is read of a store: of leaves into which nothing falls, nothing is.
#[test]
fn a_merge_reads_only_leaves_into_which_something_falls() {
    let documents = numbered((0..8000).filter(|n| n % 199 > 3), 0);
    let never = FaultAt { call: 0, fault: Fault::Fail, and_all_later: false };
    let memory = Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1)));
    let backend = Arc::new(FaultBackend::counting_reads(memory, never));
    let store = Store::new(Arc::clone(&backend) as Arc<dyn Backend>);
    let tools = Arc::new(Tools::new(store.session(&[]).unwrap()));
    let run = in_batches(&tools, &documents, 500).unwrap();
    let mut calls = Vec::new();
    for layer in [numbered([4000], 1), numbered((0..8000).step_by(4), 1)] {
        let before = backend.calls();
        merge_into(&tools, Some(&run), above(&tools, &[&layer]), 1 << 20).unwrap().unwrap();
        calls.push(backend.calls() - before);
    }
    assert!(calls[0] * 3 < calls[1], "{calls:?} calls of the store");
}
