//! The calendar of a year: on which days how many keys expire.

use chrono::{Datelike, Days, Months, NaiveDate};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The months from a day on, until a year after it.
pub(super) fn year(from: NaiveDate, keys: &BTreeMap<NaiveDate, usize>) -> Markup {
    let most = keys.values().copied().max().unwrap_or(0);
    let first = from.with_day(1).unwrap_or(from);
    let months = (0..13).filter_map(|month| first.checked_add_months(Months::new(month)));
    html! {
        div.year {
            @for first in months {
                section {
                    h3 { (first.format("%B %Y")) }
                    ol.month { (month(first, keys, most)) }
                }
            }
        }
    }
}

fn month(first: NaiveDate, keys: &BTreeMap<NaiveDate, usize>, most: usize) -> Markup {
    let days = (0..31).filter_map(|day| first.checked_add_days(Days::new(day)));
    html! {
        @for _ in 0..first.weekday().num_days_from_monday() { li.pad aria-hidden="true" {} }
        @for day in days.filter(|day| day.month() == first.month()) {
            @match keys.get(&day).copied().unwrap_or(0) {
                0 => { li { (day.day()) } }
                keys => {
                    li class=(level(keys, most)) title=(format!("{day}: {keys}")) { (day.day()) b { (short(keys)) } }
                }
            }
        }
    }
}

/// How full a day is; the number says it to whoever sees no colours.
fn level(keys: usize, most: usize) -> &'static str {
    match keys * 3 / most.max(1) {
        0 => "one",
        1 | 2 => "two",
        _ => "three",
    }
}

/// A number that fits a day: `999`, `12k`.
fn short(keys: usize) -> String {
    if keys < 1_000 { keys.to_string() } else { format!("{}k", keys / 1_000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_the_year_has_its_place() {
        let from = NaiveDate::from_ymd_opt(2028, 2, 15).unwrap();
        let leap = NaiveDate::from_ymd_opt(2028, 2, 29).unwrap();
        let last = NaiveDate::from_ymd_opt(2029, 2, 14).unwrap();
        let shown = year(from, &[(leap, 2_500), (last, 1)].into()).into_string();
        assert_eq!(shown.matches("<section>").count(), 13);
        assert_eq!(shown.matches("<li").count() - shown.matches("pad").count(), 366 + 28, "thirteen whole months");
        assert!(shown.contains(r#"title="2028-02-29: 2500">29<b>2k</b>"#), "{shown}");
        assert!(shown.contains(r#"class="one" title="2029-02-14: 1""#));
        // 1 February 2028 is a Tuesday.
        assert!(shown.contains(
            "<h3>February 2028</h3><ol class=\"month\"><li class=\"pad\" aria-hidden=\"true\"></li><li>1</li>"
        ));
    }
}
