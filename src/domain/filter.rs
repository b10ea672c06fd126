//! Which keys a list shows, and in which order.

use super::{
    environment::Environment,
    field_name::field_path,
    key::{Key, Status},
    scope::{Catalogue, Scope},
    search::Search,
    text::{composed, same},
    time::Time,
    usage::Usage,
};
use chrono::TimeDelta;
use glob::Pattern;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

/// Which keys to show; every condition that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct KeyFilter {
    /// The statuses; when `None`, active and inactive, unless another condition asks for expired keys, for due ones or for
    /// refusals.
    pub statuses: Option<BTreeSet<Status>>,
    /// Only expired keys.
    pub expired: bool,
    /// Only keys that expire within so long.
    pub expires_within: Option<TimeDelta>,
    /// Only keys without expiry.
    pub no_expiry: bool,
    /// Only keys not used for so long, never used ones included once they are that old.
    pub unused_for: Option<TimeDelta>,
    /// Only keys that were never used.
    pub never_used: bool,
    /// Only keys made longer ago than this.
    pub older_than: Option<TimeDelta>,
    /// Only keys used within so long.
    pub used_since: Option<TimeDelta>,
    /// Only keys of which a request was refused within so long.
    pub denied_since: Option<TimeDelta>,
    /// Only keys whose rotation is due within so long (zero: now), or was begun and has not ended.
    pub due_within: Option<TimeDelta>,
    /// Only keys of an environment.
    pub environment: Option<Environment>,
    /// Only keys of an owner.
    pub owner: Option<String>,
    /// Only keys of whoever asks, made or owned by it: the use case knows who that is, and compares.
    pub mine: bool,
    /// Only keys of a project.
    pub project: Option<String>,
    /// Only keys narrowed to a customer.
    pub customer: Option<String>,
    /// Only keys that may do this, by wildcards and implications too.
    pub scope: Option<Scope>,
    /// Only keys with these labels; any value when `None`.
    pub labels: Vec<(String, Option<String>)>,
    /// Only keys whose name fits the pattern.
    pub name: Option<Pattern>,
    /// Only keys in which these words are found.
    pub search: Search,
    /// The order.
    pub sort: Sort,
    /// At most so many.
    pub limit: Option<usize>,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sort {
    /// By what; ties are broken by name and id.
    pub field: SortField,
    /// The last first.
    pub descending: bool,
}

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the field of its name")]
pub enum SortField {
    Name,
    Created,
    #[default]
    Expires,
    Due,
    LastUsed,
    Owner,
    Environment,
    Status,
    Uses,
}

impl FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (descending, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
        let field = match field_path(name).as_str() {
            "name" => SortField::Name,
            "created_at" => SortField::Created,
            "expires_at" => SortField::Expires,
            "rotation.due_at" => SortField::Due,
            "last_used_at" => SortField::LastUsed,
            "owner" => SortField::Owner,
            "environment" => SortField::Environment,
            "status" => SortField::Status,
            "uses" => SortField::Uses,
            _ => return Err("expected name, created, expires, due, last-used, owner, env, status or uses".to_owned()),
        };
        Ok(Self { field, descending })
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.descending { "-" } else { "" })?;
        f.write_str(match self.field {
            SortField::Name => "name",
            SortField::Created => "created",
            SortField::Expires => "expires",
            SortField::LastUsed => "last-used",
            SortField::Owner => "owner",
            SortField::Environment => "env",
            SortField::Status => "status",
            SortField::Uses => "uses",
            SortField::Due => "due",
        })
    }
}

impl KeyFilter {
    /// Whether a condition says which keys are meant: an environment, an order and a limit do not.
    #[must_use]
    pub fn narrows(&self) -> bool {
        let Self {
            statuses,
            expired,
            expires_within,
            no_expiry,
            unused_for,
            never_used,
            older_than,
            used_since,
            denied_since,
            due_within,
            environment: _,
            owner,
            mine,
            project,
            customer,
            scope,
            labels,
            name,
            search,
            sort: _,
            limit: _,
        } = self;
        let of_time = [expires_within, unused_for, older_than, used_since, denied_since, due_within];
        let of_word = [owner, project, customer];
        of_time.iter().any(|time| time.is_some())
            || of_word.iter().any(|word| word.is_some())
            || [*expired, *no_expiry, *never_used, *mine].contains(&true)
            || statuses.is_some()
            || scope.is_some()
            || name.is_some()
            || !labels.is_empty()
            || !search.is_empty()
    }

    /// Whether a key is shown.
    #[must_use]
    pub fn matches(&self, key: &Key, usage: &Usage, catalogue: &Catalogue, now: Time) -> bool {
        self.shows_status(key.status_at(now)) && self.conditions_hold(key, usage, catalogue, now)
    }

    /// Whether a key would be shown if the default did not leave its status out.
    #[must_use]
    pub fn hides_only_by_default(&self, key: &Key, usage: &Usage, catalogue: &Catalogue, now: Time) -> bool {
        self.statuses.is_none()
            && !self.expired
            && !self.shows_status(key.status_at(now))
            && self.conditions_hold(key, usage, catalogue, now)
    }

    /// The order of two keys at a time; a missing time comes last either way.
    #[must_use]
    pub fn compare(&self, a: &(Key, Usage), b: &(Key, Usage), now: Time) -> Ordering {
        let ((a, a_usage), (b, b_usage)) = (a, b);
        let order = match self.sort.field {
            SortField::Name => self.directed(a.name.cmp(&b.name)),
            SortField::Created => self.directed(a.created_at.cmp(&b.created_at)),
            SortField::Expires => self.missing_last(a.expires_at, b.expires_at),
            SortField::Due => self.missing_last(a.rotation.due_at, b.rotation.due_at),
            SortField::LastUsed => self.missing_last(a_usage.last_used_at, b_usage.last_used_at),
            SortField::Owner => self.missing_last(a.owner.as_ref(), b.owner.as_ref()),
            SortField::Environment => self.directed(a.environment.cmp(&b.environment)),
            SortField::Status => self.directed(a.status_at(now).cmp(&b.status_at(now))),
            SortField::Uses => self.directed(a_usage.uses.cmp(&b_usage.uses)),
        };
        order.then_with(|| a.name.cmp(&b.name)).then_with(|| a.id.cmp(&b.id))
    }

    fn shows_status(&self, status: Status) -> bool {
        if self.expired && status != Status::Expired {
            return false;
        }
        match &self.statuses {
            Some(statuses) => statuses.contains(&status),
            None if self.expired => true,
            // What is due and has expired is what no schedule saves any more: nothing needs to be seen more.
            None if self.due_within.is_some() && status == Status::Expired => true,
            // Most refusals are of keys that work no more.
            None => self.denied_since.is_some() || matches!(status, Status::Active | Status::Inactive),
        }
    }

    fn conditions_hold(&self, key: &Key, usage: &Usage, catalogue: &Catalogue, now: Time) -> bool {
        self.times_hold(key, usage, now)
            && self.environment.is_none_or(|environment| environment == key.environment)
            && is_or_any(self.owner.as_deref(), key.owner.as_deref())
            && is_or_any(self.project.as_deref(), key.project.as_deref())
            && self.customer.as_ref().is_none_or(|customer| key.customers.iter().any(|own| same(own, customer)))
            && self.scope.as_ref().is_none_or(|scope| catalogue.grants(&key.scopes, scope))
            && self.name.as_ref().is_none_or(|pattern| pattern.matches(&composed(&key.name)))
            && has_labels(&key.labels, &self.labels)
            && self.search.finds(key)
    }

    fn times_hold(&self, key: &Key, usage: &Usage, now: Time) -> bool {
        let ago = |period: TimeDelta| now.checked_sub_signed(period);
        let last_sign_of_life = usage.last_used_at.unwrap_or(key.created_at);
        (!self.no_expiry || key.expires_at.is_none())
            && self.expires_within.is_none_or(|within| key.expires_at.is_some_and(|at| at > now && at - now <= within))
            && self.unused_for.is_none_or(|period| ago(period).is_some_and(|limit| last_sign_of_life <= limit))
            && self.due_within.is_none_or(|within| {
                key.running().is_some() || key.rotation.due_at.is_some_and(|due| due - now <= within)
            })
            && (!self.never_used || usage.last_used_at.is_none())
            && self.older_than.is_none_or(|period| ago(period).is_some_and(|limit| key.created_at <= limit))
            && self
                .used_since
                .is_none_or(|period| usage.last_used_at.is_some_and(|at| ago(period).is_none_or(|limit| at >= limit)))
            && self
                .denied_since
                .is_none_or(|period| usage.last_denied_at.is_some_and(|at| ago(period).is_none_or(|limit| at >= limit)))
    }

    fn directed(&self, order: Ordering) -> Ordering {
        if self.sort.descending { order.reverse() } else { order }
    }

    fn missing_last<T: Ord>(&self, a: Option<T>, b: Option<T>) -> Ordering {
        match (a, b) {
            (Some(a), Some(b)) => self.directed(a.cmp(&b)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }
}

/// Whether a text is the one that is wanted, if any is.
pub fn is_or_any(wanted: Option<&str>, own: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| own.is_some_and(|own| same(own, wanted)))
}

/// Whether all the wanted labels are there; any value when `None`.
pub fn has_labels(own: &BTreeMap<String, String>, wanted: &[(String, Option<String>)]) -> bool {
    wanted.iter().all(|(label, wanted)| {
        own.iter().any(|(own, value)| same(own, label) && wanted.as_ref().is_none_or(|wanted| same(wanted, value)))
    })
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
