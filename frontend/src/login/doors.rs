//! What logging in needs beside the site: the hasher of passwords, and counts of who tried how often.

use super::limit::Limit;
use crate::install::Trust;
use crate::site::{Parts, Site};
use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidemark_metadata::{PasswordHasher, User};

/// Passwords that are computed at once, and how many wait: 19 MiB each.
const HASHES: (usize, usize) = (2, 16);
/// How long failed logins are remembered.
const STRETCH: Duration = Duration::from_secs(15 * 60);
/// Failed logins with one name.
const FOR_A_LOGIN: u32 = 10;
/// Failed logins from one address.
const FROM_AN_ADDRESS: u32 = 50;

/// The doors of a process. Cheap to clone.
#[derive(Clone)]
pub struct Doors {
    inner: Arc<Inner>,
}

struct Inner {
    open_sign_up: bool,
    behind_proxy: bool,
    hasher: PasswordHasher,
    logins: Mutex<Limit>,
    addresses: Mutex<Limit>,
}

/// Why nobody came in.
#[derive(Debug)]
pub(crate) enum Shut {
    /// Name or password is wrong; which of them is not said.
    Wrong,
    /// Too many tries: wait so long.
    Wait(Duration),
    /// It could not be found out.
    Failed(tidemark_metadata::Error),
}

impl Doors {
    /// Doors. With `open_sign_up` anybody may sign up, and then has no role anywhere; without, only the first user.
    /// With `behind_proxy` the last address in `X-Forwarded-For` is who is asking: only right if a proxy puts it there.
    #[must_use]
    pub fn new(open_sign_up: bool, behind_proxy: bool) -> Self {
        let inner = Inner {
            open_sign_up,
            behind_proxy,
            hasher: PasswordHasher::new(HASHES.0, HASHES.1),
            logins: Mutex::new(Limit::new(FOR_A_LOGIN, STRETCH)),
            addresses: Mutex::new(Limit::new(FROM_AN_ADDRESS, STRETCH)),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Whether anybody may sign up.
    pub(crate) fn is_sign_up_open(&self) -> bool {
        self.inner.open_sign_up
    }

    /// What computes passwords.
    pub(crate) fn hasher(&self) -> &PasswordHasher {
        &self.inner.hasher
    }

    /// Where a request comes from, as far as tries are counted: an address, or the network of one (IPv6: /64).
    pub(crate) fn from(&self, extensions: &Extensions, headers: &HeaderMap) -> String {
        self.address(extensions, headers).map_or_else(|| "unknown".to_owned(), network)
    }

    /// Whether a request comes from this machine: who may make the installation their own.
    pub(crate) fn is_from_here(&self, extensions: &Extensions, headers: &HeaderMap) -> bool {
        // What comes over no network has no address.
        self.address(extensions, headers).is_none_or(|it| it.to_canonical().is_loopback())
    }

    fn address(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|it| it.0.ip());
        let told = || {
            let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
            last.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
        };
        let forwarded = self.inner.behind_proxy.then(told).flatten();
        forwarded.or(peer)
    }

    /// Lets somebody in who knows the password. Blocking.
    pub(crate) fn enter(&self, site: &Parts, from: &str, login: &str, typed: &str) -> Result<User, Shut> {
        let now = site.clock.monotonic();
        let folded = login.to_ascii_lowercase();
        // Counted before it is computed, so that many at once are not more.
        self.count(&self.inner.addresses, from, now)?;
        self.count(&self.inner.logins, &folded, now)?;
        let user = site.metadata.user_by_login(login).map_err(Shut::Failed)?.map(|it| it.record);
        let is_right = self.inner.hasher.verify(typed, user.as_ref().map(|it| &it.password));
        match (is_right.map_err(Shut::Failed)?, user) {
            (true, Some(user)) => {
                self.lock(&self.inner.logins).forget(&folded);
                // Not more: or who has an own login could try those of others without end.
                self.lock(&self.inner.addresses).give_back(from);
                Ok(user)
            }
            _ => Err(Shut::Wrong),
        }
    }

    /// Counts somebody who wants to join, before a password is computed for them.
    pub(crate) fn knock(&self, site: &Parts, from: &str) -> Result<(), crate::actions::Problem> {
        let counted = self.lock(&self.inner.addresses).count(from, site.clock.monotonic());
        counted.map_err(|_| crate::actions::Problem::refused("too many tries: wait a quarter of an hour"))
    }

    fn count(&self, limit: &Mutex<Limit>, key: &str, now: Duration) -> Result<(), Shut> {
        self.lock(limit).count(key, now).map_err(Shut::Wait)
    }

    /// No count is left half done by a panic.
    fn lock<'l>(&self, limit: &'l Mutex<Limit>) -> std::sync::MutexGuard<'l, Limit> {
        limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(it) => it.to_string(),
        IpAddr::V6(it) => {
            let [a, b, c, d, ..] = it.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// What pages work with: the site, its doors, and the lines that people copy.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) site: Site,
    pub(crate) doors: Doors,
    pub(crate) trust: Arc<Trust>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_the_peer_and_behind_a_proxy_the_one_it_names_last() {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 4000))));
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "1.2.3.4, 2001:db8:1:2:3:4:5:6".parse().unwrap());
        assert_eq!(Doors::new(false, false).from(&extensions, &headers), "10.0.0.1");
        assert_eq!(Doors::new(false, true).from(&extensions, &headers), "2001:db8:1:2::/64");
        headers.insert("x-forwarded-for", "nonsense".parse().unwrap());
        assert_eq!(Doors::new(false, true).from(&extensions, &headers), "10.0.0.1");
        assert_eq!(Doors::new(false, true).from(&Extensions::new(), &headers), "unknown");
        assert_eq!(network("::ffff:9.8.7.6".parse().unwrap()), "9.8.7.6");
    }
}
