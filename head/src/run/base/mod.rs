//! Bases built of many documents at once: checked, cut, named and compressed in parallel.
//!
//! What [`super::RunWriter`] does item by item, for an import: the same documents make the same run. Documents come
//! as [`Sorted`] batches, made of what a dump has by [`Tools::sort`] on any thread; a [`BaseWriter`] decides where
//! leaves end, which is all that has to be done in order, and hands them out to tasks. Nothing is copied on the way
//! but what lies across two batches. A run that was written can be merged with what belongs between its documents:
//! its leaves are taken over by name where the cuts allow ([`merge_into`]). Deliberately not here: what comes before
//! what, and how much memory may be used ([`crate::import`]); patches.

mod buffer;
mod item;
mod leaves;
mod merge;
mod merged;
mod sorted;
mod task;
mod tools;
mod writer;

pub(crate) use buffer::Buffer;
pub(crate) use item::LargeItem;
pub(crate) use merge::merge_into;
pub(crate) use merged::{Batches, Merged};
pub(crate) use sorted::{Collected, Sorted, Unfit};
pub(crate) use task::Task;
pub(crate) use tools::Tools;
pub(crate) use writer::BaseWriter;

#[cfg(test)]
mod tests;
