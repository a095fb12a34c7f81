//! `$set`, `$unset` and the few other operators that can stand in an oplog.
//!
//! Servers up to 4.4 write `$set` and `$unset` (`$v: 1`); a user's own applyOps is logged, by any version, with
//! whatever operators it held, of which `$inc` and plain `$push` are applied and the others refused. Applied
//! from the log, a path that meets a value of another kind is skipped, which [`Fit`] tells unless the path was
//! only to be unset. Of a field name that the document repeats only the first is changed, unlike by a diff. All
//! of this as observed on 6.0.5.

use super::operators::{increment, increment_of, misfit, push, push_of};
use super::output::Output;
use super::paths::{self, Action, Child, Children, Node};
use super::positions::Counter;
use super::{Fit, UpdateError, check_depth, paths::Part, printable};
use tidemark_base::bson::{Doc, Element, kind};

/// Most nulls that a `$set` beyond an array's end may add (the server's limit).
const MAX_PADDING: u32 = 1_500_000;

/// Appends what the modifiers make of a document.
///
/// A server that can write all changes over the old bytes does so, and then arrays with odd element names
/// keep them; else it numbers the elements of every array in which something changed. Whether it can is known
/// afterwards, so a document with such arrays is written twice.
pub(super) fn apply(document: Doc<'_>, modifiers: Doc<'_>, out: &mut Vec<u8>) -> Result<Fit, UpdateError> {
    let start = out.len();
    let mut changes = parse(modifiers)?;
    let mut writing = Writing::new(out, false);
    writing.document(document, &mut changes)?;
    let fit = writing.fit;
    if writing.reshaped && writing.odd_names {
        out.truncate(start);
        paths::forget_met(&mut changes);
        Writing::new(out, true).document(document, &mut changes)?;
    }
    Ok(fit)
}

/// Reads the operators; no operator at all changes nothing.
fn parse(modifiers: Doc<'_>) -> Result<Children<'_>, UpdateError> {
    let mut changes = Children::new();
    for operator in modifiers.elements() {
        let operator = operator?;
        if operator.name == b"$v" {
            continue;
        }
        let bad = |why: &str| UpdateError::BadModifier(format!("{} {why}", printable(operator.name)));
        if ![b"$set".as_slice(), b"$unset", b"$inc", b"$push"].contains(&operator.name) {
            return Err(bad("is not supported"));
        }
        for operand in operator.as_object().ok_or_else(|| bad("is no document"))?.elements() {
            let operand = operand?;
            let action = match operator.name {
                b"$set" => Action::Set(operand),
                b"$unset" => Action::Unset,
                b"$inc" => increment_of(operand)?,
                _ => push_of(operand)?,
            };
            paths::add(&mut changes, operand.name, action)?;
        }
    }
    Ok(changes)
}

/// A document being written.
struct Writing<'b> {
    out: Output<'b>,
    /// Whether all paths led somewhere so far.
    fit: Fit,
    /// Whether elements of changed arrays are named by their positions; what changed is known then.
    renumber: bool,
    /// Whether anything could not have been written over the old bytes.
    reshaped: bool,
    /// Whether an array on a path has elements that are not named by their positions.
    odd_names: bool,
}

impl<'b> Writing<'b> {
    fn new(out: &'b mut Vec<u8>, renumber: bool) -> Self {
        Self { out: Output::new(out), fit: Fit::Whole, renumber, reshaped: false, odd_names: false }
    }

    fn document<'a>(&mut self, document: Doc<'a>, changes: &mut Children<'a>) -> Result<(), UpdateError> {
        let open = self.out.begin()?;
        self.fields(document, changes, 0)?;
        self.out.end(open)
    }

    /// Writes the fields of a document, changed, and then those that are new.
    fn fields<'a>(
        &mut self,
        document: Doc<'a>,
        changes: &mut Children<'a>,
        depth: usize,
    ) -> Result<(), UpdateError> {
        check_depth(depth)?;
        for old in document.elements() {
            let old = old?;
            match changes.get_mut(&Part(old.name)).filter(|child| !child.met) {
                Some(child) => self.existing(old, old.name, child, depth, false)?,
                None => self.out.value(old.name, old)?,
            }
        }
        for (part, child) in changes.iter_mut().filter(|(_, child)| !child.met && child.creates) {
            child.changed = true;
            self.missing(part.0, child, depth)?;
        }
        Ok(())
    }

    /// Writes a field that is there, changed.
    fn existing<'a>(
        &mut self,
        old: Element<'a>,
        name: &[u8],
        child: &mut Child<'a>,
        depth: usize,
        in_array: bool,
    ) -> Result<(), UpdateError> {
        child.met = true;
        let below = match &mut child.node {
            Node::Below(below) => below,
            Node::Action(Action::Set(new)) => {
                child.changed |= (new.kind, new.value) != (old.kind, old.value);
                self.reshaped |= new.value.len() != old.value.len();
                return self.out.value(name, *new);
            }
            Node::Action(Action::Unset) => {
                (child.changed, self.reshaped) = (true, true);
                return if in_array { self.out.null(name) } else { Ok(()) };
            }
            Node::Action(Action::Increment(by)) => {
                let len = increment(old, name, *by, &mut self.out)?;
                child.changed = true;
                self.reshaped |= len != old.value.len();
                return Ok(());
            }
            Node::Action(Action::Push(operand, each)) => {
                (child.changed, self.reshaped) = (true, true);
                let array = old.as_array().ok_or_else(|| misfit("$push", *operand, "which is no array"))?;
                return self.push(array, name, *operand, *each);
            }
        };
        let Some(document) = old.as_doc() else {
            self.skips(child.creates);
            return self.out.value(name, old);
        };
        let open = self.out.begin_field(old.kind, name)?;
        if old.kind == kind::ARRAY {
            self.elements(document, below, depth + 1)?;
        } else {
            self.fields(document, below, depth + 1)?;
        }
        child.changed |= below.values().any(|child| child.changed);
        self.out.end(open)
    }

    /// Writes a field that is not there. Missing parents are objects, never arrays.
    fn missing(&mut self, name: &[u8], child: &Child<'_>, depth: usize) -> Result<(), UpdateError> {
        check_depth(depth)?;
        self.reshaped = true;
        match &child.node {
            Node::Action(Action::Unset) => Ok(()),
            Node::Action(Action::Set(new) | Action::Increment(new)) => self.out.value(name, *new),
            Node::Action(Action::Push(operand, each)) => self.push(Doc::EMPTY, name, *operand, *each),
            Node::Below(below) => {
                let open = self.out.begin_field(kind::OBJECT, name)?;
                for (part, child) in below.iter().filter(|(_, child)| child.creates) {
                    self.missing(part.0, child, depth + 1)?;
                }
                self.out.end(open)
            }
        }
    }

    fn push(
        &mut self,
        old: Doc<'_>,
        name: &[u8],
        operand: Element<'_>,
        each: Option<Doc<'_>>,
    ) -> Result<(), UpdateError> {
        match each {
            Some(values) => push(old, values.elements().map(|value| Ok(value?)), name, &mut self.out),
            None => push(old, std::iter::once(Ok(operand)), name, &mut self.out),
        }
    }

    /// Notes that a path was skipped, if it would have made a field.
    fn skips(&mut self, creates: bool) {
        if creates {
            self.fit = Fit::Parts;
        }
    }

    /// Writes the elements of an array, changed, and then those beyond its end. Components that are no
    /// positions are skipped.
    fn elements<'a>(
        &mut self,
        array: Doc<'a>,
        changes: &mut Children<'a>,
        depth: usize,
    ) -> Result<(), UpdateError> {
        check_depth(depth)?;
        self.skips(changes.iter().any(|(part, child)| child.creates && part.position().is_none()));
        let changes = by_position(changes)?;
        let renumber = self.renumber && changes.iter().any(|(_, child)| child.changed);
        let mut changes = changes.into_iter().peekable();
        let mut counter = Counter::new();
        for old in array.elements() {
            let old = old?;
            self.odd_names |= old.name != counter.name();
            let name = if renumber { counter.name() } else { old.name };
            match changes.next_if(|(position, _)| *position == counter.position()) {
                Some((_, child)) => self.existing(old, name, child, depth, true)?,
                None => self.out.value(name, old)?,
            }
            counter.advance();
        }
        for (position, child) in changes.filter(|(_, child)| child.creates) {
            if position.saturating_sub(counter.position()) > MAX_PADDING {
                let limit = MAX_PADDING as usize;
                return Err(UpdateError::TooLarge { what: "the nulls that pad an array", limit });
            }
            while counter.position() < position {
                self.out.null(counter.name())?;
                counter.advance();
            }
            child.changed = true;
            self.missing(counter.name(), child, depth)?;
            counter.advance();
        }
        Ok(())
    }
}

/// The changes of array elements, by position. The server applies them in the order of the names; with zeros
/// in front that may be another one, over which it ends itself if two name one element. No server writes such.
fn by_position<'c, 'a>(changes: &'c mut Children<'a>) -> Result<Vec<(u32, &'c mut Child<'a>)>, UpdateError> {
    let changes = changes.iter_mut().filter_map(|(part, child)| Some((part.position()?, child)));
    let changes: Vec<_> = changes.collect();
    if !changes.is_sorted_by(|one, two| one.0 < two.0) {
        let why = "array positions with leading zeros, out of order or twice, are not supported";
        return Err(UpdateError::BadModifier(why.into()));
    }
    Ok(changes)
}
