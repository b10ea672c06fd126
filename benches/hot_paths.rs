//! The paths that are taken often, in process: `cargo bench --bench hot_paths`.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use keyward::{
    backend::{Backend, Dirs, InitOptions, LocalVault, Unlock},
    domain::{
        Allowlist, Brand, Catalogue, Environment, Facts, KeyFilter, KeyId, Named, PlainToken, Plan, Presented,
        RateLimit, Request, Scope, SecretState, Time, decide, decide_code, key_from_headers,
    },
    ops::{Authority, Context, Create, KeyView, List},
    output::{ColorPolicy, Column, ColumnKind, Emitter, Format, Options, Page, Report, Streams},
    vault::{Capabilities, KdfParams, seal_framed},
};
use std::{hint::black_box, net::IpAddr, path::Path, time::Duration};

fn token() -> PlainToken {
    PlainToken::generate(&mut rand::rng(), &Brand::default(), Environment::Production)
}

fn scopes(words: &[&str]) -> Vec<Scope> {
    words.iter().map(|word| word.parse().unwrap()).collect()
}

fn now() -> Time {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn tokens(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("token");
    let whole = token();
    let text = whole.expose_plaintext().to_owned();
    let damaged = format!("{}{}", &text[..text.len() - 1], if text.ends_with('0') { '1' } else { '0' });
    let header = format!("Bearer {text}");
    group.bench_function("generate", |bencher| bencher.iter(token));
    group.bench_function("parse", |bencher| bencher.iter(|| PlainToken::parse(black_box(&text)).is_ok()));
    group.bench_function("wrong checksum", |bencher| bencher.iter(|| PlainToken::parse(black_box(&damaged)).is_ok()));
    group.bench_function("from a header", |bencher| {
        bencher.iter(|| key_from_headers([black_box(header.as_bytes())], []).is_ok());
    });
    group.finish();
}

fn sealing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("vault");
    let caps = Capabilities::generate(&mut rand::rng(), "vault_of_a_benchmark");
    let (record, bound) = ([7u8; 380], seal_framed(&[b"keys", b"key_0123456789abcdef", &[0; 64]]));
    let sealed = caps.seal_record(&mut rand::rng(), &bound, &record).unwrap();
    group.bench_function("seal a row", |bencher| {
        bencher.iter(|| caps.seal_record(&mut rand::rng(), &bound, black_box(&record)));
    });
    group.bench_function("open a row", |bencher| bencher.iter(|| caps.open_record(&bound, black_box(&sealed))));
    let presented = token();
    let stored = caps.verifier_of(&presented).unwrap();
    group.bench_function("verifier and comparison", |bencher| {
        bencher.iter(|| caps.verifier_of(black_box(&presented)).is_some_and(|verifier| verifier.matches(&stored)));
    });
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    let argon2 = KdfParams::default();
    group.bench_function("Argon2id, default parameters", |bencher| {
        bencher.iter(|| argon2.derive(black_box(b"correct horse battery staple"), &[1; 16]).is_ok());
    });
    group.finish();
}

fn verdicts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verdict");
    let (plan, catalogue) = (Plan::builtin().into_iter().next().unwrap(), Catalogue::default());
    let held = scopes(&["audits:read", "billing:*"]);
    let allow_ips = Allowlist::parse(&["10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"]).unwrap();
    let id: KeyId = "key_0123456789abcdef".parse().unwrap();
    let key = Facts {
        id: &id,
        active: true,
        expires_at: Some(now() + Duration::from_secs(3_600)),
        revoked_at: None,
        environment: Environment::Production,
        project: None,
        customers: &[],
        scopes: &held,
        allow_ips: &allow_ips,
        rate_limit: Some(RateLimit::default()),
    };
    let presented = Presented::Known {
        key,
        lookup: "0123456789abcdef",
        state: SecretState::Current { until: None },
        plan: &plan,
        known: Named::default(),
    };
    let address: IpAddr = "10.1.2.3".parse().unwrap();
    let request = Request {
        environment: Some(Environment::Production),
        scopes: scopes(&["billing:write"]),
        ip: Some(address),
        ..Request::default()
    };
    group.bench_function("the code", |bencher| {
        bencher.iter(|| decide_code(black_box(&presented), &request, &catalogue, now()));
    });
    group.bench_function("every check in words", |bencher| {
        bencher.iter(|| decide(black_box(&presented), &request, &catalogue, now()));
    });
    group.bench_function("address in the allowlist", |bencher| bencher.iter(|| allow_ips.permits(black_box(address))));
    let wanted: Scope = "audits:read".parse().unwrap();
    group.bench_function("scope by name", |bencher| bencher.iter(|| catalogue.grants(black_box(&held), &wanted)));
    let mut implying = Catalogue::default();
    for (scope, implied) in [("*:admin", "*:operate"), ("*:operate", "*:read")] {
        implying.entries.entry(scope.parse().unwrap()).or_default().implies.insert(implied.parse().unwrap());
    }
    let admin = scopes(&["audits:admin"]);
    group.bench_function("scope by two implications", |bencher| {
        bencher.iter(|| implying.grants(black_box(&admin), &wanted));
    });
    group.finish();
}

/// A vault in a directory, opened, and the circumstances of its commands.
fn vault(home: &Path) -> (Box<dyn Backend>, Context) {
    let part = |name: &str| home.join(name);
    let vault = LocalVault::locate(Dirs {
        data: part("data"),
        config: part("config"),
        state: part("state"),
        runtime: part("runtime"),
        require_state: false,
    });
    let cx = Context {
        now: now(),
        actor: "bench".to_owned(),
        source: "bench".to_owned(),
        reason: None,
        ticket: None,
        workspace: "default".to_owned(),
        authority: Authority::Vault,
        expected_version: None,
        client: None,
        read_only: false,
        dry_run: false,
        rehearses: false,
    };
    vault.init(&cx, InitOptions::default()).unwrap();
    let unlock = Unlock {
        session: None,
        key_file: None,
        credentials_dir: None,
        passphrase_named: false,
        passphrase: &mut |_| Ok(None),
    };
    (vault.unlock(&cx, unlock).unwrap(), cx)
}

fn keys(count: usize) -> Vec<Create> {
    (0..count)
        .map(|n| Create {
            owner: Some(format!("owner{}@example.com", n % 50)),
            scopes: scopes(&["audits:read"]),
            ..Create::named(format!("key-{n}"))
        })
        .collect()
}

fn keystore(criterion: &mut Criterion) {
    let home = tempfile::tempdir().unwrap();
    let (backend, cx) = vault(home.path());
    assert!(backend.create_many(&cx, keys(1_000).into(), &mut |_| {}, &mut |_| Ok(())).is_ok());
    let all = List { filter: KeyFilter::default() };
    let mut group = criterion.benchmark_group("1,000 keys");
    group.sample_size(20);
    group.bench_function("open and view", |bencher| bencher.iter(|| backend.list(&cx, &all).map(|found| found.total)));
    group.bench_function("open and name", |bencher| {
        bencher.iter(|| backend.list_names(&cx, &all).map(|found| found.total));
    });
    let views = backend.list(&cx, &all).unwrap().items;
    for format in [Format::Table, Format::Csv, Format::Json, Format::Jsonl, Format::Name] {
        group.bench_function(format!("render as {format}"), |bencher| {
            bencher.iter_batched(|| views.iter().collect(), |views| render(views, format), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn render(views: Vec<&KeyView>, format: Format) {
    let columns = [
        Column::new("name", "name", ColumnKind::Text),
        Column::new("id", "id", ColumnKind::Text),
        Column::new("environment", "env", ColumnKind::Text),
        Column::new("status", "status", ColumnKind::Text),
        Column::new("scopes", "scopes", ColumnKind::List),
        Column::new("expires_at", "expires", ColumnKind::Time),
        Column::new("last_used_at", "last used", ColumnKind::Time),
        Column::new("hint", "hint", ColumnKind::Text),
        Column::new("owner", "owner", ColumnKind::Text),
    ];
    let page = Page::whole(views.len());
    let streams = Streams::new(Box::new(std::io::empty()), Box::new(std::io::sink()), Box::new(std::io::sink()));
    let options = Options {
        format,
        field: None,
        columns: Vec::new(),
        time: None,
        quiet: false,
        color: ColorPolicy::default(),
        now: now(),
    };
    let report = Report::list("keyward.key-list/v1", views, page, &columns, "name");
    Emitter::new(streams, options).emit(&report).unwrap();
}

criterion_group!(benches, tokens, sealing, verdicts, keystore);
criterion_main!(benches);
