//! The verbs, one file each. `setup` and `tidy` have folders of their own beside this one.

pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod fuzz;
pub(crate) mod long;
pub(crate) mod page;
pub(crate) mod test;
