//! What a sink may be called, and what its placeholders may not do.

use super::super::{
    Fault,
    testing::{facts, refused, sink},
};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const GOOD: [&str; 22] = [
    "file:/run/keys/billing",
    "file:relative/with,comma",
    "file:/run/keys/{env}/{name},mode=0640",
    "file:/run/{{literal}}",
    "dotenv:.env#TOKEN",
    "dotenv:a#b/.env#TOKEN",
    "json:config.json#/a/0/t~1x",
    "exec:cat >/dev/null",
    "exec:awk '{print $1}' | tee ${HOME}/x",
    "github-secret:acme/app#API_KEY",
    "github-secret:acme/app.web-1/production eu/west#API_KEY",
    "gitlab-variable:acme/team/app#API_KEY",
    "gitlab-variable:acme/app#API_KEY,protected",
    "k8s-secret:prod/billing.v1#api-key.txt",
    "vault:secret/apps/billing#api.key",
    "github-env:API_KEY",
    "github-output:api-key",
    "dotenv:.env#{label.variable}",
    "vault:secret/{workspace}/{project}/{owner}#token",
    "exec:",
    "nothing",
    "file",
];

#[test]
fn a_sink_is_shown_as_it_was_written() {
    for text in &GOOD[..19] {
        let spec: SinkSpec = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(spec.to_string(), **text);
    }
    for text in &GOOD[19..] {
        text.parse::<SinkSpec>().unwrap_err();
    }
}

#[test]
fn a_sink_that_makes_no_sense_is_refused_when_it_is_read() {
    let cases = [
        ("", "expected one of file:PATH"),
        ("s3:bucket/key", "\"s3\" is no kind of sink"),
        ("file:", "names no destination"),
        ("file:/run/", "names a directory"),
        ("file:/a,mode=0666", "mode="),
        ("file:/a,mode=0755", "mode="),
        ("file:/a,mode=4600", "mode="),
        ("file:/a,mode=6", "mode="),
        ("file:/a,mode=+600", "mode="),
        ("file:/a,mode=0040", "mode="),
        ("file:,mode=0600", "path is empty"),
        ("file:/a,mod=0600", "no option mod="),
        ("file:/{name},Mode=0600", "no option Mode="),
        ("file:/a,owner=root,mode=0600", "no option owner="),
        ("dotenv:.env,mode=0600#A", "no option mode="),
        ("json:a.json#/a,mode=0600", "no option mode="),
        ("file:/a\nb", "control character"),
        ("file:/{who}", "{who} is no placeholder"),
        ("file:/{label.}", "no placeholder"),
        ("file:/a{", "brace"),
        ("file:/a}b", "brace"),
        ("dotenv:.env", "expected dotenv:PATH#NAME"),
        ("dotenv:.env#", "no name of a variable"),
        ("dotenv:.env#A-B", "no name of a variable"),
        ("dotenv:.env#1A", "begins with a digit"),
        ("json:a.json#token", "begins with /"),
        ("json:a.json#/a~b", "~0"),
        ("exec: ", "names no command"),
        ("exec:a\0b", "NUL"),
        ("github-secret:app#A", "expected github-secret:"),
        ("github-secret:-x/app#A", "begins with -"),
        ("github-secret:acme/app#GITHUB_TOKEN", "GitHub keeps"),
        ("github-secret:acme/a b#A", "no owner or repository"),
        ("gitlab-variable:app#A", "expected gitlab-variable:"),
        ("gitlab-variable:--help/x#A", "begins with -"),
        ("k8s-secret:prod#A", "expected k8s-secret:"),
        ("k8s-secret:prod/Billing#A", "no name of a Kubernetes object"),
        ("k8s-secret:prod/a\"b#A", "no name of a Kubernetes object"),
        ("k8s-secret:prod/a#a b", "no key of a Kubernetes secret"),
        ("vault:-x#a", "begins with -"),
        ("vault:secret/a#@b", "no field of a Vault secret"),
        ("vault:secret/a#a=b", "no field of a Vault secret"),
        ("github-env:NODE_OPTIONS", "GitHub keeps"),
        ("github-env:A=B", "no name of a variable"),
        ("github-env:RUNNER_X", "GitHub keeps"),
        ("github-env:Actions_Runtime_Token", "GitHub keeps"),
        ("github-env:PATH", "decides which code"),
        ("github-env:LD_PRELOAD", "decides which code"),
        ("github-env:bash_env", "decides which code"),
        ("gitlab-variable:acme/app#LD_AUDIT", "decides which code"),
        ("github-output:a b", "no name of a variable"),
    ];
    for (text, says) in cases {
        let error = text.parse::<SinkSpec>().unwrap_err();
        assert!(error.contains(says), "{text:?}: {error}");
    }
}

fn named(text: &str, key: &KeyFacts<'_>) -> Result<String, SinkError> {
    text.parse::<SinkSpec>().unwrap().resolve(key, &Options::default()).map(|sink| sink.name().to_owned())
}

#[test]
fn placeholders_are_filled_with_facts() {
    let labels = BTreeMap::from([("variable".to_owned(), "API_KEY".to_owned())]);
    let key = KeyFacts { labels: &labels, project: Some("ledger"), ..facts() };
    let cases = [
        (
            "file:/{workspace}/{env}/{name}-{id},mode=400",
            "file:/default/production/billing-sync-key_0123456789abcdef,mode=0400",
        ),
        ("file:/{{{name}}}", "file:/{billing-sync}"),
        ("dotenv:{project}.env#{label.variable}", "dotenv:ledger.env#API_KEY"),
        ("json:a.json#/{name}/t", "json:a.json#/billing-sync/t"),
        ("exec:put {name} ${name} {x} --by {owner}", "exec:put billing-sync ${name} {x} --by billing@example.com"),
        ("k8s-secret:{env}/{name}#token", "k8s-secret:production/billing-sync#token"),
        ("vault:secret/{name}#token", "vault:secret/billing-sync#token"),
        ("github-secret:acme/app/{env}#{label.variable}", "github-secret:acme/app/production#API_KEY"),
    ];
    for (text, name) in cases {
        assert_eq!(named(text, &key).unwrap(), name);
    }
    for text in ["file:/{project}", "file:/{label.team}"] {
        let error = named(text, &facts()).unwrap_err();
        assert_eq!(error.fault, Fault::Usage);
        assert!(error.what.contains("has nothing to fill"), "{error}");
    }
}

#[test]
fn a_fact_cannot_change_where_a_secret_goes() {
    for name in ["../../etc/x", "..", ".", "a/b", "/etc", "-rf", "a\nb", "a\0b", ""] {
        let key = KeyFacts { name, ..facts() };
        for text in [
            "file:/run/{name}",
            "dotenv:/run/{name}#A",
            "dotenv:.env#{name}",
            "json:/run/{name}#/t",
            "json:a.json#/{name}",
            "exec:put {name}",
            "github-secret:acme/{name}#A",
            "gitlab-variable:acme/{name}#A",
            "k8s-secret:prod/{name}#A",
            "vault:secret/{name}#A",
            "github-env:{name}",
        ] {
            assert_eq!(named(text, &key).unwrap_err().fault, Fault::Usage, "{text} {name:?}");
        }
    }
    // What would only change the structure of the text does not: that was read before.
    let key = KeyFacts { name: "x#B,mode=0644", ..facts() };
    assert_eq!(named("file:/run/{name}", &key).unwrap(), "file:/run/x#B,mode=0644");
    assert!(named("dotenv:.env#{name}", &key).is_err());
    assert!(named("json:a.json#/{name}", &KeyFacts { name: "a~1b", ..facts() }).is_err());
}

#[test]
fn the_options_of_a_sink_are_checked_when_it_is_made_ready() {
    let with = |name: &str| Options { exec_env: Some(name.to_owned()), ..Options::default() };
    assert_eq!(refused("exec:cat", &with("PATH")).fault, Fault::Usage);
    let options = with("A B");
    assert_eq!(refused("exec:cat", &options).fault, Fault::Usage);
    assert_eq!(sink("file:/a", &options).name(), "file:/a");
}

proptest! {
    #[test]
    fn nothing_panics(kind in "(file|dotenv|json|exec|github-secret|gitlab-variable|k8s-secret|vault|github-env|github-output):", rest in "\\PC{0,30}|[{}#/,=:a-z.~-]{0,30}") {
        if let Ok(spec) = format!("{kind}{rest}").parse::<SinkSpec>() {
            prop_assert_eq!(spec.to_string(), format!("{kind}{rest}"));
            let _ = spec.resolve(&facts(), &Options::default());
        }
    }
}
