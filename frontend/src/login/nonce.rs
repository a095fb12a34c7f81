//! Nonces of HTTP digest: the time, and a keyed hash that shows that we made it. Nothing is kept.
//!
//! All front-ends of an installation accept each other's, since the key comes from the installation's own. A nonce can be
//! used again until it is too old: what stops somebody who listens is TLS.

use tidemark_base::UnixMillis;
use tidemark_metadata::SealingKey;

/// How long a nonce is good.
const LIFE_MS: u64 = 5 * 60_000;
/// How far ahead of ours the clock of another front-end may be.
const AHEAD_MS: u64 = 30_000;
/// Digits of the time and of the hash.
const LENGTH: usize = 16 + 32;

/// What a shown nonce is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// One of ours.
    Good,
    /// One of ours, but too old: to be asked for again with a new one.
    Stale,
    /// None of ours.
    Unknown,
}

/// A nonce made now.
pub(crate) fn make(key: &SealingKey, now: UnixMillis) -> String {
    let time = format!("{:016x}", now.0);
    let mac = mac(key, &time);
    time + &mac
}

/// Judges one that was shown.
pub(crate) fn judge(key: &SealingKey, shown: &str, now: UnixMillis) -> Judged {
    let Some((time, shown_mac)) = shown.split_at_checked(16).filter(|_| shown.len() == LENGTH) else {
        return Judged::Unknown;
    };
    // Hashed once more, so that comparing takes the same time wherever they differ.
    let is_ours = blake3::hash(mac(key, time).as_bytes()) == blake3::hash(shown_mac.as_bytes());
    let made = u64::from_str_radix(time, 16);
    match made {
        Ok(made) if is_ours => {
            let is_fresh = now.0 < made.saturating_add(LIFE_MS) && made <= now.0.saturating_add(AHEAD_MS);
            if is_fresh { Judged::Good } else { Judged::Stale }
        }
        _ => Judged::Unknown,
    }
}

fn mac(key: &SealingKey, time: &str) -> String {
    let key = key.other("tidemark frontend v1 digest nonce");
    let hash = blake3::keyed_hash(&key, time.as_bytes()).to_hex();
    hash.as_str().get(..LENGTH - 16).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_five_minutes_and_only_ours_is() {
        let (key, other) = (SealingKey::from_bytes(&[1; 32]), SealingKey::from_bytes(&[2; 32]));
        let now = UnixMillis(1_795_000_000_000);
        let nonce = make(&key, now);
        let at = |ms: u64| UnixMillis(now.0 + ms);
        assert_eq!(judge(&key, &nonce, now), Judged::Good);
        assert_eq!(judge(&key, &nonce, at(LIFE_MS - 1)), Judged::Good);
        assert_eq!(judge(&key, &nonce, at(LIFE_MS)), Judged::Stale);
        assert_eq!(judge(&key, &nonce, UnixMillis(now.0 - AHEAD_MS - 1)), Judged::Stale);
        assert_eq!(judge(&other, &nonce, now), Judged::Unknown);
        let later = format!("{:016x}{}", now.0 + 1, &nonce[16..]);
        for bad in ["", "x", &later, &nonce[1..], &nonce.to_uppercase(), "ü".repeat(24).as_str()] {
            assert_eq!(judge(&key, bad, now), Judged::Unknown, "{bad}");
        }
    }
}
