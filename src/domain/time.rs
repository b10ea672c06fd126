//! Times in whole seconds of UTC, durations that always carry their unit, and the expiry of a key.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A point in time, in whole seconds.
pub type Time = DateTime<Utc>;

const DAY: i64 = 86_400;
/// The units that a duration is written in, the longest first.
const WRITTEN: [(&str, i64); 4] = [("d", DAY), ("h", 3_600), ("m", 60), ("s", 1)];
/// The units that are read, each with its other names. A month is none: nobody knows how long it is.
const UNITS: [(&[&str], i64); 6] = [
    (&["y", "year", "years"], 365 * DAY),
    (&["w", "week", "weeks"], 7 * DAY),
    (&["d", "day", "days"], DAY),
    (&["h", "hour", "hours"], 3_600),
    (&["m", "min", "minute", "minutes"], 60),
    (&["s", "sec", "second", "seconds"], 1),
];
const BEYOND_EXPIRY: &str = "the expiry is beyond the year 9999, which no time can be written after";
const BEYOND: &str = "a year is one of 0000 to 9999: no other can be written as RFC 3339 has it";
/// A hundred years: longer is a slip of the finger, and would overflow calendars.
pub const MAX_SECONDS: i64 = 100 * 366 * DAY;

/// Reads `30m`, `1h30m`, `7d`, `12w`, `1y`, `30 days`. A year is 365 days. A bare number is refused: nobody knows its unit.
///
/// # Errors
/// When a unit is missing or unknown, and when it is zero or more than a hundred years.
pub fn parse_duration(text: &str) -> Result<TimeDelta, String> {
    const EXPECTED: &str = "expected a number with a unit, such as 30m, 1h, 7d, 12w, 1y or \"30 days\"";
    let (mut total, mut rest) = (0i64, text);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|next: char| !next.is_ascii_digit()).ok_or(EXPECTED)?);
        let after = after.strip_prefix(' ').unwrap_or(after);
        let (unit, after) = after.split_at(after.find(|next: char| !next.is_ascii_lowercase()).unwrap_or(after.len()));
        rest = after.strip_prefix(' ').filter(|more| !more.is_empty()).unwrap_or(after);
        let (_, seconds) = UNITS.iter().find(|(names, _)| names.contains(&unit)).ok_or(EXPECTED)?;
        let number: i64 = number.parse().map_err(|_| EXPECTED)?;
        total = number
            .checked_mul(*seconds)
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= MAX_SECONDS)
            .ok_or("expected at most 100 years")?;
    }
    if text.is_empty() {
        return Err(EXPECTED.to_owned());
    }
    if total == 0 {
        return Err("expected more than zero".to_owned());
    }
    Ok(TimeDelta::seconds(total))
}

/// Reads a duration where the unit is plain: the lifetime of a key is said in days, and a bare number is so many.
///
/// # Errors
/// Those of [`parse_duration`].
pub fn parse_days(text: &str) -> Result<TimeDelta, String> {
    let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if bare { parse_duration(&format!("{text}d")) } else { parse_duration(text) }
}

/// Writes a duration the way [`parse_duration`] reads it, in the fewest units: `90d`, `1h30m`.
#[must_use]
pub fn format_duration(duration: TimeDelta) -> String {
    let mut rest = duration.num_seconds();
    if rest <= 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, seconds) in WRITTEN {
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

/// A time in the past, as people say it: RFC 3339, a date, or a duration ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// A time.
    At(Time),
    /// So long ago.
    Ago(TimeDelta),
}

impl Since {
    /// The time that is meant.
    #[must_use]
    pub fn time(self, now: Time) -> Time {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.checked_sub_signed(ago).unwrap_or(Time::MIN_UTC),
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected RFC 3339 (2026-01-02T03:04:05Z), a date (2026-01-02) or a time ago (1h, 7d)";
        parse_time(text).map(Self::At).or_else(|_| parse_duration(text).map(Self::Ago)).map_err(|_| expected.to_owned())
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::At(at) => format_time(*at),
            Self::Ago(ago) => format_duration(*ago),
        })
    }
}

/// Reads a time in the past: RFC 3339, a date, or a duration ago.
///
/// # Errors
/// When it is none of them.
pub fn parse_past(text: &str, now: Time) -> Result<Time, String> {
    text.parse().map(|since: Since| since.time(now))
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
        for bad in [
            "",
            "5",
            "h",
            "1h5",
            "-1d",
            "1.5h",
            "0s",
            "99999999999999999999d",
            "40000d",
            "101y",
            "1  d",
            " 1d",
            "1d ",
            "1M",
            "1 month",
            "dd",
            "１d",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad} was accepted");
        }
        for (text, seconds) in [("30m", 1_800), ("1h", 3_600), ("7d", 604_800), ("12w", 7_257_600), ("1h30m", 5_400)] {
            assert_eq!(parse_duration(text).unwrap().num_seconds(), seconds, "{text}");
        }
    }

    #[test]
    fn a_duration_is_read_as_people_say_it() {
        for (said, short) in [
            ("1y", "365d"),
            ("30 days", "30d"),
            ("1 year", "365d"),
            ("2 weeks", "14d"),
            ("1 day 12 hours", "1d12h"),
            ("90 min", "1h30m"),
            ("45 seconds", "45s"),
        ] {
            assert_eq!(format_duration(parse_duration(said).unwrap()), short, "{said}");
        }
        assert_eq!(parse_days("30"), parse_duration("30d"));
        assert_eq!(parse_days("1h"), parse_duration("1h"));
        assert!(parse_days("").is_err() && parse_days("0").is_err() && parse_days("-3").is_err());
    }

    #[test]
    fn a_time_in_the_past_is_said_in_three_ways() {
        let now = parse_time("2026-01-02T03:04:05Z").unwrap();
        for (said, at) in [
            ("1h", "2026-01-02T02:04:05Z"),
            ("2 days", "2025-12-31T03:04:05Z"),
            ("2026-01-01", "2026-01-01T00:00:00Z"),
            ("2026-01-01T05:00:00+01:00", "2026-01-01T04:00:00Z"),
        ] {
            assert_eq!(format_time(parse_past(said, now).unwrap()), at, "{said}");
        }
        assert!(parse_past("yesterday", now).unwrap_err().contains("7d"));
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
        fn nothing_panics(text in "(?s).{0,40}|[0-9]{0,12} ?[smhdwy]{1,2} ?[0-9]{0,12}[smhdwy]?|[0-9]{1,4} (day|year|week)s?|[0-9T:Z.+-]{0,30}") {
            if let Ok(duration) = parse_duration(&text) {
                prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
            }
            let _ = parse_time(&text);
        }
    }
}
