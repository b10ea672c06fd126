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
