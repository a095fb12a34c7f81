//! Checking everything that the refs say, for verify: nothing is read but refs.

use super::refs::{ChainNumber, Tip};
use super::{Result, SliceStore, Stored};
use crate::chain::{self, Problem};
use crate::slice::Link;
use std::fmt;

/// Something that must never be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A slice does not follow the one before it.
    Slice {
        /// Of this chain.
        chain: ChainNumber,
        /// Which, counted among those that are there.
        problem: Problem,
    },
    /// The tip is not where the slices end.
    Tip {
        /// The tip, if there is one.
        tip: Option<Tip>,
        /// The chain of the last slice, and where it ends.
        end: Option<(ChainNumber, Link)>,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slice { chain, problem } => write!(f, "{chain}: {problem}"),
            Self::Tip { tip, end } => {
                match tip {
                    Some(tip) => write!(f, "the tip is {tip}, ")?,
                    None => f.write_str("there is no tip, ")?,
                }
                match end {
                    Some((chain, link)) => write!(f, "the last slice ends with {link} in {chain}"),
                    None => f.write_str("there are no slices"),
                }
            }
        }
    }
}

impl SliceStore {
    /// Compares all refs with each other. Slices in the store make unbroken chains, and the tip is the end
    /// of the last; anything else is a finding.
    ///
    /// # Errors
    /// [`super::StoreError::Ref`] for a ref that cannot be understood; failures of the store.
    pub fn check(&self) -> Result<Vec<Finding>> {
        // The tip last: slices that are appended meanwhile are then not missed, but seen as newer.
        let slices: Vec<Stored> = self.slices()?;
        let mut findings = Vec::new();
        for chain in slices.chunk_by(|a, b| a.chain == b.chain) {
            let Some(number) = chain.first().map(|it| it.chain) else { continue };
            let problems = chain::check(chain.iter().map(|it| &it.header));
            findings.extend(problems.into_iter().map(|problem| Finding::Slice { chain: number, problem }));
        }
        let tip = self.tip()?;
        let end = slices.last().map(|it| (it.chain, it.header.end()));
        if !agree(tip.as_ref(), end) && self.slices()? == slices {
            findings.push(Finding::Tip { tip, end });
        }
        Ok(findings)
    }

    fn slices(&self) -> Result<Vec<Stored>> {
        Ok(self.list(&self.names.slices())?.into_iter().map(|(stored, _)| stored).collect())
    }
}

/// Whether the tip is the last slice's end, or that of a later chain without slices.
fn agree(tip: Option<&Tip>, end: Option<(ChainNumber, Link)>) -> bool {
    match (tip, end) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some(tip), Some((chain, link))) if chain == tip.chain => tip.link == link,
        (Some(tip), end) => tip.link == tip.start && end.is_none_or(|(chain, _)| chain < tip.chain),
    }
}
