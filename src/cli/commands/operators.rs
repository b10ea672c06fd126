//! `operators`: who may use a server, with which role and bounds.

use super::trusts;
use crate::{
    cli::{columns, context::Ctx, exit::Exit, prompt, values},
    domain::{Expiry, Overlap, Role, Scope, Time},
    ops::{Appointed, CreateOperator, ListOperators, ObjectKind, Result, RevokeOperator, RotateOperator, ShowObject},
    output::Report,
};
use chrono::TimeDelta;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;
use zeroize::Zeroizing;

/// Operators: who may use a server, with a credential and a role of their own
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward operators create ci-deploy --role rotator --expires-in 90d\n  \
    keyward operators create gateway --role verifier --platform --allow-ip 10.0.0.0/8\n  keyward operators list")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the operators
    #[command(after_help = "Example:\n  keyward operators list -o json")]
    List,
    /// Create an operator; its credential is printed once, alone, on stdout
    #[command(after_help = "Examples:\n  keyward operators create root --role platform-admin\n  \
        keyward operators create team --role issuer --bind acme --ceiling invoices:read")]
    Create(Create),
    /// Give an operator a new credential
    #[command(after_help = "Example:\n  keyward operators rotate gateway --overlap 1h")]
    Rotate {
        /// Its name or id
        name: String,
        /// How long the old credential goes on working; it stops at once unless told
        #[arg(long, value_name = "D", value_parser = values::duration)]
        overlap: Option<TimeDelta>,
    },
    Trust(trusts::Args),
    /// Cut an operator off for good
    #[command(after_help = "Example:\n  keyward operators revoke ci-deploy --yes")]
    Revoke {
        /// Its name or id
        name: String,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// Its unique name
    #[arg(value_parser = values::name)]
    name: String,
    /// What it may do
    #[arg(long, value_name = "ROLE", value_parser = PossibleValuesParser::new(Role::ALL.map(Role::as_str)).try_map(|word| word.parse::<Role>()))]
    role: Role,
    /// The one workspace it is bound to [default: the workspace in use; none for a platform-admin]
    #[arg(long, value_name = "WORKSPACE")]
    bind: Option<String>,
    /// Bind it to no workspace: it may do what its role allows in all of them
    #[arg(long, conflicts_with = "bind")]
    platform: bool,
    /// A scope that keys it makes or rotates may have, and no others; may be repeated
    #[arg(long, value_name = "SCOPE")]
    ceiling: Vec<Scope>,
    /// An address or range its credential works from; may be repeated
    #[arg(long, value_name = "CIDR")]
    allow_ip: Vec<String>,
    /// How long its credential works; a bare number is days [default: 90d, and no longer than the credential it is made with]
    #[arg(long, value_name = "D", value_parser = values::days, add = values::lives(), conflicts_with_all = ["expires_at", "no_expiry"])]
    expires_in: Option<TimeDelta>,
    /// When its credential ends: RFC 3339, or a date, whose day is included
    #[arg(long, value_name = "T", value_parser = values::end, conflicts_with = "no_expiry")]
    expires_at: Option<Time>,
    /// Its credential never ends by itself
    #[arg(long)]
    no_expiry: bool,
}

/// Reads or changes operators.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    match args.command {
        Command::List => {
            let mut operators = cx.backend()?.ask(&cx.operation(), &ListOperators {})?;
            // Who names a workspace asks for those that are bound to it.
            if let Some(workspace) = cx.given.workspace.clone() {
                let request = ShowObject { kind: ObjectKind::Workspace, name: workspace.clone() };
                cx.backend()?.ask(&cx.operation(), &request)?;
                operators.retain(|operator| operator.workspace.as_ref() == Some(&workspace));
            }
            let items: Vec<_> = operators.into_iter().map(|one| json!(one)).collect();
            let total = items.len();
            cx.list("keyward.operator-list/v1", items, total, columns::OPERATORS)?;
        }
        Command::Create(create) => {
            let request = request(create)?;
            cx.try_if_new(|backend, dry| backend.change(dry, request.clone()).map(drop))?;
            appoint(cx, "created", "would create", |cx| cx.backend_or_new()?.change(&cx.operation(), request))?;
        }
        Command::Rotate { name, overlap } => {
            let request = RotateOperator { name, overlap: overlap.map_or(Overlap::Now, Overlap::For) };
            appoint(cx, "rotated", "would rotate", |cx| cx.backend()?.change(&cx.operation(), request))?;
        }
        Command::Trust(args) => return trusts::run(cx, args),
        Command::Revoke { name } => {
            let backend = cx.backend()?;
            // Nobody is asked about what is not there, or is so already.
            let all = backend.ask(&cx.operation(), &ListOperators {})?;
            let living = all.iter().find(|one| (one.name == name || one.id == name) && one.status != "revoked");
            if let Some(one) = living {
                prompt::confirm(
                    cx,
                    &format!("Cut off the operator '{}' ({}, {}) for good?", one.name, one.id, one.role),
                )?;
            }
            let revoked = backend.change(&cx.operation(), RevokeOperator { name: name.clone() })?;
            let (name, id) = (&revoked.name, &revoked.id);
            let was_so = all.iter().any(|one| one.id == *id && one.status == "revoked");
            cx.note(&match (was_so, cx.global.dry_run) {
                (true, _) => format!("already so: the operator '{name}' ({id}) is revoked"),
                (false, true) => format!("would revoke the operator '{name}' ({id})"),
                (false, false) => format!("revoked the operator '{name}' ({id})"),
            });
            cx.item_if_asked("keyward.operator/v1", "operator", json!(revoked), columns::OPERATOR)?;
        }
    }
    Ok(Exit::Ok.code())
}

fn appoint(cx: &mut Ctx, did: &str, would: &str, act: impl FnOnce(&mut Ctx) -> Result<Appointed>) -> Result<()> {
    cx.refuse_secret_in_ci()?;
    cx.preflight_secret()?;
    let appointed = act(cx)?;
    let operator = &appointed.operator;
    let (name, id) = (operator.name.clone(), operator.id.clone());
    let verb = if cx.global.dry_run { would } else { did };
    let bound = operator.workspace.as_ref().map_or("the whole platform".to_owned(), |own| format!("workspace {own}"));
    cx.note(&format!("{verb} the operator '{name}' ({id}), {} of {bound}", operator.role));
    if operator.role == Role::Issuer.as_str() && operator.ceiling.is_none() {
        cx.note("it has no ceiling: keys that it makes may have every scope; --ceiling SCOPE sets one");
    }
    let secret = appointed.secret.map(|token| ("secret", Zeroizing::new(token.expose_plaintext().to_owned())));
    let report = Report::item("keyward.operator/v1", "operator", json!(operator), secret);
    let report = report.with_columns(columns::OPERATOR).named_by("id");
    cx.emit(&report).map_err(|error| {
        let what = format!("the credential of '{name}' was minted, and could not be printed");
        error.undelivered(what).hint(format!("keyward operators rotate {name}"))
    })
}

fn request(args: Create) -> Result<CreateOperator> {
    let expiry = match (args.expires_in, args.expires_at, args.no_expiry) {
        (_, Some(at), _) => Some(Expiry::At(at)),
        (_, _, true) => Some(Expiry::Never),
        (lifetime, ..) => lifetime.map(Expiry::In),
    };
    Ok(CreateOperator {
        name: args.name,
        role: args.role,
        workspace: if args.platform { Some(None) } else { args.bind.map(Some) },
        ceiling: (!args.ceiling.is_empty()).then(|| values::sorted(args.ceiling)),
        allow_ips: values::allowlist("--allow-ip", &args.allow_ip)?,
        expiry,
    })
}
