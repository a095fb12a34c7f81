//! The first bytes of what a run is made of: which of the forms it has, in which version, of which kind of run.
//!
//! Everything but base leaves, which are documents and nothing else, begins so. The forms are numbered once
//! for leaf and node blocks together, so that none can be taken for another.

use super::error::Problem;
use super::record::RunKind;
use tidemark_base::codec::{CodecProblem, Reader};

/// The version of all forms that is written, and the only one there is.
const VERSION: u8 = 1;

/// What a block of a run is, other than a leaf of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Form {
    /// A node above leaves or other nodes.
    Index = 1,
    /// An item too large for a leaf.
    Large = 2,
    /// Items of a catalog.
    CatalogLeaf = 3,
    /// Items of a patch run.
    PatchLeaf = 4,
}

/// How many bytes a form takes at the start.
pub(super) const HEADER_BYTES: usize = 3;

impl Form {
    const ALL: [Self; 4] = [Self::Index, Self::Large, Self::CatalogLeaf, Self::PatchLeaf];

    /// Appends the first bytes.
    pub(super) fn put(self, kind: RunKind, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self as u8, VERSION, kind.to_byte()]);
    }

    /// Reads the first bytes; the kind must be that of the run.
    pub(super) fn read(kind: RunKind, reader: &mut Reader<'_>) -> Result<Self, Problem> {
        let (at_form, form) = (reader.clone(), reader.u8("form")?);
        let (at_version, version) = (reader.clone(), reader.u8("version")?);
        let found = reader.u8("kind of run")?;
        let unknown = |value: u8| CodecProblem::Unknown { value: value.into() };
        if version != VERSION {
            return Err(at_version.error("version", unknown(version)).into());
        }
        if found != kind.to_byte() {
            return Err(Problem::Form("of the kind of its run"));
        }
        let known = Self::ALL.into_iter().find(|known| *known as u8 == form);
        known.ok_or_else(|| at_form.error("form", unknown(form)).into())
    }
}
