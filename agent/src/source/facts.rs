//! What a replica set says about itself, with the role `backup` and no more: its id, its members, and who is behind.
//!
//! `replSetGetStatus` needs another role, so members are asked one by one for `hello`.

use super::connect::{Source, node};
use super::cursor::{Batches, Read, run};
use super::oplog::optime_of;
use crate::error::codes;
use crate::{Error, Result};
use bson::{Bson, Document, doc};
use mongodb::Client;
use std::time::Duration;
use tidemark_base::OpTime;
use tidemark_base::bson::Doc;
use tidemark_base::protocol::Address;
use tokio::task::JoinSet;

/// How long one member may take to say who it is.
const MEMBER_PATIENCE: Duration = Duration::from_secs(5);

/// What a server says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hello {
    /// The set it is in; none if it is in none.
    pub(crate) set_name: Option<String>,
    /// Whether it is a router of a sharded cluster.
    pub(crate) is_router: bool,
    /// `PRIMARY`, `SECONDARY`, `ARBITER` or `OTHER`.
    pub(crate) state: &'static str,
    /// The primary it knows.
    pub(crate) primary: Option<Address>,
    /// Whether it is kept behind the others on purpose.
    pub(crate) is_delayed: bool,
    /// The last entry it has.
    pub(crate) last: Option<OpTime>,
    /// The last entry that it knows a majority to have.
    pub(crate) majority: Option<OpTime>,
    /// Its clock, in milliseconds since 1970.
    pub(crate) clock_ms: Option<u64>,
}

impl Hello {
    fn of(reply: &Document) -> Self {
        let is = |field| reply.get_bool(field).unwrap_or(false);
        let write = reply.get_document("lastWrite").ok();
        // `slaveDelay` before 5.0; neither is there unless it is delayed.
        let delay = reply.get("secondaryDelaySecs").or_else(|| reply.get("slaveDelay"));
        let optime = |field| write.and_then(|it| optime_of(it.get_document(field).ok()?));
        Self {
            set_name: reply.get_str("setName").ok().map(str::to_owned),
            is_router: reply.get_str("msg").is_ok_and(|msg| msg == "isdbgrid"),
            state: match () {
                () if is("isWritablePrimary") => "PRIMARY",
                () if is("secondary") => "SECONDARY",
                () if is("arbiterOnly") => "ARBITER",
                () => "OTHER",
            },
            primary: reply.get_str("primary").ok().and_then(crate::config::address),
            is_delayed: delay.is_some_and(|secs| !matches!(secs, Bson::Int32(0) | Bson::Int64(0))),
            last: optime("opTime"),
            majority: optime("majorityOpTime"),
            clock_ms: reply
                .get_datetime("localTime")
                .ok()
                .and_then(|it| u64::try_from(it.timestamp_millis()).ok()),
        }
    }
}

/// A member, asked by itself.
#[derive(Clone, Debug)]
pub(crate) struct MemberFacts {
    pub(crate) address: Address,
    /// What it says, or why it says nothing.
    pub(crate) hello: std::result::Result<Hello, String>,
    /// Its version; empty if it is not known.
    pub(crate) version: String,
}

/// Asks one server who it is.
pub(crate) async fn hello(client: &Client) -> Result<Hello> {
    Ok(Hello::of(&run(client, doc! {"hello": 1}, true, "ask a member who it is").await?))
}

/// Asks one server for its version.
async fn version(client: &Client) -> Result<String> {
    let reply = run(client, doc! {"buildInfo": 1}, true, "ask a member for its version").await?;
    Ok(reply.get_str("version").unwrap_or_default().to_owned())
}

impl Source {
    /// Asks the primary, which must be there.
    pub(crate) async fn primary_hello(&self) -> Result<Hello> {
        let reply = run(&self.client, doc! {"hello": 1}, false, "ask the primary who it is").await?;
        Ok(Hello::of(&reply))
    }

    /// The id of the set, which stays the same for its life, and its members.
    pub(crate) async fn config(&self) -> Result<(String, Vec<Address>)> {
        let reply =
            run(&self.client, doc! {"replSetGetConfig": 1}, true, "read the replica set's configuration");
        let reply = match reply.await {
            Ok(reply) => reply,
            Err(error) if error.mongo_code() == Some(codes::UNAUTHORIZED) => {
                return self.without_config().await;
            }
            Err(error) => return Err(error),
        };
        let unexpected = || Error::unexpected("the replica set's configuration", &reply);
        let config = reply.get_document("config").map_err(|_| unexpected())?;
        let settings = config.get_document("settings").map_err(|_| unexpected())?;
        let id = settings.get_object_id("replicaSetId").map_err(|_| unexpected())?.to_hex();
        let members = config.get_array("members").map_err(|_| unexpected())?;
        let host = |member: &Bson| crate::config::address(member.as_document()?.get_str("host").ok()?);
        Ok((id, members.iter().filter_map(host).collect()))
    }

    /// The same for the role `backup`, which may not read the configuration: members as they name each other, and an id
    /// of our own. It is made of the UUID of a collection that a set has from its first start and that all members
    /// share, and of the set's name, by which a set that was made of another's files mostly differs.
    async fn without_config(&self) -> Result<(String, Vec<Address>)> {
        let hello = run(&self.client, doc! {"hello": 1}, true, "ask a member who it is").await?;
        let listed = |field| hello.get_array(field).map(Vec::as_slice).unwrap_or_default();
        let hosts = ["hosts", "passives", "arbiters"].into_iter().flat_map(listed);
        let members = hosts.filter_map(|host| crate::config::address(host.as_str()?)).collect();
        let command = doc! {"listCollections": 1, "filter": {"name": "system.version"}};
        let read = Read { any_member: true, ..Read::default() };
        let rows =
            Batches::open(&self.client, "admin", command, read, "list collections").await?.all().await?;
        let uuid = match rows.first() {
            Some(row) => {
                Doc::new(row)?.get("info")?.and_then(|it| it.as_object()).map(|info| info.get("uuid"))
            }
            None => None,
        };
        let uuid = uuid.transpose()?.flatten().and_then(|it| it.as_uuid());
        let uuid =
            uuid.ok_or_else(|| Error::unexpected("the collection admin.system.version", "it is not there"))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&uuid).update(hello.get_str("setName").unwrap_or_default().as_bytes());
        Ok((hasher.finalize().to_hex().as_str()[..24].to_owned(), members))
    }

    /// Whether the user may read the set's configuration, and with it its id.
    pub(crate) async fn may_read_config(&self) -> bool {
        run(&self.client, doc! {"replSetGetConfig": 1}, true, "read the replica set's configuration")
            .await
            .is_ok()
    }

    /// Asks all these members at once.
    pub(crate) async fn members(&self, addresses: &[Address]) -> Vec<MemberFacts> {
        let mut asking = JoinSet::new();
        for (index, address) in addresses.iter().enumerate() {
            let client = self.member(address).await;
            let address = address.clone();
            asking.spawn(async move { (index, ask(address, client).await) });
        }
        let mut facts = asking.join_all().await;
        facts.sort_unstable_by_key(|(index, _)| *index);
        facts.into_iter().map(|(_, facts)| facts).collect()
    }
}

async fn ask(address: Address, client: Result<Client>) -> MemberFacts {
    let answered = tokio::time::timeout(MEMBER_PATIENCE, async {
        let client = client?;
        Ok::<_, Error>((hello(&client).await?, version(&client).await.unwrap_or_default()))
    });
    let (hello, version) = match answered.await {
        Ok(Ok((hello, version))) => (Ok(hello), version),
        Ok(Err(error)) => (Err(error.to_string()), String::new()),
        Err(_) => (Err(format!("{} does not answer", node(&address))), String::new()),
    };
    MemberFacts { address, hello, version }
}
