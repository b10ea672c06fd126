//! Values that travel as the text they are written as: `Display` out, `FromStr` in, with the same errors as anywhere.

use super::{
    Action, Environment, IssuerKind, KeyId, KeyRef, Lookup, Notice, ObjectName, Outcome, Role, RotationId, Sort,
    Status,
    hygiene::{KeyGlob, Rule, Severity},
    time::Since,
};
use serde::{Deserialize, Deserializer, de::Error};

/// What travels as its text, both ways.
macro_rules! as_text {
    ($($type:ty),*) => { $(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        $crate::domain::serde_text::from_text!($type);
    )* };
}

macro_rules! from_text {
    ($($type:ty),*) => { $(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )* };
}

pub(crate) use {as_text, from_text};

as_text!(
    Action, IssuerKind, Notice, KeyGlob, KeyRef, Lookup, Outcome, Role, RotationId, Rule, Severity, Since, Sort, Status
);
from_text!(Environment, KeyId, super::Scope);

/// The name of a new thing, checked as it is everywhere.
///
/// # Errors
/// When it is no name.
pub fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse::<ObjectName>().map(ObjectName::into_string).map_err(D::Error::custom)
}

/// The new name of a thing, or none.
///
/// # Errors
/// When it is no name.
pub fn optional_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse::<ObjectName>().map(ObjectName::into_string).map_err(D::Error::custom)).transpose()
}

/// What is wrong with a text of TOML, by its line. The line itself is not repeated: the file may be the wrong one, and hold a
/// secret.
#[must_use]
pub fn toml_problem(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => format!("line {}: {}", before.matches('\n').count() + 1, error.message()),
        None => error.message().to_owned(),
    }
}

/// Durations as whole seconds, for `#[serde(with)]`.
pub mod seconds {
    use chrono::TimeDelta;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn of<E: Error>(seconds: i64) -> Result<TimeDelta, E> {
        // As `parse_duration` has it: neither zero nor more than a hundred years.
        let fits = (1..=crate::domain::time::MAX_SECONDS).contains(&seconds);
        if fits { Ok(TimeDelta::seconds(seconds)) } else { Err(E::custom("expected 1 second to 100 years")) }
    }

    /// A duration.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &TimeDelta, serializer: S) -> Result<S::Ok, S::Error> {
        value.num_seconds().serialize(serializer)
    }

    /// A duration.
    ///
    /// # Errors
    /// When it is beyond the calendar.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeDelta, D::Error> {
        of(i64::deserialize(deserializer)?)
    }
}

/// Optional durations as whole seconds or null, for `#[serde(with)]`.
pub mod optional_seconds {
    use super::seconds::of;
    use chrono::TimeDelta;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// An optional duration.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Option<TimeDelta>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(|value| value.num_seconds()).serialize(serializer)
    }

    /// An optional duration.
    ///
    /// # Errors
    /// When it is beyond the calendar.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TimeDelta>, D::Error> {
        Option::<i64>::deserialize(deserializer)?.map(of).transpose()
    }
}

/// Optional times to come as whole seconds or null, zero being now, for `#[serde(with)]`.
pub mod optional_window {
    use super::seconds::of;
    use chrono::TimeDelta;
    use serde::{Deserialize, Deserializer, Serializer};

    /// An optional window.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Option<TimeDelta>, serializer: S) -> Result<S::Ok, S::Error> {
        super::optional_seconds::serialize(value, serializer)
    }

    /// An optional window.
    ///
    /// # Errors
    /// When it is beyond the calendar, or lies in the past.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TimeDelta>, D::Error> {
        let window = |seconds| if seconds == 0 { Ok(TimeDelta::zero()) } else { of(seconds) };
        Option::<i64>::deserialize(deserializer)?.map(window).transpose()
    }
}

/// A field that may be absent (stays), null (is cleared) or a value, for `#[serde(default, with)]`.
pub mod change {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// What is absent is left out by `skip_serializing_if`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<T: Serialize, S: Serializer>(value: &Option<Option<T>>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(serializer)
    }

    /// Present, therefore a change.
    ///
    /// # Errors
    /// When it is neither null nor a value.
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::<T>::deserialize(deserializer).map(Some)
    }
}

/// A rate limit that may be absent (stays), null (is none) or said in one of its ways, for `#[serde(default, with)]`.
pub mod change_limit {
    use crate::domain::{RateLimit, SaidLimit};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// What is absent is left out by `skip_serializing_if`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Option<Option<RateLimit>>, serializer: S) -> Result<S::Ok, S::Error> {
        super::change::serialize(value, serializer)
    }

    /// Present, therefore a change.
    ///
    /// # Errors
    /// When it is no limit.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<RateLimit>>, D::Error> {
        let said = Option::<SaidLimit>::deserialize(deserializer)?;
        said.map_or(Ok(None), TryFrom::try_from).map(Some).map_err(D::Error::custom)
    }
}

/// The lifetime of a key, as people say it: days, or a duration such as `90d`, for `#[serde(default, with)]`.
pub mod lifetime {
    use crate::domain::time::{format_duration, parse_days};
    use chrono::TimeDelta;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    /// A lifetime in a body.
    #[derive(Deserialize)]
    #[cfg_attr(test, derive(utoipa::ToSchema))]
    #[serde(untagged, expecting = "expected a number of days, or a duration such as \"90d\"")]
    pub enum Lifetime {
        /// So many days.
        Days(u32),
        /// A duration with its unit, such as `90d`, `1h` or `1y`.
        Text(String),
    }

    /// A lifetime, as a duration.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Option<TimeDelta>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(format_duration).serialize(serializer)
    }

    /// A lifetime.
    ///
    /// # Errors
    /// When it is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TimeDelta>, D::Error> {
        let text = Option::<Lifetime>::deserialize(deserializer)?.map(|said| match said {
            Lifetime::Days(days) => days.to_string(),
            Lifetime::Text(text) => text,
        });
        text.map(|text| parse_days(&text).map_err(D::Error::custom)).transpose()
    }
}

/// A duration that may be absent (stays), null (is cleared) or whole seconds, for `#[serde(default, with)]`.
pub mod change_seconds {
    use chrono::TimeDelta;
    use serde::{Deserializer, Serializer};

    /// What is absent is left out by `skip_serializing_if`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Option<Option<TimeDelta>>, serializer: S) -> Result<S::Ok, S::Error> {
        super::optional_seconds::serialize(&value.flatten(), serializer)
    }

    /// Present, therefore a change.
    ///
    /// # Errors
    /// When it is beyond the calendar.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<TimeDelta>>, D::Error> {
        super::optional_seconds::deserialize(deserializer).map(Some)
    }
}

/// Optional durations as people write them, `90d`, for `#[serde(default, with)]`.
pub mod optional_duration {
    use crate::domain::time::{format_duration, parse_duration};
    use chrono::TimeDelta;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    /// An optional duration.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Option<TimeDelta>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(format_duration).serialize(serializer)
    }

    /// An optional duration.
    ///
    /// # Errors
    /// When it is written otherwise.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TimeDelta>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| parse_duration(&text).map_err(D::Error::custom)).transpose()
    }
}

/// Optional ranges of addresses as people write them, for `#[serde(default, with)]`.
pub mod optional_range {
    use crate::domain::allowlist::parse_range;
    use ipnet::IpNet;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    /// An optional range.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Option<IpNet>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(|range| range.to_string()).serialize(serializer)
    }

    /// An optional range.
    ///
    /// # Errors
    /// When it is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpNet>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| parse_range(&text).map_err(D::Error::custom)).transpose()
    }
}

/// Times as people write them, RFC 3339 or a date, for `#[serde(with)]`. TOML's own dates are read as well.
pub mod time {
    use crate::domain::time::{Time, format_time, parse_time};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected RFC 3339 (2026-01-02T03:04:05Z) or a date (2026-01-02)")]
    enum Written {
        Text(String),
        Toml(toml::value::Datetime),
    }

    /// A time.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Time, serializer: S) -> Result<S::Ok, S::Error> {
        format_time(*value).serialize(serializer)
    }

    /// A time.
    ///
    /// # Errors
    /// When it is written otherwise.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = match Written::deserialize(deserializer)? {
            Written::Text(text) => text,
            Written::Toml(time) => time.to_string(),
        };
        parse_time(&text).map_err(D::Error::custom)
    }
}
