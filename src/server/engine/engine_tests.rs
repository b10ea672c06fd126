use super::*;
use crate::{
    backend::{Dirs, InitOptions, LocalVault, Serving, Unlock},
    domain::{Environment, KeyRef},
    ops::{Commit, Context, Create, Delete, Stage, Switch, SwitchKey},
};
use chrono::Utc;

pub(super) struct Vault {
    _home: tempfile::TempDir,
    serving: Serving,
    pub(super) engine: Arc<Engine>,
    pub(super) refresher: std::cell::RefCell<refresh::Refresher>,
}

fn context() -> Context {
    Context {
        now: Utc::now(),
        actor: "test".to_owned(),
        source: "test".to_owned(),
        reason: None,
        ticket: None,
        workspace: "default".to_owned(),
        authority: Default::default(),
        expected_version: None,
        client: None,
        read_only: false,
        dry_run: false,
        rehearses: false,
    }
}

impl Vault {
    pub(super) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let dir = |name: &str| home.path().join(name);
        let dirs = Dirs {
            data: dir("data"),
            config: dir("config"),
            state: dir("state"),
            runtime: dir("run"),
            require_state: false,
        };
        let vault = LocalVault::locate(dirs);
        vault.init(&context(), InitOptions::default()).unwrap();
        let unlock = Unlock {
            session: None,
            key_file: None,
            credentials_dir: None,
            passphrase_named: false,
            passphrase: &mut |_| Ok(None),
        };
        let serving = vault.serve(&context(), unlock).unwrap();
        let limit = RateLimit { limit: 800, window_seconds: 60 };
        let engine = Arc::new(Engine::new(serving.hasher(), Some(limit)));
        let refresher = refresh::Refresher::new(Arc::clone(&engine), serving.facts().unwrap()).into();
        Self { _home: home, serving, engine, refresher }
    }

    /// What the refresher does when it notices a commit.
    fn refresh(&self) {
        self.refresher.borrow_mut().look(Utc::now()).unwrap();
    }

    pub(super) fn create(&self, limit: &str) -> (String, String) {
        let mut request = Create::named(format!("key-{}", rand::random::<u64>()));
        request.rate_limit = Some(RateLimit::parse_or_none(limit).unwrap());
        let made = self.serving.backend().unwrap().current(Utc::now()).unwrap().run(&context(), request).unwrap();
        self.refresh();
        (made.key.id, made.secret.unwrap().expose_plaintext().to_owned())
    }

    fn code(&self, token: &str) -> Code {
        self.judge(token, &Request::default(), Utc::now()).unwrap().code
    }

    fn judge(&self, token: &str, request: &Request, now: Time) -> Result<Judged, Unavailable> {
        self.engine.judge(&Asked {
            token,
            request,
            cost: 1,
            within: None,
            user_agent: Some("test/1"),
            operator: None,
            facts: &|_| RequestFacts::default(),
            now,
        })
    }
}

fn named(id: &str) -> KeyRef {
    id.parse().unwrap()
}

#[test]
fn every_change_of_a_key_is_heeded() {
    let vault = Vault::new();
    let (id, token) = vault.create("none");
    let mut backend = vault.serving.backend().unwrap();
    let backend = backend.current(Utc::now()).unwrap();
    assert_eq!(vault.code(&token), Code::Valid);
    for (switch, code) in
        [(Switch::Deactivate, Code::Inactive), (Switch::Activate, Code::Valid), (Switch::Revoke, Code::Revoked)]
    {
        backend.switch(&context(), SwitchKey::of(named(&id), switch)).unwrap();
        vault.refresh();
        assert_eq!(vault.code(&token), code);
    }
    let new = rotate(backend, &id, true);
    vault.refresh();
    assert_eq!((vault.code(&token), vault.code(new.expose_plaintext())), (Code::Superseded, Code::Valid));
    backend.change(&context(), Delete { key: named(&id), environment: None, only_if_idle: None }).unwrap();
    vault.refresh();
    assert_eq!((vault.code(&token), vault.code(new.expose_plaintext())), (Code::Unknown, Code::Unknown));
    assert_eq!(vault.engine.size(), 0);
}

/// However many keys were made: what a key that was there before may no longer do, it may no longer do after one look.
#[test]
fn a_revocation_does_not_wait_for_the_keys_that_were_made_beside_it() {
    let vault = Vault::new();
    let (id, token) = vault.create("none");
    let mut backend = vault.serving.backend().unwrap();
    let backend = backend.current(Utc::now()).unwrap();
    let requests: Vec<_> = (0..3_000).map(|number| Create::named(format!("many-{number}"))).collect();
    let made = backend.create_many(&context(), requests.into(), &mut |_| (), &mut |_| Ok(())).ok().unwrap();
    backend.switch(&context(), SwitchKey::of(named(&id), Switch::Revoke)).unwrap();
    vault.refresh();
    assert_eq!(vault.code(&token), Code::Revoked);
    assert!(
        vault.refresher.borrow().to_take_up() > 0,
        "all were taken up at once: the look lasts as long as they take"
    );
    let taken = made.iter().map(|one| one.secret.as_ref().unwrap().expose_plaintext());
    let codes = |code| taken.clone().filter(|token| vault.code(token) == code).count();
    assert!(codes(Code::Valid) > 0 && codes(Code::Unknown) > 0);
    backend.switch(&context(), SwitchKey::of(named(&made[0].key.id), Switch::Revoke)).unwrap();
    backend.switch(&context(), SwitchKey::of(named(&made[2_999].key.id), Switch::Revoke)).unwrap();
    vault.refresh();
    assert_eq!((codes(Code::Valid), codes(Code::Revoked), codes(Code::Unknown)), (2_998, 2, 0));
    assert_eq!(vault.engine.size(), 3_001);
}

/// A whole rotation, delivered at once.
fn rotate(backend: &dyn crate::backend::Backend, id: &str, reinstate: bool) -> PlainToken {
    let receipts = vec!["stdout".to_owned()];
    let stage = Stage { sinks: receipts.clone(), intend: true, reinstate, ..Stage::of(named(id)) };
    let cx = Context { reason: Some("by mistake".to_owned()), ..context() };
    let staged = backend.run(&cx, stage).unwrap();
    let rotation = staged.rotation.unwrap().id.parse().unwrap();
    backend.change(&context(), Commit::of(rotation, receipts)).unwrap();
    staged.secret.unwrap()
}

#[test]
fn a_wrong_secret_is_unknown_and_a_damaged_one_malformed() {
    let vault = Vault::new();
    let (_, token) = vault.create("none");
    assert_eq!(vault.code(stranger().expose_plaintext()), Code::Unknown);
    assert_eq!(vault.code(&with_lookup_of(&token)), Code::Unknown);
    assert_eq!(vault.code(&token[..token.len() - 1]), Code::Malformed);
    assert_eq!(vault.code(""), Code::Malformed);
}

#[test]
fn a_change_of_the_key_does_not_give_its_limit_back() {
    let vault = Vault::new();
    let (id, token) = vault.create("2/h");
    assert_eq!((vault.code(&token), vault.code(&token)), (Code::Valid, Code::Valid));
    assert_eq!(vault.code(&token), Code::RateLimited);
    let mut backend = vault.serving.backend().unwrap();
    let backend = backend.current(Utc::now()).unwrap();
    let new = rotate(backend, &id, false);
    vault.refresh();
    assert_eq!(vault.code(&token), Code::RateLimited, "the old secret, during the overlap");
    assert_eq!(vault.code(new.expose_plaintext()), Code::RateLimited, "both secrets count together");
}

#[test]
fn what_is_denied_takes_nothing_from_the_limit() {
    let vault = Vault::new();
    let (_, token) = vault.create("1/h");
    let wanted = Request { scopes: vec!["invoices:read".parse().unwrap()], ..Request::default() };
    for _ in 0..5 {
        assert_eq!(vault.judge(&token, &wanted, Utc::now()).unwrap().code, Code::InsufficientScope);
    }
    assert_eq!(vault.code(&token), Code::Valid);
    assert_eq!(vault.code(&token), Code::RateLimited);
}

#[test]
fn a_look_that_took_too_long_to_be_believed_is_followed_by_another_at_once() {
    let vault = Vault::new();
    let (_, token) = vault.create("none");
    let now = Utc::now();
    let look = |at| vault.refresher.borrow_mut().look(at).unwrap();
    let judged = || vault.judge(&token, &Request::default(), now).is_ok();
    look(now - chrono::TimeDelta::seconds(5));
    assert!(!judged() && vault.refresher.borrow().pause(now).is_zero());
    look(now);
    assert!(judged() && !vault.refresher.borrow().pause(now).is_zero());
}

#[test]
fn nothing_is_judged_while_the_keystore_was_not_seen_lately() {
    let vault = Vault::new();
    let (_, token) = vault.create("none");
    let later = Utc::now() + chrono::TimeDelta::seconds(10);
    assert!(vault.judge(&token, &Request::default(), later).is_err());
    let request = Request::default();
    let asked = Asked {
        token: &token,
        request: &request,
        cost: 1,
        within: None,
        user_agent: None,
        operator: None,
        facts: &|_| RequestFacts::default(),
        now: later,
    };
    assert!(vault.engine.explain(&asked, later).is_err());
}

/// A credential with the look-up of another one, a secret of its own, and the right checksum.
fn with_lookup_of(token: &str) -> String {
    let stranger = stranger();
    let [brand, environment, lookup, _] = token.split('_').collect::<Vec<_>>()[..] else { panic!("no token") };
    let secret = &stranger.expose_plaintext().rsplit('_').next().unwrap()[..43];
    let body = format!("{brand}_{environment}_{lookup}_{secret}");
    let mut check = crc32fast::hash(body.as_bytes());
    let mut digits = [0; 6];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(check % 62) as usize];
        check /= 62;
    }
    body + std::str::from_utf8(&digits).unwrap()
}

pub(super) fn stranger() -> PlainToken {
    PlainToken::generate(&mut rand::rng(), &"kw".parse().unwrap(), Environment::Development)
}

#[test]
fn a_hundred_thousand_random_tokens_leave_nothing_behind() {
    let vault = Vault::new();
    let (_, token) = vault.create("none");
    let now = Utc::now();
    let code = |token: &str| vault.judge(token, &Request::default(), now).unwrap().code;
    assert_eq!(code(&token), Code::Valid);
    for _ in 0..100_000 {
        assert_eq!(code(stranger().expose_plaintext()), Code::Unknown);
    }
    assert_eq!(vault.engine.size(), 1);
    let one_by_one = usize::try_from(super::usage::ONE_BY_ONE).unwrap();
    let waiting = vault.engine.usage_told().waiting;
    assert_eq!(waiting, 2 + one_by_one, "a use, the first strangers one by one, and one row for all the others");
    assert_eq!(vault.engine.verdicts()[Code::Unknown as usize], 100_000);
}

/// How long an answer takes must not tell whether a look-up is one that a key has. Asked in turn, and by the median, so
/// that a busy machine slows both; the bound is far below what a look-up in a database or a slow hash would show.
#[test]
fn an_unknown_lookup_takes_as_long_as_a_wrong_secret() {
    let vault = Vault::new();
    let (_, token) = vault.create("none");
    let pairs: Vec<[String; 2]> =
        (0..4_000).map(|_| [stranger().expose_plaintext().to_owned(), with_lookup_of(&token)]).collect();
    let mut times: [Vec<u128>; 2] = Default::default();
    let now = Utc::now();
    for pair in &pairs {
        for (token, times) in pair.iter().zip(&mut times) {
            let began = std::time::Instant::now();
            assert_eq!(vault.judge(token, &Request::default(), now).unwrap().code, Code::Unknown);
            times.push(began.elapsed().as_nanos());
        }
    }
    let [unknown, wrong] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2] as f64
    });
    assert!((0.7..1.4).contains(&(unknown / wrong)), "unknown look-up {unknown} ns, wrong secret {wrong} ns");
}
