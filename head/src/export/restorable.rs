//! Restores that are prepared: a root kept by a ref of its own, and what of it is to be fetched.
//!
//! Made by the daemon ([`Restorable::put`]), fetched by any front-end ([`crate::fork::Fork::of_restore`]), so that a
//! front-end needs neither the oplog nor the head to stream one. What is fetched follows from the record alone: the
//! same root, choice and versions give the same bytes, whose number is known before. Who may fetch it, and for how
//! long it is kept, is not decided here.

#![warn(clippy::indexing_slicing)]

use super::{Plan, Prepared};
use crate::dump::{ArchiveWriter, Compression, Sink, Versions};
use crate::error::{HeadError, Result};
use crate::fork::Fork;
use crate::head::{HeadName, check_name};
use crate::root::{optime, put_optime};
use std::io;
use tidemark_base::codec::{CodecError, CodecProblem, Put, Reader};
use tidemark_base::limits::MAX_NAMESPACES;
use tidemark_base::{BlockId, OpTime, UnixMillis};
use tidemark_blockstore::{Error, Expect, NewRef, Ref, RefChange, Session, Store};
use tidemark_oplog::filter::Filter;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: [u8; 8] = *b"TIDEREST";
const VERSION: u32 = 1;
const WITH_USERS: u32 = 1;
const HAS_SERVER: u32 = 2;
const IS_DIVERGED: u32 = 4;
/// Longest database or collection with its database, in bytes, as servers have it.
const MAX_NAMESPACE_BYTES: usize = 255;
/// Longest version of a program, in bytes.
const MAX_VERSION_BYTES: usize = 100;

/// A restore that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restorable {
    /// The root.
    pub root: BlockId,
    /// The moment whose state it is.
    pub at: OpTime,
    /// The databases and collections that were asked for; all, if it is empty.
    pub namespaces: Vec<String>,
    /// With users and roles.
    pub with_users: bool,
    /// The length of the plain archive, in bytes.
    pub bytes: u64,
    /// How many operations did not fit: before the state, on the way to it, and when all that was asked for was read. Where
    /// there are any, the source may never have had this state.
    pub divergences: u64,
    /// What the archive says of the server it is of, if that is known.
    pub server: Option<String>,
    /// When it was prepared.
    pub prepared: UnixMillis,
}

impl Restorable {
    /// Decides what an archive of it holds.
    ///
    /// # Errors
    /// As [`super::plan()`].
    pub fn plan(&self, fork: &Fork) -> Result<Plan> {
        let chosen = Filter::new([] as [&str; 0], &self.namespaces)?;
        super::plan(fork.state(), fork.session(), &chosen, self.with_users)
    }

    /// What an archive of it says of versions. That of this program is left out: an archive that is begun with one
    /// and fetched with the next has the same length.
    #[must_use]
    pub fn versions(&self) -> Versions {
        Versions { server: self.server.clone(), tool: Some("tidemark".to_owned()) }
    }

    /// The length of the plain archive of a plan, in bytes.
    ///
    /// # Errors
    /// [`HeadError::Dump`] if the archive cannot be written.
    pub fn archive_bytes(&self, plan: &Plan, prepared: &Prepared) -> Result<u64> {
        let parts: Vec<_> = plan.entries.iter().map(|entry| entry.part.clone()).collect();
        let mut frame = Counted(0);
        let versions = self.versions();
        let mut writer =
            ArchiveWriter::new(&mut frame, "the archive", Compression::Plain, &versions, parts.clone())?;
        for part in &parts {
            writer.begin(part)?;
            writer.end()?;
        }
        writer.finish()?;
        Ok(frame.0.saturating_add(prepared.document_bytes()))
    }

    /// Keeps it under an id; its root must be protected by the session.
    ///
    /// # Errors
    /// [`HeadError::BadName`] for an id that cannot be part of a ref's name; a conflict if there is one already;
    /// failures of the store.
    pub fn put(&self, session: &Session, name: &HeadName, id: &str) -> Result<()> {
        check_name("restore", id)?;
        let set = Some(NewRef { roots: vec![self.root], value: self.encode() });
        session.publish(&[RefChange { name: name.restore(id), expect: Expect::Absent, set }])?;
        Ok(())
    }

    /// The one with this id, if it is kept.
    ///
    /// # Errors
    /// [`HeadError::BadName`]; [`HeadError::BadRef`]; failures of the store.
    pub fn find(store: &Store, name: &HeadName, id: &str) -> Result<Option<Self>> {
        check_name("restore", id)?;
        let full = name.restore(id);
        store.get_ref(&full)?.map(|found| read(&full, &found)).transpose()
    }

    /// All that are kept, by their ids.
    ///
    /// # Errors
    /// [`HeadError::BadRef`]; failures of the store.
    pub fn list(store: &Store, name: &HeadName) -> Result<Vec<(String, Self)>> {
        let prefix = name.restores();
        let read = store.list_refs(&prefix)?.into_iter().map(|(full, found)| {
            let id = full.strip_prefix(&prefix).unwrap_or_default().to_owned();
            Ok((id, read(&full, &found)?))
        });
        read.collect()
    }

    /// Lets one go. What is being fetched keeps what it needs to its end; one that is gone already is no error.
    ///
    /// # Errors
    /// [`HeadError::BadName`]; failures of the store.
    pub fn remove(store: &Store, name: &HeadName, id: &str) -> Result<()> {
        check_name("restore", id)?;
        let full = name.restore(id);
        let Some(found) = store.get_ref(&full)? else { return Ok(()) };
        let gone = RefChange { name: full, expect: Expect::Version(found.version), set: None };
        match store.session(&[])?.publish(&[gone]) {
            // Under one id there is never another: whoever was faster has removed it.
            Ok(_) | Err(Error::RefConflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(&MAGIC);
        out.put_u32(VERSION);
        let users = if self.with_users { WITH_USERS } else { 0 };
        let server = if self.server.is_some() { HAS_SERVER } else { 0 };
        let diverged = if self.divergences > 0 { IS_DIVERGED } else { 0 };
        out.put_u32(users | server | diverged);
        put_optime(self.at, &mut out);
        out.put_u64(self.bytes);
        out.put_u64(self.prepared.0);
        out.put_u32(u32::try_from(self.namespaces.len()).unwrap_or(u32::MAX));
        self.namespaces.iter().for_each(|namespace| out.put_prefixed(namespace.as_bytes()));
        if let Some(server) = &self.server {
            out.put_prefixed(server.as_bytes());
        }
        if self.divergences > 0 {
            out.put_u64(self.divergences);
        }
        out.put_u64(xxh3_64(&out));
        out
    }

    fn decode(bytes: &[u8], root: BlockId) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let unknown = |value: u64| CodecProblem::Unknown { value };
        let start = reader.clone();
        if reader.array("magic")? != MAGIC {
            return Err(start.error("magic of a restore", unknown(0)));
        }
        let before = reader.clone();
        let version = reader.u32("version")?;
        if version != VERSION {
            return Err(before.error("version of a restore", unknown(version.into())));
        }
        let before = reader.clone();
        let flags = reader.u32("flags")?;
        if flags & !(WITH_USERS | HAS_SERVER | IS_DIVERGED) != 0 {
            return Err(before.error("flags of a restore", unknown(flags.into())));
        }
        let at = optime(&mut reader)?;
        let bytes_of_archive = reader.u64("length")?;
        let prepared = UnixMillis(reader.u64("time")?);
        let count = reader.len_u32("number of namespaces", MAX_NAMESPACES)?;
        let namespaces = (0..count).map(|_| Ok(reader.text("namespace", MAX_NAMESPACE_BYTES)?.to_owned()));
        let namespaces = namespaces.collect::<Result<_, CodecError>>()?;
        let mut server = None;
        if flags & HAS_SERVER != 0 {
            server = Some(reader.text("version of the server", MAX_VERSION_BYTES)?.to_owned());
        }
        let before = reader.clone();
        let divergences = if flags & IS_DIVERGED != 0 { reader.u64("divergences")? } else { 0 };
        if flags & IS_DIVERGED != 0 && divergences == 0 {
            return Err(before.error("divergences of a restore", unknown(0)));
        }
        let summed = bytes.get(..reader.offset()).unwrap_or_default();
        let before = reader.clone();
        let sum = reader.u64("checksum")?;
        if sum != xxh3_64(summed) {
            return Err(before.error("checksum of a restore", unknown(sum)));
        }
        reader.finish("restore")?;
        let with_users = flags & WITH_USERS != 0;
        let bytes = bytes_of_archive;
        Ok(Self { root, at, namespaces, with_users, bytes, divergences, server, prepared })
    }
}

fn read(name: &str, found: &Ref) -> Result<Restorable> {
    let bad = |problem| HeadError::BadRef { name: name.to_owned(), problem };
    let [root] = found.roots.as_slice() else {
        let problem = CodecProblem::Unknown { value: found.roots.len() as u64 };
        return Err(bad(CodecError { what: "number of roots of a restore", offset: 0, problem }));
    };
    Restorable::decode(&found.value, *root).map_err(bad)
}

/// Counts what is written to it.
struct Counted(u64);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::BlockKind;

    #[test]
    fn it_round_trips_and_every_cut_and_flip_is_an_error() {
        let root = BlockId::of(BlockKind::Node, b"root");
        let full = Restorable {
            root,
            at: OpTime::NULL,
            namespaces: vec!["app".to_owned(), "shop.orders".to_owned()],
            with_users: true,
            bytes: 7,
            divergences: 3,
            server: Some("6.0.5".to_owned()),
            prepared: UnixMillis(9),
        };
        let good = full.encode();
        assert_eq!(Restorable::decode(&good, root), Ok(full.clone()));
        let sound = Restorable { divergences: 0, ..full };
        assert_eq!(sound.encode().len(), good.len() - 8, "what has none is written as it always was");
        assert_eq!(Restorable::decode(&sound.encode(), root), Ok(sound.clone()));
        let bare = Restorable { namespaces: Vec::new(), with_users: false, server: None, ..sound };
        assert_eq!(Restorable::decode(&bare.encode(), root), Ok(bare));
        for len in 0..good.len() {
            assert!(Restorable::decode(&good[..len], root).is_err(), "cut to {len}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Restorable::decode(&bad, root).is_err(), "bit {bit}");
        }
    }
}
