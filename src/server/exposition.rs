//! The text format of Prometheus (0.0.4), made of that of OpenMetrics: what `curl` shows, `promtool` checks, and scrapers
//! that know no OpenMetrics read.
//!
//! The two differ in the names that the lines about a family bear, in the types they know, and in the end mark.

use std::fmt::Write;

/// The media type of what [`of_openmetrics`] returns.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text";

/// The same metrics.
pub(super) fn of_openmetrics(told: &str) -> String {
    let mut text = String::with_capacity(told.len());
    let mut help = None;
    for line in told.lines() {
        let Some(about) = line.strip_prefix("# ") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let mut words = about.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            // It comes before the type, which decides the name.
            (Some("HELP"), Some(_), said) => help = said,
            (Some("TYPE"), Some(family), Some(kind)) => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    other => ("", other),
                };
                if let Some(said) = help.take() {
                    // Writing to a string does not fail.
                    let _ = writeln!(text, "# HELP {family}{suffix} {}", said.replace("\\\"", "\""));
                }
                let _ = writeln!(text, "# TYPE {family}{suffix} {kind}");
            }
            // Units and the end are unknown to it.
            _ => {}
        }
    }
    text
}

/// Whether whoever asks would rather have OpenMetrics: who says so, and who says nothing. Who takes anything, as `curl`
/// does, gets what every tool reads.
pub(super) fn prefers_openmetrics<'a>(accept: impl Iterator<Item = &'a str>) -> bool {
    let mut accept = accept.peekable();
    if accept.peek().is_none() {
        return true;
    }
    let (mut openmetrics, mut text) = (0.0, 0.0);
    for range in accept.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
        if kind.eq_ignore_ascii_case(OPENMETRICS) {
            openmetrics = f32::max(openmetrics, quality);
        } else if kind.eq_ignore_ascii_case("text/plain") {
            text = f32::max(text, quality);
        }
    }
    openmetrics > 0.0 && openmetrics >= text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_format_has_its_own_names_and_types() {
        let told = "# HELP a Things.\n# TYPE a counter\na_total{b=\"c\"} 1\n# HELP d How long.\n# TYPE d histogram\n\
                    # UNIT d seconds\nd_sum 0.5\n# HELP e The build.\n# TYPE e info\ne_info{v=\"1\"} 1\n# EOF\n";
        assert_eq!(
            of_openmetrics(told),
            "# HELP a_total Things.\n# TYPE a_total counter\na_total{b=\"c\"} 1\n# HELP d How long.\n# TYPE d histogram\n\
             d_sum 0.5\n# HELP e_info The build.\n# TYPE e_info gauge\ne_info{v=\"1\"} 1\n"
        );
    }

    #[test]
    fn whoever_asks_chooses_the_format() {
        let prefers = |accept: &[&str]| prefers_openmetrics(accept.iter().copied());
        assert!(prefers(&[]));
        assert!(!prefers(&["*/*"]));
        assert!(!prefers(&["text/plain"]));
        assert!(prefers(&["application/openmetrics-text"]));
        assert!(!prefers(&["application/openmetrics-text;q=0, text/plain"]));
        assert!(!prefers(&["application/openmetrics-text;q=0.2", "text/plain;q=0.3"]));
        // As Prometheus asks.
        assert!(prefers(&[
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        ]));
    }
}
