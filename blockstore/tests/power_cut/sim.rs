//! The machine whose power can be cut, with what a store promises as the account that travels with each cut.

use crate::account::Account;
use tidemark_testkit::power;

pub(crate) use tidemark_testkit::power::{image, real, scratch};

pub(crate) mod machine {
    pub(crate) use tidemark_testkit::power::{Death, Fault};

    pub(crate) type Machine = super::power::Machine<super::Account>;
    pub(crate) type Cut = super::power::Cut<super::Account>;
}
