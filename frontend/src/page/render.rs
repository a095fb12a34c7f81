//! What all pages have in common: rendering, the bar on top, and how times and sizes read.

use crate::login::person::Person;
use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tidemark_base::UnixMillis;

/// The bar on top of a page, and what its head says.
pub(super) struct Top {
    /// The title.
    pub(super) title: String,
    /// Who is logged in, and the token that their forms carry.
    pub(super) who: Option<(String, String)>,
    /// When what it shows was so.
    pub(super) now: Option<String>,
    /// After how many seconds the page loads itself again.
    pub(super) refresh_secs: Option<u32>,
}

impl Top {
    /// For a page of nobody in particular.
    pub(super) const fn of_nobody(title: String) -> Self {
        Self { title, who: None, now: None, refresh_secs: None }
    }

    /// For somebody's page.
    pub(super) fn of(title: &str, person: &Person) -> Self {
        let who = Some((person.login.clone(), person.csrf.clone()));
        Self { title: title.to_owned(), who, now: None, refresh_secs: None }
    }

    /// The same for a page that shows how things stand at a moment.
    pub(super) fn at(title: &str, person: &Person, now: UnixMillis) -> Self {
        Self { now: Some(moment(now)), ..Self::of(title, person) }
    }

    /// The token that forms carry.
    pub(super) fn csrf(&self) -> &str {
        self.who.as_ref().map_or("", |it| it.1.as_str())
    }
}

/// A page.
pub(super) fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A moment and how long ago it was.
pub(super) fn ago(at: UnixMillis, now: UnixMillis) -> String {
    let moment = moment(at);
    let secs = now.0.saturating_sub(at.0) / 1000;
    if at > now || secs == 0 {
        return moment;
    }
    let (count, unit) = match secs {
        1..120 => (secs, "s"),
        120..7200 => (secs / 60, "min"),
        7200..172_800 => (secs / 3600, "h"),
        _ => (secs / 86_400, "days"),
    };
    format!("{moment} ({count} {unit} ago)")
}

/// A moment as people read it.
pub(super) fn moment(at: UnixMillis) -> String {
    crate::actions::shown(at).replace('T', " ").replace('Z', " UTC")
}

/// A number as people read it: 1,234,567.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A size as people read it.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let (mut tenths, mut unit) = (bytes.saturating_mul(10) / 1024, "KiB");
    for next in UNITS.into_iter().skip(1) {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, next);
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_read_well() {
        let now = UnixMillis(1_795_341_600_000);
        let at = |secs: u64| ago(UnixMillis(now.0 - secs * 1000), now);
        assert_eq!(at(0), "2026-11-22 10:00:00 UTC");
        assert_eq!(at(90), "2026-11-22 09:58:30 UTC (90 s ago)");
        assert_eq!(at(3600), "2026-11-22 09:00:00 UTC (60 min ago)");
        assert_eq!(at(86_400), "2026-11-21 10:00:00 UTC (24 h ago)");
        assert_eq!(at(864_000), "2026-11-12 10:00:00 UTC (10 days ago)");
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        let sizes = [0, 1023, 1024, 1 << 20, 3 << 29, u64::MAX].map(size);
        assert_eq!(sizes[..5], ["0 bytes", "1023 bytes", "1.0 KiB", "1.0 MiB", "1.5 GiB"]);
    }
}
