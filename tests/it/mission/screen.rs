//! The rows that the full screen shows, or does.

use crate::support::{Home, book, terminal::Terminal};

#[test]
fn the_screen_shows_what_the_page_says() {
    let home = Home::with_vault();
    let line = "create billing --env production --owner ana --scope a:read --allow-ip 10.0.0.0/8 --expires-in 9d";
    let token = home.ok(&line.split(' ').collect::<Vec<_>>());
    home.ok(&["create", "other", "--env", "staging"]);
    home.verdict(&token, &["--ip", "192.0.2.9", "--record"]);
    let mut shell = Terminal::open(&home);
    shell.size(80);
    shell.type_line("keyward ui --allow-changes");
    shell.until("the list with names, environments and owners", |screen| {
        ["billing", "other", "ana", "prod", "never", "q end"].iter().all(|text| screen.contains(text))
    });
    shell.keys("/env:prod");
    shell.until("one key", |screen| screen.contains("1 of 2 keys"));
    shell.keys("\r\r");
    shell.until("its facts", |screen| {
        ["a:read", "10.0.0.0/8", "IP_NOT_ALLOWED from 192.0.2.9"].iter().all(|text| screen.contains(text))
    });
    shell.keys("qq");
    shell.finished(0);
    let shown = book::page("mission").lines().filter(|line| line.ends_with("| yes |")).count();
    assert_eq!(shown, 12, "a row that the screen shows has its place here, or in the tests of the screen");
}

#[test]
fn a_person_is_asked_for_what_was_not_said() {
    let home = Home::with_vault();
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward create --env production --no-expiry --rate-limit none --scope a:read");
    shell.answer("Name of the one system", "billing");
    assert!(shell.finished(0).contains("kw_prod_"));
    shell.type_line("keyward rotate");
    shell.press("Which key", "\r");
    shell.press("When the old secret of ", "\r");
    shell.press("Where the new secret goes", "\r");
    assert!(shell.finished(0).contains("kw_prod_"));
}
