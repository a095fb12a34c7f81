//! How much agents may ask for at once. Sizes that the protocol names are in `docs/protocol.md` and in `base`.

use std::time::Duration;

/// What is bounded, and how.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bodies that are being read or worked on, all together, in bytes.
    pub bodies_bytes: usize,
    /// How many bodies are unpacked at once; each may need twice 32 MiB.
    pub unpacked: usize,
    /// How long a request waits for room before it is sent away.
    pub wait: Duration,
    /// How long a body may take,
    pub body_time: Duration,
    /// and how many of its bytes earn a second more.
    pub body_bytes_per_second: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bodies_bytes: 256 << 20,
            unpacked: 4,
            wait: Duration::from_secs(10),
            body_time: Duration::from_secs(60),
            body_bytes_per_second: 64 << 10,
        }
    }
}
