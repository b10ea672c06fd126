//! Workspaces, plans, projects, customers, scopes, operators, trusts and webhooks: sealed rows of one table.

use super::{
    error::{Error, Result},
    former::FormerRecord,
    head::Table,
    operators::OperatorRecord,
    profiles::ProfileRecord,
    records::{decode, encode},
    rows,
    sum::{self, Sum},
    trusts::TrustRecord,
    tx::Tx,
    view::View,
    webhooks::WebhookRecord,
};
use crate::{
    domain::{Catalogue, Customer, KeyPolicy, Plan, Project, RateLimit, ReviewPolicy, Scope, ScopeEntry, Workspace},
    vault::{Capabilities, seal_framed},
};
use chrono::TimeDelta;
use minicbor::{Decode, Encode};
use rusqlite::{OptionalExtension, Row};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    ImportForm = 12,
    Workspace = 1,
    Plan = 2,
    Project = 3,
    Customer = 4,
    Scope = 5,
    CatalogueClosed = 6,
    Retention = 7,
    Operator = 8,
    Profile = 9,
    Webhook = 10,
    FormerKeys = 13,
    EndedSession = 14,
    Trust = 15,
}

/// One record serves all kinds: which fields mean something depends on the kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct ObjectRecord {
    #[n(0)]
    pub(super) parent: String,
    #[n(1)]
    pub(super) name: String,
    #[n(2)]
    pub(super) description: Option<String>,
    /// The plan of a workspace.
    #[n(3)]
    pub(super) refers_to: Option<String>,
    #[n(4)]
    pub(super) plan: Option<PlanRecord>,
    #[n(5)]
    pub(super) implies: Vec<String>,
    /// For how long facts of use are kept.
    #[n(8)]
    pub(super) retention: Option<(i64, i64, u32, u32)>,
    #[n(7)]
    pub(super) operator: Option<OperatorRecord>,
    #[n(9)]
    pub(super) profile: Option<ProfileRecord>,
    #[n(6)]
    pub(super) policy: Option<PolicyRecord>,
    #[n(10)]
    pub(super) webhook: Option<WebhookRecord>,
    #[n(11)]
    pub(super) former: Option<FormerRecord>,
    /// When a session that was ended would have ended by itself.
    #[n(12)]
    pub(super) until: Option<i64>,
    #[n(13)]
    pub(super) trust: Option<TrustRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct PolicyRecord {
    #[n(0)]
    rotate_every: Option<i64>,
    #[n(1)]
    overlap: Option<i64>,
    #[n(2)]
    max_lifetime: Option<i64>,
    #[n(3)]
    scopes: Option<Vec<String>>,
    #[n(4)]
    renew_on_rotation: Option<bool>,
    #[n(5)]
    required: Option<Vec<String>>,
    #[n(6)]
    review_every: Option<i64>,
    #[n(7)]
    reviewers: Option<Vec<String>>,
    /// What holders may do, in words.
    #[n(8)]
    self_service: Option<String>,
}

impl ObjectRecord {
    pub(super) fn kept(retention: (i64, i64, u32, u32)) -> Self {
        Self { retention: Some(retention), ..Self::default() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct PlanRecord {
    #[n(0)]
    api_access: bool,
    #[n(1)]
    max_keys: Option<u32>,
    #[n(2)]
    max_rate_limit: Option<(u32, u32)>,
    #[n(3)]
    audit_view: bool,
    #[n(4)]
    audit_export: bool,
    #[n(5)]
    builtin: bool,
}

pub(super) struct StoredObject {
    pub(super) kind: i64,
    pub(super) name_index: Vec<u8>,
    parent_index: Vec<u8>,
    version: i64,
    generation: i64,
    sealed: Vec<u8>,
    tag: Vec<u8>,
}

const COLUMNS: &str = "kind, name_index, parent_index, version, generation, sealed, tag";

impl StoredObject {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            kind: row.get(0)?,
            name_index: row.get(1)?,
            parent_index: row.get(2)?,
            version: row.get(3)?,
            generation: row.get(4)?,
            sealed: row.get(5)?,
            tag: row.get(6)?,
        })
    }

    fn bound(&self, caps: &Capabilities) -> Vec<u8> {
        seal_framed(&[
            caps.vault_id.as_bytes(),
            Table::Objects.name().as_bytes(),
            &self.kind.to_le_bytes(),
            &self.name_index,
            &self.parent_index,
            &self.version.to_le_bytes(),
            &self.generation.to_le_bytes(),
        ])
    }

    pub(super) fn open(&self, caps: &Capabilities) -> Result<(ObjectRecord, Option<[u8; 32]>)> {
        let bound = self.bound(caps);
        let tag = self.checked_tag(caps, &bound)?;
        Ok((decode(&caps.open_record(&bound, &self.sealed).map_err(|_| self.tampered())?)?, tag))
    }

    /// The row's tag, if this slot can make it, and if it is the stored one.
    fn checked_tag(&self, caps: &Capabilities, bound: &[u8]) -> Result<Option<[u8; 32]>> {
        let tag = rows::tag(caps, Table::Objects, bound, &self.sealed);
        if tag.is_some_and(|tag| tag.as_slice() != self.tag) { Err(self.tampered()) } else { Ok(tag) }
    }

    fn tampered(&self) -> Error {
        let id = self.name_index.iter().map(|byte| format!("{byte:02x}")).collect();
        Error::RowTampered { table: "objects", id }
    }
}

fn name_index(caps: &Capabilities, kind: i64, parent: &str, name: &str) -> Vec<u8> {
    caps.blind_index("object", &format!("{kind}\0{parent}\0{name}")).to_vec()
}

fn parent_index(caps: &Capabilities, parent: &str) -> Vec<u8> {
    caps.blind_index("object-parent", parent).to_vec()
}

impl View<'_> {
    /// The workspace of a name.
    ///
    /// # Errors
    /// `RowTampered` when the row was changed.
    pub fn workspace(&self, name: &str) -> Result<Option<Workspace>> {
        self.object(Kind::Workspace, "", name)?.map(workspace).transpose()
    }

    /// All workspaces.
    ///
    /// # Errors
    /// See [`View::workspace`].
    pub fn workspaces(&self) -> Result<Vec<Workspace>> {
        self.objects(Kind::Workspace, "")?.into_iter().map(workspace).collect()
    }

    /// The plan of a name.
    ///
    /// # Errors
    /// See [`View::workspace`].
    pub fn plan(&self, name: &str) -> Result<Option<Plan>> {
        self.object(Kind::Plan, "", name)?.map(plan).transpose()
    }

    /// All plans.
    ///
    /// # Errors
    /// See [`View::workspace`].
    pub fn plans(&self) -> Result<Vec<Plan>> {
        self.objects(Kind::Plan, "")?.into_iter().map(plan).collect()
    }

    /// The projects of a workspace.
    ///
    /// # Errors
    /// See [`View::workspace`].
    pub fn projects(&self, workspace: &str) -> Result<Vec<Project>> {
        let all = self.objects(Kind::Project, workspace)?.into_iter();
        Ok(all.map(|r| Project { workspace: r.parent, name: r.name, description: r.description }).collect())
    }

    /// The customers of a workspace.
    ///
    /// # Errors
    /// See [`View::workspace`].
    pub fn customers(&self, workspace: &str) -> Result<Vec<Customer>> {
        let all = self.objects(Kind::Customer, workspace)?.into_iter();
        Ok(all.map(|r| Customer { workspace: r.parent, name: r.name, description: r.description }).collect())
    }

    /// The declared scopes of a workspace.
    ///
    /// # Errors
    /// See [`View::workspace`].
    pub fn catalogue(&self, workspace: &str) -> Result<Catalogue> {
        let mut catalogue =
            Catalogue { closed: self.object(Kind::CatalogueClosed, workspace, "")?.is_some(), ..Catalogue::default() };
        for record in self.objects(Kind::Scope, workspace)? {
            let damaged = |_| Error::Damaged(None);
            let implies = record.implies.iter().map(|scope| scope.parse().map_err(damaged)).collect::<Result<_>>()?;
            let entry = ScopeEntry { description: record.description, implies };
            catalogue.entries.insert(record.name.parse().map_err(damaged)?, entry);
        }
        Ok(catalogue)
    }

    /// Every row, for whole checks and re-keying.
    pub(super) fn stored_objects(&self) -> Result<Vec<StoredObject>> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM objects"))?;
        Ok(statement.query_map([], StoredObject::read)?.collect::<rusqlite::Result<_>>()?)
    }

    /// Opens every row and checks them as a set against the head.
    pub(super) fn check_objects(&self) -> Result<()> {
        for row in self.stored_objects()? {
            row.open(self.caps)?;
        }
        self.check_object_tags()
    }

    /// Checks the rows as a set against the head, without opening them.
    pub(super) fn check_object_tags(&self) -> Result<()> {
        let stored = self.stored_objects()?;
        let mut sum = Sum::default();
        for row in &stored {
            let tag = row.checked_tag(self.caps, &row.bound(self.caps))?;
            if let Some(element) = tag.and_then(|tag| sum::of_row(self.caps, Table::Objects, &row.name_index, &tag)) {
                sum.add(element);
            }
        }
        self.check_set(Table::Objects, stored.len(), sum)
    }

    pub(super) fn object(&self, kind: Kind, parent: &str, name: &str) -> Result<Option<ObjectRecord>> {
        self.check_small_tables()?;
        let index = name_index(self.caps, kind as i64, parent, name);
        let sql = format!("SELECT {COLUMNS} FROM objects WHERE kind = ?1 AND name_index = ?2");
        let stored =
            self.connection.prepare_cached(&sql)?.query_row((kind as i64, index), StoredObject::read).optional()?;
        stored.map(|stored| stored.open(self.caps).map(|(record, _)| record)).transpose()
    }

    pub(super) fn objects(&self, kind: Kind, parent: &str) -> Result<Vec<ObjectRecord>> {
        self.check_small_tables()?;
        let sql = format!("SELECT {COLUMNS} FROM objects WHERE kind = ?1 AND parent_index = ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map((kind as i64, parent_index(self.caps, parent)), StoredObject::read)?;
        rows.map(|row| row?.open(self.caps).map(|(record, _)| record)).collect()
    }
}

impl Tx<'_> {
    /// Inserts or replaces a workspace.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn put_workspace(&mut self, workspace: &Workspace) -> Result<()> {
        let record = ObjectRecord {
            name: workspace.name.clone(),
            description: workspace.description.clone(),
            refers_to: Some(workspace.plan.clone()),
            policy: policy_record(workspace),
            ..ObjectRecord::default()
        };
        self.put_object(Kind::Workspace as i64, &record)
    }

    /// Inserts or replaces a plan.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn put_plan(&mut self, plan: &Plan) -> Result<()> {
        let record = PlanRecord {
            api_access: plan.api_access,
            max_keys: plan.max_keys,
            max_rate_limit: plan.max_rate_limit.map(|rate| (rate.limit, rate.window_seconds)),
            audit_view: plan.audit_view,
            audit_export: plan.audit_export,
            builtin: plan.builtin,
        };
        let record = ObjectRecord { name: plan.name.clone(), plan: Some(record), ..ObjectRecord::default() };
        self.put_object(Kind::Plan as i64, &record)
    }

    /// Inserts or replaces a project.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn put_project(&mut self, project: &Project) -> Result<()> {
        self.put_member(Kind::Project, &project.workspace, &project.name, project.description.clone())
    }

    /// Inserts or replaces a customer.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn put_customer(&mut self, customer: &Customer) -> Result<()> {
        self.put_member(Kind::Customer, &customer.workspace, &customer.name, customer.description.clone())
    }

    /// Inserts or replaces a scope.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn put_scope(&mut self, workspace: &str, scope: &Scope, entry: &ScopeEntry) -> Result<()> {
        let record = ObjectRecord {
            parent: workspace.to_owned(),
            name: scope.to_string(),
            description: entry.description.clone(),
            implies: entry.implies.iter().map(ToString::to_string).collect(),
            ..ObjectRecord::default()
        };
        self.put_object(Kind::Scope as i64, &record)
    }

    /// Closes or opens the catalogue of a workspace.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn set_catalogue_closed(&mut self, workspace: &str, closed: bool) -> Result<()> {
        if closed {
            let record = ObjectRecord { parent: workspace.to_owned(), ..ObjectRecord::default() };
            return self.put_object(Kind::CatalogueClosed as i64, &record);
        }
        self.delete_object(Kind::CatalogueClosed, workspace, "")
    }

    /// Removes a workspace and every row that belongs to it, such as its catalogue of scopes: a later one of the same name
    /// begins with nothing.
    ///
    /// # Errors
    /// Those of SQLite; `RowTampered` when a row was changed.
    pub fn delete_workspace(&mut self, name: &str) -> Result<()> {
        let sql = format!("SELECT {COLUMNS} FROM objects WHERE parent_index = ?1");
        let members = self
            .connection
            .prepare_cached(&sql)?
            .query_map((parent_index(self.caps, name),), StoredObject::read)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        for member in members {
            self.forget_object(member.kind, &member.name_index)?;
        }
        self.delete_object(Kind::Workspace, "", name)
    }

    /// Removes a plan.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn delete_plan(&mut self, name: &str) -> Result<()> {
        self.delete_object(Kind::Plan, "", name)
    }

    /// Removes a project.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn delete_project(&mut self, workspace: &str, name: &str) -> Result<()> {
        self.delete_object(Kind::Project, workspace, name)
    }

    /// Removes a customer.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn delete_customer(&mut self, workspace: &str, name: &str) -> Result<()> {
        self.delete_object(Kind::Customer, workspace, name)
    }

    /// Removes a scope.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn delete_scope(&mut self, workspace: &str, scope: &Scope) -> Result<()> {
        self.delete_object(Kind::Scope, workspace, &scope.to_string())
    }

    pub(super) fn put_object(&mut self, kind: i64, record: &ObjectRecord) -> Result<()> {
        let name_index = name_index(self.caps, kind, &record.parent, &record.name);
        let version = self.forget_object(kind, &name_index)?.unwrap_or(0) + 1;
        let mut stored = StoredObject {
            kind,
            parent_index: parent_index(self.caps, &record.parent),
            name_index,
            version,
            generation: i64::from(self.caps.generation),
            sealed: Vec::new(),
            tag: Vec::new(),
        };
        let row = rows::seal(self.caps, Table::Objects, &stored.bound(self.caps), &encode(record)?)?;
        stored.sealed = row.sealed;
        self.connection
            .prepare_cached(&format!("INSERT INTO objects ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"))?
            .execute((
                stored.kind,
                &stored.name_index,
                stored.parent_index,
                stored.version,
                stored.generation,
                stored.sealed,
                row.tag.as_slice(),
            ))?;
        self.row_added(Table::Objects, &stored.name_index, &row.tag)
    }

    fn put_member(&mut self, kind: Kind, parent: &str, name: &str, description: Option<String>) -> Result<()> {
        let (parent, name) = (parent.to_owned(), name.to_owned());
        self.put_object(kind as i64, &ObjectRecord { parent, name, description, ..ObjectRecord::default() })
    }

    pub(super) fn delete_object(&mut self, kind: Kind, parent: &str, name: &str) -> Result<()> {
        let index = name_index(self.caps, kind as i64, parent, name);
        self.forget_object(kind as i64, &index).map(drop)
    }

    fn forget_object(&mut self, kind: i64, name_index: &[u8]) -> Result<Option<i64>> {
        let sql = format!("DELETE FROM objects WHERE kind = ?1 AND name_index = ?2 RETURNING {COLUMNS}");
        let old = self.connection.prepare_cached(&sql)?.query_row((kind, name_index), StoredObject::read).optional()?;
        let Some(old) = old else { return Ok(None) };
        let tag = old.checked_tag(self.caps, &old.bound(self.caps))?.ok_or(Error::SupportSlot)?;
        self.row_removed(Table::Objects, name_index, &tag)?;
        Ok(Some(old.version))
    }
}

fn workspace(record: ObjectRecord) -> Result<Workspace> {
    let (policy, review) = record.policy.map(policies).transpose()?.unwrap_or_default();
    let plan = record.refers_to.unwrap_or_default();
    Ok(Workspace { name: record.name, description: record.description, plan, policy, review })
}

fn policy_record(Workspace { policy, review, .. }: &Workspace) -> Option<PolicyRecord> {
    let seconds = |period: Option<TimeDelta>| period.map(|period| period.num_seconds());
    let some = |words: Vec<String>| Some(words).filter(|words| !words.is_empty());
    (*policy != KeyPolicy::default() || *review != ReviewPolicy::default()).then(|| PolicyRecord {
        rotate_every: seconds(policy.rotate_every),
        overlap: seconds(policy.overlap),
        max_lifetime: seconds(policy.max_lifetime),
        renew_on_rotation: policy.renew_on_rotation,
        scopes: some(policy.scopes.iter().map(ToString::to_string).collect()),
        required: some(policy.required.iter().map(|demand| demand.as_str().to_owned()).collect()),
        review_every: seconds(review.every),
        reviewers: some(review.reviewers.clone()),
        self_service: policy.self_service.as_ref().map(ToString::to_string),
    })
}

fn policies(record: PolicyRecord) -> Result<(KeyPolicy, ReviewPolicy)> {
    let period = |seconds: Option<i64>| seconds.map(super::records::seconds).transpose();
    let policy = KeyPolicy {
        rotate_every: period(record.rotate_every)?,
        overlap: period(record.overlap)?,
        max_lifetime: period(record.max_lifetime)?,
        renew_on_rotation: record.renew_on_rotation,
        scopes: parsed(record.scopes)?,
        required: parsed(record.required)?,
        self_service: record
            .self_service
            .map(|words| words.parse())
            .transpose()
            .map_err(|_: String| Error::Damaged(None))?,
    };
    let reviewers = record.reviewers.unwrap_or_default();
    Ok((policy, ReviewPolicy { every: period(record.review_every)?, reviewers }))
}

fn parsed<T: std::str::FromStr>(words: Option<Vec<String>>) -> Result<Vec<T>> {
    let parse = |word: String| word.parse().map_err(|_| Error::Damaged(None));
    words.unwrap_or_default().into_iter().map(parse).collect()
}

fn plan(record: ObjectRecord) -> Result<Plan> {
    let plan = record.plan.ok_or(Error::Damaged(None))?;
    Ok(Plan {
        name: record.name,
        api_access: plan.api_access,
        max_keys: plan.max_keys,
        max_rate_limit: plan.max_rate_limit.map(|(limit, window_seconds)| RateLimit { limit, window_seconds }),
        audit_view: plan.audit_view,
        audit_export: plan.audit_export,
        builtin: plan.builtin,
    })
}
