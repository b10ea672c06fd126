//! Credentials of operators that were refused: counted by address, and told in the trail now and then, joined, so that
//! whoever tries many fills neither the trail nor memory.

use super::app::App;
use crate::{
    domain::Time,
    ops::{Context, CredentialReport, RefusedCredentials, Result},
};
use chrono::{SubsecRound, TimeDelta, Utc};
use std::{
    collections::{HashMap, VecDeque},
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

#[derive(Default)]
struct Tally {
    /// By address; `None` for requests over a Unix socket.
    by_address: HashMap<Option<IpAddr>, (u64, Time)>,
    /// From further addresses.
    others: Option<(u64, Time)>,
    reported: Option<Time>,
    history: VecDeque<(Time, u64)>,
}

fn add(tally: &mut (u64, Time)) {
    tally.0 = tally.0.saturating_add(1);
}

impl Denials {
    /// Counts a credential that was refused.
    pub(super) fn note(&self, address: Option<IpAddr>, now: Time) {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = tally.by_address.len() >= MOST_ADDRESSES && !tally.by_address.contains_key(&address);
        if full {
            add(tally.others.get_or_insert((0, now)));
        } else {
            add(tally.by_address.entry(address).or_insert((0, now)));
        }
    }

    /// What is to be told now; with `last`, whatever there is.
    fn due(&self, now: Time, last: bool) -> Option<CredentialReport> {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let early = tally.reported.is_some_and(|at| now - at < REPORT_EVERY && at <= now);
        if (tally.by_address.is_empty() && tally.others.is_none()) || (early && !last) {
            return None;
        }
        let mut all: Vec<_> = std::mem::take(&mut tally.by_address).into_iter().collect();
        all.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        let rest = all.split_off(all.len().min(NAMED));
        let mut refused: Vec<RefusedCredentials> = all
            .into_iter()
            .map(|(address, (count, since))| RefusedCredentials { address, addresses: 1, count, since })
            .collect();
        let others = tally.others.take();
        let addresses = rest.len() + usize::from(others.is_some());
        let joined = rest.into_iter().map(|(_, seen)| seen).chain(others);
        if let Some((count, since)) =
            joined.reduce(|(count, since), (more, at)| (count.saturating_add(more), since.min(at)))
        {
            refused.push(RefusedCredentials { address: None, addresses, count, since });
        }
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
        tracing::warn!(address, addresses = one.addresses, count = one.count, "credentials of operators were refused");
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
