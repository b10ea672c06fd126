//! The sinks behind programs: their command lines, and that the value is on standard input alone.

use super::super::{
    Fault,
    testing::{Listener, StandIns, leaks, sink, token},
};
use super::*;

/// A sink, its program, the command line, and whether the value stands alone on standard input.
const SINKS: [(&str, &str, &str, bool); 6] = [
    ("github-secret:acme/app#API_KEY", "gh", "secret set API_KEY --repo acme/app", true),
    ("github-secret:acme/app/{env}#API_KEY", "gh", "secret set API_KEY --repo acme/app --env production", true),
    ("gitlab-variable:acme/team/app#API_KEY", "glab", "variable set API_KEY --repo acme/team/app --masked", true),
    (
        "gitlab-variable:acme/app#API_KEY,protected",
        "glab",
        "variable set API_KEY --repo acme/app --masked --protected",
        true,
    ),
    (
        "k8s-secret:prod/{name}#api-key",
        "kubectl",
        "apply --server-side --force-conflicts --field-manager=keyward-api-key -f -",
        false,
    ),
    ("vault:secret/apps/{name}#token", "vault", "kv patch secret/apps/billing-sync token=-", true),
];

#[test]
fn each_program_gets_its_command_line_and_the_value_on_standard_input() {
    for (text, program, words, alone) in SINKS {
        let stand_ins = StandIns::new();
        let error = sink(text, &stand_ins.alone()).preflight().unwrap_err();
        assert_eq!(error.what, format!("there is no program {program}"));
        stand_ins.add(program, "echo \"thanks for $(cat | tee $here/$me.stdin)\"; exit 0");
        let (token, listener) = (token(), Listener::default());
        let sink = sink(text, &stand_ins.options());
        sink.preflight().unwrap();
        assert_eq!(stand_ins.record(program, "argv"), "", "a preflight runs nothing");
        let receipt = listener.with(|run| sink.deliver(&token, run)).unwrap();
        assert_eq!(receipt.sink, text.replace("{name}", "billing-sync").replace("{env}", "production"));
        assert_eq!(stand_ins.record(program, "argv"), format!("{words}\n"));
        if alone {
            assert_eq!(stand_ins.record(program, "stdin"), token.expose_plaintext());
        }
        for what in ["argv", "cmdline", "env"] {
            assert!(!leaks(&stand_ins.record(program, what), &token), "{program} {what}");
        }
        assert!(listener.text().contains("thanks for"));
        assert!(!leaks(&listener.text(), &token), "{}", listener.text());
        assert!(!sink.can_read_back() && sink.read_back().unwrap().is_none());
    }
}

#[test]
fn the_manifest_is_a_secret_with_one_entry() {
    let stand_ins = StandIns::new();
    stand_ins.add("kubectl", "");
    let token = token();
    let sink = sink("k8s-secret:prod/billing#api-key", &stand_ins.options());
    Listener::default().with(|run| sink.deliver(&token, run)).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&stand_ins.record("kubectl", "stdin")).unwrap();
    let value = Base64::encode_string(token.expose_plaintext().as_bytes());
    assert_eq!(
        manifest,
        serde_json::json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "billing", "namespace": "prod"}, "data": {"api-key": value}})
    );
}

#[test]
fn a_variable_that_exists_is_updated() {
    let stand_ins = StandIns::new();
    stand_ins.add("glab", "test \"$2\" = update || { cat >/dev/null; echo 'has already been taken' >&2; exit 1; }");
    let token = token();
    let sink = sink("gitlab-variable:acme/app#API_KEY", &stand_ins.options());
    let receipt = Listener::default().with(|run| sink.deliver(&token, run)).unwrap();
    assert_eq!(receipt.detail, "glab variable update ended with 0");
    assert_eq!(stand_ins.record("glab", "stdin"), token.expose_plaintext());
    assert_eq!(stand_ins.record("glab", "argv").lines().count(), 2);
}

#[test]
fn a_vault_secret_is_made_only_where_there_is_none() {
    for (says, made) in [("Code: 404. Errors:", true), ("Code: 403. Errors:", false)] {
        let stand_ins = StandIns::new();
        stand_ins.add("vault", &format!("test \"$2\" = put || {{ cat >/dev/null; echo '{says}' >&2; exit 2; }}"));
        let sink = sink("vault:secret/app#token", &stand_ins.options());
        let outcome = Listener::default().with(|run| sink.deliver(&token(), run));
        assert_eq!(outcome.is_ok(), made, "{says}");
        let second = stand_ins.record("vault", "argv").contains("kv put -cas=0 secret/app token=-");
        assert_eq!(second, made, "{says}");
    }
}

#[test]
fn a_program_that_misbehaves_fails_the_delivery() {
    let cases = [
        ("cat >/dev/null; echo 'HTTP 401: bad credentials' >&2; exit 1", Reached::Maybe, "ended with 1: HTTP 401"),
        ("exit 1", Reached::No, "ended with 1"),
        ("exit 0", Reached::No, "ended without reading the secret"),
        ("v=$(cat); echo \"cannot store $v\" >&2; kill -9 $$", Reached::Maybe, "signal 9: cannot store"),
        ("cat >/dev/null; echo ready; exec sleep 1000", Reached::Maybe, "was ended: it was asked to stop"),
    ];
    for (text, program, ..) in SINKS {
        for (behaviour, reached, says) in cases {
            let stand_ins = StandIns::new();
            stand_ins.add(program, behaviour);
            let listener = Listener { stop_at: Some("ready"), ..Listener::default() };
            let token = token();
            let error = listener.with(|run| sink(text, &stand_ins.options()).deliver(&token, run)).unwrap_err();
            let fault = match behaviour {
                "exit 0" => Fault::Failed,
                asked if asked.contains("ready") => Fault::Interrupted,
                _ => Fault::Unavailable,
            };
            assert_eq!((error.fault, error.reached), (fault, reached), "{text}: {behaviour}: {error}");
            assert!(error.to_string().contains(says), "{text}: {error}");
            assert!(!leaks(&error.to_string(), &token) && !leaks(&listener.text(), &token));
        }
    }
}
