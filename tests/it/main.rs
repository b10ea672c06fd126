//! The one integration binary: the rules of the house, and the real program in a hermetic home.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, helpers included, and says what it skips"
)]

mod accidents;
#[cfg(feature = "server")]
mod api;
#[cfg(feature = "server")]
mod api_page;
mod arguments;
mod asked;
mod audit;
mod audit_formats;
mod audit_story;
#[cfg(feature = "server")]
mod both_sides;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod bulk_kills;
#[cfg(feature = "server")]
mod bulk_slices;
#[cfg(feature = "server")]
mod canary;
#[cfg(feature = "server")]
mod carrying;
mod check;
#[cfg(feature = "server")]
mod clients;
mod completions;
mod contract;
mod crash;
mod declared;
mod deliveries;
#[cfg(feature = "server")]
mod demands;
mod doctor;
#[cfg(feature = "server")]
mod doors;
#[cfg(feature = "server")]
mod dry_runs;
mod due_runs;
mod earlier_formats;
mod examples;
#[cfg(feature = "server")]
mod existed;
mod first_minutes;
mod first_use;
mod foreign_files;
#[cfg(all(feature = "server", feature = "ui"))]
mod free_text;
#[cfg(feature = "server")]
mod gateway;
#[cfg(feature = "server")]
mod gateway_identity;
#[cfg(feature = "server")]
mod gateway_shapes;
#[cfg(feature = "server")]
mod gateways;
mod guides;
#[cfg(feature = "server")]
mod handed_on;
mod heeded;
mod hidden_rows;
#[cfg(feature = "server")]
mod hints;
#[cfg(feature = "server")]
mod holder;
#[cfg(feature = "server")]
mod holder_kills;
#[cfg(feature = "server")]
mod holder_rotation;
mod house;
mod identify;
#[cfg(feature = "server")]
mod idle_ends;
mod import;
mod journal;
mod keystore_file;
mod lifecycle;
mod listing;
#[cfg(feature = "server")]
mod many_keys;
mod metrics;
#[cfg(feature = "server")]
mod mission;
mod model;
#[cfg(feature = "server")]
mod narrowing;
mod new_keys;
#[cfg(feature = "server")]
mod not_asked;
#[cfg(feature = "server")]
mod oidc;
#[cfg(feature = "server")]
mod oidc_jobs;
#[cfg(feature = "server")]
mod openapi;
#[cfg(feature = "server")]
mod operators;
mod output;
#[cfg(feature = "server")]
mod owed_hooks;
#[cfg(feature = "server")]
mod own_keys;
mod packaging;
#[cfg(feature = "server")]
mod pipelines;
mod places;
mod quiet;
mod refusals;
#[cfg(feature = "server")]
mod refused_together;
mod released;
#[cfg(feature = "server")]
mod remote;
#[cfg(feature = "server")]
mod remote_patience;
#[cfg(feature = "server")]
mod remote_trust;
mod report;
#[cfg(feature = "server")]
mod request_log;
mod retries;
#[cfg(feature = "server")]
mod reviewers;
#[cfg(feature = "server")]
mod roles;
mod rotate_room;
mod rotation;
mod rotation_kills;
#[cfg(feature = "server")]
mod rotation_promises;
#[cfg(feature = "server")]
mod rotation_roles;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod rotation_steps;
mod scan;
#[cfg(feature = "server")]
mod scopeless;
mod scopes;
#[cfg(feature = "server")]
mod search;
mod secrets;
#[cfg(feature = "server")]
mod serve;
#[cfg(feature = "server")]
mod serve_bounds;
#[cfg(feature = "server")]
mod serve_doors;
#[cfg(feature = "server")]
mod serve_guessing;
#[cfg(feature = "server")]
mod serve_hostile;
#[cfg(feature = "server")]
mod serve_kills;
#[cfg(feature = "server")]
mod serve_load;
#[cfg(feature = "server")]
mod serve_manners;
#[cfg(feature = "server")]
mod serve_place;
#[cfg(feature = "server")]
mod serve_reload;
#[cfg(feature = "server")]
mod serve_strain;
#[cfg(feature = "server")]
mod serve_trail;
#[cfg(feature = "server")]
mod serve_usage;
#[cfg(feature = "server")]
mod shape;
#[cfg(feature = "server")]
mod spoken;
mod support;
mod support_desk;
mod tamper;
#[cfg(feature = "server")]
mod tenancy_doors;
mod terminal;
#[cfg(feature = "server")]
mod texts;
#[cfg(feature = "server")]
mod told;
mod tour;
#[cfg(feature = "server")]
mod trusts;
#[cfg(feature = "ui")]
mod ui;
#[cfg(feature = "ui")]
mod ui_changes;
mod unfinished;
mod usage;
mod vault_restore;
mod vault_slots;
#[cfg(feature = "server")]
mod verdict_table;
mod verdicts;
#[cfg(feature = "server")]
mod ways_out;
#[cfg(feature = "server")]
mod webhooks;
mod whole;
mod workspaces;
