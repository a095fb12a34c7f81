//! Orders to delete something for good, and for how long they have been known: time for second thoughts, in running time.
//!
//! Whoever gives such an order notes when, by some clock, and the day after it ends by some clock: of either a process
//! that has just begun knows nothing, and a clock that was wrong then or is wrong now would end the day at once. So one
//! proof is asked for that needs no clock but the monotonic one: this process has known the very order for a day. A
//! process that begins anew counts anew, so what is deleted goes later, never earlier. That the wall clock went steadily
//! meanwhile is asked beside this ([`super::clock_watch`]).

use std::collections::BTreeMap;
use std::time::Duration;
use tidemark_base::UnixMillis;

/// For how long an order must be known.
const KNOWN: Duration = Duration::from_secs(24 * 3600);

/// An order: what it is about, and when it was given. Given again it is another one.
pub type Order = (String, UnixMillis);

/// What one process knows of the orders of one backup. Fed about once a minute.
#[derive(Clone, Debug, Default)]
pub struct SecondThoughts {
    since: BTreeMap<Order, Duration>,
}

impl SecondThoughts {
    /// Notes which orders there are now; those that were undone are forgotten.
    pub fn know(&mut self, orders: &[Order], monotonic: Duration) {
        self.since.retain(|known, _| orders.contains(known));
        for order in orders {
            self.since.entry(order.clone()).or_insert(monotonic);
        }
    }

    /// Whether this order has been known for long enough.
    #[must_use]
    pub fn are_over(&self, order: &Order, monotonic: Duration) -> bool {
        self.since.get(order).is_some_and(|since| monotonic >= *since + KNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_known_for_a_day_of_running_and_undone_it_begins_anew() {
        let order = |text: &str, at| (text.to_owned(), UnixMillis(at));
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let (first, second) = (order("a", 1), order("b", 1));
        let mut thoughts = SecondThoughts::default();
        assert!(!thoughts.are_over(&first, hours(1000)), "what nobody has noted");
        thoughts.know(std::slice::from_ref(&first), hours(1));
        thoughts.know(&[first.clone(), second.clone()], hours(2));
        assert!(!thoughts.are_over(&first, hours(25) - Duration::from_millis(1)));
        assert!(thoughts.are_over(&first, hours(25)) && !thoughts.are_over(&second, hours(25)));
        thoughts.know(std::slice::from_ref(&second), hours(26));
        thoughts.know(&[first.clone(), second.clone()], hours(27));
        assert!(!thoughts.are_over(&first, hours(50)) && thoughts.are_over(&second, hours(50)));
        assert!(!thoughts.are_over(&order("b", 2), hours(50)), "given again it is another");
    }
}
