//! How many requests a key may make in a window of time.

use super::{
    ids::KeyId,
    time::{format_duration, parse_duration},
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// So many requests in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct RateLimit {
    /// The number of requests.
    pub limit: u32,
    /// The window's length in seconds.
    pub window_seconds: u32,
}

/// As it comes from outside: not yet checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    limit: u32,
    window_seconds: u32,
}

/// What a key has spent of its limit, as it is kept over a restart of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// The key.
    pub key: KeyId,
    /// How finely requests are remembered, in milliseconds.
    pub tick_ms: i64,
    /// The last request, in milliseconds since 1970.
    pub last_ms: i64,
    /// When nothing of it counts any more, in milliseconds since 1970.
    pub over_ms: i64,
    /// For each tick in which requests came, its number since 1970, and what they cost together.
    pub ticks: Vec<(i64, u32)>,
}

impl TryFrom<Parts> for RateLimit {
    type Error = String;

    fn try_from(Parts { limit, window_seconds }: Parts) -> Result<Self, Self::Error> {
        if limit == 0 || window_seconds == 0 {
            return Err("a limit is at least one request in at least one second".to_owned());
        }
        Ok(Self { limit, window_seconds })
    }
}

/// A limit of a key as it is said in a body: requests an hour, `100/h`, or the object that replies have.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(
    untagged,
    expecting = "expected requests an hour, a limit such as \"100/h\", or {\"limit\":100,\"window_seconds\":3600}"
)]
pub enum SaidLimit {
    /// So many requests an hour.
    Hourly(u32),
    /// A number and a window, such as `100/h`; `none` is no limit.
    Text(String),
    /// The object that replies have.
    Limit(RateLimit),
}

impl TryFrom<SaidLimit> for Option<RateLimit> {
    type Error = String;

    fn try_from(said: SaidLimit) -> Result<Self, Self::Error> {
        match said {
            SaidLimit::Hourly(limit) => RateLimit::parse_hourly_or_none(&limit.to_string()),
            SaidLimit::Text(text) => RateLimit::parse_hourly_or_none(&text),
            SaidLimit::Limit(limit) => Ok(Some(limit)),
        }
    }
}

impl RateLimit {
    /// Reads a limit, or `none`, which must be spelled out.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse_or_none(text: &str) -> Result<Option<Self>, String> {
        if text == "none" { Ok(None) } else { text.parse().map(Some) }
    }

    /// The same for the limit of a key, of which a bare number is requests an hour.
    ///
    /// # Errors
    /// When it is no limit.
    pub fn parse_hourly_or_none(text: &str) -> Result<Option<Self>, String> {
        let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if bare { format!("{text}/h").parse().map(Some) } else { Self::parse_or_none(text) }
    }

    /// Whether no more than another limit allows is ever let through within the other's window: all that this one allows may
    /// come at once, at the end of one of its own windows and again at the beginning of the next.
    #[must_use]
    pub fn within(self, other: Self) -> bool {
        let bursts = other.window_seconds.div_ceil(self.window_seconds.max(1));
        u64::from(self.limit) * u64::from(bursts) <= u64::from(other.limit)
    }
}

/// 100 requests an hour.
impl Default for RateLimit {
    fn default() -> Self {
        Self { limit: 100, window_seconds: 3_600 }
    }
}

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a number and a window, such as 100/h, 5/s or 1000/30m, or none";
        let (limit, window) = text.split_once('/').ok_or(EXPECTED)?;
        if !limit.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(EXPECTED.to_owned());
        }
        let limit: u32 = limit.parse().map_err(|_| EXPECTED)?;
        let window = if window.starts_with(|first: char| first.is_ascii_digit()) {
            parse_duration(window)
        } else {
            parse_duration(&format!("1{window}"))
        }
        .map_err(|_| EXPECTED)?;
        let window_seconds = u32::try_from(window.num_seconds()).map_err(|_| EXPECTED)?;
        if limit == 0 {
            return Err("a limit of 0 lets nothing through; deactivate the key instead".to_owned());
        }
        Ok(Self { limit, window_seconds })
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let window = format_duration(TimeDelta::seconds(i64::from(self.window_seconds)));
        let window = match window.strip_prefix('1') {
            Some(unit) if unit.len() == 1 => unit,
            _ => &window,
        };
        write!(f, "{}/{window}", self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn limits_read_as_they_are_written() {
        for text in ["100/h", "5/s", "1000/m", "10/30m", "2000/d", "7/1h30m"] {
            assert_eq!(text.parse::<RateLimit>().unwrap().to_string(), text);
        }
        for bad in ["", "100", "0/h", "-1/h", "100/", "100/x", "1e3/h", "+5/h", "none/h", "99999999999/h"] {
            assert!(bad.parse::<RateLimit>().is_err(), "{bad} was accepted");
        }
        assert_eq!(RateLimit::parse_or_none("none"), Ok(None));
        assert_eq!(RateLimit::parse_hourly_or_none("250"), RateLimit::parse_or_none("250/h"));
        assert_eq!(RateLimit::parse_hourly_or_none("none"), Ok(None));
        assert!(RateLimit::parse_hourly_or_none("0").is_err() && RateLimit::parse_hourly_or_none("").is_err());
    }

    #[test]
    fn a_limit_compares_by_what_it_lets_through_in_the_window_of_the_other() {
        let within = |one: &str, other: &str| one.parse::<RateLimit>().unwrap().within(other.parse().unwrap());
        for (fits, does_not, cap) in [
            ("1/s", "2/s", "3600/h"),
            ("50/30d", "36000/30d", "50/h"),
            ("25/40m", "33/40m", "50/h"),
            ("2/12h", "3/12h", "4/d"),
        ] {
            assert!(within(fits, cap), "{fits} within {cap}");
            assert!(!within(does_not, cap), "{does_not} within {cap}");
        }
    }

    proptest! {
        #[test]
        fn any_limit_reads_back(limit in 1u32.., window_seconds in 1u32..100_000_000) {
            let limit = RateLimit { limit, window_seconds };
            prop_assert_eq!(limit.to_string().parse(), Ok(limit));
            prop_assert!(limit.within(limit));
        }

        /// Bursts of all that a limit allows, as close as it lets them come.
        #[test]
        fn what_is_within_never_lets_more_through(
            limit in 1u32..50, every in 1u32..200, most in 1u32..200, window in 1u32..200,
        ) {
            let bursts = (0u32..).map(|burst| burst * every).take_while(|at| *at < window).count();
            let (one, other) = (
                RateLimit { limit, window_seconds: every },
                RateLimit { limit: most, window_seconds: window },
            );
            prop_assert_eq!(one.within(other), bursts as u64 * u64::from(limit) <= u64::from(most));
        }

        #[test]
        fn nothing_panics(text in "(?s).{0,24}|[0-9]{0,12}/[0-9]{0,12}[smhdw]?") {
            if let Ok(Some(limit)) = RateLimit::parse_or_none(&text) {
                prop_assert_eq!(limit.to_string().parse(), Ok(limit));
            }
        }
    }
}
