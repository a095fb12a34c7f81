//! The scan of one collection: by UUID, so that renames do not matter, in natural order, in batches.
//!
//! A batch ends where a reply of the server ends, since only there a token says where to go on. Reading and packing the
//! next batch goes on while the last one is sent. A token counts on the record ids that gave it: it is kept with the name
//! of the member and of the table it keeps the collection in, and not used on another. Where the table's name may not be
//! known, there are no tokens, and what is interrupted is scanned again.

use super::member::Member;
use super::throttle::Throttle;
use crate::backoff::Backoff;
use crate::error::codes;
use crate::mothership::{Copied, Mothership};
use crate::source::{self, Batches, Found, Read, Reply, Source, Storage};
use crate::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bson::{Document, doc};
use bytes::Bytes;
use tidemark_base::limits::MAX_SLICE_PLAIN_BYTES;
use tidemark_base::protocol::{EndScan, Rescan, ResumePoint, SyncCollection};
use tidemark_oplog::initial_sync::{Batch, BatchId, BatchWriter};
use tokio::sync::mpsc;

/// What a reply is asked to hold, in bytes of documents,
const TARGET_BYTES: usize = 8 << 20;
/// and how much is worth sending: less, since documents differ, and nothing is packed while a second reply is awaited.
const WORTH_BYTES: usize = TARGET_BYTES / 8 * 7;
/// And one with this many documents, which the server's limit leaves room for another reply behind.
const TARGET_DOCUMENTS: u32 = 400_000;
/// Documents of a reply where nothing is known of their length.
const USUAL_REPLY: u32 = 4000;
/// Most documents of a reply.
const LARGEST_REPLY: u32 = 200_000;
/// How often a scan is begun again without getting further, before another member is looked for.
const ATTEMPTS: u32 = 6;

/// A batch on its way, and where the scan may be gone on with behind it.
type Packed = (Batch, Option<ResumePoint>);

/// The scan of one collection.
pub(super) struct Scan<'a> {
    pub(super) mothership: &'a Mothership,
    pub(super) source: &'a Source,
    pub(super) copied: Copied<'a>,
    pub(super) member: &'a Member,
    /// The collection.
    pub(super) found: Found,
    pub(super) throttle: &'a Throttle,
}

impl Scan<'_> {
    /// Scans to the end, from where the server says.
    pub(super) async fn run(&self, mut progress: SyncCollection) -> Result<()> {
        let (mut backoff, mut failures) = (Backoff::default(), 0);
        while !progress.is_done {
            let storage = match self.storage().await {
                Ok(storage) => storage,
                Err(error) if failures == ATTEMPTS => return Err(error),
                Err(error) => {
                    failures += 1;
                    tracing::debug!(collection = %self.copied.uuid, "it is not known how it is kept: {error}");
                    backoff.pause().await;
                    continue;
                }
            };
            let node = storage.table.as_ref().map(|table| format!("{} {table}", self.member.node));
            let size = storage.document_bytes.map_or(USUAL_REPLY, fitting);
            let token = match &progress.resume {
                Some(point) if Some(&point.node) == node.as_ref() => Some(token_of(point)?),
                _ if progress.next == 0 => None,
                _ => {
                    progress = self.rescan(&progress).await?;
                    continue;
                }
            };
            let begun = (progress.scan, progress.next);
            let had_token = token.is_some();
            let Err(error) = self.pass(&mut progress, &Pass { node, size, token }).await else {
                let message = EndScan { scan: progress.scan, batches: progress.next };
                progress = self.mothership.end_scan(&self.copied, &message).await?;
                continue;
            };
            if begun != (progress.scan, progress.next) {
                (backoff, failures) = (Backoff::default(), 0);
            }
            failures += 1;
            if let Some(found) = error.refusal().and_then(|refusal| refusal.collection.clone()) {
                progress = found;
            } else if error.refusal().is_some() || failures > ATTEMPTS {
                return Err(error);
            } else if is_lost_place(&error) && had_token {
                tracing::info!(collection = %self.copied.uuid, "cannot be gone on with, and is scanned again: {error}");
                progress = self.rescan(&progress).await?;
            } else {
                tracing::debug!(collection = %self.copied.uuid, "the scan is interrupted: {error}");
            }
            backoff.pause().await;
        }
        Ok(())
    }

    /// How the member keeps it. What is gone for good has no documents, which reading says in time.
    async fn storage(&self) -> Result<Storage> {
        match source::storage(&self.member.client, &self.found).await? {
            Some(storage) => Ok(storage),
            None => self.is_gone().await.map(|()| Storage::default()),
        }
    }

    async fn rescan(&self, progress: &SyncCollection) -> Result<SyncCollection> {
        self.mothership.rescan(&self.copied, &Rescan { scan: progress.scan }).await
    }

    /// One pass, from a token or the beginning to the end; moves `progress` along.
    async fn pass(&self, progress: &mut SyncCollection, pass: &Pass) -> Result<()> {
        let id = BatchId {
            sync: self.copied.sync,
            collection: self.copied.uuid,
            scan: progress.scan,
            number: progress.next,
        };
        let (batches, sending) = mpsc::channel(1);
        // Both to their ends: what was read is sent, whatever became of the cursor.
        let (read, sent) = tokio::join!(self.read(id, pass, batches), self.send(progress, sending));
        sent?;
        match read {
            Err(error) if error.mongo_code() == Some(codes::NAMESPACE_NOT_FOUND) => self.is_gone().await,
            other => other,
        }
    }

    /// What is gone ends its scan only if it stays so: else the rest of it would be in neither the copy nor the oplog.
    async fn is_gone(&self) -> Result<()> {
        let look = source::is_there(&self.member.client, &self.found);
        match self.member.settled(self.source, look).await? {
            false => Ok(()),
            true => Err(Error::unexpected("the scan of a collection", "it was gone and is there again")),
        }
    }

    async fn send(&self, progress: &mut SyncCollection, mut batches: mpsc::Receiver<Packed>) -> Result<()> {
        while let Some((batch, resume)) = batches.recv().await {
            let bytes = Bytes::from(batch.bytes);
            *progress = self.mothership.batch(&self.copied, bytes, resume.as_ref()).await?;
        }
        Ok(())
    }

    async fn read(&self, id: BatchId, pass: &Pass, batches: mpsc::Sender<Packed>) -> Result<()> {
        let mut gathered = Gathered { writer: Some(BatchWriter::new(id)), documents: 0, resume: None };
        let mut cursor = self.open(pass).await?;
        let mut next = cursor.next().await;
        while let Some(reply) = next? {
            if gathered.has_no_room_for(&reply)? && !self.hand_on(&mut gathered, &batches).await? {
                return Ok(());
            }
            gathered.take(&reply, pass.node.as_deref())?;
            // Its memory, before the next one needs as much.
            drop(reply);
            if gathered.is_full() {
                let (reply, handed) = tokio::join!(cursor.next(), self.hand_on(&mut gathered, &batches));
                if !handed? {
                    return Ok(());
                }
                next = reply;
            } else {
                next = cursor.next().await;
            }
        }
        self.hand_on(&mut gathered, &batches).await.map(drop)
    }

    async fn open(&self, pass: &Pass) -> Result<Batches> {
        let mut command = doc! {
            "find": source::by_uuid(self.copied.uuid), "hint": {"$natural": 1}, "batchSize": i64::from(pass.size),
            "noCursorTimeout": true, "readConcern": {"level": "majority"}, "$_requestResumeToken": true,
        };
        if let Some(token) = &pass.token {
            let token = Document::from_reader(&**token)
                .map_err(|error| Error::unexpected("a resume token", error))?;
            command.insert("$_resumeAfter", token);
        }
        let read = Read { batch_size: Some(pass.size), any_member: true, ..Read::default() };
        let what = format!("scan {}.{}", self.found.database, self.found.name);
        Batches::open(&self.member.client, &self.found.database, command, read, what).await
    }

    /// Packs what is gathered, and hands it on to be sent. False if nobody takes it: sending has failed.
    async fn hand_on(&self, gathered: &mut Gathered, batches: &mpsc::Sender<Packed>) -> Result<bool> {
        let mut writer = gathered.writer.take().expect("packing gives it back");
        self.throttle.pass(writer.len_bytes()).await;
        let packed = tokio::task::spawn_blocking(move || {
            let batch = writer.finish();
            (writer, batch)
        });
        let (writer, batch) = packed.await.map_err(|error| Error::unexpected("packing a batch", error))?;
        gathered.writer = Some(writer);
        gathered.documents = 0;
        match batch {
            Some(batch) => Ok(batches.send((batch, gathered.resume.take())).await.is_ok()),
            None => Ok(true),
        }
    }
}

/// How a pass is read.
struct Pass {
    /// The member and the table, if it may be known.
    node: Option<String>,
    /// Documents of a reply.
    size: u32,
    /// Where to begin.
    token: Option<Vec<u8>>,
}

/// A batch that is being filled.
struct Gathered {
    /// Away while a batch is packed.
    writer: Option<BatchWriter>,
    documents: u32,
    /// Where to go on behind what is gathered.
    resume: Option<ResumePoint>,
}

impl Gathered {
    fn writer(&mut self) -> &mut BatchWriter {
        self.writer.as_mut().expect("packing gives it back")
    }

    fn is_full(&mut self) -> bool {
        self.writer().len_bytes() >= WORTH_BYTES || self.documents >= TARGET_DOCUMENTS
    }

    fn has_no_room_for(&mut self, reply: &Reply) -> Result<bool> {
        let len = reply.documents()?.as_bytes().len();
        Ok(self.writer().len_bytes() + len > MAX_SLICE_PLAIN_BYTES)
    }

    /// Takes a reply in.
    fn take(&mut self, reply: &Reply, node: Option<&str>) -> Result<()> {
        for element in reply.documents()?.elements() {
            let document = element?.as_object();
            let document =
                document.ok_or_else(|| Error::unexpected("a scan", "something that is no document"))?;
            self.writer().push(document)?;
            self.documents += 1;
        }
        let point =
            |(node, token): (&str, _)| ResumePoint { node: node.to_owned(), token: STANDARD.encode(token) };
        self.resume = node.zip(reply.resume_token()).map(point);
        Ok(())
    }
}

/// How many documents of this length make a batch.
fn fitting(document_bytes: u64) -> u32 {
    let count = TARGET_BYTES as u64 / document_bytes.max(1) + 1;
    u32::try_from(count).unwrap_or(LARGEST_REPLY).min(LARGEST_REPLY)
}

fn token_of(point: &ResumePoint) -> Result<Vec<u8>> {
    STANDARD
        .decode(&point.token)
        .map_err(|error| Error::unexpected("a resume token, as the server keeps it", error))
}

/// Whether the server says that it cannot go on from a token, and will say so again.
fn is_lost_place(error: &Error) -> bool {
    const BAD_VALUE: i32 = 2;
    const FAILED_TO_PARSE: i32 = 9;
    const TYPE_MISMATCH: i32 = 14;
    let places =
        [codes::KEY_NOT_FOUND, codes::CAPPED_POSITION_LOST, BAD_VALUE, FAILED_TO_PARSE, TYPE_MISMATCH];
    error.mongo_code().is_some_and(|code| places.contains(&code))
}
