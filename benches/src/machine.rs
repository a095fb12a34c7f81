//! What kind of machine this is: its processors and its memory, never its name.

use serde_json::{Value, json};

/// Processors, memory in GiB, and system, as far as they are known.
#[must_use]
pub fn kind() -> Value {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    json!({
        "cores": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "processor": model.map(|(_, name)| name.trim()),
        "ram_gib": ram_gib(),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

fn ram_gib() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some((kib + (1 << 19)) >> 20)
}
