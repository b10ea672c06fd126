//! Pure values and rules: no I/O, no clock, no source of randomness, no SQL.

pub mod allowlist;
pub mod decision;
pub mod environment;
pub mod event;
pub mod filter;
pub mod ids;
pub mod key;
pub mod operator;
pub mod presented;
pub mod rate_limit;
pub mod role;
pub mod rotation;
pub mod scope;
pub mod suggest;
pub mod tenancy;
pub mod time;
pub mod token;
pub mod usage;

pub use allowlist::Allowlist;
pub use decision::{Check, Code, Facts, Presented, Request, Verdict, decide, decide_code};
pub use environment::Environment;
pub use event::{Action, Event, Outcome, Recorded};
pub use filter::{KeyFilter, Sort, SortField};
pub use ids::{KeyId, KeyRef, ObjectName, RefError};
pub use key::{DEFAULT_OVERLAP, Illegal, Key, Overlap, RotationPolicy, Secret, SecretState, Status};
pub use operator::{OPERATOR_BRAND, Operator};
pub use presented::{HeaderError, key_from_headers};
pub use rate_limit::RateLimit;
pub use role::{Permission, Role, SlotRole};
pub use rotation::{Begin, Committed, Delivery, DeliveryState, Lease, Phase, Rotation, RotationId};
pub use scope::{Catalogue, Scope, ScopeEntry};
pub use suggest::closest;
pub use tenancy::{Customer, Feature, KeyPolicy, Plan, PlanRefusal, Project, Workspace};
pub use time::{Expiry, Time};
pub use token::{Brand, Lookup, PlainToken, TokenError, Verifier, scan_rule};
pub use usage::{AddressUse, LoggedVerdict, Retention, SecretUse, Usage, UsageCount, UsageRecord};
