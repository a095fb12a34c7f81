//! Cursors, reply by reply: documents stay where the driver has read them.

use crate::{Error, Result};
use bson::{Document, doc};
use futures_core::Stream as _;
use mongodb::Client;
use mongodb::options::{ReadPreference, SelectionCriteria};
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor};
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use tidemark_base::bson::Doc;

/// How long a server may take to answer, beyond what it was asked to wait: one that hangs, or a network that swallows
/// everything, gives no error for hours.
pub(super) const ANSWER: Duration = Duration::from_secs(60);
/// The same for who tails, and is soon behind.
const TAIL_ANSWER: Duration = Duration::from_secs(10);

/// Gives up on an answer that does not come.
pub(super) async fn in_time<T>(
    limit: Duration,
    what: &str,
    answer: impl Future<Output = mongodb::error::Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(Error::source(what)),
        Err(_) => Err(Error::Late { what: what.to_owned(), secs: limit.as_secs() }),
    }
}

/// How a cursor is read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Read {
    /// Most documents of a reply; none for the server's own limit of 16 MiB.
    pub(crate) batch_size: Option<u32>,
    /// How long the server waits for something new before it answers with nothing; for tailing cursors.
    pub(crate) patience: Option<Duration>,
    /// Whether any member will do, as on a connection to one alone.
    pub(crate) any_member: bool,
}

/// A cursor.
pub(crate) struct Batches {
    cursor: RawBatchCursor,
    what: String,
    limit: Duration,
}

impl Batches {
    /// Runs a command that is answered with a cursor. `what` begins a sentence about what failed.
    pub(crate) async fn open(
        client: &Client,
        database: &str,
        command: Document,
        read: Read,
        what: impl Into<String>,
    ) -> Result<Self> {
        let what = what.into();
        let database = client.database(database);
        let mut run = database.run_cursor_command(command);
        if read.any_member {
            run = run.selection_criteria(any_member());
        }
        if let Some(size) = read.batch_size {
            run = run.batch_size(size);
        }
        if let Some(patience) = read.patience {
            run = run.max_time(patience);
        }
        let limit = read.patience.map_or(ANSWER, |patience| patience + TAIL_ANSWER);
        Ok(Self { cursor: in_time(ANSWER, &what, run.batch()).await?, what, limit })
    }

    /// The next reply, which may hold nothing; none at the end. May be dropped and called again without loss.
    pub(crate) async fn next(&mut self) -> Result<Option<Reply>> {
        let next = poll_fn(|context| Pin::new(&mut self.cursor).poll_next(context));
        let next = in_time(self.limit, &self.what, async { next.await.transpose() }).await?;
        Ok(next.map(Reply))
    }

    /// All documents of a cursor that are few.
    pub(crate) async fn all(mut self) -> Result<Vec<Vec<u8>>> {
        let mut documents = Vec::new();
        while let Some(reply) = self.next().await? {
            for document in reply.documents()?.elements() {
                documents.extend(document?.as_object().map(|it| it.as_bytes().to_vec()));
            }
        }
        Ok(documents)
    }
}

/// For questions to any member.
pub(crate) fn any_member() -> SelectionCriteria {
    SelectionCriteria::ReadPreference(ReadPreference::PrimaryPreferred { options: Default::default() })
}

/// A command that is answered with one document.
pub(crate) async fn run(client: &Client, command: Document, any: bool, what: &str) -> Result<Document> {
    let database = client.database("admin");
    let run = database.run_command(command);
    let run = if any { run.selection_criteria(any_member()) } else { run };
    in_time(ANSWER, what, run.into_future()).await
}

/// The first document of a collection, for small ones of the server's own.
pub(crate) async fn first_of(client: &Client, database: &str, name: &str) -> Result<Option<Document>> {
    let command = doc! {"find": name, "limit": 1, "singleBatch": true};
    let read = Read { any_member: true, ..Read::default() };
    let cursor = Batches::open(client, database, command, read, "read a collection of the server's").await?;
    let first = cursor.all().await?.into_iter().next();
    Ok(first.and_then(|bytes| Document::from_reader(&*bytes).ok()))
}

/// A reply of a cursor.
pub(crate) struct Reply(RawBatch);

impl Reply {
    /// Its documents, as the array they stand in.
    pub(crate) fn documents(&self) -> Result<Doc<'_>> {
        let array = self.0.doc_slices().map_err(Error::source("read a reply"))?;
        Ok(Doc::new(array.as_bytes())?)
    }

    /// Where a scan may be gone on with behind it.
    pub(crate) fn resume_token(&self) -> Option<Vec<u8>> {
        let cursor = self.0.as_raw_document().get_document("cursor").ok()?;
        Some(cursor.get_document("postBatchResumeToken").ok()?.as_bytes().to_vec())
    }
}

/// The read concern of everything that ends up in a backup.
pub(crate) fn majority() -> Document {
    doc! {"level": "majority"}
}
