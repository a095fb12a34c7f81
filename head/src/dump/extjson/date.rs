//! Dates of relaxed Extended JSON: ISO-8601, always with a zone.

/// Milliseconds since 1970 of `YYYY-MM-DDTHH:MM:SS[.fff…](Z|±HH[:]MM)`. None if it is not of this form or no
/// date. What is finer than milliseconds is cut, since BSON cannot say it.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', 't'])?;
    let mut date = date.split('-');
    let (year, month, day) = (number(date.next()?, 4)?, number(date.next()?, 2)?, number(date.next()?, 2)?);
    let is_date = date.next().is_none() && (1..=12).contains(&month) && day >= 1 && day <= days(year, month);
    let zone_at = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(zone_at)?;
    let (time, fraction) = time.split_once('.').map_or((time, None), |(time, it)| (time, Some(it)));
    let mut time = time.split(':');
    let (hour, minute, second) =
        (number(time.next()?, 2)?, number(time.next()?, 2)?, number(time.next()?, 2)?);
    if !is_date || time.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let of_day = (hour * 60 + minute - zone_minutes(zone)?) * 60 + second;
    Some((days_since_1970(year, month, day) * 86_400 + of_day) * 1000 + millis(fraction)?)
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn millis(fraction: Option<&str>) -> Option<i64> {
    let Some(fraction) = fraction else { return Some(0) };
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<3}").get(..3)?.parse().ok()
}

fn zone_minutes(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, digits) = zone.split_at_checked(1)?;
    let digits = digits.replacen(':', "", 1);
    let (hours, minutes) = digits.split_at_checked(2)?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    let sign = if sign == "-" { -1 } else { 1 };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Whole years since year 0, and the leap days in them; years are 0 to 9999.
    let before = |year: i64| {
        let leap_days = (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
        year * 365 + leap_days
    };
    let of_year: i64 = (1..month).map(|month| days(year, month)).sum();
    before(year) - before(1970) + of_year + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.001Z", 1),
            ("2012-12-24T12:15:30.501Z", 1_356_351_330_501),
            ("2012-12-24T14:15:30.5019+02:00", 1_356_351_330_501),
            ("2012-12-24T06:45:30.501-0530", 1_356_351_330_501),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("1969-12-31T23:59:59.999Z", -1),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ] {
            assert_eq!(parse(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn every_day_of_1970_to_2400_agrees_with_the_bson_crate() {
        for day in 0..157_000_i64 {
            let ms = day * 86_400_000 + 12_345;
            let text = bson::DateTime::from_millis(ms).try_to_rfc3339_string().unwrap();
            assert_eq!(parse(&text), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in [
            "",
            "2012-12-24",
            "2012-12-24T12:15:30",
            "2012-13-01T00:00:00Z",
            "2011-02-29T00:00:00Z",
            "2012-12-24T24:00:00Z",
            "2012-12-24T12:15:30.Z",
            "2012-12-24T12:15:30+1",
            "2012-12-24T12:15:30+25:00",
            "+012-12-24T12:15:30Z",
            "2012-12-24T12:15:30ü",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
