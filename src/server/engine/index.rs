//! The index: the public id of every version of a secret, with its verifier and its key beside it.
//!
//! Keys with the same rules share them: a million keys are mostly the same few shapes.

use super::{
    told::Told,
    trusted::Trusted,
    window::{Standing, Window},
};
use crate::{
    domain::{
        Allowlist, Environment, Facts, Form, Key, KeyId, Named, NotAsked, Operator, Presented, RateLimit, Request,
        Scope, SecretState, Spent, Time, Trust, Verifier,
    },
    ops::facts::{Rest, WorkspaceFacts},
};
use arc_swap::{ArcSwap, Guard};
use axum::http::HeaderName;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// The public id of a version of a secret.
pub(super) type LookupBytes = [u8; 16];

/// One version of a key's secret.
pub(in crate::server) struct Entry {
    pub(super) verifier: Verifier,
    pub(super) state: SecretState,
    pub(super) key: Arc<KeyRecord>,
}

/// One version of an operator's credential.
struct Credential {
    verifier: Verifier,
    state: SecretState,
    operator: Arc<Operator>,
}

/// A key, as far as a verdict depends on it.
pub(in crate::server) struct KeyRecord {
    pub(in crate::server) id: KeyId,
    pub(in crate::server) name: Box<str>,
    active: bool,
    pub(in crate::server) expires_at: Option<Time>,
    revoked_at: Option<Time>,
    pub(in crate::server) rules: Arc<Rules>,
    /// What the key has used of its limit; made at the first use, and handed on when the key changes.
    window: OnceLock<Arc<Mutex<Window>>>,
}

/// What keys have in common.
pub(in crate::server) struct Rules {
    pub(in crate::server) shape: Shape,
    /// What an upstream is told of whoever calls.
    pub(in crate::server) identity: Vec<(HeaderName, Box<[u8]>)>,
    pub(super) workspace: Arc<WorkspaceCell>,
}

/// The part of the rules that makes them equal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::server) struct Shape {
    pub(in crate::server) workspace: String,
    pub(in crate::server) environment: Environment,
    pub(in crate::server) project: Option<String>,
    pub(in crate::server) customers: Vec<String>,
    pub(in crate::server) scopes: Vec<Scope>,
    allow_ips: Allowlist,
    pub(in crate::server) rate_limit: Option<RateLimit>,
}

impl Shape {
    /// Headers for upstreams. As bytes: a value that is shared would be counted by every core for every request, which costs
    /// more than a copy.
    fn identity(&self) -> Vec<(HeaderName, Box<[u8]>)> {
        let mut told = Told::default();
        told.text("x-keyward-workspace", &self.workspace);
        told.text("x-keyward-environment", self.environment.as_str());
        told.list("x-keyward-scopes", self.scopes.iter().map(ToString::to_string));
        if let Some(project) = &self.project {
            told.text("x-keyward-project", project);
        }
        if !self.customers.is_empty() {
            told.list("x-keyward-customers", self.customers.iter().cloned());
        }
        told.finish()
    }
}

/// A workspace, replaced as a whole when it changes.
pub(in crate::server) struct WorkspaceCell(ArcSwap<WorkspaceFacts>);

impl WorkspaceCell {
    pub(in crate::server) fn load(&self) -> Guard<Arc<WorkspaceFacts>> {
        self.0.load()
    }
}

/// All of it. Read by everybody; changed by the refresher alone.
#[derive(Default)]
pub(in crate::server) struct Index {
    secrets: papaya::HashMap<LookupBytes, Entry>,
    operators: ArcSwap<HashMap<LookupBytes, Credential>>,
    /// Whom tokens of other issuers let in.
    trusts: ArcSwap<Vec<Trusted>>,
    /// How imported digests came about; empty where nothing was imported.
    forms: ArcSwap<Vec<Form>>,
    shared: Mutex<Shared>,
}

/// What only the refresher uses.
#[derive(Default)]
struct Shared {
    rules: HashMap<Shape, Arc<Rules>>,
    workspaces: HashMap<String, Arc<WorkspaceCell>>,
}

impl KeyRecord {
    pub(super) fn facts(&self) -> Facts<'_> {
        let shape = &self.rules.shape;
        Facts {
            id: &self.id,
            active: self.active,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            environment: shape.environment,
            project: shape.project.as_deref(),
            customers: &shape.customers,
            scopes: &shape.scopes,
            allow_ips: &shape.allow_ips,
            rate_limit: shape.rate_limit,
        }
    }

    /// It and a version of its secret, as they are judged.
    pub(super) fn presented<'a>(
        &'a self,
        workspace: &'a WorkspaceFacts,
        lookup: &'a str,
        state: SecretState,
    ) -> Presented<'a> {
        let known = Named { projects: &workspace.projects, customers: &workspace.customers };
        Presented::Known { key: self.facts(), lookup, state, plan: &workspace.plan, known }
    }

    /// What it is bound to and a request did not ask.
    pub(in crate::server) fn not_asked(&self, request: &Request) -> NotAsked {
        NotAsked::of(&self.facts(), request)
    }

    /// The project that a request means.
    pub(in crate::server) fn project_meant<'a>(
        &'a self,
        request: &'a Request,
        workspace: &'a WorkspaceFacts,
    ) -> Option<&'a str> {
        self.facts().project_meant(request, &workspace.projects)
    }

    /// The workspace as it is now.
    pub(in crate::server) fn workspace(&self) -> Guard<Arc<WorkspaceFacts>> {
        self.rules.workspace.load()
    }

    pub(super) fn is_within(&self, workspace: Option<&str>) -> bool {
        workspace.is_none_or(|own| own == self.rules.shape.workspace)
    }

    /// Takes from the key's limit; `None` for a key without one.
    pub(super) fn take(&self, cost: u32, now_ms: i64) -> Option<Standing> {
        let limit = self.rules.shape.rate_limit?;
        let mut window = self.window().lock().unwrap_or_else(PoisonError::into_inner);
        Some(window.take(limit, cost, now_ms))
    }

    fn window(&self) -> &Arc<Mutex<Window>> {
        self.window.get_or_init(Arc::default)
    }

    /// What the key has spent of its limit; `None` for one without a limit, or that spent nothing.
    pub(super) fn spent(&self, ahead_ms: i64) -> Option<Spent> {
        let limit = self.rules.shape.rate_limit?;
        let window = self.window.get()?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(window.spent(self.id.clone(), limit, ahead_ms))
    }
}

impl Index {
    /// Calls with what stands under a public id.
    pub(super) fn get<T>(&self, lookup: &LookupBytes, with: impl FnOnce(Option<&Entry>) -> T) -> T {
        with(self.secrets.pin().get(lookup))
    }

    /// The operator of a credential, which has been compared in constant time, and whether it works.
    pub(super) fn operator(
        &self,
        lookup: &LookupBytes,
        presented: &Verifier,
        now: Time,
    ) -> Option<(Arc<Operator>, bool)> {
        let operators = self.operators.load();
        let credential = operators.get(lookup);
        let matches = credential.map_or(&Verifier([0xff; 32]), |credential| &credential.verifier).matches(presented);
        let Credential { state, operator, .. } = credential.filter(|_| matches)?;
        Some((Arc::clone(operator), state.works_at(now) && operator.active_at(now)))
    }

    /// Takes over what there is little of.
    pub(super) fn put_rest(&self, rest: Rest) {
        self.put_workspaces(rest.workspaces);
        self.put_operators(rest.operators);
        self.put_trusts(rest.trusts);
        self.put_forms(rest.forms);
    }

    fn put_operators(&self, operators: Vec<Operator>) {
        let mut credentials = HashMap::new();
        for operator in operators.into_iter().map(Arc::new) {
            for secret in &operator.secrets {
                let lookup = *secret.lookup.as_bytes();
                let credential =
                    Credential { verifier: secret.verifier, state: secret.state, operator: Arc::clone(&operator) };
                credentials.insert(lookup, credential);
            }
        }
        self.operators.store(Arc::new(credentials));
    }

    fn put_trusts(&self, trusts: Vec<Trust>) {
        if !self.trusts.load().iter().map(|held| &held.trust).eq(&trusts) {
            self.trusts.store(Arc::new(trusts.into_iter().map(Trusted::from).collect()));
        }
    }

    /// Whom tokens of other issuers let in; another list once it has changed.
    pub(super) fn trusts(&self) -> Arc<Vec<Trusted>> {
        self.trusts.load_full()
    }

    pub(super) fn len(&self) -> usize {
        self.secrets.len()
    }

    fn put_forms(&self, forms: Vec<Form>) {
        if **self.forms.load() != forms {
            self.forms.store(Arc::new(forms));
        }
    }

    /// How imported digests came about.
    pub(super) fn forms(&self) -> Guard<Arc<Vec<Form>>> {
        self.forms.load()
    }

    fn put_workspaces(&self, workspaces: Vec<WorkspaceFacts>) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        for facts in workspaces {
            match shared.workspaces.get(&facts.name) {
                Some(cell) if **cell.load() == facts => {}
                Some(cell) => cell.0.store(Arc::new(facts)),
                None => {
                    let name = facts.name.clone();
                    shared.workspaces.insert(name, Arc::new(WorkspaceCell(ArcSwap::from_pointee(facts))));
                }
            }
        }
    }

    /// Inserts a key or replaces it, with all versions of its secret. A key of a workspace that is unknown works
    /// nowhere, and is left out.
    pub(super) fn put_key(&self, mut key: Key) {
        let versions = std::mem::take(&mut key.secrets);
        let Some(record) = self.record(key).map(Arc::new) else { return };
        let secrets = self.secrets.pin();
        for secret in versions {
            let lookup = *secret.lookup.as_bytes();
            if let Some(before) = secrets.get(&lookup) {
                // The old record may be in use at this moment: both must count in the same window.
                let _ = record.window.set(Arc::clone(before.key.window()));
            }
            let entry = Entry { verifier: secret.verifier, state: secret.state, key: Arc::clone(&record) };
            secrets.insert(lookup, entry);
        }
    }

    /// Takes up what keys had spent before a restart.
    pub(super) fn restore(&self, spent: Vec<Spent>, now: Time) {
        let spent: HashMap<KeyId, Spent> = spent.into_iter().map(|one| (one.key.clone(), one)).collect();
        if spent.is_empty() {
            return;
        }
        for (_, entry) in &self.secrets.pin() {
            let (key, limit) = (&entry.key, entry.key.rules.shape.rate_limit);
            let found = spent.get(&key.id).zip(limit);
            if let Some(window) =
                found.and_then(|(spent, limit)| Window::restored(spent, limit, now.timestamp_millis()))
            {
                // The other version of the secret may have brought it already.
                let _ = key.window.set(Arc::new(Mutex::new(window)));
            }
        }
    }

    /// Removes keys.
    pub(super) fn remove_keys(&self, ids: &HashSet<KeyId>) {
        if !ids.is_empty() {
            self.secrets.pin().retain(|_, entry| !ids.contains(&entry.key.id));
        }
    }

    /// Removes every secret that is not among these: after everything was read again.
    pub(super) fn keep_only(&self, lookups: &HashSet<LookupBytes>) {
        self.secrets.pin().retain(|lookup, _| lookups.contains(lookup));
    }

    /// Makes room for so many keys at once, rather than growing again and again.
    pub(super) fn reserve(&self, keys: usize) {
        self.secrets.pin().reserve(keys.saturating_sub(self.secrets.len()));
    }

    fn record(&self, key: Key) -> Option<KeyRecord> {
        let shape = Shape {
            workspace: key.workspace,
            environment: key.environment,
            project: key.project,
            customers: key.customers,
            scopes: key.scopes,
            allow_ips: key.allow_ips,
            rate_limit: key.rate_limit,
        };
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let rules = match shared.rules.get(&shape) {
            Some(rules) => Arc::clone(rules),
            None => {
                let workspace = Arc::clone(shared.workspaces.get(&shape.workspace)?);
                let rules = Arc::new(Rules { identity: shape.identity(), shape: shape.clone(), workspace });
                shared.rules.insert(shape, Arc::clone(&rules));
                rules
            }
        };
        Some(KeyRecord {
            id: key.id,
            name: key.name.into_boxed_str(),
            active: key.active,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            rules,
            window: OnceLock::new(),
        })
    }

    /// Forgets rules that no key has any more.
    pub(super) fn sweep(&self) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.rules.retain(|_, rules| Arc::strong_count(rules) > 1);
    }
}
