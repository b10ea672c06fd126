//! What the keys of a workspace look like together: what expires, what nobody uses, what should be rotated, who owns it.
//!
//! Everything is worked out from the views of the keys, so that it is the same over every kind of keystore.

use super::{check::Finding, view::KeyView};
use crate::domain::{Environment, Status, Time, time::parse_time};
use chrono::{NaiveDate, TimeDelta};
use serde::Serialize;
use std::collections::BTreeMap;

/// How far "soon" reaches where nobody says it.
pub const SOON: TimeDelta = TimeDelta::days(30);
/// After how long without use a key is stale where nobody says it.
pub const STALE_AFTER: TimeDelta = TimeDelta::days(90);

/// A key that works and that nobody uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StaleKey {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its environment.
    pub environment: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Its project; null where it reaches every one.
    pub project: Option<String>,
    /// When it was last used.
    pub last_used_at: Option<String>,
    /// Since the last use, or since it was created.
    pub idle_seconds: i64,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: Option<String>,
    /// How many requests with it were let in.
    pub uses: u64,
}

/// A key that will expire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExpiringKey {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its environment.
    pub environment: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Its project; null where it reaches every one.
    pub project: Option<String>,
    /// What has become of it.
    pub status: String,
    /// When it ends.
    pub expires_at: String,
    /// How long that is from now.
    pub left_seconds: i64,
    /// When it was last used.
    pub last_used_at: Option<String>,
}

/// A key that is to be rotated from time to time, or whose rotation has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RotatedKey {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its environment.
    pub environment: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Its project; null where it reaches every one.
    pub project: Option<String>,
    /// What has become of it.
    pub status: String,
    /// How often its secret is to be rotated.
    pub every_seconds: Option<i64>,
    /// When the next rotation is due.
    pub due_at: Option<String>,
    /// Whether it should have been rotated already.
    pub overdue: bool,
    /// Where its rotation stands.
    pub state: String,
    /// The key's own end.
    pub expires_at: Option<String>,
    /// When its secret ends unless it is rotated before.
    pub ends_at: Option<String>,
    /// When the newest secret was made.
    pub secret_created_at: Option<String>,
}

/// What the keys of an owner, an environment or a workspace add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them.
    pub keys: usize,
    /// Those that are active.
    pub active: usize,
    /// Those that are switched off.
    pub inactive: usize,
    /// Those that have expired.
    pub expired: usize,
    /// Those that were revoked.
    pub revoked: usize,
    /// Those that are neither expired nor revoked and expire within thirty days.
    pub expiring: usize,
    /// Those that work and were not used for ninety days.
    pub stale: usize,
    /// Those that work and were never used.
    pub never_used: usize,
    /// Those that work and never expire.
    pub no_expiry: usize,
    /// Those that work and should have been rotated.
    pub overdue: usize,
    /// When one of them was last used.
    pub last_used_at: Option<String>,
}

/// The keys of one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnerCounts {
    /// The owner; null for keys that nobody answers for.
    pub owner: Option<String>,
    /// What they add up to.
    #[serde(flatten)]
    pub counts: Counts,
}

/// One bar of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bar {
    /// What it stands for.
    pub label: &'static str,
    /// How many keys.
    pub keys: usize,
}

/// Everything at once, for a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// Of when it tells.
    pub at: Time,
    /// Whose keys.
    pub workspace: String,
    /// All of them.
    pub counts: Counts,
    /// By environment, those without keys left out.
    pub environments: Vec<(Environment, Counts)>,
    /// How many working keys expire on which day of the year to come.
    pub calendar: BTreeMap<NaiveDate, usize>,
    /// How old the secrets of working keys are.
    pub ages: Vec<Bar>,
    /// When working keys were last used.
    pub last_use: Vec<Bar>,
    /// What expires within ninety days.
    pub expiring: Vec<ExpiringKey>,
    /// What was not used for ninety days.
    pub stale: Vec<StaleKey>,
    /// What should have been rotated.
    pub overdue: Vec<RotatedKey>,
    /// By owner.
    pub owners: Vec<OwnerCounts>,
    /// What `check` found, the gravest first.
    pub findings: Vec<Finding>,
    /// What it could not look at, and why.
    pub unasked: Vec<String>,
}

/// Working keys that were not used for so long, those never used included once they are that old; the longest idle first.
#[must_use]
pub fn stale(keys: &[KeyView], now: Time, unused_for: TimeDelta) -> Vec<StaleKey> {
    let mut stale: Vec<StaleKey> = keys
        .iter()
        .filter(|key| key.active && idle(key, now) >= unused_for)
        .map(|key| StaleKey {
            id: key.id.clone(),
            name: key.name.clone(),
            environment: key.environment.clone(),
            owner: key.owner.clone(),
            project: key.project.clone(),
            last_used_at: key.last_used_at.clone(),
            idle_seconds: idle(key, now).num_seconds(),
            created_at: key.created_at.clone(),
            expires_at: key.expires_at.clone(),
            uses: key.uses,
        })
        .collect();
    stale.sort_by(|a, b| b.idle_seconds.cmp(&a.idle_seconds).then_with(|| (&a.name, &a.id).cmp(&(&b.name, &b.id))));
    stale
}

/// Keys that are neither expired nor revoked and will expire within so long, the soonest first.
#[must_use]
pub fn expiring(keys: &[KeyView], now: Time, within: TimeDelta) -> Vec<ExpiringKey> {
    let mut expiring: Vec<ExpiringKey> = keys
        .iter()
        .filter(|key| lives(key))
        .filter_map(|key| {
            let left = time(key.expires_at.as_deref())? - now;
            (left <= within).then(|| ExpiringKey {
                id: key.id.clone(),
                name: key.name.clone(),
                environment: key.environment.clone(),
                owner: key.owner.clone(),
                project: key.project.clone(),
                status: key.status.clone().into_owned(),
                expires_at: key.expires_at.clone().unwrap_or_default(),
                left_seconds: left.num_seconds(),
                last_used_at: key.last_used_at.clone(),
            })
        })
        .collect();
    expiring.sort_by(|a, b| (a.left_seconds, &a.name, &a.id).cmp(&(b.left_seconds, &b.name, &b.id)));
    expiring
}

/// Keys that have a rotation policy or a rotation that has begun, the first due first: those that live, and those that have
/// expired although they were to be rotated, which no schedule saves any more.
#[must_use]
pub fn rotation(keys: &[KeyView]) -> Vec<RotatedKey> {
    let mut rotated: Vec<RotatedKey> = keys
        .iter()
        .filter(|key| {
            let scheduled = key.rotation.every_seconds.is_some();
            (lives(key) && (scheduled || key.rotation.id.is_some())) || (scheduled && key.status == "expired")
        })
        .map(|key| RotatedKey {
            id: key.id.clone(),
            name: key.name.clone(),
            environment: key.environment.clone(),
            owner: key.owner.clone(),
            project: key.project.clone(),
            status: key.status.clone().into_owned(),
            expires_at: key.expires_at.clone(),
            ends_at: key.rotation.ends_at.clone(),
            every_seconds: key.rotation.every_seconds,
            due_at: key.rotation.due_at.clone(),
            overdue: key.rotation.overdue,
            state: key.rotation.state.clone().into_owned(),
            secret_created_at: newest_secret(key).map(str::to_owned),
        })
        .collect();
    // Times are written in one width, so that their order is that of their texts.
    rotated.sort_by(|a, b| {
        let late = a.due_at.is_none().cmp(&b.due_at.is_none());
        late.then_with(|| (&a.due_at, &a.name, &a.id).cmp(&(&b.due_at, &b.name, &b.id)))
    });
    rotated
}

/// What the keys of each owner add up to, by name; those that nobody answers for last.
#[must_use]
pub fn owners(keys: &[KeyView], now: Time) -> Vec<OwnerCounts> {
    let mut owners: BTreeMap<(bool, Option<&str>), Counts> = BTreeMap::new();
    for key in keys {
        let owner = key.owner.as_deref();
        owners.entry((owner.is_none(), owner)).or_default().add(key, now);
    }
    owners.into_iter().map(|((_, owner), counts)| OwnerCounts { owner: owner.map(str::to_owned), counts }).collect()
}

/// What all keys add up to.
#[must_use]
pub fn counts<'k>(keys: impl IntoIterator<Item = &'k KeyView>, now: Time) -> Counts {
    keys.into_iter().fold(Counts::default(), |mut counts, key| {
        counts.add(key, now);
        counts
    })
}

/// Everything at once; the findings are asked for apart, with a policy.
#[must_use]
pub fn overview(keys: &[KeyView], workspace: &str, now: Time) -> Overview {
    let environments = Environment::ALL.into_iter().filter_map(|environment| {
        let counts = counts(keys.iter().filter(|key| key.environment == environment.as_str()), now);
        (counts.keys > 0).then_some((environment, counts))
    });
    let mut calendar = BTreeMap::new();
    for key in expiring(keys, now, TimeDelta::days(365)) {
        if let Some(at) = time(Some(&key.expires_at)) {
            *calendar.entry(at.date_naive()).or_default() += 1;
        }
    }
    let working = || keys.iter().filter(|key| key.active);
    Overview {
        at: now,
        workspace: workspace.to_owned(),
        counts: counts(keys, now),
        environments: environments.collect(),
        calendar,
        ages: bars(working().filter_map(|key| Some(now - time(newest_secret(key))?)).map(Some), false),
        last_use: bars(working().map(|key| Some(now - time(key.last_used_at.as_deref())?)), true),
        expiring: expiring(keys, now, STALE_AFTER),
        stale: stale(keys, now, STALE_AFTER),
        overdue: rotation(keys).into_iter().filter(|key| key.overdue).collect(),
        owners: owners(keys, now),
        findings: Vec::new(),
        unasked: Vec::new(),
    }
}

impl Counts {
    fn add(&mut self, key: &KeyView, now: Time) {
        self.keys += 1;
        match key.status.parse() {
            Ok(Status::Active) => self.active += 1,
            Ok(Status::Inactive) => self.inactive += 1,
            Ok(Status::Expired) => self.expired += 1,
            _ => self.revoked += 1,
        }
        if self.last_used_at < key.last_used_at {
            self.last_used_at.clone_from(&key.last_used_at);
        }
        let expires = time(key.expires_at.as_deref());
        // As in the calendar and the table: a key that is switched off may be wanted again.
        self.expiring += usize::from(lives(key) && expires.is_some_and(|at| at - now <= SOON));
        if !key.active {
            return;
        }
        self.no_expiry += usize::from(expires.is_none() && key.rotation.ends_at.is_none());
        self.stale += usize::from(idle(key, now) >= STALE_AFTER);
        self.never_used += usize::from(key.never_used);
        self.overdue += usize::from(key.rotation.overdue);
    }
}

/// Neither expired nor revoked.
fn lives(key: &KeyView) -> bool {
    matches!(key.status.parse(), Ok(Status::Active | Status::Inactive))
}

fn time(text: Option<&str>) -> Option<Time> {
    parse_time(text?).ok()
}

/// For how long a key was not used.
fn idle(key: &KeyView, now: Time) -> TimeDelta {
    let last = key.last_used_at.as_deref().or(Some(&key.created_at));
    time(last).map_or(TimeDelta::zero(), |last| now - last)
}

fn newest_secret(key: &KeyView) -> Option<&str> {
    key.secrets.iter().map(|secret| secret.created_at.as_str()).max()
}

/// The ranges of the charts, by the age of what they count.
const RANGES: [(i64, &str); 7] = [
    (1, "1 day"),
    (7, "7 days"),
    (30, "30 days"),
    (90, "90 days"),
    (180, "180 days"),
    (365, "1 year"),
    (i64::MAX, "longer"),
];

/// How many ages fall into each range; `None` is an age that never was, counted where `never` says so.
fn bars(ages: impl Iterator<Item = Option<TimeDelta>>, never: bool) -> Vec<Bar> {
    let mut bars: Vec<Bar> = RANGES.iter().map(|(_, label)| Bar { label, keys: 0 }).collect();
    if never {
        bars.push(Bar { label: "never", keys: 0 });
    }
    for age in ages {
        let at = age.map(|age| RANGES.iter().take_while(|(days, _)| age.num_days() >= *days).count());
        if let Some(bar) = bars.get_mut(at.unwrap_or(RANGES.len())) {
            bar.keys += 1;
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::super::view::{RotationView, SecretView};
    use super::*;

    fn now() -> Time {
        parse_time("2026-03-01").unwrap()
    }

    fn key(name: &str, status: &'static str, expires: Option<&str>, used: Option<&str>) -> KeyView {
        KeyView {
            id: format!("key_{name}"),
            name: name.to_owned(),
            environment: "production".to_owned(),
            status: status.into(),
            active: status == "active",
            created_at: "2025-01-01T00:00:00Z".to_owned(),
            expires_at: expires.map(str::to_owned),
            last_used_at: used.map(str::to_owned),
            never_used: used.is_none(),
            secrets: vec![SecretView {
                lookup: String::new(),
                state: "current".into(),
                hint: String::new(),
                created_at: "2026-02-25T00:00:00Z".to_owned(),
                valid_until: None,
                imported: false,
            }],
            ..KeyView::default()
        }
    }

    fn names<T>(rows: &[T], name: impl Fn(&T) -> &str) -> Vec<String> {
        rows.iter().map(|row| name(row).to_owned()).collect()
    }

    #[test]
    fn stale_keys_work_and_are_not_used() {
        let keys = [
            key("used", "active", None, Some("2026-02-28T00:00:00Z")),
            key("never", "active", None, None),
            key("long-ago", "active", None, Some("2025-06-01T00:00:00Z")),
            key("off", "inactive", None, None),
            key("gone", "revoked", None, None),
        ];
        assert_eq!(names(&stale(&keys, now(), STALE_AFTER), |key| &key.name), ["never", "long-ago"]);
        let edge = [key("edge", "active", None, Some("2026-02-27T00:00:00Z"))];
        assert_eq!(stale(&edge, now(), TimeDelta::days(2)).len(), 1);
        assert_eq!(stale(&edge, now(), TimeDelta::days(3)).len(), 0);
    }

    #[test]
    fn what_expires_comes_soonest_first_and_what_is_over_does_not() {
        let keys = [
            key("later", "active", Some("2026-03-20T00:00:00Z"), None),
            key("soon", "inactive", Some("2026-03-02T00:00:00Z"), None),
            key("far", "active", Some("2027-01-01T00:00:00Z"), None),
            key("over", "expired", Some("2026-02-01T00:00:00Z"), None),
            key("gone", "revoked", Some("2026-03-02T00:00:00Z"), None),
            key("never", "active", None, None),
        ];
        let found = expiring(&keys, now(), SOON);
        assert_eq!(names(&found, |key| &key.name), ["soon", "later"]);
        assert_eq!(found[0].left_seconds, 86_400);
        let overview = overview(&keys, "default", now());
        assert_eq!(overview.calendar.values().sum::<usize>(), 3);
        assert_eq!(overview.expiring.len(), 2);
    }

    #[test]
    fn rotations_come_in_the_order_in_which_they_are_due() {
        let rotated = |name: &str, due: Option<&str>, overdue| KeyView {
            rotation: RotationView {
                every_seconds: Some(60),
                due_at: due.map(str::to_owned),
                overdue,
                ..RotationView::default()
            },
            ..key(name, "active", None, None)
        };
        let keys = [
            rotated("b", Some("2026-04-01T00:00:00Z"), false),
            rotated("staged", None, false),
            rotated("a", Some("2026-02-01T00:00:00Z"), true),
            key("none", "active", None, None),
        ];
        assert_eq!(names(&rotation(&keys), |key| &key.name), ["a", "b", "staged"]);
        assert_eq!(overview(&keys, "default", now()).overdue.len(), 1);
    }

    #[test]
    fn counts_add_up_and_nobody_comes_last() {
        let owned = |owner: &str, key: KeyView| KeyView { owner: Some(owner.to_owned()), ..key };
        let keys = [
            key("a", "active", Some("2026-03-02T00:00:00Z"), Some("2026-02-28T00:00:00Z")),
            owned("z", key("b", "expired", Some("2026-01-01T00:00:00Z"), Some("2026-02-27T00:00:00Z"))),
            owned("b", key("c", "inactive", None, None)),
            owned("z", key("d", "active", None, None)),
        ];
        let owners = owners(&keys, now());
        let told: Vec<_> =
            owners.iter().map(|row| (row.owner.as_deref(), row.counts.keys, row.counts.active)).collect();
        assert_eq!(told, [(Some("b"), 1, 0), (Some("z"), 2, 1), (None, 1, 1)]);
        assert_eq!(owners[1].counts.last_used_at.as_deref(), Some("2026-02-27T00:00:00Z"));
        let all = counts(&keys, now());
        assert_eq!((all.keys, all.active, all.inactive, all.expired, all.revoked), (4, 2, 1, 1, 0));
        assert_eq!((all.expiring, all.stale, all.never_used, all.no_expiry), (1, 1, 1, 1));
        let page = overview(&keys, "default", now());
        assert_eq!(page.ages.iter().map(|bar| bar.keys).sum::<usize>(), 2, "of the keys that work");
        assert_eq!((page.ages[1].label, page.ages[1].keys), ("7 days", 2));
        assert_eq!(page.last_use.iter().map(|bar| bar.keys).collect::<Vec<_>>(), [0, 1, 0, 0, 0, 0, 0, 1]);
        assert_eq!(overview(&[], "default", now()).counts, Counts::default());
    }
}
