//! Text that no terminal acts upon: names and ids come from whoever was allowed to create a collection.
//!
//! Everything that is written passes here last. Escaped are control characters, and those that change the
//! direction or the lines of text: `\u{…}` in lines for people, `\u…` in JSON, where they stand in strings
//! only and mean the same.

use std::fmt::Write;

/// A line for people.
pub(crate) fn line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, it| {
        if is_active(it) {
            out.extend(it.escape_debug());
        } else {
            out.push(it);
        }
        out
    })
}

/// JSON on one line, as it was serialised.
pub(crate) fn json(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, it| {
        if is_active(it) {
            write!(out, "\\u{:04x}", u32::from(it)).expect("writing to a string works");
        } else {
            out.push(it);
        }
        out
    })
}

/// All of these are below U+10000: four digits are enough.
const fn is_active(it: char) -> bool {
    matches!(it, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}')
        || matches!(it, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(it, '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\x1b[31m\u{9b}2J\u{202e}\r\nü\u{7f}\u{feff}";

    #[test]
    fn nothing_that_acts_is_left_in_a_line() {
        assert_eq!(line(HOSTILE), "a\\u{1b}[31m\\u{9b}2J\\u{202e}\\r\\nü\\u{7f}\\u{feff}");
        assert_eq!(line("plain 'quoted' \\ ü 漢"), "plain 'quoted' \\ ü 漢");
    }

    #[test]
    fn json_says_the_same_and_nothing_acts() {
        let value = serde_json::Value::from(HOSTILE);
        let text = json(&value.to_string());
        assert!(!text.chars().any(is_active), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
