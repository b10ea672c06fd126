//! Facts of use, as `verify --record` leaves them behind.

use crate::support::Home;

#[test]
fn a_recorded_verdict_is_a_use_or_a_denial_and_a_plain_one_is_nothing() {
    let home = Home::new();
    let token = home.ok(&["create", "k", "--allow-ip", "10.0.0.0/8"]);
    assert_eq!(home.verdict(&token, &["--ip", "10.0.0.1"]).1, Some(0));
    assert_eq!(home.json(&["show", "k"])["key"]["never_used"], true);
    assert_eq!(home.verdict(&token, &["--ip", "10.0.0.1", "--record", "-n"]).1, Some(0));
    assert_eq!(home.json(&["show", "k"])["key"]["never_used"], true);

    let events = home.json(&["audit", "list"])["page"]["total"].clone();
    assert_eq!(home.verdict(&token, &["--ip", "10.0.0.1", "--record", "--user-agent", "curl/8"]).1, Some(0));
    assert_eq!(home.verdict(&token, &["--ip", "192.0.2.9", "--record"]).1, Some(13));
    let key = home.json(&["show", "k"])["key"].clone();
    assert_eq!((key["uses"].as_u64(), key["denied"].as_u64()), (Some(1), Some(1)));
    assert_eq!((key["last_used_ip"].as_str(), key["last_user_agent"].as_str()), (Some("10.0.0.1"), Some("curl/8")));
    assert_eq!(home.json(&["list", "--used-since", "1h"])["page"]["total"], 1);
    assert_eq!(home.json(&["list", "--never-used"])["page"]["total"], 0);
    assert_eq!(home.json(&["audit", "list"])["page"]["total"], events, "use is no administrative action");
    home.ok(&["audit", "verify"]);

    let refused = home.run_with(&["verify", "-", "--record", "--read-only"], &token);
    assert_eq!(refused.code, Some(5), "{refused:?}");
}

#[test]
fn usage_is_added_up_by_day_key_code_and_address_and_logs_say_why() {
    let home = Home::new();
    let token = home.ok(&["create", "k", "--allow-ip", "10.0.0.0/8"]);
    let other = home.ok(&["create", "evil|<script>"]);
    for (token, ip) in [(&token, "10.0.0.1"), (&token, "10.0.0.2"), (&token, "192.0.2.9"), (&other, "10.0.0.1")] {
        home.verdict(token, &["--ip", ip, "--record", "--user-agent", "a\u{1b}[31mb"]);
    }
    let by_key = home.json(&["usage"]);
    assert_eq!((by_key["schema"].as_str(), by_key["by"].as_str()), (Some("keyward.usage/v1"), Some("key")));
    assert_eq!((&by_key["uses"], &by_key["denied"], &by_key["items"][0]["name"]), (&3.into(), &1.into(), &"k".into()));
    let by_address = home.json(&["usage", "k", "--by", "address"]);
    assert_eq!(by_address["items"].as_array().unwrap().len(), 3);
    assert_eq!(by_address["secrets"][0]["uses"], 2);
    assert_eq!(home.json(&["usage", "--by", "code"])["items"][0]["group"], "VALID");
    let days = home.json(&["usage", "k", "--since", "2d"]);
    assert_eq!(days["items"].as_array().unwrap().len(), 3, "days without a request are days too: {days}");
    let shown = home.ok(&["usage"]);
    assert!(shown.contains('█') && !shown.contains('\u{202e}'), "{shown}");
    home.ok(&["usage", "k"]);

    let denied = home.json(&["logs", "--denied"]);
    let entry = &denied["items"][0];
    assert_eq!((denied["page"]["total"].as_u64(), entry["code"].as_str()), (Some(1), Some("IP_NOT_ALLOWED")));
    assert!(entry["detail"].as_str().unwrap().contains("192.0.2.9"), "{entry}");
    assert_eq!(home.json(&["logs", "--key", "k"])["page"]["total"], 3);
    assert_eq!(home.json(&["logs", "--since", "2000-01-01", "--limit", "1"])["page"]["truncated"], true);
    assert!(!home.ok(&["logs", "-o", "wide"]).contains('\u{1b}'));

    assert_eq!(home.json(&["usage", "retention", "--counts", "10d"])["counts_seconds"], 864_000);
    assert!(home.ok(&["audit", "list"]).contains("usage.retention"));
    home.ok(&["audit", "verify"]);
}

#[test]
fn followed_logs_end_when_nobody_reads_them() {
    let home = Home::new();
    let token = home.ok(&["create", "k"]);
    home.verdict(&token, &["--record"]);
    let mut child = home.command(&["-o", "json", "logs", "--follow"]).spawn().unwrap();
    let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for _ in 0..2 {
        line.clear();
        std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
        let entry: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((entry["code"].as_str(), entry["name"].as_str()), (Some("VALID"), Some("k")));
        home.verdict(&token, &["--record"]);
    }
    drop(reader);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
