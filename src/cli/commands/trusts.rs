//! `operators trust`: jobs that are let in by the tokens of their host, without a stored credential.

use crate::{
    cli::{columns, context::Ctx, exit::Exit, input, prompt, values},
    domain::{Expiry, IssuerKind, Role, Scope, Time},
    ops::{
        Error, ObjectKind, Result, ShowObject,
        trusts::{AddTrust, ListTrusts, RemoveTrust},
    },
};
use chrono::TimeDelta;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;
use std::{collections::BTreeMap, path::PathBuf};

/// Let jobs in by the tokens of their host (OIDC): GitHub Actions, GitLab CI, Kubernetes, any issuer; nothing is stored for them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    keyward operators trust add ci --role rotator --audience https://keys.example.com --issuer https://token.actions.githubusercontent.com --claim repository_id=1296269 --claim environment=production\n  \
    keyward operators trust list\n\n\
    A job shows its token as its credential: KEYWARD_OIDC=github in GitHub Actions, `id_tokens` with KEYWARD_TOKEN in GitLab CI,\n\
    --token-file with a projected volume in Kubernetes. The trail names it and its run.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the trusts
    #[command(after_help = "Example:\n  keyward operators trust list -o json")]
    List,
    /// Let jobs in that show a token which says all of this, with a role and its bounds
    #[command(after_help = "Examples:\n  \
        keyward operators trust add web --role rotator --audience https://keys.example.com --issuer https://token.actions.githubusercontent.com --claim repository_id=1296269 --claim environment=production\n  \
        keyward operators trust add shop --role issuer --ceiling shop:read --audience https://keys.example.com --issuer https://gitlab.com --claim project_id=278964 --claim ref=main\n  \
        keyward operators trust add nightly --role rotator --audience https://keys.example.com --issuer https://kubernetes.default.svc.cluster.local --claim sub=system:serviceaccount:shop:nightly --jwks jwks.json\n\n\
        A code host is known by its issuer, or by --kind: there the id of the repository is demanded, which is nobody else's, and an\n\
        environment or a protected ref. `ref_protected=true`, and at GitLab `environment_protected=true`, is demanded with them.\n\
        Jobs of pull requests are let in only where --claim event_name=… names them. Nobody hands on more than it has.")]
    Add(Box<Add>),
    /// Let them in no more, also by tokens that they have already
    #[command(after_help = "Example:\n  keyward operators trust remove ci --yes")]
    Remove {
        /// Its name or id
        name: String,
    },
}

#[derive(Debug, clap::Args)]
#[command(override_usage = "keyward operators trust add NAME --issuer URL --audience AUD --role ROLE")]
struct Add {
    /// Its unique name
    #[arg(value_parser = values::name)]
    name: String,
    /// Whose tokens: the claim `iss`, exactly, https://HOST
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// For whom a token must be, and for nobody else: best the address of the server
    #[arg(long, value_name = "AUD")]
    audience: String,
    /// What a token must say, exactly; of ref a pattern such as refs/tags/v*; /a/b is within a; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::label)]
    claim: Vec<(String, String)>,
    /// What such a job may do
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
    /// An address or range its tokens work from; may be repeated
    #[arg(long, value_name = "CIDR")]
    allow_ip: Vec<String>,
    /// What kind of host the issuer is of, where neither its address nor the claims tell
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(IssuerKind::ALL.map(IssuerKind::as_str)).try_map(|word| word.parse::<IssuerKind>()))]
    kind: Option<IssuerKind>,
    /// The keys of the issuer (a JSON Web Key Set), where the server cannot ask it: `kubectl get --raw /openid/v1/jwks`
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    jwks: Option<PathBuf>,
    /// The longest life of a token that is taken, at most 24h [default: 1h]
    #[arg(long, value_name = "D", value_parser = values::duration)]
    token_life: Option<TimeDelta>,
    /// How long the trust lasts; a bare number is days [default: no end, or that of the credential it is added with]
    #[arg(long, value_name = "D", value_parser = values::days, conflicts_with = "expires_at")]
    expires_in: Option<TimeDelta>,
    /// When the trust ends: RFC 3339, or a date, whose day is included
    #[arg(long, value_name = "T", value_parser = values::end)]
    expires_at: Option<Time>,
}

/// Reads or changes trusts.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    match args.command {
        Command::List => {
            let mut trusts = cx.backend()?.ask(&cx.operation(), &ListTrusts {})?;
            // Who names a workspace asks for those that are bound to it.
            if let Some(workspace) = cx.given.workspace.clone() {
                let request = ShowObject { kind: ObjectKind::Workspace, name: workspace.clone() };
                cx.backend()?.ask(&cx.operation(), &request)?;
                trusts.retain(|trust| trust.workspace.as_ref() == Some(&workspace));
            }
            let items: Vec<_> = trusts.into_iter().map(|one| json!(one)).collect();
            let total = items.len();
            cx.list("keyward.trust-list/v1", items, total, columns::TRUSTS)?;
        }
        Command::Add(add) => {
            let request = request(*add)?;
            cx.try_if_new(|backend, dry| backend.change(dry, request.clone()).map(drop))?;
            let asked = request.claims.clone();
            let trust = cx.backend_or_new()?.change(&cx.operation(), request)?;
            let verb = if cx.global.dry_run { "would trust" } else { "trusted" };
            let bound =
                trust.workspace.as_ref().map_or("the whole platform".to_owned(), |own| format!("workspace {own}"));
            let (name, id, role) = (&trust.name, &trust.id, &trust.role);
            cx.note(&format!("{verb} jobs of {} as '{name}' ({id}), {role} of {bound}", trust.issuer));
            for (name, value) in trust.claims.iter().filter(|(name, _)| !asked.contains_key(*name)) {
                cx.note(&format!("demanded besides: {name}={value}"));
            }
            if trust.role == Role::Issuer.as_str() && trust.ceiling.is_none() {
                cx.note("it has no ceiling: keys that it makes may have every scope; --ceiling SCOPE sets one");
            }
            cx.item_if_asked("keyward.trust/v1", "trust", json!(trust), columns::TRUSTS)?;
        }
        Command::Remove { name } => {
            let backend = cx.backend()?;
            // Nobody is asked about what is not there.
            let all = backend.ask(&cx.operation(), &ListTrusts {})?;
            if let Some(one) = all.iter().find(|one| one.name == name || one.id == name) {
                let question = format!("Let in no more the jobs of '{}' ({}, {})?", one.name, one.id, one.role);
                prompt::confirm(cx, &question)?;
            }
            let removed = backend.change(&cx.operation(), RemoveTrust { name })?;
            let verb = if cx.global.dry_run { "would remove" } else { "removed" };
            cx.note(&format!("{verb} the trust '{}' ({})", removed.name, removed.id));
            cx.item_if_asked("keyward.trust/v1", "trust", json!(removed), columns::TRUSTS)?;
        }
    }
    Ok(Exit::Ok.code())
}

fn request(args: Add) -> Result<AddTrust> {
    let expiry = match (args.expires_in, args.expires_at) {
        (_, Some(at)) => Some(Expiry::At(at)),
        (lifetime, None) => lifetime.map(Expiry::In),
    };
    let jwks = args.jwks.map(|path| {
        let text = input::read_file(&path)?;
        serde_json::from_str(&text).map_err(|error| {
            Error::usage(format!("{} is no JSON Web Key Set", path.display())).cause(error.to_string())
        })
    });
    Ok(AddTrust {
        name: args.name,
        issuer: args.issuer,
        kind: args.kind,
        audience: args.audience,
        claims: claims(args.claim)?,
        role: args.role,
        workspace: if args.platform { Some(None) } else { args.bind.map(Some) },
        ceiling: (!args.ceiling.is_empty()).then(|| values::sorted(args.ceiling)),
        allow_ips: values::allowlist("--allow-ip", &args.allow_ip)?,
        expiry,
        token_life: args.token_life,
        jwks: jwks.transpose()?,
    })
}

/// Claims by name; one that is to be two things at once is refused, for no token could say both.
fn claims(given: Vec<(String, String)>) -> Result<BTreeMap<String, String>> {
    let mut claims: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in given {
        if claims.get(&name).is_some_and(|told| *told != value) {
            return Err(Error::usage(format!("the claim '{name}' is given more than one value"))
                .hint("one trust for each value: keyward operators trust add NAME"));
        }
        claims.insert(name, value);
    }
    Ok(claims)
}
