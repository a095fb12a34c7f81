//! The check's questions to the Backup HTTP server: each address, the key, its group, and the clocks.

use super::Problem;
use crate::Error;
use crate::config::Config;
use crate::mothership::Mothership;
use tidemark_base::protocol::{Code, ConfRequest};
use tidemark_base::{Clock, Entropy, OsEntropy, SystemClock};

/// How far clocks may be apart, in milliseconds.
pub(super) const CLOCKS_APART_MS: u64 = 60_000;

pub(super) async fn check(config: &Config, mothership: &Mothership) -> Vec<Problem> {
    let mut incarnation = [0; 8];
    OsEntropy.fill(&mut incarnation);
    let mut problems = Vec::new();
    for address in mothership.addresses() {
        let before_ms = SystemClock::new().now().0;
        let message = ConfRequest {
            agent: config.agent.clone(),
            is_check: true,
            incarnation: hex::encode(incarnation),
            host: config.host.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            clock_ms: before_ms,
            sets: Vec::new(),
        };
        match mothership.conf_at(address, &message).await {
            Ok(answer) if answer.group != config.group => problems.push(Problem::blocks(
                address,
                format!("the key is of the group {}, and mmsGroupId says {}", answer.group, config.group),
                "make an agent key in the right group, or correct mmsGroupId",
            )),
            Ok(answer) => problems.extend(clocks(address, answer.clock_ms, before_ms)),
            Err(error) => problems.push(problem(address, &error, config.ca_file.is_some())),
        }
    }
    problems
}

/// A clock that is far from the machine's.
pub(super) fn clocks(about: &str, theirs_ms: u64, ours_ms: u64) -> Option<Problem> {
    let apart_ms = theirs_ms.abs_diff(ours_ms);
    (apart_ms > CLOCKS_APART_MS).then(|| {
        let what = format!("its clock and this machine's are {} s apart", apart_ms / 1000);
        Problem::warns(about, what, "let both follow a time server (NTP)")
    })
}

fn problem(address: &str, error: &Error, has_ca: bool) -> Problem {
    let words = error.to_string();
    let lower = words.to_lowercase();
    let fix = match error {
        Error::Refused { refusal, .. } if refusal.code == Code::UnknownKey => {
            "make an agent key on the group's page, and put it into the file as mmsApiKey"
        }
        Error::Refused { .. } => "see what the server says, and its log",
        Error::Answer { .. } => {
            "look at the address and port in mothership: agents talk to port 8081, without a proxy that answers itself"
        }
        _ if lower.contains("name") && lower.contains("certificate") => {
            "use a host name that is in the server's certificate, or start the server with --public-url and this name"
        }
        _ if lower.contains("certificate") && has_ca => {
            "sslTrustedMMSBackupServerCertificate is not the authority of this server: fetch it again"
        }
        _ if lower.contains("certificate") => {
            "put the server's authority into a file and name it in sslTrustedMMSBackupServerCertificate"
        }
        _ => "look at the address in mothership, at firewalls in between, and whether the server runs",
    };
    Problem::blocks(address, words, fix)
}
