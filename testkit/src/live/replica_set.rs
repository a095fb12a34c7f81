//! A replica set of real mongods: one member for an oplog, three for elections and majorities.
//!
//! All members vote and have equal priority, so a primary stays where [`ReplicaSet::elect`] put it. Elections
//! are in `elections.rs`, the life of single members in `members.rs`, reading the oplog in `oplog.rs`.

use bson::{Bson, Document, doc};
use mongodb::options::ClientOptions;
use mongodb::sync::Client;
use tidemark_base::threads;

use super::{Access, Error, Mongod, MongodConfig, Options, Secrets, auth};

/// The name of every set: they never meet.
const NAME: &str = "tidemark";

/// A running replica set; its members die with it.
#[derive(Debug)]
pub struct ReplicaSet {
    pub(super) members: Vec<Mongod>,
    /// One client per member, with every right, connected to that member only.
    pub(super) direct: Vec<Client>,
    access: Access,
}

impl ReplicaSet {
    /// Starts and initiates a set of `size` members and waits until one is primary and the others are
    /// secondaries; with auth, makes the root user.
    ///
    /// # Errors
    /// As [`Mongod::start`], and if the members do not find together.
    pub fn start(size: usize, options: &Options) -> Result<Self, Error> {
        let secrets = Secrets::generate(options)?;
        let members = start_members(size, options, &secrets)?;
        let first = members.first().ok_or_else(|| Error::unexpected("the size of a replica set", size))?;
        let root = first.access().clone();
        // The root user does not exist yet.
        let nobody = root.as_nobody();
        initiate(&members, options)?;
        let direct = direct_clients(&members, &nobody)?;
        let mut set = Self { members, direct, access: nobody };
        if let Some(auth) = &secrets.auth {
            set.primary()?;
            auth::create_user(&set.client()?, &auth.root, &["root"])?;
            set.direct = direct_clients(&set.members, &root)?;
        } else {
            // Saves the election timeout that a new set waits for; nobody may ask for it with auth.
            set.elect(0)?;
        }
        set.await_all_members()?;
        set.access = root;
        Ok(set)
    }

    /// A client of the whole set with every right: finds the primary, retries, writes with majority concern.
    ///
    /// # Errors
    /// If the driver refuses its options.
    pub fn client(&self) -> Result<Client, Error> {
        self.client_with(&self.access)
    }

    /// As [`Self::client`], by another way in.
    ///
    /// # Errors
    /// If the driver refuses its options.
    pub fn client_with(&self, access: &Access) -> Result<Client, Error> {
        Client::with_options(self.client_options(access))
            .map_err(Error::driver("make a client for the replica set"))
    }

    /// What [`Self::client_with`] gives to the driver, for a test that wants it different.
    #[must_use]
    pub fn client_options(&self, access: &Access) -> ClientOptions {
        let ports: Vec<u16> = self.members.iter().map(Mongod::port).collect();
        access.replica_set_options(&ports, NAME)
    }

    /// The way in that [`Self::client`] takes.
    #[must_use]
    pub const fn access(&self) -> &Access {
        &self.access
    }

    /// `name/host:port,...`: what MongoDB's tools take as `--host`.
    #[must_use]
    pub fn host(&self) -> String {
        let hosts: Vec<String> = self.members.iter().map(|m| format!("127.0.0.1:{}", m.port())).collect();
        format!("{NAME}/{}", hosts.join(","))
    }
}

fn direct_clients(members: &[Mongod], access: &Access) -> Result<Vec<Client>, Error> {
    members.iter().map(|member| member.client_with(access)).collect()
}

/// All at once: most of a start is waiting for the disk.
fn start_members(size: usize, options: &Options, secrets: &Secrets) -> Result<Vec<Mongod>, Error> {
    let config = MongodConfig {
        options: options.clone(),
        replica_set: Some(NAME.to_owned()),
        secrets: secrets.clone(),
    };
    let name = std::thread::current().name().unwrap_or("start mongod").to_owned();
    let starts: Vec<_> = (0..size)
        .map(|_| {
            let config = config.clone();
            // The name of the test, so that the log of a failed start is kept under it.
            threads::spawn(&name, move || Mongod::start(config))
        })
        .collect();
    // All are awaited before the first error is returned, so that no start goes on unattended.
    let results: Vec<Result<Mongod, Error>> = starts
        .into_iter()
        .map(|start| match start.map(std::thread::JoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(source) => Err(Error::Io { what: "start a thread named", path: (&name).into(), source }),
        })
        .collect();
    results.into_iter().collect()
}

fn initiate(members: &[Mongod], options: &Options) -> Result<(), Error> {
    let Some(first) = members.first() else { return Ok(()) };
    let list: Vec<Bson> = (0_i32..)
        .zip(members)
        .map(|(id, member)| doc! {"_id": id, "host": format!("127.0.0.1:{}", member.port())}.into())
        .collect();
    let config = doc! {
        "_id": NAME,
        "members": list,
        "settings": {
            "electionTimeoutMillis": i64::from(options.election_timeout_ms),
            // The default of 2 s makes a new set take many seconds to find itself.
            "heartbeatIntervalMillis": 200,
        },
    };
    let nobody = first.client_with(&first.access().as_nobody())?;
    nobody
        .database("admin")
        .run_command(doc! {"replSetInitiate": config})
        .run()
        .map(|_: Document| ())
        .map_err(Error::driver("initiate the replica set"))
}
