//! Pure values and rules: no I/O, no clock, no source of randomness, no SQL.

pub mod allowlist;
pub mod around;
pub mod checkpoint;
pub mod code;
pub mod decision;
pub mod environment;
pub mod event;
pub mod field_name;
pub mod filter;
pub mod hygiene;
pub mod ids;
pub mod imported;
pub mod key;
pub mod merkle;
pub mod operator;
mod overlap;
pub mod presented;
pub mod profile;
pub mod rate_limit;
pub mod role;
pub mod rotation;
pub mod scan;
pub mod scope;
pub mod search;
pub mod self_service;
pub mod serde_text;
pub mod suggest;
pub mod tenancy;
pub mod text;
pub mod time;
pub mod token;
pub mod unique_json;
pub mod usage;
pub mod webhook;
pub mod words;

pub use allowlist::Allowlist;
pub use around::why_malformed;
pub use code::{Code, Door};
pub use decision::{Check, Facts, Named, NotAsked, Presented, Request, Verdict, decide, decide_code};
pub use environment::Environment;
pub use event::{Action, Event, Outcome, Recorded};
pub use field_name::field_path;
pub use filter::{KeyFilter, Sort, SortField};
pub use ids::{KeyId, KeyRef, ObjectName, RefError};
pub use imported::{Digest, Form, Imported};
pub use key::{DEFAULT_OVERLAP, Illegal, Key, Overlap, RotationPolicy, Secret, SecretState, Status};
pub use operator::{OPERATOR_BRAND, Operator};
pub use overlap::{Wait, Waited};
pub use presented::{HeaderError, key_from_headers};
pub use profile::{LOCAL_PROFILE, Login, Profile};
pub use rate_limit::{RateLimit, SaidLimit, Spent};
pub use role::{Permission, Role, SlotRole};
pub use rotation::{Begin, Committed, Delivery, DeliveryState, Lease, Phase, Rotation, RotationId};
pub use scope::{Catalogue, Scope, ScopeEntry};
pub use search::Search;
pub use self_service::{SelfDeed, SelfService};
pub use suggest::closest;
pub use tenancy::{Customer, Demand, Feature, KeyPolicy, Plan, PlanRefusal, Project, ReviewPolicy, Workspace};
pub use time::{Expiry, Time};
pub use token::{Brand, Lookup, PlainToken, TokenError, Verifier, scan_rule};
pub use usage::{
    AddressUse, LoggedRequest, LoggedVerdict, OperatorRequest, RequestFacts, Retention, SecretUse, Usage, UsageCount,
    UsageRecord,
};
pub use webhook::{Message, Notice, Webhook};
pub use words::counted;
