//! The words that records are made of: ids, checked texts, moments. Each checks itself wherever it is made, also
//! when it is read back.

pub(crate) mod form;
mod id;
mod text;
mod zone;

pub use id::{GroupId, HostId, ReplicaSetId, RestoreJobId, UserId};
pub use text::{Code, DaemonName, HostName, Login, Name, Namespace, SetName, SnapshotName, Subject, Text};
pub use zone::Zone;
