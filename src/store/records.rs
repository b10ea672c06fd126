//! What is sealed in a row, in CBOR with numbered fields: a later version may add fields without a migration.

use super::{
    error::{Error, Result},
    retired,
};
use crate::domain::{
    Allowlist, Delivery, DeliveryState, Environment, Key, KeyId, Lease, Overlap, Phase, RateLimit, Rotation,
    RotationPolicy, Scope, Secret, SecretState, Time, Verifier,
};
use chrono::{DateTime, TimeDelta};
use minicbor::{Decode, Encode};
use std::collections::BTreeMap;

/// The sealed facts of a key; its texts are those of the key that is sealed, or stand in the bytes that were opened.
#[derive(Encode, Decode)]
pub(super) struct KeyRecord<'a> {
    #[b(0)]
    workspace: &'a str,
    #[b(1)]
    name: &'a str,
    #[b(2)]
    description: Option<&'a str>,
    #[b(3)]
    owner: Option<&'a str>,
    #[b(4)]
    project: Option<&'a str>,
    #[b(5)]
    customers: Vec<&'a str>,
    #[b(6)]
    scopes: Vec<&'a str>,
    #[n(7)]
    rate_limit: Option<(u32, u32)>,
    #[n(8)]
    allow_ips: Vec<String>,
    #[b(9)]
    labels: BTreeMap<&'a str, &'a str>,
    #[b(10)]
    created_by: &'a str,
    #[n(11)]
    lifetime: Option<i64>,
    #[n(12)]
    rotate_every: Option<i64>,
    #[n(13)]
    overlap: Option<i64>,
    #[n(14)]
    secrets: Vec<SecretRecord>,
    #[n(15)]
    run: Option<RotationRecord>,
    #[n(16)]
    renew: Option<bool>,
    /// What the holder may do, in words.
    #[n(17)]
    self_service: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct SecretRecord {
    #[n(0)]
    lookup: String,
    #[n(1)]
    hint: String,
    #[cbor(n(2), with = "minicbor::bytes")]
    verifier: [u8; 32],
    #[n(3)]
    state: u8,
    #[n(4)]
    at: Option<i64>,
    #[n(5)]
    created_at: i64,
    /// Only of a secret that was issued elsewhere.
    #[n(6)]
    imported: Option<bool>,
}

#[derive(Encode, Decode)]
struct RotationRecord {
    #[n(0)]
    id: String,
    #[n(1)]
    phase: u8,
    #[n(2)]
    actor: String,
    #[n(3)]
    started_at: i64,
    #[n(4)]
    finished_at: Option<i64>,
    #[n(5)]
    lease_until: i64,
    /// `None`: the old secret stops at once.
    #[n(6)]
    overlap: Option<i64>,
    #[n(7)]
    renew: bool,
    #[n(8)]
    parked: bool,
    #[n(9)]
    secret: String,
    #[n(10)]
    in_doubt: Option<String>,
    #[n(11)]
    deliveries: Vec<(String, u8, i64)>,
    #[n(12)]
    idempotency_key: Option<String>,
    #[n(13)]
    lease_id: String,
    #[n(14)]
    for_due: bool,
    #[n(15)]
    lease_remote: Option<bool>,
    #[n(16)]
    reinstate: Option<bool>,
    #[n(17)]
    old_ends_at: Option<i64>,
}

/// The facts of a key that stand in the clear, bound to the sealed ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyColumns {
    pub(super) id: String,
    pub(super) name_index: [u8; 16],
    pub(super) workspace_index: [u8; 16],
    pub(super) environment: i64,
    pub(super) active: bool,
    pub(super) revoked_at: Option<i64>,
    pub(super) expires_at: Option<i64>,
    pub(super) created_at: i64,
    pub(super) due_at: Option<i64>,
    /// The id of the rotation that runs, or of the last that ended.
    pub(super) rotation: Option<String>,
    pub(super) rotating: bool,
    pub(super) version: i64,
    pub(super) epoch: i64,
    pub(super) generation: i64,
}

impl<'a> KeyRecord<'a> {
    pub(super) fn of(key: &'a Key) -> Self {
        Self {
            workspace: &key.workspace,
            name: &key.name,
            description: key.description.as_deref(),
            owner: key.owner.as_deref(),
            project: key.project.as_deref(),
            customers: key.customers.iter().map(String::as_str).collect(),
            scopes: key.scopes.iter().map(Scope::as_str).collect(),
            rate_limit: key.rate_limit.map(|rate| (rate.limit, rate.window_seconds)),
            allow_ips: key.allow_ips.to_strings(),
            labels: key.labels.iter().map(|(label, value)| (label.as_str(), value.as_str())).collect(),
            created_by: &key.created_by,
            lifetime: key.lifetime.map(|lifetime| lifetime.num_seconds()),
            rotate_every: key.rotation.every.map(|every| every.num_seconds()),
            overlap: key.rotation.overlap.map(|overlap| overlap.num_seconds()),
            secrets: retired::kept(&key.secrets).map(SecretRecord::of).collect(),
            run: key.run.as_ref().map(RotationRecord::of),
            renew: key.rotation.renew,
            self_service: key.self_service.as_ref().map(ToString::to_string),
        }
    }

    /// The key, from its sealed facts and its columns.
    pub(super) fn into_key(self, columns: &KeyColumns) -> Result<Key> {
        let damaged = || Error::RowTampered { table: "keys", id: columns.id.clone() };
        let scopes = self.scopes.iter().map(|scope| scope.parse()).collect::<Result<Vec<_>, _>>();
        Ok(Key {
            id: columns.id.parse::<KeyId>().map_err(|_| damaged())?,
            workspace: self.workspace.to_owned(),
            name: self.name.to_owned(),
            description: self.description.map(str::to_owned),
            owner: self.owner.map(str::to_owned),
            environment: environment(columns.environment).ok_or_else(damaged)?,
            project: self.project.map(str::to_owned),
            customers: self.customers.into_iter().map(str::to_owned).collect(),
            scopes: scopes.map_err(|_: String| damaged())?,
            rate_limit: self.rate_limit.map(|(limit, window_seconds)| RateLimit { limit, window_seconds }),
            allow_ips: Allowlist::parse(&self.allow_ips).map_err(|_| damaged())?,
            labels: self.labels.into_iter().map(|(label, value)| (label.to_owned(), value.to_owned())).collect(),
            active: columns.active,
            revoked_at: columns.revoked_at.map(time).transpose()?,
            created_at: time(columns.created_at)?,
            created_by: self.created_by.to_owned(),
            expires_at: columns.expires_at.map(time).transpose()?,
            lifetime: self.lifetime.map(seconds).transpose()?,
            rotation: RotationPolicy {
                every: self.rotate_every.map(seconds).transpose()?,
                overlap: self.overlap.map(seconds).transpose()?,
                due_at: columns.due_at.map(time).transpose()?,
                renew: self.renew,
            },
            self_service: self.self_service.map(|words| words.parse()).transpose().map_err(|_: String| damaged())?,
            secrets: self.secrets.into_iter().map(SecretRecord::into_secret).collect::<Result<_>>()?,
            run: self.run.map(RotationRecord::into_rotation).transpose()?,
            version: u64::try_from(columns.version).map_err(|_| damaged())?,
        })
    }
}

impl SecretRecord {
    pub(super) fn of(secret: &Secret) -> Self {
        let (state, at) = match secret.state {
            SecretState::Staged => (0, None),
            SecretState::Current { until } => (1, until),
            SecretState::Retiring { until } => (2, Some(until)),
            SecretState::Dead { since } => (3, Some(since)),
        };
        Self {
            lookup: secret.lookup.to_string(),
            hint: secret.hint.clone(),
            verifier: secret.verifier.0,
            state,
            at: at.map(|at| at.timestamp()),
            created_at: secret.created_at.timestamp(),
            imported: secret.imported.then_some(true),
        }
    }

    pub(super) fn into_secret(self) -> Result<Secret> {
        let at = self.at.map(time).transpose()?;
        let state = match (self.state, at) {
            (0, None) => SecretState::Staged,
            (1, until) => SecretState::Current { until },
            (2, Some(until)) => SecretState::Retiring { until },
            (3, Some(since)) => SecretState::Dead { since },
            _ => return Err(Error::Damaged(None)),
        };
        Ok(Secret {
            lookup: self.lookup.parse().map_err(|_| Error::Damaged(None))?,
            hint: self.hint,
            verifier: Verifier(self.verifier),
            state,
            created_at: time(self.created_at)?,
            imported: self.imported.unwrap_or(false),
        })
    }
}

const PHASES: [Phase; 5] = Phase::ALL;
const DELIVERY_STATES: [DeliveryState; 4] =
    [DeliveryState::Pending, DeliveryState::Intended, DeliveryState::Delivered, DeliveryState::Failed];

/// The place of a value in its list, as it is stored.
fn number<T: PartialEq>(all: &[T], value: &T) -> u8 {
    all.iter().position(|one| one == value).and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

impl RotationRecord {
    fn of(run: &Rotation) -> Self {
        let delivery = |delivery: &Delivery| {
            (delivery.sink.clone(), number(&DELIVERY_STATES, &delivery.state), delivery.at.timestamp())
        };
        Self {
            id: run.id.to_string(),
            phase: number(&PHASES, &run.phase),
            actor: run.actor.clone(),
            started_at: run.started_at.timestamp(),
            finished_at: run.finished_at.map(|at| at.timestamp()),
            lease_until: run.lease.until.timestamp(),
            lease_id: run.lease.id.clone(),
            lease_remote: run.lease.remote.then_some(true),
            overlap: match run.overlap {
                Overlap::Now => None,
                Overlap::For(duration) => Some(duration.num_seconds()),
            },
            renew: run.renew,
            reinstate: run.reinstate.then_some(true),
            parked: run.parked,
            for_due: run.for_due,
            secret: run.secret.to_string(),
            in_doubt: run.in_doubt.as_ref().map(ToString::to_string),
            deliveries: run.deliveries.iter().map(delivery).collect(),
            idempotency_key: run.idempotency_key.clone(),
            old_ends_at: run.old_ends_at.map(|at| at.timestamp()),
        }
    }

    fn into_rotation(self) -> Result<Rotation> {
        let lookup = |text: String| text.parse().map_err(|_| Error::Damaged(None));
        let delivery = |(sink, state, at): (String, u8, i64)| {
            let state = *DELIVERY_STATES.get(usize::from(state)).ok_or(Error::Damaged(None))?;
            Ok(Delivery { sink, state, at: time(at)? })
        };
        Ok(Rotation {
            id: self.id.parse().map_err(|_| Error::Damaged(None))?,
            phase: *PHASES.get(usize::from(self.phase)).ok_or(Error::Damaged(None))?,
            actor: self.actor,
            started_at: time(self.started_at)?,
            finished_at: self.finished_at.map(time).transpose()?,
            lease: Lease {
                id: self.lease_id,
                until: time(self.lease_until)?,
                remote: self.lease_remote.unwrap_or_default(),
            },
            overlap: self.overlap.map(seconds).transpose()?.map_or(Overlap::Now, Overlap::For),
            renew: self.renew,
            reinstate: self.reinstate.unwrap_or_default(),
            parked: self.parked,
            for_due: self.for_due,
            secret: lookup(self.secret)?,
            in_doubt: self.in_doubt.map(lookup).transpose()?,
            deliveries: self.deliveries.into_iter().map(delivery).collect::<Result<_>>()?,
            idempotency_key: self.idempotency_key,
            old_ends_at: self.old_ends_at.map(time).transpose()?,
        })
    }
}

/// The number of an environment in its column.
pub(super) fn environment_number(environment: Environment) -> i64 {
    match environment {
        Environment::Production => 0,
        Environment::Staging => 1,
        Environment::Development => 2,
    }
}

fn environment(number: i64) -> Option<Environment> {
    Environment::ALL.into_iter().find(|environment| environment_number(*environment) == number)
}

pub(super) fn time(timestamp: i64) -> Result<Time> {
    DateTime::from_timestamp(timestamp, 0).ok_or(Error::Damaged(None))
}

pub(super) fn seconds(count: i64) -> Result<TimeDelta> {
    TimeDelta::try_seconds(count).ok_or(Error::Damaged(None))
}

pub(super) fn encode<T: Encode<()>>(record: &T) -> Result<zeroize::Zeroizing<Vec<u8>>> {
    minicbor::to_vec(record).map(zeroize::Zeroizing::new).map_err(|_| Error::Damaged(None))
}

pub(super) fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T> {
    minicbor::decode(bytes).map_err(|_| Error::Damaged(None))
}
