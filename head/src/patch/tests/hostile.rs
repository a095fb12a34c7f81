//! Bytes that no patch has are refused, and whatever is opened can be folded and composed.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use tidemark_base::codec::Reader;

fn refused(head: &[u8], payload: &[u8]) {
    let error = Patch::decode(&mut Reader::new(head), payload).expect_err("no such patch");
    assert!(!error.to_string().is_empty());
}

#[test]
fn heads_that_no_patch_has_are_refused() {
    let whole = document(1);
    refused(&[], &whole);
    // No such outcome; updates never stand on what is absent; bits that mean nothing.
    for tag in [0x03, 0x06, 0x07, 0x0b, 0x0f, 0x10, 0x80] {
        refused(&[tag, 2, 0, 0, 0], &[]);
    }
    // Many are at least two, and four bytes.
    refused(&[0x0c, 1, 0, 0, 0], &whole);
    refused(&[0x0c, 0, 0, 0, 0], &whole);
    refused(&[0x0c, 2, 0, 0], &whole);
    Patch::decode(&mut Reader::new(&[0x0c, 2, 0, 0, 0]), &whole).unwrap();
}

#[test]
fn payloads_that_do_not_belong_to_their_head_are_refused() {
    let whole = document(1);
    refused(&[0x00], &[]);
    refused(&[0x00], &whole[..whole.len() - 1]);
    refused(&[0x00], &[whole.as_slice(), &[0]].concat());
    refused(&[0x01], &[0]);
    for tag in [0x02, 0x03, 0x07, 0x0b, 0x0c, 0x10, 0xff] {
        refused(&[0x02], &[&[tag], whole.as_slice(), &whole].concat());
    }
    // A replacement has its `_id` in front.
    let behind = written(|w| {
        w.int32(b"v", 1);
        w.int32(b"_id", 1);
    });
    for replacement in [behind, written(|_| {})] {
        refused(&[0x02], &[&[0x00], replacement.as_slice()].concat());
    }
    refused(&[0x02], &[0x08]);
    refused(&[0x02], &[&[0x08], &whole[..7]].concat());
    // The `_id` of an upsert is a document with that field and no other.
    let of_two = written(|w| {
        w.int32(b"_id", 1);
        w.int32(b"v", 1);
    });
    let of_another_name = written(|w| w.int32(b"v", 1));
    let broken = [8, 0, 0, 0, 16, b'x', 0, 0];
    for id in [of_two.as_slice(), &of_another_name, &written(|_| {}), &broken] {
        refused(&[0x02], &[&[0x0a], id, &whole].concat());
    }
    let of_one = written(|w| w.int32(b"_id", 1));
    Patch::decode(&mut Reader::new(&[0x02]), &[&[0x0a], of_one.as_slice(), &whole].concat()).unwrap();
}

#[test]
fn an_offset_in_an_error_is_where_it_went_wrong() {
    let bytes = [&[0x08], diff_bytes(1).as_slice(), &[0x08, 3, 0, 0, 0]].concat();
    let error = Patch::decode(&mut Reader::new(&[0x02]), &bytes).unwrap_err();
    assert_eq!(error.offset, bytes.len() - 4);
}

fn diff_bytes(value: i32) -> Vec<u8> {
    match diff(Manner::Strict, value).deed {
        Deed::Diff(bytes) => bytes,
        _ => unreachable!(),
    }
}

#[test]
fn operations_are_counted_up_to_what_can_be_stored() {
    let most = [0x0d, 0xff, 0xff, 0xff, 0xff];
    let patch = || Patch::decode(&mut Reader::new(&most), &[]).unwrap();
    let mut found = Vec::new();
    let steps = [diff(Manner::Strict, 1)];
    let older = composed(&steps, &mut found);
    let both = Folder::new().compose(older, patch(), &mut found);
    assert_eq!(both.expects(), Expects::Present { operations: u32::MAX });
    assert_eq!(found, []);
}

/// Opens bytes; if they are a patch, uses it in every way.
fn open_and_use(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    let mut head_only = reader.clone();
    let head_len = match head_only.u8("tag") {
        Ok(tag) if tag & 0x0c == 0x0c => 5,
        _ => 1,
    };
    let Some(payload) = bytes.get(head_len..) else { return false };
    let Ok(patch) = Patch::decode(&mut reader, payload) else { return false };
    let patch = stored::stored_and_opened(&patch);
    let mut folder = Folder::new();
    for below in [None, Some(document(1))] {
        let mut found = Vec::new();
        folded(below.as_deref(), &patch, &mut found);
        assert!(found.iter().all(|misfit| !misfit.to_string().is_empty()));
    }
    let mut found = Vec::new();
    let twice = folder.compose(patch.clone(), patch, &mut found);
    stored::stored_and_opened(&twice);
    true
}

#[test]
fn the_way_of_use_below_opens_what_is_sound() {
    let sound = [&[0x02, 0x08], diff_bytes(1).as_slice()].concat();
    assert!(open_and_use(&sound) && open_and_use(&[0x09]) && !open_and_use(&[0x03]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_bytes_are_refused_or_can_be_used(bytes in vec(any::<u8>(), 0..80)) {
        open_and_use(&bytes);
    }

    #[test]
    fn damaged_patches_are_refused_or_can_be_used(
        which in 0..6_usize, at in any::<prop::sample::Index>(), byte: u8, cut: bool,
    ) {
        let steps: [&[Step]; 6] = [
            &[insert(Manner::Strict, 1)],
            &[diff(Manner::Strict, 1), delete(Manner::Strict)],
            &[diff(Manner::Strict, 1), push(UPSERT, 2), push(Manner::Tolerant, 3)],
            &[diff(UPSERT, 1)],
            &[replace(Manner::Strict, 1), push(Manner::Strict, 1)],
            &[push(Manner::Tolerant, 1), diff(Manner::Strict, 1), replace(Manner::Tolerant, 1)],
        ];
        let patch = composed(steps[which], &mut Vec::new());
        let mut bytes = Vec::new();
        patch.encode_head(&mut bytes);
        bytes.extend_from_slice(patch.payload());
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        open_and_use(&bytes);
    }
}
