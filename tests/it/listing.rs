//! Lists of keys: conditions that go together, and those that do not.

use crate::support::Home;

#[test]
fn expired_keys_of_another_status_are_no_question() {
    let home = Home::furnished();
    for status in ["active", "revoked"] {
        let refused = home.run(&["list", "--expired", "--status", status]);
        assert_eq!((refused.code, &*refused.stdout), (Some(2), ""), "{refused:?}");
        assert!(refused.stderr.contains("of no other status"), "{}", refused.stderr);
    }
    for both in ["expired", "any", "active,expired"] {
        assert_eq!(home.json(&["list", "--expired", "--status", both])["page"]["total"], 0, "{both}");
    }
}

/// A key that lives as long as it is rotated has an end all the same, which a person sees; programs read its own, and there is
/// none.
#[test]
fn a_list_says_when_a_secret_ends_that_is_not_rotated() {
    let home = Home::with_vault();
    home.ok(&["-q", "create", "rotated", "--rotate-every", "30d"]);
    home.ok(&["-q", "create", "endless", "--no-expiry"]);
    let table = home.ok(&["list"]);
    let line = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(line("rotated").contains("  ends 20") && line("endless").contains("never"), "{table}");
    let csv = home.ok(&["list", "-o", "csv", "--columns", "name,expires_at"]);
    assert!(csv.lines().any(|line| line.trim_end() == "rotated,"), "{csv}");
    let listed = home.json(&["list", "--name", "rotated"]);
    assert!(listed["items"][0]["expires_at"].is_null() && listed["items"][0]["rotation"]["ends_at"].is_string());
}
