//! A filter of keys in words: the query parameters of a list, which a change of many keys repeats.

use super::error::{Error, Result};
use crate::domain::{
    KeyFilter, Status, Time,
    text::composed,
    time::{format_duration, parse_duration, parse_past},
};
use chrono::TimeDelta;

/// A filter as query parameters.
#[must_use]
pub fn query_of(filter: &KeyFilter) -> Vec<(&'static str, String)> {
    let mut query = Vec::new();
    let mut put = |name, value: Option<String>| query.extend(value.map(|value| (name, value)));
    let duration = |value: Option<chrono::TimeDelta>| value.map(format_duration);
    let flag = |on: bool| on.then(|| "true".to_owned());
    put("status", filter.statuses.as_ref().map(|all| all.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(",")));
    put("expired", flag(filter.expired));
    put("expires_within", duration(filter.expires_within));
    put("no_expiry", flag(filter.no_expiry));
    put("unused_for", duration(filter.unused_for));
    put("never_used", flag(filter.never_used));
    put("older_than", duration(filter.older_than));
    put("used_since", duration(filter.used_since));
    put("denied_since", duration(filter.denied_since));
    put("environment", filter.environment.map(|one| one.to_string()));
    put("owner", filter.owner.clone());
    put("mine", flag(filter.mine));
    put("project", filter.project.clone());
    put("customer", filter.customer.clone());
    put("scope", filter.scope.as_ref().map(ToString::to_string));
    for (name, value) in &filter.labels {
        put("label", Some(value.as_ref().map_or_else(|| name.clone(), |value| format!("{name}={value}"))));
    }
    put("q", Some(filter.search.to_string()).filter(|words| !words.is_empty()));
    put("name", filter.name.as_ref().map(|pattern| pattern.as_str().to_owned()));
    put(
        "due_within",
        filter.due_within.map(|within| match within.num_seconds() {
            0 => "0".to_owned(),
            _ => format_duration(within),
        }),
    );
    put("sort", Some(filter.sort.to_string()));
    query
}

/// The filter of query parameters; `limit` and `cursor` are not part of it.
///
/// # Errors
/// `Usage` for an unknown parameter or a value that is none.
pub fn filter_of(query: &[(String, String)], now: Time) -> Result<KeyFilter> {
    let mut filter = KeyFilter::default();
    for (name, value) in query {
        let refused = |cause: String| Error::usage(format!("the parameter '{name}' is not usable")).cause(cause);
        let duration = || parse_duration(value).map(Some).map_err(refused);
        let ago = || match parse_past(value, now).map(|at| now - at) {
            Ok(ago) if ago > TimeDelta::zero() => Ok(Some(ago)),
            Ok(_) => Err(refused("expected a time in the past".to_owned())),
            Err(why) => Err(refused(why)),
        };
        let flag = || value.parse::<bool>().map_err(|_| refused("expected true or false".to_owned()));
        let text = Some(value.clone());
        match name.as_str() {
            "status" => {
                let statuses = value.split(',').map(|word| word.parse::<Status>());
                filter.statuses = Some(statuses.collect::<std::result::Result<_, _>>().map_err(refused)?);
            }
            "expired" => filter.expired = flag()?,
            "expires_within" => filter.expires_within = duration()?,
            "no_expiry" => filter.no_expiry = flag()?,
            "unused_for" => filter.unused_for = duration()?,
            "never_used" => filter.never_used = flag()?,
            "older_than" => filter.older_than = duration()?,
            "used_since" => filter.used_since = ago()?,
            "denied_since" => filter.denied_since = ago()?,
            "due_within" if value == "0" => filter.due_within = Some(TimeDelta::zero()),
            "due_within" => filter.due_within = duration()?,
            "environment" | "env" => filter.environment = Some(value.parse().map_err(refused)?),
            "owner" => filter.owner = text,
            "mine" => filter.mine = flag()?,
            "project" => filter.project = text,
            "customer" | "customers" => filter.customer = text,
            "scope" | "scopes" => filter.scope = Some(value.parse().map_err(refused)?),
            "label" | "labels" => filter.labels.push(match value.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (value.clone(), None),
            }),
            "q" => filter.search.add(value.parse().map_err(refused)?),
            "name" => {
                let pattern = glob::Pattern::new(&composed(value)).map_err(|error| refused(error.to_string()))?;
                filter.name = Some(pattern);
            }
            "sort" => filter.sort = value.parse().map_err(refused)?,
            "limit" | "cursor" => {}
            _ => return Err(Error::usage(format!("there is no parameter '{name}'"))),
        }
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_filter_survives_the_way_through_a_query(
            statuses in proptest::option::of(proptest::collection::btree_set(proptest::sample::select(Status::ALL.to_vec()), 1..4)),
            flags in any::<[bool; 4]>(),
            seconds in proptest::option::of(1i64..100_000_000),
            due in proptest::option::of(0i64..1_000),
            words in proptest::collection::vec("[a-z=,& +%]{1,8}", 0..3),
            sort in "-?(name|created|expires|last-used|owner|env|status|uses|due)",
        ) {
            let (duration, now) = (seconds.map(TimeDelta::seconds), Time::UNIX_EPOCH);
            let filter = KeyFilter {
                statuses,
                expired: flags[0],
                no_expiry: flags[1],
                never_used: flags[2],
                mine: flags[3],
                expires_within: duration,
                unused_for: duration,
                denied_since: duration,
                due_within: due.map(TimeDelta::seconds),
                owner: words.first().cloned(),
                labels: words.iter().map(|word| (word.replace('=', "x"), Some(word.clone()))).collect(),
                search: words.join(" ").parse().unwrap_or_default(),
                sort: sort.parse().unwrap(),
                ..KeyFilter::default()
            };
            let query: Vec<(String, String)> = query_of(&filter).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            prop_assert_eq!(format!("{:?}", filter_of(&query, now).unwrap()), format!("{filter:?}"));
        }
    }
}
