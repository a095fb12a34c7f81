//! Reading everything once: what `verify` and a careful start ask for.

use crate::error::Result;
use crate::metadata::Metadata;
use crate::record::Record;
use crate::store::{By, Collection};

impl Metadata {
    /// Reads every record and checks it as any reader would. Returns how many there are.
    ///
    /// # Errors
    /// `Corrupt` or `Invalid` (newer), with the first record that cannot be understood.
    pub fn check(&self) -> Result<u64> {
        Collection::ALL.iter().map(|it| self.check_collection(*it)).sum()
    }

    fn check_collection(&self, collection: Collection) -> Result<u64> {
        match collection {
            Collection::Site => self.count::<super::Site>(),
            Collection::Group => self.count::<super::Group>(),
            Collection::GroupName => self.count::<super::GroupName>(),
            Collection::User => self.count::<super::User>(),
            Collection::Login => self.count::<super::LoginName>(),
            Collection::Invitation => self.count::<super::Invitation>(),
            Collection::Session => self.count::<super::Session>(),
            Collection::ApiKey => self.count::<super::ApiKey>(),
            Collection::AgentKey => self.count::<super::AgentKey>(),
            Collection::Agent => self.count::<super::Agent>(),
            Collection::Host => self.count::<super::Host>(),
            Collection::ReplicaSet => self.count::<super::ReplicaSet>(),
            Collection::BackupConfig => self.count::<super::BackupConfig>(),
            Collection::Daemon => self.count::<super::Daemon>(),
            Collection::Job => self.count::<super::Job>(),
            Collection::RestoreJob => self.count::<super::RestoreJob>(),
            Collection::RestoreLink => self.count::<super::RestoreLink>(),
            Collection::EventLog => self.count::<super::EventLog>(),
            Collection::Event => self.count::<super::Event>(),
            Collection::Matter => self.count::<super::Matter>(),
        }
    }

    /// A page at a time, so that memory stays bounded.
    fn count<R: Record>(&self) -> Result<u64> {
        let mut count = 0;
        let mut after: Option<String> = None;
        loop {
            let page = self.page::<R>(By::IdPrefix(""), after.as_deref(), usize::MAX)?;
            let Some(last) = page.last() else { return Ok(count) };
            after = Some(last.record.id());
            count += page.iter().map(|_| 1).sum::<u64>();
        }
    }
}
