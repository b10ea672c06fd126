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
