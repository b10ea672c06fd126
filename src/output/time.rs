//! Times as text: relative for eyes, RFC 3339 in whole seconds for everything else.

use chrono::{DateTime, Local, SecondsFormat, Utc};

use super::format::TimeStyle;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

/// "in 3d", "2h ago", "now". Rounds towards now, so that nothing seems further off than it is.
pub fn relative(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = time.timestamp().saturating_sub(now.timestamp());
    let amount = match seconds.unsigned_abs() {
        0 => return "now".to_owned(),
        s if s < MINUTE => format!("{s}s"),
        s if s < HOUR => format!("{}m", s / MINUTE),
        s if s < 2 * DAY => format!("{}h", s / HOUR),
        s if s < 2 * YEAR => format!("{}d", s / DAY),
        s => format!("{}y", s / YEAR),
    };
    if seconds > 0 { format!("in {amount}") } else { format!("{amount} ago") }
}

/// Renders one time in the chosen style.
pub fn render_time(time: DateTime<Utc>, style: TimeStyle, now: DateTime<Utc>) -> String {
    match style {
        TimeStyle::Relative => relative(time, now),
        TimeStyle::Local => time.with_timezone(&Local).to_rfc3339_opts(SecondsFormat::Secs, false),
        TimeStyle::Utc => time.to_rfc3339_opts(SecondsFormat::Secs, true),
    }
}

/// Seconds as "90d" or "1h30m".
pub(super) fn render_seconds(mut seconds: u64) -> String {
    if seconds == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    for (unit, name) in [(DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm'), (1, 's')] {
        if seconds >= unit {
            out.push_str(&(seconds / unit).to_string());
            out.push(name);
            seconds %= unit;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn now() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn relative_times_round_towards_now() {
        for (seconds, shown) in [
            (0, "now"),
            (1, "in 1s"),
            (-59, "59s ago"),
            (60, "in 1m"),
            (3599, "in 59m"),
            (-7200, "2h ago"),
            (47 * 3600, "in 47h"),
            (3 * 86_400 + 86_399, "in 3d"),
            (-400 * 86_400, "400d ago"),
            (3 * 365 * 86_400, "in 3y"),
        ] {
            assert_eq!(relative(now() + TimeDelta::seconds(seconds), now()), shown);
        }
        assert!(relative(DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC).starts_with("in "));
    }

    #[test]
    fn utc_has_whole_seconds_and_local_is_the_same_moment() {
        let time = now() + TimeDelta::milliseconds(250);
        assert_eq!(render_time(time, TimeStyle::Utc, now()), "2026-03-01T12:00:00Z");
        let local = render_time(time, TimeStyle::Local, now());
        assert_eq!(DateTime::parse_from_rfc3339(&local).unwrap(), now());
    }

    #[test]
    fn seconds_read_as_durations() {
        assert_eq!(render_seconds(7_776_000), "90d");
        assert_eq!(render_seconds(5400), "1h30m");
        assert_eq!(render_seconds(0), "0s");
    }
}
