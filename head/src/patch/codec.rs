//! Patches as bytes: a short head and a payload, which whoever stores them keeps apart.
//!
//! The payload of a large document is stored out of line and cut by content, so the head does not stand in
//! front of it. The version is that of the leaf. Layout: `docs/format.md`.

use super::updates::{self, Updates};
use super::{Expects, Patch, Then};
use std::borrow::Cow;
use tidemark_base::bson::Doc;
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};

const DOCUMENT: u8 = 0;
const GONE: u8 = 1;
const UPDATES: u8 = 2;
const OUTCOMES: u8 = 0b11;
const ANY: u8 = 0;
const ABSENT: u8 = 1 << 2;
const PRESENT: u8 = 2 << 2;
/// By more than one operation; how many follows.
const PRESENT_FOR_MANY: u8 = 3 << 2;

/// Whether a patch stored as `newer` is composed with one stored as `older` by appending its payload, and the head
/// stays: both are updates that wait, and the newer ones say nothing that counts for those before.
pub(crate) fn only_appends(older_head: &[u8], newer_head: &[u8], newer_payload: &[u8]) -> bool {
    let waits = |head: &[u8]| head.first().is_some_and(|tag| tag & OUTCOMES == UPDATES);
    waits(older_head)
        && newer_head == [UPDATES | ANY]
        && newer_payload.first().is_some_and(|tag| updates::only_appends(*tag))
}

impl<'a> Patch<'a> {
    /// Appends the head: one byte, or five.
    pub fn encode_head(&self, out: &mut Vec<u8>) {
        let outcome = match self.then {
            Then::Document(_) => DOCUMENT,
            Then::Gone => GONE,
            Then::Updates(_) => UPDATES,
        };
        match self.expects {
            Expects::Any => out.put_u8(outcome | ANY),
            Expects::Absent => out.put_u8(outcome | ABSENT),
            Expects::Present { operations: 1 } => out.put_u8(outcome | PRESENT),
            Expects::Present { operations } => {
                out.put_u8(outcome | PRESENT_FOR_MANY);
                out.put_u32(operations);
            }
        }
    }

    /// The payload: the document, nothing, or the list of updates.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match &self.then {
            Then::Document(bytes) => bytes,
            Then::Gone => &[],
            Then::Updates(updates) => updates.as_bytes(),
        }
    }

    /// Reads a head, and opens the payload that belongs to it, without copying. Documents are checked by
    /// length and terminator.
    ///
    /// # Errors
    /// If the head is not one that [`Patch::encode_head`] writes, or the payload does not belong to it; then
    /// the offset is one in the payload.
    pub fn decode(head: &mut Reader<'_>, payload: &'a [u8]) -> Result<Self, CodecError> {
        let at = head.clone();
        let tag = head.u8("patch")?;
        let unknown = || at.error("patch", CodecProblem::Unknown { value: tag.into() });
        let expects = match tag & !OUTCOMES {
            ANY => Expects::Any,
            ABSENT if tag != ABSENT | UPDATES => Expects::Absent,
            PRESENT => Expects::Present { operations: 1 },
            PRESENT_FOR_MANY => {
                let before = head.clone();
                let operations = head.u32("operations of a patch")?;
                if operations < 2 {
                    let problem = CodecProblem::Unknown { value: operations.into() };
                    return Err(before.error("operations of a patch", problem));
                }
                Expects::Present { operations }
            }
            _ => return Err(unknown()),
        };
        let then = match tag & OUTCOMES {
            DOCUMENT => Then::Document(Cow::Borrowed(Doc::new(payload)?.as_bytes())),
            GONE => {
                Reader::new(payload).finish("payload of a delete")?;
                Then::Gone
            }
            UPDATES => Then::Updates(Updates::decode(Cow::Borrowed(payload))?),
            _ => return Err(unknown()),
        };
        Ok(Self { expects, then })
    }
}
