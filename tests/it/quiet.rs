//! `-q` leaves out notes; what goes wrong is said all the same.

use crate::support::{Home, due};

#[test]
fn a_due_run_that_fails_says_so_to_cron() {
    let home = Home::new();
    for name in ["good", "bad"] {
        home.ok(&["create", name, "--rotate-every", "30d", "-q"]);
    }
    home.write(
        "map.toml",
        "[[rule]]\nname = \"good\"\ndeliver = [\"file:good.key\"]\n\n[[rule]]\nname = \"bad\"\ndeliver = [\"exec:exit 1\"]\n",
    );
    for quiet in ["-q", "--output=name"] {
        home.ok(&["create", "again", "--rotate-every", "30d", "--if-not-exists", "--deliver", "file:again.key"]);
        let ran = home.run(&due(&["--deliver-map", "map.toml", quiet]));
        assert_eq!(ran.code, Some(11), "{ran:?}");
        for told in ["error: bad (key_", "exit ended with 1", "error: again (key_", "no rule of the deliver map"] {
            assert!(ran.stderr.contains(told), "{quiet}: {told}: {ran:?}");
        }
        assert!(!ran.stdout.contains("bad"), "{ran:?}");
    }
    let fine = home.run(&["rotate", "--due", "--yes", "--max", "9", "--deliver", "file:{name}.key", "-q"]);
    assert_eq!((fine.code, fine.stderr.as_str()), (Some(0), ""), "nothing to mail: {fine:?}");
}

#[test]
fn every_failure_is_said() {
    let home = Home::new();
    home.ok(&["create", "a"]);
    home.ok(&["create", "b", "--env", "production"]);
    home.write("binary", "nothing of ours");
    for (line, code) in [
        ("-q show nobody", 3),
        ("-q show a nobody", 11),
        ("-q revoke nobody nowhere", 3),
        ("-q rotate a nobody", 11),
        ("-q rotate nobody", 3),
        ("-q create a", 6),
        ("-q create a --if-not-exists", 15),
        ("-q identify --scan missing", 11),
        ("-q identify --secret-file binary", 3),
        ("-q apply -f nowhere.toml --yes", 2),
        ("-q update a", 2),
        ("-q vault restore nowhere.db", 2),
        ("-q audit verify --checkpoint nowhere", 2),
        ("-q list --field nosuch", 2),
    ] {
        let ran = home.run(&line.split(' ').collect::<Vec<_>>());
        let told = !ran.stderr.trim().is_empty();
        assert!(told && ran.code != Some(0), "{line}: {ran:?}");
        assert!(ran.code == Some(code) || code == 2, "{line}: {ran:?}");
    }
}
