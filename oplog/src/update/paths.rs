//! The modifiers of one update as a tree by path component, in the order in which the server applies them.
//!
//! The order decides where new fields stand: by bytes, but of two components that begin with 1 to 9 the
//! shorter comes first (all observed on 6.0.5: `n10` before `n2`, but `2` before `10`, and also `2` before
//! `1a`).

use super::{UpdateError, check_depth, positions, printable};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use tidemark_base::bson::{Doc, Element};

/// A component of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'a>(pub(super) &'a [u8]);

impl Part<'_> {
    /// The array position it stands for.
    pub(super) fn position(self) -> Option<u32> {
        positions::parse(self.0)
    }
}

impl Ord for Part<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let like_a_position = |part: &Self| matches!(part.0, [b'1'..=b'9', ..]);
        let by_length = like_a_position(self) && like_a_position(other);
        let lengths = if by_length { self.0.len().cmp(&other.0.len()) } else { Ordering::Equal };
        lengths.then_with(|| self.0.cmp(other.0))
    }
}

impl PartialOrd for Part<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What happens at the end of a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action<'a> {
    /// `$set`.
    Set(Element<'a>),
    /// `$unset`.
    Unset,
    /// `$inc`, by the operand.
    Increment(Element<'a>),
    /// `$push` of the operand, or of all elements of the array in it.
    Push(Element<'a>, Option<Doc<'a>>),
}

/// What happens at a path, or below it.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Action(Action<'a>),
    Below(Children<'a>),
}

/// What happens in one document or array.
pub(super) type Children<'a> = BTreeMap<Part<'a>, Child<'a>>;

/// What happens to one field.
#[derive(Debug)]
pub(super) struct Child<'a> {
    pub(super) node: Node<'a>,
    /// Whether it makes the field if that is missing.
    pub(super) creates: bool,
    /// Whether the document had the field.
    pub(super) met: bool,
    /// Whether it, or something below it, became another.
    pub(super) changed: bool,
}

/// Forgets which fields a document had, but not which changed.
pub(super) fn forget_met(children: &mut Children<'_>) {
    for child in children.values_mut() {
        child.met = false;
        if let Node::Below(below) = &mut child.node {
            forget_met(below);
        }
    }
}

/// Adds an action at a dotted path. As on the server, empty components are an error, and so are two paths of
/// which one begins with the other. Components that stand for positions to be found by a query are refused:
/// nothing is found here. So is `$[]`, all positions, which a server does take from a user's applyOps.
pub(super) fn add<'a>(
    children: &mut Children<'a>,
    path: &'a [u8],
    action: Action<'a>,
) -> Result<(), UpdateError> {
    let bad = |why: &str| UpdateError::BadModifier(format!("the path '{}' {why}", printable(path)));
    let creates = !matches!(action, Action::Unset);
    let mut children = children;
    let mut parts = path.split(|byte| *byte == b'.').enumerate().peekable();
    while let Some((depth, part)) = parts.next() {
        check_depth(depth)?;
        match part {
            b"" => return Err(bad("has an empty component")),
            b"$" | [b'$', b'[', ..] => return Err(bad("has a positional operator")),
            _ => {}
        }
        let is_last = parts.peek().is_none();
        let new = || {
            let node = if is_last { Node::Action(action) } else { Node::Below(Children::new()) };
            Child { node, creates, met: false, changed: false }
        };
        let known = children.contains_key(&Part(part));
        let child = children.entry(Part(part)).or_insert_with(new);
        child.creates |= creates;
        match &mut child.node {
            Node::Action(_) if known => return Err(bad("is changed twice")),
            Node::Below(_) if is_last => return Err(bad("is changed twice")),
            Node::Action(_) => return Ok(()),
            Node::Below(below) => children = below,
        }
    }
    Ok(())
}
