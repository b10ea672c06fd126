//! `serve`: the vault over HTTP, until it is told to stop.

use crate::{
    anchor::Anchor,
    cli::{context::Ctx, exit::Exit, logs, prompt, values},
    domain::Environment,
    ops::{Error, Result, audit_stream::StreamFormat},
    server::{self, Address, Options, Outgoing, RouteTable, Serves, StreamPlace, TlsFiles},
};
use chrono::TimeDelta;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use ipnet::IpNet;
use std::path::PathBuf;

/// Serve the vault over HTTP: verdicts for services, the management of keys for operators
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward serve --env production\n  \
    keyward serve --env production --listen unix:/run/keyward/keyward.sock\n  \
    keyward serve --env all --listen 0.0.0.0:8787 --tls-cert server.pem --tls-key server.key\n  \
    keyward serve --probe --listen unix:/run/keyward/keyward.sock\n\n\
    Without --env keys of production are let in, and others only where a route or a request names their environment.\n\
    /docs on it tells every call of its API, and /openapi.json says the same to programs.\n\
    SIGTERM and SIGINT stop it once every request is answered; SIGHUP reads the certificate and the route table again.")]
pub(crate) struct Args {
    /// Where to listen: ADDRESS:PORT or unix:PATH; may be repeated [default: the sockets of systemd, else 127.0.0.1:8787]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<Address>,
    /// Who may open the Unix sockets, as the mode of a file: 666 lets every user of this machine ask, as nginx's workers
    /// need it [default: 660, or 600 where the umask leaves the group nothing]
    #[arg(long, value_name = "MODE", value_parser = socket_mode)]
    socket_mode: Option<u32>,
    /// The certificate chain for TLS, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = clap::ValueHint::FilePath)]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_hint = clap::ValueHint::FilePath)]
    tls_key: Option<PathBuf>,
    /// Allow plain HTTP beyond this machine: every key can be read on the way
    #[arg(long)]
    insecure_http: bool,
    /// How often one address may ask, whichever key it presents, or none; none also lifts the limit on wrong credentials
    #[arg(long, value_name = "N/UNIT", value_parser = values::rate_limit, default_value = "800/m")]
    address_limit: values::RateLimitArg,
    /// Proxies that may name the client's address in X-Forwarded-For, addresses or ranges; may be repeated
    #[arg(long, value_name = "CIDR", value_parser = values::network)]
    trust_proxy: Vec<IpNet>,
    /// Accept keys in this query parameter too; they end up in the logs of everything on the way
    #[arg(long, value_name = "NAME")]
    key_parameter: Option<String>,
    /// The environment of the services behind this server: keys of another one are no good. Or all
    #[arg(long, alias = "environment", value_name = "ENV", add = environments())]
    env: Option<Serves>,
    /// Answer services that leave out what a key is bound to (environment, address, customer, project), and only list it
    #[arg(long)]
    lenient: bool,
    /// Sign what upstreams are told of whoever calls: X-Keyward-Assertion, a JSON Web Token; /.well-known/jwks.json has the
    /// public key
    #[arg(long)]
    assert: bool,
    /// The route table for gateways: method and path to scopes
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    routes: Option<PathBuf>,
    /// How many connections at once
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_connections: u32,
    /// How often usage and rate limits are written: a kill loses no more than that, a stop nothing
    #[arg(long, value_name = "D", value_parser = values::duration, default_value = "5s")]
    usage_interval: TimeDelta,
    /// Stream the audit trail there, each event at least once: file:PATH, https://URL, syslog:HOST:PORT (TCP) or
    /// syslog:unix:PATH; may be repeated
    #[arg(long, value_name = "PLACE")]
    stream: Vec<StreamPlace>,
    /// What streamed events are written as: jsonl, cef or ocsf; syslog places get syslog
    #[arg(long, value_name = "FORMAT", default_value = "jsonl", requires = "stream")]
    stream_format: StreamFormat,
    /// Send checkpoints of the trail there: file:PATH, git:DIRECTORY, https://URL or cmd:COMMAND; may be repeated
    #[arg(long, value_name = "SINK")]
    checkpoint_to: Vec<Anchor>,
    /// How often checkpoints are made
    #[arg(long, value_name = "D", value_parser = values::duration, default_value = "1h", requires = "checkpoint_to")]
    checkpoint_every: TimeDelta,
    /// Serve nothing: ask whether a server is ready where --listen says, and end with 0 or 9; for health checks
    #[arg(long, conflicts_with_all = ["env", "routes", "stream", "checkpoint_to", "assert", "lenient", "trust_proxy",
        "key_parameter", "socket_mode", "insecure_http"])]
    probe: bool,
}

/// The mode of a socket, which its owner can open.
fn socket_mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| mode & !0o666 == 0 && mode & 0o600 == 0o600);
    mode.ok_or_else(|| "expected the mode of a file such as 600, 660 or 666".to_owned())
}

const ASKED: &str = "Keys of which environment are let in: production, staging, development, or all?";

/// Completes environments, and the word for all of them.
fn environments() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let words = Environment::ALL.iter().map(|one| one.as_str()).chain(["all"]);
        words.map(CompletionCandidate::new).collect()
    })
}

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    if args.probe {
        server::probe(&args.listen, args.tls_cert.is_some())?;
        return Ok(Exit::Ok.code());
    }
    if cx.global.read_only || cx.global.dry_run {
        return Err(Error::usage("serve takes neither --read-only nor --dry-run"));
    }
    cx.local_only("serve")?;
    cx.may_anchor("--checkpoint-to", &args.checkpoint_to)?;
    for place in &args.stream {
        if let StreamPlace::File(path) = place {
            cx.may_write("--stream", path)?;
        }
    }
    let serves = match args.env {
        Some(said) => said,
        None => prompt::value(cx, ASKED, Serves::Only(Environment::Production))?.unwrap_or_default(),
    };
    logs::start_for_server(&cx.global, &cx.env)?;
    let options = Options {
        listen: args.listen,
        socket_mode: args.socket_mode,
        tls: args.tls_cert.zip(args.tls_key).map(|(certificate, key)| TlsFiles { certificate, key }),
        insecure_http: args.insecure_http,
        address_limit: args.address_limit.0,
        trusted: args.trust_proxy,
        query_parameter: args.key_parameter,
        serves,
        lenient: args.lenient,
        assert: args.assert,
        routes: args.routes.as_deref().map(RouteTable::read).transpose()?,
        max_connections: args.max_connections as usize,
        usage_interval: args.usage_interval.to_std().unwrap_or_default(),
        outgoing: Outgoing {
            streams: args.stream,
            format: args.stream_format,
            checkpoints: args.checkpoint_to,
            every: args.checkpoint_every.to_std().unwrap_or_default(),
        },
    };
    let serving = cx.serving()?;
    // A passphrase may have been asked for; from here on the server heeds the signals.
    cx.terminal.release();
    let operation = cx.operation();
    server::run(&serving, &operation, &options, &mut |urls| {
        cx.out.speak();
        match serves {
            Serves::Unsaid => cx.out.warn(&serves.told()),
            Serves::Only(_) | Serves::All => cx.note(&serves.told()),
        }
        for url in urls {
            cx.note(&format!("listening on {url}"));
        }
    })?;
    Ok(Exit::Ok.code())
}
