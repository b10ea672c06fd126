//! Deliver maps: which rule counts, what is refused, and whom a map must belong to.

use super::{
    super::{Fault, Options, testing::facts},
    *,
};
use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
};

fn map(text: &str) -> DeliverMap {
    DeliverMap::parse(text).unwrap()
}

fn first_sink(map: &DeliverMap, key: &KeyFacts<'_>) -> Option<String> {
    map.rule_for(key).map(|rule| rule.deliver[0].to_string())
}

#[test]
fn the_first_rule_that_matches_counts() {
    let map = map(r#"
        [[rule]]
        name = "billing-sync"
        env = "prod"
        deliver = ["file:/a"]

        [[rule]]
        glob = "billing-*"
        deliver = ["file:/b/{env}/{name}", "exec:notify"]
        probe = "curl -fsS https://example.com"
        overlap = "1h30m"

        [[rule]]
        label = "team=billing=x"
        deliver = ["file:/c"]
    "#);
    let key = facts();
    assert_eq!(first_sink(&map, &key).unwrap(), "file:/a");
    let staging = KeyFacts { env: "staging", ..key };
    assert_eq!(first_sink(&map, &staging).unwrap(), "file:/b/{env}/{name}");
    let rule = map.rule_for(&staging).unwrap();
    assert_eq!(rule.overlap, Some(TimeDelta::minutes(90)));
    assert_eq!(rule.probe.as_deref(), Some("curl -fsS https://example.com"));
    assert_eq!(rule.deliver[0].resolve(&staging, &Options::default()).unwrap().name(), "file:/b/staging/billing-sync");
    assert_eq!(first_sink(&map, &KeyFacts { name: "billing", ..key }), None);
    let labels = BTreeMap::from([("team".to_owned(), "billing=x".to_owned())]);
    assert_eq!(first_sink(&map, &KeyFacts { name: "other", labels: &labels, ..key }).unwrap(), "file:/c");
}

#[test]
fn a_map_that_is_not_understood_is_refused_with_its_rule() {
    let cases = [
        ("", "it has no [[rule]]"),
        ("[[rule]]\nname = 'a'\ndeliver = []", "rule 1: deliver names no sink"),
        ("[[rule]]\ndeliver = ['file:/a']", "exactly one of name, glob and label"),
        ("[[rule]]\nname = 'a'\nglob = 'b'\ndeliver = ['file:/a']", "exactly one of"),
        (
            "[[rule]]\nname = 'a'\ndeliver = ['file:/a']\n[[rule]]\nname = 'b'\ndeliver = ['flie:/a']",
            "rule 2: flie:/a: ",
        ),
        ("[[rule]]\nname = 'a'\ndeliver = ['file:/a']\nprob = 'x'", "unknown field `prob`"),
        ("[rules]\n", "unknown field `rules`"),
        ("[[rule]]\nname = 'a'", "missing field `deliver`"),
        ("[[rule]]\nname = 'a'\ndeliver = ['file:/a']\noverlap = '1'", "overlap: "),
        ("[[rule]]\nname = 'a'\ndeliver = ['file:/a']\nenv = 'qa'", "env: "),
        ("[[rule]]\nname = 'a'\ndeliver = ['file:/a']\nprobe = ' '", "probe is empty"),
        ("[[rule]]\nglob = 'a[b'\ndeliver = ['file:/a']", "glob: "),
        ("[[rule]]\nlabel = 'team'\ndeliver = ['file:/a']", "label is written"),
    ];
    for (text, says) in cases {
        let error = DeliverMap::parse(text).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn a_map_that_others_could_change_is_refused() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("maps");
    fs::create_dir(&dir).unwrap();
    let path = dir.join("map.toml");
    fs::write(&path, "[[rule]]\nname = 'a'\ndeliver = ['file:/a']\n").unwrap();
    let link = outer.path().join("link.toml");
    symlink(&path, &link).unwrap();
    let chmod = |path: &Path, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let cases = [
        (0o600, 0o700, None),
        (0o644, 0o755, None),
        (0o644, 0o1777, None),
        (0o664, 0o755, Some("others can write to it")),
        (0o646, 0o755, Some("others can write to it")),
        (0o600, 0o775, Some("others can write to its directory")),
        (0o600, 0o777, Some("others can write to its directory")),
    ];
    for (file, directory, refused) in cases {
        chmod(&path, file);
        chmod(&dir, directory);
        for path in [&path, &link] {
            let loaded = DeliverMap::load(path);
            match refused {
                None => drop(loaded.unwrap()),
                Some(says) => {
                    let error = loaded.unwrap_err();
                    assert_eq!((error.fault, error.cause.as_deref()), (Fault::Forbidden, Some(says)));
                }
            }
        }
    }
    chmod(&dir, 0o755);
    chmod(&path, 0o644);
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(1234), None).unwrap();
        assert_eq!(DeliverMap::load(&path).unwrap_err().fault, Fault::Forbidden);
    } else {
        eprintln!("skipped: only root can give files away");
    }
    let error = DeliverMap::load(&dir.join("missing.toml")).unwrap_err();
    assert_eq!(error.fault, Fault::Usage);
}
