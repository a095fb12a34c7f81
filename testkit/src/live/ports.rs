//! Free ports on 127.0.0.1 for servers that must come back on the same port after a restart.
//!
//! They are taken from below the ephemeral range. A port from within it (what binding to port 0 gives) can be
//! lost while its server is down: to any outgoing connection, and, oddly, to a connection attempt to that very
//! port, which the kernel may give that port as its source so that it connects to itself.
//!
//! No two live leases of one process are equal. Between processes nothing is reserved: the caller must start
//! over with another port when a server finds its port taken.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use tidemark_base::{Entropy, OsEntropy};

use super::Error;

const FIRST: u16 = 12_000;
/// Linux's default start of the ephemeral range.
const DEFAULT_END: u16 = 32_768;
/// Below this many candidates the machine has an unusual range, and we take our chances within it.
const FEWEST_CANDIDATES: u16 = 1000;
const ATTEMPTS: u32 = 200;

static LEASED: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// The right, within this process, to a port; returned on drop.
#[derive(Debug)]
pub(super) struct PortLease(u16);

impl PortLease {
    /// A port that was free a moment ago.
    pub(super) fn take() -> Result<Self, Error> {
        let end = end_of_candidates();
        for _ in 0..ATTEMPTS {
            let mut random = [0; 2];
            OsEntropy.fill(&mut random);
            let port = FIRST + u16::from_le_bytes(random) % (end - FIRST);
            let mut leased = LEASED.lock().unwrap_or_else(PoisonError::into_inner);
            if !leased.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                leased.insert(port);
                return Ok(Self(port));
            }
        }
        Err(Error::NoFreePort { first: FIRST, end })
    }

    pub(super) const fn port(&self) -> u16 {
        self.0
    }
}

impl Drop for PortLease {
    fn drop(&mut self) {
        LEASED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

fn end_of_candidates() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .filter(|&end| end >= FIRST + FEWEST_CANDIDATES)
        .unwrap_or(DEFAULT_END)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_of_one_process_differ_and_can_be_bound() {
        let leases: Vec<_> = (0..50).map(|_| PortLease::take().unwrap()).collect();
        let ports: BTreeSet<_> = leases.iter().map(PortLease::port).collect();
        assert_eq!(ports.len(), leases.len());
        for port in &ports {
            TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).unwrap();
        }
        drop(leases);
        let leased = LEASED.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(ports.is_disjoint(&leased));
    }
}
