//! Times in whole seconds of UTC, durations that always carry their unit, and the expiry of a key.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A point in time, in whole seconds.
pub type Time = DateTime<Utc>;

const UNITS: [(char, i64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
const BEYOND_EXPIRY: &str = "the expiry is beyond the year 9999, which no time can be written after";
const BEYOND: &str = "a year is one of 0000 to 9999: no other can be written as RFC 3339 has it";
/// A hundred years: longer is a slip of the finger, and would overflow calendars.
pub const MAX_SECONDS: i64 = 100 * 366 * 86_400;

/// Reads `30m`, `1h30m`, `7d`, `12w`. A bare number is refused: nobody knows its unit.
///
/// # Errors
/// When a unit is missing or unknown, and when it is zero or more than a hundred years.
pub fn parse_duration(text: &str) -> Result<TimeDelta, String> {
    const EXPECTED: &str = "expected a number with a unit, such as 30m, 1h, 7d or 12w";
    let (mut total, mut digits) = (0i64, String::new());
    for character in text.chars() {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        let (_, seconds) = UNITS.iter().find(|(unit, _)| *unit == character).ok_or(EXPECTED)?;
        let number: i64 = digits.parse().map_err(|_| EXPECTED)?;
        digits.clear();
        total = number
            .checked_mul(*seconds)
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= MAX_SECONDS)
            .ok_or("expected at most 100 years")?;
    }
    if !digits.is_empty() || text.is_empty() {
        return Err(EXPECTED.to_owned());
    }
    if total == 0 {
        return Err("expected more than zero".to_owned());
    }
    Ok(TimeDelta::seconds(total))
}

/// Writes a duration the way [`parse_duration`] reads it, in the fewest units: `90d`, `1h30m`.
#[must_use]
pub fn format_duration(duration: TimeDelta) -> String {
    let mut rest = duration.num_seconds();
    if rest <= 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, seconds) in UNITS.into_iter().filter(|(unit, _)| *unit != 'w') {
        let count = rest / seconds;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
        rest %= seconds;
    }
    text
}

/// The last second that RFC 3339 can write: 9999-12-31T23:59:59Z.
pub const LAST: Time = match DateTime::from_timestamp(253_402_300_799, 0) {
    Some(last) => last,
    None => Time::MAX_UTC,
};

/// A time so long after another one.
///
/// # Errors
/// Beyond the year 9999.
pub fn later(than: Time, by: TimeDelta) -> Result<Time, String> {
    than.checked_add_signed(by).filter(|at| *at <= LAST).ok_or_else(|| "it is beyond the year 9999".to_owned())
}

/// Reads RFC 3339, or a date, which means its first moment in UTC.
///
/// # Errors
/// When it is neither, and beyond the year 9999.
pub fn parse_time(text: &str) -> Result<Time, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return whole_seconds(time.with_timezone(&Utc));
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map_err(|_| "expected RFC 3339 (2026-01-02T03:04:05Z) or a date (2026-01-02)".to_owned())?;
    whole_seconds(date.and_time(NaiveTime::MIN).and_utc())
}

/// Reads when something ends: RFC 3339, or a date, which is the last day and whole: it ends with its last second in UTC.
///
/// # Errors
/// When it is neither.
pub fn parse_end(text: &str) -> Result<Time, String> {
    let time = parse_time(text)?;
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(_) => time.checked_add_signed(TimeDelta::seconds(86_399)).ok_or_else(|| "no such date".to_owned()),
        Err(_) => Ok(time),
    }
}

fn whole_seconds(time: Time) -> Result<Time, String> {
    let whole = DateTime::from_timestamp(time.timestamp(), 0).filter(|time| (0..=9999).contains(&time.year()));
    whole.ok_or_else(|| BEYOND.to_owned())
}

/// RFC 3339 in UTC, whole seconds: `2026-01-02T03:04:05Z`.
#[must_use]
pub fn format_time(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// When a key ends: set at creation, never edited afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    /// It does not.
    Never,
    /// So long after its creation.
    In(#[serde(with = "super::serde_text::seconds")] TimeDelta),
    /// At a time.
    At(Time),
}

impl Expiry {
    /// The time it means for a key created `now`.
    ///
    /// # Errors
    /// When that is past, or beyond the calendar.
    pub fn resolve(self, now: Time) -> Result<Option<Time>, String> {
        match self {
            Self::Never => Ok(None),
            Self::In(duration) => later(now, duration).map(Some).map_err(|_| BEYOND_EXPIRY.to_owned()),
            Self::At(at) if at <= now => Err(format!("the expiry {} is in the past", format_time(at))),
            Self::At(at) if at > LAST => Err(BEYOND_EXPIRY.to_owned()),
            Self::At(at) => Ok(Some(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_duration_needs_its_unit() {
        for bad in ["", "5", "h", "1h5", "5y", "-1d", "1.5h", "0s", "99999999999999999999d", "40000d", "1 d", "１d"] {
            assert!(parse_duration(bad).is_err(), "{bad} was accepted");
        }
        for (text, seconds) in [("30m", 1_800), ("1h", 3_600), ("7d", 604_800), ("12w", 7_257_600), ("1h30m", 5_400)] {
            assert_eq!(parse_duration(text).unwrap().num_seconds(), seconds, "{text}");
        }
    }

    #[test]
    fn an_expiry_in_the_past_is_refused() {
        let now = parse_time("2026-01-02T03:04:05Z").unwrap();
        assert!(Expiry::At(now).resolve(now).is_err());
        assert_eq!(Expiry::Never.resolve(now), Ok(None));
        assert_eq!(Expiry::In(TimeDelta::days(1)).resolve(now), Ok(Some(now + TimeDelta::days(1))));
    }

    #[test]
    fn no_time_is_beyond_what_rfc_3339_can_write() {
        assert_eq!(format_time(LAST), "9999-12-31T23:59:59Z");
        for text in ["+10000-01-01", "+10000-01-01T00:00:00Z", "-0001-12-31", "9999-12-31T23:59:59-00:01"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
        let second = TimeDelta::seconds(1);
        assert_eq!(Expiry::At(LAST).resolve(LAST - second), Ok(Some(LAST)));
        assert!(Expiry::At(LAST + second).resolve(LAST - second).is_err() && Expiry::In(second).resolve(LAST).is_err());
        assert!(later(LAST, second).is_err() && later(LAST - second, second) == Ok(LAST));
    }

    proptest! {
        #[test]
        fn a_duration_reads_back(seconds in 1i64..MAX_SECONDS) {
            let duration = TimeDelta::seconds(seconds);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn a_time_reads_back(seconds in 0i64..253_402_300_800) {
            let time = DateTime::from_timestamp(seconds, 0).unwrap();
            prop_assert_eq!(parse_time(&format_time(time)), Ok(time));
        }

        #[test]
        fn nothing_panics(text in "(?s).{0,40}|[0-9]{0,12}[smhdw]{1,2}[0-9]{0,12}[smhdw]?|[0-9T:Z.+-]{0,30}") {
            if let Ok(duration) = parse_duration(&text) {
                prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
            }
            let _ = parse_time(&text);
        }
    }
}
