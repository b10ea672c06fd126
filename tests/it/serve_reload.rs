//! SIGHUP: what comes from files is read again while the server serves, the log says what came of it, and systemd is told.

use crate::support::{
    Home,
    server::{Served, socket},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::os::unix::net::UnixDatagram;

fn hang_up(server: &Served) {
    kill(Pid::from_raw(i32::try_from(server.pid()).unwrap()), Signal::SIGHUP).unwrap();
}

fn table(path: &str, environment: &str) -> String {
    format!("[[route]]\npath = '{path}'\nneeds_project = false\nenvironment = '{environment}'\n")
}

#[test]
fn a_route_table_is_read_again_and_one_that_is_no_good_changes_nothing() {
    let home = Home::with_vault();
    let key = home.ok(&["create", "sync", "--env", "production"]);
    home.write("routes.toml", &table("/before", "production"));
    let server = Served::start(&home, &["--env", "production", "--routes", "routes.toml"]);
    let status = |path: &str| server.get(&format!("/v1/authz{path}"), &[("X-API-Key", &key)]).status;
    assert_eq!((status("/before"), status("/after")), (200, 403));
    home.write("routes.toml", &table("/after", "production"));
    assert_eq!((status("/before"), status("/after")), (200, 403), "nobody asked yet");
    hang_up(&server);
    while status("/after") != 200 {
        std::thread::yield_now();
    }
    assert_eq!(status("/before"), 403);
    for wrong in [table("/staging", "staging"), "[[route]]\npath = 'no'\n".to_owned()] {
        home.write("routes.toml", &wrong);
        hang_up(&server);
    }
    assert_eq!((status("/after"), status("/staging")), (200, 403));
    // The stop comes after what was asked before: both signals are heeded by one loop, the hang-ups perhaps as one.
    home.write("routes.toml", &table("/before", "production"));
    hang_up(&server);
    while status("/before") != 200 {
        std::thread::yield_now();
    }
    let (ended, said) = server.stop(Signal::SIGTERM);
    assert!(ended.success(), "{said}");
    for line in ["the route table was read again", "the route table in use stays in use", "keys and policies are as"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("certificate"), "there is none: {said}");
}

#[test]
fn systemd_is_told_that_it_reads_again_and_when_it_has() {
    let home = Home::with_vault();
    let told = home.path().join("notify");
    let systemd = UnixDatagram::bind(&told).unwrap();
    let listen = format!("unix:{}", socket(&home).display());
    let mut command = home.command(&["serve", "--env", "all", "--listen", &listen]);
    command.env("NOTIFY_SOCKET", &told);
    let server = Served::start_command(command);
    let heard = || {
        let mut said = [0; 256];
        let length = systemd.recv(&mut said).unwrap();
        String::from_utf8_lossy(&said[..length]).into_owned()
    };
    assert!(heard().contains("READY=1"));
    hang_up(&server);
    let reloading = heard();
    assert!(reloading.contains("RELOADING=1") && reloading.contains("MONOTONIC_USEC="), "{reloading}");
    assert!(heard().contains("READY=1"));
    assert!(server.stop(Signal::SIGTERM).0.success());
    assert!(heard().contains("STOPPING=1"));
}
