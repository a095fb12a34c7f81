//! What a diff does to each field of one document: its sections as a small table by name.
//!
//! Made for each document that a diff touches, by `diff`. Most diffs name a few fields: those stand in an array
//! on the stack and are searched one by one, behind a filter of 64 bits that rejects most fields at once. Of
//! more names than that a sorted index is made, so that a hostile diff of a million names costs little more
//! than its size. A table can be used again for another document ([`Changes::begin_again`]): a document that
//! repeats a field's name a million times has as many for one nested diff.

use super::{UpdateError, printable};
use std::ops::Range;
use tidemark_base::bson::{Doc, Element, kind};

/// Names up to which no memory is allocated.
const FEW: usize = 8;

/// What happens to one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It goes.
    Delete,
    /// It gets the value where it stands; if it is missing, it is appended.
    Update,
    /// It is new: whatever has its name goes, and it is appended.
    Insert,
    /// Its binary payload is kept up to here, and the value follows.
    Binary {
        /// The length that is kept.
        offset: usize,
    },
    /// The nested diff is applied to it.
    Nested,
}

/// One change: the field's name, and the value, the data of a patch, or the nested diff.
#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    field: Element<'a>,
    change: Change,
    /// The last document that had the field, by its number; 0 if none had.
    met: u32,
}

const NONE: Entry<'static> =
    Entry { field: Element { kind: 0, name: &[], value: &[] }, change: Change::Delete, met: 0 };

/// What a field that the document has meets.
pub(super) struct Met<'a> {
    /// What happens to it.
    pub(super) change: Change,
    /// The value, the data of a patch, or the nested diff.
    pub(super) new: Element<'a>,
    /// Whether a field of the name was met in this document before.
    pub(super) again: bool,
}

/// The changes of one document, in the order of the diff.
#[derive(Debug)]
pub(super) struct Changes<'a> {
    len: usize,
    few: [Entry<'a>; FEW],
    /// All of them, once they are more than [`FEW`].
    many: Vec<Entry<'a>>,
    /// Positions in `many`, by name.
    sorted: Vec<u32>,
    filter: u64,
    /// The document that it is used for, by its number.
    document: u32,
    /// Where the updates and inserts stand: behind the deletes, and before all else.
    appended: Range<usize>,
    /// Patches and nested diffs whose field this document has not had yet.
    unmet: usize,
}

impl<'a> Changes<'a> {
    /// No changes yet.
    pub(super) const fn new() -> Self {
        Self {
            len: 0,
            few: [NONE; FEW],
            many: Vec::new(),
            sorted: Vec::new(),
            filter: 0,
            document: 1,
            appended: 0..0,
            unmet: 0,
        }
    }

    /// Makes it ready for one more document. There are fewer of them than bytes in a document.
    pub(super) fn begin_again(&mut self) {
        self.document = self.document.wrapping_add(1);
        self.unmet = self.len - self.appended.end;
    }

    /// Whether it took more than a glance to read.
    pub(super) const fn is_large(&self) -> bool {
        self.len > FEW
    }

    /// Reads the sections of a diff of a document: `d`, `u`, `i`, `b`, then any number of `s<field>`. Like
    /// the server (4770503, 4728000) it refuses other sections, another order, and a name that occurs twice;
    /// an empty diff (4770500), but not an empty section.
    pub(super) fn read(&mut self, diff: Doc<'a>) -> Result<(), UpdateError> {
        let mut last = 0;
        for section in diff.elements() {
            let section = section?;
            let (rank, change) = match section.name {
                b"d" => (1, Change::Delete),
                b"u" => (2, Change::Update),
                b"i" => (3, Change::Insert),
                b"b" => (4, Change::Binary { offset: 0 }),
                [b's', ..] => (5, Change::Nested),
                _ => return Err(bad_section(section, "is not known")),
            };
            if rank < last || (rank == last && change != Change::Nested) {
                return Err(bad_section(section, "is out of order"));
            }
            last = rank;
            let content = section.as_object().ok_or_else(|| bad_section(section, "is no document"))?;
            if let (Change::Nested, Some((_, name))) = (change, section.name.split_first()) {
                self.add(Element { name, ..section }, change)?;
                continue;
            }
            for field in content.elements() {
                self.add(field?, change)?;
            }
        }
        if last == 0 {
            return Err(UpdateError::BadDiff("it is empty".into()));
        }
        self.sort()
    }

    fn add(&mut self, field: Element<'a>, change: Change) -> Result<(), UpdateError> {
        let (field, change) = match change {
            Change::Binary { .. } => patch(field)?,
            _ => (field, change),
        };
        let entry = Entry { field, change, met: 0 };
        if self.len < FEW && self.position(field.name).is_some() {
            return Err(twice(field.name));
        }
        if let Some(free) = self.few.get_mut(self.len) {
            *free = entry;
        } else {
            if self.len == FEW {
                self.many.extend_from_slice(&self.few);
            }
            self.many.push(entry);
        }
        self.len += 1;
        match change {
            Change::Delete => self.appended = self.len..self.len,
            Change::Update | Change::Insert => self.appended.end = self.len,
            Change::Binary { .. } | Change::Nested => self.unmet += 1,
        }
        self.filter |= bit(field.name);
        Ok(())
    }

    /// Makes the index, where one is needed.
    fn sort(&mut self) -> Result<(), UpdateError> {
        if self.many.is_empty() {
            return Ok(());
        }
        // A diff is at most 16 MiB and a change at least three bytes of it.
        self.sorted = (0..u32::try_from(self.len).expect("documents are below 4 GiB")).collect();
        let Self { many, sorted, .. } = self;
        let name = |position: &u32| name_at(many, *position);
        sorted.sort_unstable_by_key(name);
        match sorted.windows(2).find(|pair| pair.first().map(name) == pair.last().map(name)) {
            Some(pair) => Err(twice(pair.first().map(name).unwrap_or_default())),
            None => Ok(()),
        }
    }

    #[inline]
    fn position(&self, name: &[u8]) -> Option<usize> {
        if self.filter & bit(name) == 0 { None } else { self.search(name) }
    }

    fn search(&self, name: &[u8]) -> Option<usize> {
        if self.len <= FEW {
            return self.entries().iter().position(|entry| entry.field.name == name);
        }
        let at = self.sorted.binary_search_by(|at| name_at(&self.many, *at).cmp(name)).ok()?;
        self.sorted.get(at).map(|position| *position as usize)
    }

    fn entries(&self) -> &[Entry<'a>] {
        if self.len <= FEW { self.few.get(..self.len).unwrap_or_default() } else { &self.many }
    }

    /// What a field that the document has meets.
    #[inline]
    pub(super) fn meet(&mut self, name: &[u8]) -> Option<Met<'a>> {
        let at = self.position(name)?;
        let entry = if self.len <= FEW { self.few.get_mut(at) } else { self.many.get_mut(at) }?;
        let again = std::mem::replace(&mut entry.met, self.document) == self.document;
        if !again && matches!(entry.change, Change::Binary { .. } | Change::Nested) {
            self.unmet -= 1;
        }
        Some(Met { change: entry.change, new: entry.field, again })
    }

    /// The fields to append, in the order of the diff, updates of fields that were not met before inserts.
    pub(super) fn appended(&self) -> impl Iterator<Item = Element<'a>> {
        // No more is needed than the order of the sections: updates stand before inserts there.
        let entries = self.entries().get(self.appended.clone()).unwrap_or_default().iter();
        let is_new = |entry: &&Entry<'_>| entry.change == Change::Insert || entry.met != self.document;
        entries.filter(is_new).map(|entry| entry.field)
    }

    /// Whether there are patches or nested diffs whose field was not met.
    pub(super) const fn has_unmet(&self) -> bool {
        self.unmet > 0
    }

    /// The nested diffs whose field was not met.
    pub(super) fn unmet(&self) -> impl Iterator<Item = Element<'a>> {
        let entries = self.entries().get(self.appended.end..).unwrap_or_default().iter();
        let is_unmet = |entry: &&Entry<'_>| entry.change == Change::Nested && entry.met != self.document;
        entries.filter(is_unmet).map(|entry| entry.field)
    }

    /// Whether the field may stand elsewhere afterwards, or nowhere.
    pub(super) fn moves(&self, name: &[u8]) -> bool {
        let change = self.position(name).and_then(|at| self.entries().get(at)).map(|entry| entry.change);
        matches!(change, Some(Change::Delete | Change::Insert))
    }
}

/// The change that a binary patch `{o: offset, d: data}` is, and its data. A patch with anything else is of a
/// form that is not known.
fn patch(patch: Element<'_>) -> Result<(Element<'_>, Change), UpdateError> {
    let bad =
        |why: &str| UpdateError::BadDiff(format!("the binary patch of '{}' {why}", printable(patch.name)));
    let (mut offset, mut data) = (None, None);
    for field in patch.as_object().ok_or_else(|| bad("is no document"))?.elements() {
        let field = field?;
        match field.name {
            b"o" if offset.is_none() => {
                let value = field.as_integer().and_then(|offset| usize::try_from(offset).ok());
                offset = Some(value.ok_or_else(|| bad("has no offset"))?);
            }
            b"d" if data.is_none() => {
                data = Some(field.as_binary().ok_or_else(|| bad("has no data"))?.1);
            }
            _ => return Err(bad("has more than an offset and data")),
        }
    }
    let value = data.ok_or_else(|| bad("has no data"))?;
    let offset = offset.ok_or_else(|| bad("has no offset"))?;
    Ok((Element { value, ..patch }, Change::Binary { offset }))
}

/// One of 64 bits for a name, from what differs most between names.
#[inline]
fn bit(name: &[u8]) -> u64 {
    let byte = |at: Option<&u8>| usize::from(at.copied().unwrap_or_default());
    let sum = name.len() * 7 + byte(name.first()) * 3 + byte(name.last());
    1 << (sum % 64)
}

fn name_at<'a>(entries: &[Entry<'a>], position: u32) -> &'a [u8] {
    entries.get(position as usize).map_or(&[], |entry| entry.field.name)
}

fn bad_section(section: Element<'_>, why: &str) -> UpdateError {
    let kind = if section.kind == kind::ARRAY { " (an array)" } else { "" };
    UpdateError::BadDiff(format!("section '{}'{kind} {why}", printable(section.name)))
}

fn twice(name: &[u8]) -> UpdateError {
    UpdateError::BadDiff(format!("field '{}' occurs twice", printable(name)))
}
