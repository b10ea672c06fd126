//! Keys to look at together: groups, refusals with their reasons, reports, and the page, in a real browser where one is.

use crate::support::{Home, browser::Browser};
use std::{fs, os::unix::fs::PermissionsExt};

/// A name and an owner as hostile as they may be; an older vault holds worse.
const EVIL: &str = "=HYPERLINK(\"x\")|<script>document.title='owned'</script>gnp.exe 🔑 שלום `a` [b](https://c.test)";
const OWNER: &str = "@a| <img src=x onerror=\"document.title='owned'\"> |";

/// Two owners, three environments, every status, a use and two refusals.
fn furnished() -> Home {
    let home = Home::new();
    home.ok(&["create", "used", "--env", "production", "--owner", "billing@example.com", "--rotate-every", "90d"]);
    let gone = home.ok(&["create", "gone", "--env", "staging", "--owner", "billing@example.com"]);
    home.ok(&["create", "free", "--no-expiry"]);
    let near = home.ok(&["create", "near", "--expires-in", "3d", "--allow-ip", "10.0.0.0/8"]);
    home.ok(&["revoke", "gone"]);
    for (token, ip) in [(&gone, "10.0.0.1"), (&near, "192.0.2.9"), (&near, "192.0.2.8")] {
        assert_eq!(home.verdict(token, &["--ip", ip, "--record"]).1, Some(13));
    }
    home
}

#[test]
fn refused_keys_are_listed_with_the_reasons_whatever_their_status() {
    let home = furnished();
    let listed = home.json(&["list", "--denied-since", "1h", "--sort", "name"]);
    let items = listed["items"].as_array().unwrap();
    let names: Vec<_> = items.iter().map(|key| key["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["gone", "near"]);
    assert_eq!((&items[0]["denials"][0]["code"], &items[0]["denials"][0]["count"]), (&"REVOKED".into(), &1.into()));
    let near = &items[1]["denials"][0];
    assert_eq!((near["code"].as_str(), near["count"].as_u64()), (Some("IP_NOT_ALLOWED"), Some(2)));
    assert!(near["detail"].as_str().unwrap().contains("192.0.2.8"), "the words of the last one: {near}");
    let shown = home.ok(&["list", "--denied-since", "1h"]);
    assert!(shown.contains("IP_NOT_ALLOWED (2): ") && shown.contains("REVOKED (1)"), "{shown}");
    assert!(home.json(&["list", "--sort", "name"])["items"][0].get("denials").is_none(), "only where it was asked for");
    assert_eq!(home.json(&["list", "--denied-since", "1h", "--status", "active"])["page"]["total"], 1);
    assert_eq!(home.run(&["list", "--denied-since", "1"]).code, Some(2));
    assert!(home.run(&["-q", "list", "--denied-since", "1h"]).stderr.is_empty());
}

#[test]
fn keys_come_in_groups_in_every_format() {
    let home = furnished();
    let table = home.ok(&["list", "--group-by", "owner", "--status", "any", "--sort", "name"]);
    let lines: Vec<&str> = table.lines().map(|line| line.split("  ").next().unwrap()).collect();
    let expected = ["NAME", "owner: billing@example.com (2)", "gone", "used", "", "owner: none (2)", "free", "near"];
    assert_eq!(lines, expected, "{table}");

    let groups = home.json(&["list", "--group-by", "env"]);
    assert_eq!(groups["schema"], "keyward.key-group-list/v1");
    let told = groups["items"].as_array().unwrap().iter().map(|group| {
        let items = group["items"].as_array().unwrap();
        assert_eq!(group["keys"], items.len());
        (group["by"].as_str().unwrap(), group["group"].as_str().unwrap(), items.len())
    });
    assert_eq!(told.collect::<Vec<_>>(), [("environment", "development", 2), ("environment", "production", 1)]);
    assert!(home.json(&["list", "--group-by", "project"])["items"][0]["group"].is_null());

    let csv = home.ok(&["-o", "csv", "list", "--group-by", "status", "--status", "any", "--sort", "name"]);
    let first: Vec<&str> = csv.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(first, ["status", "active", "active", "active", "revoked"]);
    let markdown = home.ok(&["-o", "markdown", "list", "--group-by", "env"]);
    assert!(markdown.starts_with("### environment: development (2)\n\n| name |"), "{markdown}");
    assert_eq!(home.ok(&["-o", "name", "list", "--group-by", "env", "--sort", "name"]), "free\nnear\nused");
    assert_eq!(
        home.ok(&["-q", "list", "--group-by", "env"]).lines().filter(|line| line.starts_with("key_")).count(),
        3
    );
    let counted = home.json(&["list", "--group-by", "env", "--count"]);
    assert_eq!((&counted["items"][0]["keys"], counted["items"][0].get("items")), (&2.into(), None));
    assert_eq!(home.run(&["list", "--group-by", "env", "--exit-code"]).code, Some(10));
    let cut = home.json(&["list", "--group-by", "owner", "--limit", "1"]);
    assert_eq!((&cut["page"]["truncated"], cut["items"].as_array().unwrap().len()), (&true.into(), 1));
    assert!(home.run(&["list", "--group-by", "owner", "--expired"]).stderr.contains("no keys"));
}

#[test]
fn reports_say_what_is_stale_expires_is_rotated_and_whose_it_is() {
    let home = furnished();
    let counts = home.json(&["report"]);
    assert_eq!(counts["schema"], "keyward.report/v1");
    let number = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!(["keys", "active", "revoked", "expiring", "no_expiry", "never_used"].map(number), [4, 3, 1, 1, 1, 3]);
    let expiry = home.run(&["report", "expiry", "--within", "7d", "-o", "name"]);
    assert_eq!((expiry.stdout.as_str(), expiry.stderr.contains("never expire: 1")), ("near\n", true));
    assert_eq!(home.ok(&["report", "rotation", "-o", "name"]), "used");
    assert_eq!(home.json(&["report", "stale"])["page"]["total"], 0, "keys of today are not stale");
    let owners = home.ok(&["report", "owners", "-o", "csv"]);
    assert!(owners.starts_with("owner,keys,active,") && owners.contains("\r\nbilling@example.com,2,1,0,"), "{owners}");
    assert_eq!(home.json(&["report", "owners", "--env", "production"])["page"]["total"], 1);
    assert_eq!(home.run(&["report", "nonsense"]).code, Some(2));
}

#[test]
fn names_of_others_harm_no_format() {
    let home = Home::new();
    for name in [EVIL, "a,c\"d", "@sum(1)", "| --- |"] {
        home.ok(&["create", name, "--owner", &format!("{name}{OWNER}"), "--expires-in", "3d"]);
    }
    for home in [&home, &Home::of_old_vault()] {
        for command in
            ["list", "list --group-by owner", "report expiry", "report owners", "report stale --unused-for 1s"]
        {
            for format in ["table", "wide", "csv", "markdown", "json", "jsonl"] {
                let mut args = vec!["-o", format];
                args.extend(command.split(' '));
                let shown = home.ok(&args);
                if format != "csv" {
                    assert!(!shown.contains(['\x1b', '\u{202e}']), "{command} -o {format}: {shown:?}");
                }
                if format == "markdown" {
                    assert!(!shown.contains(['<', '>']) && !shown.contains("](https://"), "{command}: {shown}");
                    let is_line = |line: &str| line.is_empty() || line.starts_with("| ") || line.starts_with("### ");
                    assert!(shown.lines().all(is_line), "{command}: {shown}");
                }
                if format == "csv" {
                    let mut reader = csv::Reader::from_reader(shown.as_bytes());
                    for record in reader.records() {
                        let record = record.unwrap();
                        assert!(record.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{record:?}");
                    }
                }
            }
        }
    }
    home.ok(&["report", "--html", "page.html"]);
    let page = fs::read_to_string(home.path().join("page.html")).unwrap();
    assert!(
        !page.contains("<script")
            && !page.contains("<img")
            && !page.contains(['\x1b', '\u{202e}'])
            && page.contains("&lt;script&gt;")
    );
    assert!(page.contains("🔑") && page.contains("שלום"), "what is harmless stays as it is");
}

#[test]
fn the_page_is_a_private_file_and_replaced_whole() {
    let home = furnished();
    let path = home.path().join("page.html");
    let ran = home.run(&["report", "--html", "page.html", "-n"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("would be written") && !path.exists(), "{ran:?}");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let reply = home.json(&["report", "--html", "page.html"]);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!((reply["keys"].as_u64(), reply["bytes"].as_u64()), (Some(4), Some(text.len() as u64)));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(text.starts_with("<!DOCTYPE html>") && text.contains("billing@example.com"));
    for (file, code) in [("nowhere/page.html", 1), (".", 2)] {
        let ran = home.run(&["report", "--html", file]);
        assert!(ran.code == Some(code) && ran.stderr.contains("cannot write"), "{ran:?}");
    }
    let left: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_str().unwrap().contains(".new-")), "{left:?}");
    assert_eq!(home.run(&["--read-only", "report", "--html", "page.html"]).code, Some(0), "it changes no key");
}

/// A rename over a pipe or a link would take it away, from whoever made it.
#[test]
fn the_page_replaces_files_alone_and_follows_links_to_them() {
    let home = furnished();
    let at = |name: &str| home.path().join(name);
    nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
    for (file, why) in [("pipe", "a pipe"), ("dangling", "leads nowhere"), ("/dev/null", "a device")] {
        let ran = home.run(&["report", "--html", file]);
        assert!(ran.code == Some(2) && ran.stderr.contains(why), "{ran:?}");
    }
    assert!(std::os::unix::fs::FileTypeExt::is_fifo(&at("pipe").symlink_metadata().unwrap().file_type()));
    fs::create_dir(at("served")).unwrap();
    fs::write(at("served/page.html"), "old").unwrap();
    std::os::unix::fs::symlink("served/page.html", at("link")).unwrap();
    home.ok(&["report", "--html", "link"]);
    assert!(at("link").symlink_metadata().unwrap().is_symlink());
    assert!(fs::read_to_string(at("served/page.html")).unwrap().starts_with("<!DOCTYPE html>"));
    assert!(home.ok(&["report", "--html", "-"]).starts_with("<!DOCTYPE html>"));
    assert!(!at("-").exists());
    assert_eq!(home.run(&["report", "--html", "-", "-o", "json"]).code, Some(2), "one document at a time");
}

#[test]
fn the_page_tells_what_the_policy_finds() {
    let home = furnished();
    home.ok(&["create", EVIL, "--owner", OWNER, "--env", "staging", "--rate-limit", "none"]);
    home.ok(&["report", "--html", "page.html"]);
    let read = || fs::read_to_string(home.path().join("page.html")).unwrap();
    let hygiene = |page: &str| {
        let from = page.split("<section id=\"findings\">").nth(1).unwrap();
        from.split("</section>").next().unwrap().to_owned()
    };
    let found = home.json_any(&["check"]);
    let found = found["items"].as_array().unwrap();
    assert!(found.len() >= 4, "{found:?}");
    let section = hygiene(&read());
    for finding in found {
        for field in ["rule", "severity", "key_id", "environment"] {
            assert!(section.contains(finding[field].as_str().unwrap()), "{finding} in {section}");
        }
    }
    assert_eq!(section.matches("Accepted for now").count(), 0);
    assert!(!section.contains("<script"), "{section}");

    // Only of the keys that are reported on; what is no key's own is then left out.
    home.ok(&["report", "--html", "page.html", "--env", "development"]);
    let ours = hygiene(&read());
    assert!(ours.contains("no-expiry") && !ours.contains("no-rate-limit"), "{ours}");

    // By another policy, whose exceptions are told with their end and their reason.
    let policy = "[rules.no-expiry]\nseverity = 'off'\n[rules.no-owner]\nseverity = 'error'\n[[exceptions]]\nrule = \
                  'no-rate-limit'\nkey = '*'\nuntil = 2999-01-01\nreason = '<b>being replaced'\n[[exceptions]]\nrule = \
                  'unused'\nuntil = 2020-01-01\nreason = 'long ago'\n";
    fs::write(home.path().join("other.toml"), policy).unwrap();
    let ran = home.run(&["report", "--html", "page.html", "--policy", "other.toml"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("an exception to unused has ended: long ago"), "{ran:?}");
    let section = hygiene(&read());
    assert!(!section.contains("no-expiry") && section.contains("no-owner"), "{section}");
    assert!(section.contains("Accepted for now") && section.contains("2999-01-01"), "{section}");
    assert!(section.contains("&lt;b&gt;being replaced"), "{section}");
    for refused in [&["report", "--policy", "other.toml"][..], &["report", "stale", "--policy", "other.toml"]] {
        assert_eq!(home.run(refused).code, Some(2), "{refused:?}");
    }
    assert_eq!(home.run(&["report", "--html", "page.html", "--policy", "nowhere.toml"]).code, Some(2));
}

/// On a phone and on a desk, light and dark, with no keys, with few and with many: nothing is asked for, nothing runs,
/// nothing is wider than the window, and everything can be read.
#[test]
fn a_browser_shows_the_page_and_fetches_nothing() {
    let Some(mut browser) = Browser::open() else { return };
    let few = furnished();
    few.ok(&["create", EVIL, "--owner", OWNER, "--expires-in", "3d"]);
    let many = Home::new();
    let lines: String =
        (0..2_000).map(|at| format!("a-rather-long-name-of-a-key-{at},team-{}@example.com\n", at % 7)).collect();
    fs::write(many.path().join("keys.csv"), format!("name,owner\n{lines}")).unwrap();
    many.ok(&["create", "--from", "keys.csv", "--out", "secrets.jsonl"]);
    for (home, keys) in [(Home::with_vault(), 0), (few, 5), (many, 2_000)] {
        home.ok(&["report", "--html", "page.html"]);
        let file = home.path().join("page.html");
        for (width, dark) in [(360, false), (360, true), (1280, false), (1280, true)] {
            browser.looks(width, dark);
            browser.show(&file);
            assert_eq!(browser.requests(), [format!("file://{}", file.display())]);
            let complaints: Vec<_> =
                browser.events.iter().filter(|event| event["method"] == "Log.entryAdded").collect();
            assert!(complaints.is_empty(), "{complaints:?}");
            assert!(browser.evaluate("document.title").as_str().unwrap().starts_with("API keys of default"));
            assert_eq!(browser.evaluate("document.querySelector('.cards b').textContent"), keys.to_string());
            let wide = browser.evaluate("document.documentElement.scrollWidth");
            assert!(wide.as_u64().unwrap() <= u64::from(width), "{wide} on {width}");
            let smallest = "Math.min(...[...document.querySelectorAll('body *')].filter(e => e.textContent)
                .map(e => parseFloat(getComputedStyle(e).fontSize)))";
            assert!(browser.evaluate(smallest).as_f64().unwrap() >= 12.0, "legible");
            let light = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)";
            let (back, text) = (browser.evaluate(light), browser.evaluate(&light.replace("backgroundColor", "color")));
            assert_eq!(back.as_u64() < text.as_u64(), dark, "background {back}, text {text}");
            assert!(browser.evaluate("document.querySelectorAll('svg rect').length").as_u64() > Some(10));
            let found = browser.evaluate("document.querySelectorAll('#findings tbody tr').length").as_u64();
            assert_eq!(found > Some(0), keys > 0, "{found:?} findings of {keys} keys");
            assert_eq!(browser.evaluate("document.querySelectorAll('script, img, link, iframe, form').length"), 0);
        }
    }
}
