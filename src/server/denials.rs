//! Credentials of operators that were refused: counted by address, and told in the trail now and then, joined, so that
//! whoever tries many fills neither the trail nor memory.

use super::app::App;
use crate::{
    domain::{Refusal, Time},
    ops::{Context, CredentialReport, RefusedCredentials, RefusedJob, Result},
};
use chrono::{SubsecRound, TimeDelta, Utc};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How often it is looked whether there is something to tell.
const LOOK: Duration = Duration::from_secs(1);
/// How long after a report the next one comes.
const REPORT_EVERY: TimeDelta = TimeDelta::minutes(1);
/// How many addresses a report names; the others are told together.
const NAMED: usize = 20;
/// How many addresses are told apart between two reports.
const MOST_ADDRESSES: usize = 4_096;
/// How long a report is remembered, for webhooks that are told of bursts.
const HISTORY: TimeDelta = TimeDelta::hours(24);

/// What was refused since the last report.
#[derive(Default)]
pub(super) struct Denials(Mutex<Tally>);

/// How many jobs with genuine tokens a report names of an address.
const MOST_JOBS: usize = 5;

/// A token of another issuer that was refused.
pub(super) struct RefusedToken {
    /// Which check it did not pass.
    pub(super) check: Refusal,
    /// Whose it is, where its signature is genuine.
    pub(super) job: Option<RefusedJob>,
}

impl From<Refusal> for RefusedToken {
    fn from(check: Refusal) -> Self {
        Self { check, job: None }
    }
}

#[derive(Default)]
struct Tally {
    /// By address; `None` for requests over a Unix socket.
    by_address: HashMap<Option<IpAddr>, Seen>,
    /// From further addresses.
    others: Option<Seen>,
    reported: Option<Time>,
    history: VecDeque<(Time, u64)>,
}

/// What was refused from an address.
struct Seen {
    count: u64,
    since: Time,
    checks: BTreeMap<&'static str, u64>,
    jobs: Vec<RefusedJob>,
}

impl Seen {
    fn since(since: Time) -> Self {
        Self { count: 0, since, checks: BTreeMap::new(), jobs: Vec::new() }
    }

    fn add(&mut self, token: Option<RefusedToken>) {
        self.count = self.count.saturating_add(1);
        let Some(RefusedToken { check, job }) = token else { return };
        let checked = self.checks.entry(check.as_str()).or_default();
        *checked = checked.saturating_add(1);
        self.jobs.extend(job.filter(|job| self.jobs.len() < MOST_JOBS && !self.jobs.contains(job)));
    }

    fn join(mut self, other: Self) -> Self {
        self.count = self.count.saturating_add(other.count);
        self.since = self.since.min(other.since);
        for (check, count) in other.checks {
            let checked = self.checks.entry(check).or_default();
            *checked = checked.saturating_add(count);
        }
        let room = MOST_JOBS.saturating_sub(self.jobs.len());
        let new: Vec<RefusedJob> = other.jobs.into_iter().filter(|job| !self.jobs.contains(job)).take(room).collect();
        self.jobs.extend(new);
        self
    }

    fn told(self, address: Option<IpAddr>, addresses: usize) -> RefusedCredentials {
        let Self { count, since, checks, jobs } = self;
        RefusedCredentials { address, addresses, count, since, checks, jobs }
    }
}

impl Denials {
    /// Counts a credential that was refused.
    pub(super) fn note(&self, address: Option<IpAddr>, now: Time) {
        self.add(address, now, None);
    }

    /// Counts a token of another issuer that was refused.
    pub(super) fn note_token(&self, address: Option<IpAddr>, now: Time, token: RefusedToken) {
        self.add(address, now, Some(token));
    }

    fn add(&self, address: Option<IpAddr>, now: Time, token: Option<RefusedToken>) {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = tally.by_address.len() >= MOST_ADDRESSES && !tally.by_address.contains_key(&address);
        let new = || Seen::since(now);
        let seen = if full {
            tally.others.get_or_insert_with(new)
        } else {
            tally.by_address.entry(address).or_insert_with(new)
        };
        seen.add(token);
    }

    /// What is to be told now; with `last`, whatever there is.
    fn due(&self, now: Time, last: bool) -> Option<CredentialReport> {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let early = tally.reported.is_some_and(|at| now - at < REPORT_EVERY && at <= now);
        if (tally.by_address.is_empty() && tally.others.is_none()) || (early && !last) {
            return None;
        }
        let mut all: Vec<_> = std::mem::take(&mut tally.by_address).into_iter().collect();
        all.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.count));
        let rest = all.split_off(all.len().min(NAMED));
        let mut refused: Vec<RefusedCredentials> =
            all.into_iter().map(|(address, seen)| seen.told(address, 1)).collect();
        let others = tally.others.take();
        let addresses = rest.len() + usize::from(others.is_some());
        let joined = rest.into_iter().map(|(_, seen)| seen).chain(others);
        refused.extend(joined.reduce(Seen::join).map(|seen| seen.told(None, addresses)));
        let count = refused.iter().fold(0, |sum: u64, one| sum.saturating_add(one.count));
        tally.reported = Some(now);
        tally.history.push_back((now, count));
        while tally.history.front().is_some_and(|(at, _)| now - *at > HISTORY) {
            tally.history.pop_front();
        }
        Some(CredentialReport { refused, history: tally.history.iter().copied().collect() })
    }
}

/// Tells of refused credentials until the server stops, and of the last ones then.
pub(super) async fn report(app: Arc<App>, cx: Context) {
    let (mut stopped, mut looks) = (app.stop.subscribe(), tokio::time::interval(LOOK));
    loop {
        let last = tokio::select! {
            _ = looks.tick() => false,
            _ = stopped.wait_for(|stop| *stop) => true,
        };
        if let Err(error) = tell(&app, &cx, last).await {
            tracing::error!(%error, causes = ?error.causes, "refused credentials could not be recorded");
        }
        if last {
            return;
        }
    }
}

async fn tell(app: &Arc<App>, cx: &Context, last: bool) -> Result<()> {
    let now = Utc::now().trunc_subsecs(0);
    let Some(report) = app.denials.due(now, last) else { return Ok(()) };
    for one in &report.refused {
        let address = one.address.map(|address| address.to_string());
        let RefusedCredentials { addresses, count, checks, jobs, .. } = one;
        tracing::warn!(address, addresses, count, ?checks, ?jobs, "credentials of operators were refused");
    }
    let cx = Context { now, ..cx.clone() };
    app.ask(move |backend| backend.vault("the trail")?.told_of_credentials(&cx, &report)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::parse_time;

    #[test]
    fn what_is_told_is_joined_and_bounded() {
        let (denials, began) = (Denials::default(), parse_time("2026-01-01T00:00:00Z").unwrap());
        let at = |seconds| began + TimeDelta::seconds(seconds);
        assert!(denials.due(began, true).is_none());
        for _ in 0..5 {
            denials.note(Some(IpAddr::from([192, 0, 2, 1])), began);
        }
        let told = denials.due(at(1), false).unwrap();
        assert_eq!(told.refused.iter().map(|one| (one.addresses, one.count)).collect::<Vec<_>>(), [(1, 5)]);
        // Whoever goes on is told of a minute later, however many addresses it has.
        for number in 0..10_000_u32 {
            denials.note(Some(IpAddr::from(number.to_be_bytes())), at(2));
        }
        assert!(denials.due(at(30), false).is_none());
        let told = denials.due(at(61), false).unwrap();
        assert_eq!(told.refused.len(), NAMED + 1);
        assert_eq!(told.refused.iter().map(|one| one.count).sum::<u64>(), 10_000);
        assert_eq!(told.history, [(at(1), 5), (at(61), 10_000)]);
    }
}
