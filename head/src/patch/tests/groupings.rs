//! Any grouping of changes gives what the changes give one by one.
//!
//! The truth is the reference model: a plain map of documents. Changes are put into patches at random, patches
//! composed in any order that keeps theirs, stored and opened again on the way, and folded as a stack of any
//! height.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use tidemark_oplog::update;
use tidemark_testkit::model::Collection;
use tidemark_testkit::order::IdKey;
use tidemark_testkit::rounds;

/// What changes give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Truth {
    pub(super) document: Option<Vec<u8>>,
    pub(super) misfits: u32,
}

/// Applies changes to the reference model. An update that fails is a misfit and changes nothing.
pub(super) fn one_by_one(below: Option<&[u8]>, steps: &[Step]) -> Truth {
    let mut collection = Collection::new("a", "b", &written(|_| {}));
    let key = IdKey::of_document(&document(0)).unwrap().unwrap();
    below.into_iter().for_each(|below| collection.insert(below).unwrap());
    let mut misfits = 0;
    for step in steps {
        let before = collection.get(&key).map(<[u8]>::to_vec);
        let strict = step.manner == Manner::Strict;
        let mut after = Vec::new();
        let fits = match (&step.deed, step.update(), before) {
            (Deed::Insert(document), _, before) => {
                collection.put(document).unwrap();
                before.is_none() || !strict
            }
            (_, Some(update), Some(before)) => {
                let result = update.apply(Doc::new(&before).unwrap(), &mut after);
                result
                    .is_ok_and(|fit| collection.put(&after).is_ok() && (fit == update::Fit::Whole || !strict))
            }
            (_, Some(update), None) if step.manner == UPSERT => {
                let result = update.upsert(step.id(), &mut after);
                result.is_ok_and(|()| collection.put(&after).is_ok())
            }
            (_, None, Some(_)) => collection.delete(&key).is_some(),
            (_, _, None) => !strict,
        };
        misfits += u32::from(!fits);
    }
    assert!(collection.len() <= 1);
    Truth { document: collection.get(&key).map(<[u8]>::to_vec), misfits }
}

/// The `_id` 1 in one of its spellings.
fn spelling() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let decimal = tidemark_testkit::generate::writer::decimal128(100, -2);
    prop_oneof![
        3 => Just((kind::INT32, 1_i32.to_le_bytes().to_vec())),
        1 => Just((kind::INT64, 1_i64.to_le_bytes().to_vec())),
        1 => Just((kind::DOUBLE, 1_f64.to_le_bytes().to_vec())),
        1 => Just((kind::DECIMAL128, decimal.to_vec())),
    ]
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![4 => Just(Manner::Strict), 2 => Just(Manner::Tolerant), 1 => Just(USER), 2 => Just(UPSERT)]
}

/// A change. `failing` ones, if wanted, cannot be applied to some documents or to none.
fn step(failing: bool) -> impl Strategy<Value = Step> {
    (manner(), 0..8_u8, spelling(), 0..100_i32, 0..u32::from(failing) * 3 + 1).prop_map(
        |(manner, sort, (id_kind, id), value, fails)| {
            let whole = |value: i32| {
                with_id(id_kind, &id, |w| {
                    w.int32(b"v", value);
                    if fails == 1 {
                        w.null(b"l");
                    }
                })
            };
            let deed = match sort {
                0 | 1 => Deed::Insert(whole(value)),
                2 => Deed::Replace(whole(value)),
                3 | 4 => Deed::Delete,
                5 => diff(manner, value).deed,
                // The `_id` is no array, so nothing can be pushed to it.
                6 if fails == 2 => push_to(manner, b"_id", value).deed,
                _ => push(manner, value).deed,
            };
            Step { manner, id: with_id(id_kind, &id, |_| {}), deed }
        },
    )
}

fn below() -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of(spelling().prop_map(|(kind, id)| with_id(kind, &id, |w| w.int32(b"v", -1))))
}

/// Where neighbours are composed, and whether the result is stored and opened again.
type Choices = Vec<(prop::sample::Index, bool)>;

fn grouped(below: Option<&[u8]>, steps: &[Step], choices: &Choices) -> Truth {
    let (mut found, mut folder) = (Vec::new(), Folder::new());
    let mut patches: Vec<Patch<'static>> =
        steps.iter().map(|step| step.patch(&mut found).into_owned()).collect();
    for (at, store) in choices {
        if patches.len() < 2 {
            break;
        }
        let at = at.index(patches.len() - 1);
        let newer = patches.remove(at + 1);
        let patch = folder.compose(patches[at].clone(), newer, &mut found);
        patches[at] = if *store { stored::stored_and_opened(&patch) } else { patch };
    }
    let document = patches
        .iter()
        .fold(below.map(<[u8]>::to_vec), |below, patch| folded(below.as_deref(), patch, &mut found));
    Truth { document, misfits: operations(&found) }
}

fn choices() -> impl Strategy<Value = Choices> {
    vec((any::<prop::sample::Index>(), any::<bool>()), 0..14)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds(8000)))]

    #[test]
    fn any_grouping_gives_the_document_and_the_misfits_of_one_by_one(
        below in below(), steps in vec(step(false), 0..12), choices in choices(),
    ) {
        prop_assert_eq!(grouped(below.as_deref(), &steps, &choices), one_by_one(below.as_deref(), &steps));
    }

    #[test]
    fn any_grouping_gives_the_document_of_one_by_one_also_if_updates_fail(
        below in below(), steps in vec(step(true), 0..12), choices in choices(),
    ) {
        let (grouped, truth) = (grouped(below.as_deref(), &steps, &choices), one_by_one(below.as_deref(), &steps));
        prop_assert_eq!(grouped.document, truth.document);
        // What failed and was replaced or deleted since may have left no trace; nothing is made up.
        if truth.misfits == 0 {
            prop_assert_eq!(grouped.misfits, 0);
        }
    }

    #[test]
    fn a_settled_patch_does_to_its_document_what_the_patch_does(
        below in below(), steps in vec(step(true), 0..12),
    ) {
        let patch = composed(&steps, &mut Vec::new());
        let (mut expected, mut found, mut left) = (Vec::new(), Vec::new(), Vec::new());
        let document = folded(below.as_deref(), &patch, &mut expected);
        let doc = below.as_deref().map(|below| Doc::new(below).unwrap());
        let settled = Folder::new().settle(doc, &patch, &mut found);
        prop_assert_eq!(folded(below.as_deref(), &settled, &mut left), document);
        prop_assert_eq!((found, left), (expected, Vec::new()));
        prop_assert_eq!(settled.waiting(), Waiting::default());
    }

    #[test]
    fn composition_is_associative_to_the_byte(
        one in vec(step(false), 0..5), two in vec(step(false), 0..5), three in vec(step(false), 0..5),
    ) {
        let (mut found, mut folder) = (Vec::new(), Folder::new());
        let [one, two, three] = [&one, &two, &three].map(|steps| composed(steps, &mut found));
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let first = folder.compose(one.clone(), two.clone(), &mut left);
        let first = folder.compose(first, three.clone(), &mut left);
        let last = folder.compose(two, three, &mut right);
        let last = folder.compose(one, last, &mut right);
        prop_assert_eq!(first, last);
        prop_assert_eq!(operations(&left), operations(&right));
    }
}
