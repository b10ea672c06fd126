//! The README's tour for admins, run as it stands.

use crate::support::Home;

#[test]
fn the_tour_for_admins_works() {
    let readme = include_str!("../../README.md");
    let tour = readme.split("<!-- tested").nth(1).unwrap();
    let commands = tour.split("```console\n").nth(1).unwrap().split("```").next().unwrap();
    let home = Home::new();
    for line in commands.lines() {
        let args: Vec<&str> = line.strip_prefix("keyward ").unwrap().split(' ').collect();
        home.ok(&args);
    }
}
