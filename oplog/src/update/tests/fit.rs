//! Updates of which only parts fit tell so, and do what servers do with the rest.

use super::super::Fit;
use super::{Update, raw};
use bson::{Binary, Document, RawDocumentBuf, doc, rawdoc, spec::BinarySubtype};
use tidemark_base::bson::Doc;

fn fit(document: &[u8], o: &Document) -> Fit {
    let (o, mut out) = (raw(o), Vec::new());
    Update::parse(Doc::new(&o).unwrap()).unwrap().apply(Doc::new(document).unwrap(), &mut out).unwrap()
}

fn diff(diff: Document) -> Document {
    doc! {"$v": 2, "diff": diff}
}

fn patch(offset: i32) -> Document {
    let data = Binary { subtype: BinarySubtype::Column, bytes: vec![9] };
    diff(doc! {"b": {"p": {"o": offset, "d": data}}})
}

/// A document with a field of each kind.
fn document() -> Vec<u8> {
    let column = Binary { subtype: BinarySubtype::Column, bytes: vec![1, 2, 3] };
    raw(&doc! {"_id": 1, "n": 1, "o": {"x": 1, "in": {}}, "a": [1, {"x": 1}], "p": column})
}

#[test]
fn a_part_of_a_diff_that_does_not_fit_is_told() {
    for misfit in [
        doc! {"sn": {"u": {"x": 1}}},
        doc! {"sn": {"a": true, "u0": 1}},
        doc! {"sa": {"u": {"x": 1}}},
        doc! {"so": {"a": true, "u0": 1}},
        doc! {"smissing": {"u": {"x": 1}}},
        doc! {"so": {"smissing": {"u": {"x": 1}}}},
        doc! {"so": {"sx": {"u": {"x": 1}}, "sin": {"u": {"x": 1}}}},
        doc! {"sa": {"a": true, "s0": {"u": {"x": 1}}}},
        doc! {"sa": {"a": true, "s2": {"u": {"x": 1}}}},
        doc! {"sa": {"a": true, "s1": {"smissing": {"a": true, "u0": 1}}}},
    ] {
        assert_eq!(fit(&document(), &diff(misfit.clone())), Fit::Parts, "{misfit}");
    }
    assert_eq!(fit(&document(), &patch(4)), Fit::Parts);
    assert_eq!(fit(&raw(&doc! {"_id": 1, "p": "text"}), &patch(0)), Fit::Parts);
    assert_eq!(fit(&raw(&doc! {"_id": 1}), &patch(0)), Fit::Parts);
    // Also if the document is written twice, for the sake of its `_id`.
    assert_eq!(fit(&document(), &diff(doc! {"i": {"_id": 1}, "sn": {"u": {"x": 1}}})), Fit::Parts);
    // The second field of the name is of another kind.
    let repeated = rawdoc! {"_id": 1, "o": {"x": 1}, "o": 2};
    assert_eq!(fit(repeated.as_bytes(), &diff(doc! {"so": {"u": {"x": 2}}})), Fit::Parts);
}

#[test]
fn what_fits_and_what_is_removed_or_set_all_the_same_is_no_misfit() {
    for fits in [
        doc! {"d": {"missing": false}, "u": {"new": 1}, "i": {"n": 1}, "so": {"u": {"x": 1}, "sin": {"i": {"y": 1}}}},
        doc! {"sa": {"a": true, "l": 5, "u0": 1, "s1": {"u": {"x": 1}}, "u4": 1}},
    ] {
        assert_eq!(fit(&document(), &diff(fits.clone())), Fit::Whole, "{fits}");
    }
    assert_eq!(fit(&document(), &patch(3)), Fit::Whole);
    assert_eq!(fit(&document(), &doc! {"_id": 2}), Fit::Whole);
    let repeated: RawDocumentBuf = rawdoc! {"_id": 1, "o": {"x": 1}, "o": {"y": 1}};
    assert_eq!(fit(repeated.as_bytes(), &diff(doc! {"so": {"u": {"x": 2}}})), Fit::Whole);
}

#[test]
fn a_path_that_leads_nowhere_is_told_unless_it_is_only_unset() {
    for misfit in [
        doc! {"$set": {"n.x": 1}},
        doc! {"$set": {"a.0.x": 1}},
        doc! {"$set": {"a.x": 1}},
        doc! {"$inc": {"o.x.y": 1}},
        doc! {"$push": {"n.x": 1}, "$set": {"new": 1}},
        doc! {"$unset": {"n.x": 1}, "$set": {"n.y": 1}},
    ] {
        assert_eq!(fit(&document(), &misfit), Fit::Parts, "{misfit}");
    }
    for fits in [
        doc! {"$set": {"o.y": 1, "a.5": 1, "a.1.y": 1, "new.x": 1}},
        doc! {"$unset": {"n.x": 1, "missing.x": 1, "a.x": 1, "a.9": 1}},
        doc! {"$inc": {"n": 1}, "$push": {"a": 1}},
    ] {
        assert_eq!(fit(&document(), &fits), Fit::Whole, "{fits}");
    }
    // Told also where arrays are numbered anew, which takes a second go.
    let odd = rawdoc! {"a": {"n": 1}, "b": 5};
    let mut bytes = odd.as_bytes().to_vec();
    bytes[4] = tidemark_base::bson::kind::ARRAY;
    assert_eq!(fit(&bytes, &doc! {"$set": {"a.0": "longer", "b.x": 1}}), Fit::Parts);
}
