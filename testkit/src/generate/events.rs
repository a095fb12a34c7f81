//! Small events in the order of time: sensor readings and clicks of about 120 bytes, inserted and never changed.

use super::words::{CITIES, below_i32, pick, stream};
use super::writer::{Writer, document};

const KINDS: [&str; 4] = ["reading", "click", "alarm", "heartbeat"];

/// Appends event `n` of a seed. `_id` is an ascending int64, `at` ascends with it.
pub fn event(seed: u64, n: u64, out: &mut Vec<u8>) {
    let mut e = stream(seed, n, 0);
    let n = i64::try_from(n).unwrap_or(i64::MAX);
    document(out, |w: &mut Writer<'_>| {
        w.i64("_id", n);
        w.date("at", 1_700_000_000_000_i64.saturating_add(n.saturating_mul(7)));
        w.str("kind", pick(&KINDS, &mut e));
        w.i32("device", below_i32(&mut e, 2000));
        w.str("site", pick(&CITIES, &mut e));
        w.f64("value", f64::from(below_i32(&mut e, 100_000)) / 64.0);
        w.i32("level", below_i32(&mut e, 5));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_valid_small_and_in_order_of_time() {
        let mut last = None;
        for n in 0..1000 {
            let mut bytes = Vec::new();
            event(5, n, &mut bytes);
            assert!((80..160).contains(&bytes.len()), "{}", bytes.len());
            let read = bson::Document::from_reader(bytes.as_slice()).unwrap();
            let at = *read.get_datetime("at").unwrap();
            assert!(last.replace(at).is_none_or(|before| before < at));
        }
    }
}
