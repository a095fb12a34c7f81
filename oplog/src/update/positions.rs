//! Positions in arrays: read from names, and written as names, without an allocation for each.

/// The position that digits stand for. Leading zeros count for nothing, as on the server, which reads at most
/// 32 bits (both observed on 6.0.5).
pub(super) fn parse(digits: &[u8]) -> Option<u32> {
    let digits =
        std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

/// Counts elements from 0 and has the name of each.
pub(super) struct Counter {
    position: u32,
    /// The position in decimal, at the end.
    digits: [u8; 10],
    len: usize,
}

impl Counter {
    pub(super) const fn new() -> Self {
        Self { position: 0, digits: [b'0'; 10], len: 1 }
    }

    pub(super) const fn position(&self) -> u32 {
        self.position
    }

    pub(super) fn name(&self) -> &[u8] {
        self.digits.get(self.digits.len() - self.len..).unwrap_or_default()
    }

    /// Goes on to the next element. Callers stay far below four thousand million of them, by the limit of a
    /// document's length.
    pub(super) fn advance(&mut self) {
        self.position += 1;
        for (place, digit) in self.digits.iter_mut().rev().enumerate() {
            self.len = self.len.max(place + 1);
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_names_every_position() {
        let mut counter = Counter::new();
        for position in 0..12_345_u32 {
            assert_eq!(counter.position(), position);
            assert_eq!(counter.name(), position.to_string().as_bytes());
            counter.advance();
        }
    }

    #[test]
    fn digits_are_positions_and_nothing_else_is() {
        for (digits, position) in [("0", 0), ("00", 0), ("07", 7), ("4294967295", u32::MAX)] {
            assert_eq!(parse(digits.as_bytes()), Some(position), "{digits}");
        }
        for digits in ["", "+1", "-1", " 1", "1a", "4294967296", "99999999999999999999", "\u{661}"] {
            assert_eq!(parse(digits.as_bytes()), None, "{digits}");
        }
    }
}
