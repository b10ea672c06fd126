//! keyward issues, scopes, rotates, revokes, verifies and audits API keys from the shell.
//!
//! This page is the map of the house.
//!
//! # Rooms
//!
//! | room | owns |
//! | --- | --- |
//! | [`domain`] | pure values and rules: no I/O, no clock, no source of randomness, no SQL |
//! | [`files`] | private files: 0600 from the first byte, replaced atomically |
//! | [`vault`] | encryption at rest: sealing, keys, slots, unlocked copies, what is remembered outside |
//! | [`store`] | the only SQL: sealed rows, the signed head, the audit trail |
//! | [`ops`] | the use cases: a request, an outcome, and the function between them |
//! | [`wire`] | the contract of the HTTP API: paths, bodies, problems |
//! | `notify` | messages to webhooks over HTTP: signed, and to public addresses alone (feature `server`) |
//! | `oidc` | tokens of other issuers: their signatures, and the keys of issuers, fetched and kept (feature `server`) |
//! | [`backend`] | the seam: runs use cases over the local keystore or through a server; what is done to a vault itself |
//! | [`anchor`] | where checkpoints of the trail go |
//! | [`server`] | the use cases and verdicts over HTTP; owns the only async runtime |
//! | [`deliver`] | where a fresh secret goes: sinks, proven first, with a receipt; probes and hooks |
//! | [`rotate`] | rotations carried out, one or all that are due: staged, delivered, committed, undone, resumed |
//! | [`output`] | the only place that prints |
//! | [`cli`] | arguments, configuration, prompts, exit codes, one file a command |
//!
//! # Direction
//!
//! A file imports only from rooms above its own in the table; `deliver` and `output` are side rooms (`deliver` uses
//! [`domain`] and [`files`], and serves [`rotate`] and [`cli`]; `output` uses [`domain`] and [`ops`], and serves `cli`
//! alone), and `cli` never names [`store`] or [`vault`]. `tests/it/house.rs` reads the `use` lines and enforces this.
//!
//! # The walk of a question, and of a change
//!
//! A use case is declared once, in [`ops`], beside its function ([`ops::case`]): its request and outcome, whether it asks or
//! changes, the permission it takes, and its path. The command line makes the request and says
//! `backend.ask(&cx, &ListOperators {})`; over a local vault that is one snapshot in which [`ops::case::Ask::ask`] answers,
//! and over `--server` one call, whose path, query and body are the fields of the request ([`wire::packed`]). The server has
//! one line for it (`server/door.rs`): the request is put together again, the caller is granted the permission it declares,
//! the same function answers, and [`wire::told::Told`] is the reply. The entry in the OpenAPI document follows from the same
//! declaration, in a test.
//!
//! `backend.change(&cx, request)` differs in that [`ops::case::Change::change`] works in a transaction and hands back its
//! events. [`ops::commit::commit`] checks their texts, tells the webhooks, appends them and signs the new head, all in that
//! transaction; a refusal is recorded as an event of its own. What takes more than one transaction, or needs what is beside
//! the keystore, such as a lock of this machine, is a [`backend::procedure::Procedure`]: `backend.run(&cx, request)`. Pages,
//! streams and bulk creations, which hear of their progress, are methods of [`backend::Backend`] with handlers of their own.
//!
//! # The walk of `rotate`
//!
//! `main` hands arguments and [`output::Streams`] to [`cli::run`], which parses them into domain types: a bad value is a
//! usage error before anything is opened. The command opens the vault through [`backend::LocalVault`] and hands it, with
//! the [`rotate::Targets`] that it was told, to a [`rotate::Driver`], which knows no command line: a server may drive the
//! same. The driver lets each sink prove itself ([`deliver::Sink::preflight`]) and runs [`ops::Stage`], a procedure: it
//! takes the key's lease, begins a [`store::Tx`] and calls [`ops::stage::stage`], where [`domain::Key::stage`] decides: is the step legal, and what is in doubt? The row is sealed
//! again, and [`ops::commit::commit`], the only way out of a transaction, appends the event and signs the new head.
//! The new secret works now, beside the old one. Each sink's intent is recorded before it is handed the secret, and its
//! receipt afterwards ([`ops::delivery`]); standard output is a sink like any other ([`rotate::ByHand`]). Only then
//! [`ops::rotation::commit`] makes the new secret the current one, and the old one ends with its overlap. Whatever is
//! killed in between is told by those facts alone how to go on ([`domain::rotation`]); what fails comes back as a
//! [`rotate::Failure`], and the command line words it with the command that goes on.
//!
//! # What the keystore promises
//!
//! * A row that was edited, moved or forged does not open, or has the wrong tag ([`store`], [`vault::seal`]).
//! * A row that was deleted or put back changes the set that the head signs; a key read alone is compared with the head
//!   too, so that nobody brings a revoked one back by editing rows and trail together.
//! * An older file than this machine last saw is refused, and so is one that somebody went on with ([`vault::pin`]).
//! * The events of the trail are the leaves of a Merkle tree, whose root is signed with every commit
//!   ([`domain::merkle`]).
//! * A support slot reads and judges; it holds no key to sign or tag with, without which nothing that it makes is believed
//!   ([`vault::keys`]).

pub mod anchor;
pub mod artifacts;
pub mod backend;
pub mod cli;
pub mod config;
pub mod deliver;
pub mod domain;
pub mod files;
#[cfg(feature = "server")]
pub mod notify;
#[cfg(feature = "server")]
pub mod oidc;
pub mod ops;
pub mod output;
pub mod rotate;
#[cfg(feature = "server")]
pub mod server;
pub mod store;
pub mod vault;
#[cfg(feature = "server")]
pub mod wire;
