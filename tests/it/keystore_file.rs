//! The keystore file as its owner finds it: open to others, or another copy than before.

use crate::support::Home;
use std::{fs::Permissions, os::unix::fs::PermissionsExt};

#[test]
fn a_keystore_open_to_others_is_refused_with_the_command_that_closes_it() {
    let home = Home::new();
    home.ok(&["create", "billing"]);
    let keystore = home.keystore();
    std::fs::set_permissions(&keystore, Permissions::from_mode(0o644)).unwrap();
    for args in [&["list"][..], &["revoke", "billing", "--yes"], &["scan-rule"]] {
        let ran = home.run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(5), ""), "{ran:?}");
        let fix = format!("chmod go= {}", keystore.display());
        assert!(ran.stderr.contains("can be read or written by others") && ran.stderr.contains(&fix), "{ran:?}");
    }
    let doctor = home.run(&["doctor"]);
    assert!(doctor.code != Some(0) && doctor.stdout.contains("is open to others: chmod go="), "{doctor:?}");
    std::fs::set_permissions(&keystore, Permissions::from_mode(0o600)).unwrap();
    home.ok(&["list"]);
}

#[test]
fn a_copy_that_went_its_own_way_is_refused_until_it_is_restored_on_purpose() {
    let (here, there) = (Home::new(), Home::new());
    here.ok(&["create", "first"]);
    let copy = std::process::Command::new("cp").arg("-a").arg(here.path().join(".")).arg(there.path()).status();
    assert!(copy.unwrap().success());
    for name in ["second", "third"] {
        there.ok(&["create", name]);
    }
    here.ok(&["create", "elsewhere"]);
    std::fs::copy(there.keystore(), here.keystore()).unwrap();
    let refused = here.run(&["list"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(14), ""), "{refused:?}");
    assert!(
        refused.stderr.contains("another copy of the vault") && refused.stderr.contains("vault restore"),
        "{refused:?}"
    );

    let backup = there.path().join("there.db");
    there.ok(&["vault", "backup", backup.to_str().unwrap()]);
    here.ok(&["vault", "restore", backup.to_str().unwrap(), "--force", "--yes"]);
    let names = here.ok(&["list", "-o", "name"]);
    assert!(names.contains("third") && !names.contains("elsewhere"), "{names}");
    here.ok(&["audit", "verify"]);
}
