//! Events: what people should know of, in the words of the page.
//!
//! What changes a record is noted in the batch that changes it. The rest is noted beside the work, never instead of it: if
//! such an event cannot be noted, the log has it.

use crate::error::Result;
use crate::place::Place;
use crate::shared::Shared;
use tidemark_metadata::{
    BackupConfig, Batch, Code, GroupId, Happening, Metadata, Ordered, Status, Stored, Subject, Text,
};

/// How often a change of status that others were faster than is tried again.
const ATTEMPTS: usize = 50;

impl Shared {
    /// What an event says.
    fn happening(&self, code: &str, subject: Option<&Subject>, text: &str) -> Result<Happening> {
        Ok(Happening {
            code: Code::new(code)?,
            subject: subject.cloned(),
            actor: Some(Subject::new(self.me.name.as_str())?),
            text: Text::fit(text),
        })
    }

    /// Notes an event. Whether that was possible.
    pub(crate) fn note(
        &self,
        group: Option<GroupId>,
        code: &str,
        subject: Option<&Subject>,
        text: &str,
    ) -> bool {
        tracing::info!(group = ?group, code, subject = ?subject, "{text}");
        let happening = self.happening(code, subject, text);
        let noted = happening.and_then(|what| Ok(self.metadata.note(group, self.now(), &what)?));
        if let Err(error) = &noted {
            tracing::warn!(code, "the event cannot be noted: {error}");
        }
        noted.is_ok()
    }

    /// Notes that something is over, if it was noted as wrong: by whichever daemon, and whenever that was.
    pub(crate) fn note_end(
        &self,
        group: Option<GroupId>,
        subject: Option<&Subject>,
        wrong: &str,
        (code, text): (&str, &str),
    ) -> Result<()> {
        if self.metadata.is_open(group, wrong, subject)? {
            self.note(group, code, subject, text);
        }
        Ok(())
    }

    /// The records, for a deed that is to be noted in the batch that does it.
    pub(crate) fn telling(
        &self,
        group: GroupId,
        code: &str,
        subject: &Subject,
        text: &str,
    ) -> Result<Metadata> {
        Ok(self.metadata.telling(Some(group), self.now(), self.happening(code, Some(subject), text)?))
    }

    /// Changes the status of a backup, if it still is what it was, together with the event that says so. Whether it was
    /// changed.
    pub(crate) fn set_status(
        &self,
        place: &Place,
        (from, to): (Status, Status),
        code: &str,
        text: &str,
    ) -> Result<bool> {
        let what = self.happening(code, Some(&place.subject), text)?;
        let id = BackupConfig::id_of(place.group, place.set);
        let mut attempt = 1;
        loop {
            let old: Stored<BackupConfig> = self.metadata.get(&id)?;
            if old.record.status != from {
                return Ok(false);
            }
            let mut new = old.record.clone();
            new.set_status(to, Ordered::ByService, self.now())?;
            let mut batch = Batch::new();
            batch.replace(&old, &new)?;
            self.metadata.add_event(&mut batch, Some(place.group), self.now(), &what)?;
            match self.metadata.commit(&batch) {
                Err(tidemark_metadata::Error::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    tracing::info!(head = place.name.prefix(), code, "{text}");
                    return Ok(true);
                }
            }
        }
    }

    /// Orders a new copy, unless the backup is no longer running: the head cannot go on. Whether it was running until then.
    pub(crate) fn resync(&self, place: &Place, why: &str) -> Result<bool> {
        let text = format!("a new copy is made, because the oplog cannot be gone on with: {why}");
        self.set_status(place, (Status::Started, Status::Provisioning), "RESYNC_REQUIRED", &text)
    }
}
