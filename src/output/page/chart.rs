//! Charts of bars, as SVG that stands in the page.

use crate::ops::report::Bar;
use maud::{Markup, html};

const WIDTH: usize = 320;
const LABEL: usize = 84;
const ROW: usize = 24;
/// Room at the right for the largest number.
const NUMBER: usize = 64;

/// A bar for each range, its length in proportion to the longest; anything but zero shows at least a sliver.
pub(super) fn bars(caption: &str, bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.keys).max().unwrap_or(0).max(1);
    let height = bars.len() * ROW;
    let words: Vec<String> = bars.iter().map(|bar| format!("{}: {}", bar.label, bar.keys)).collect();
    html! {
        figure {
            svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(format!("{caption}. {}", words.join(", "))) {
                @for (at, bar) in bars.iter().enumerate() {
                    @let length = (bar.keys * (WIDTH - LABEL - NUMBER)).div_ceil(most);
                    @let (top, base) = (at * ROW, at * ROW + 16);
                    text x="0" y=(base) { (bar.label) }
                    rect.bar x=(LABEL) y=(top + 4) width=(length) height=(ROW - 8) rx="2" {}
                    text x=(LABEL + length + 6) y=(base) { (bar.keys) }
                }
            }
            figcaption { (caption) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_keep_their_proportions_inside_the_picture() {
        let shown = |keys: &[usize]| {
            let bars: Vec<Bar> = keys.iter().map(|keys| Bar { label: "x", keys: *keys }).collect();
            super::bars("c", &bars).into_string()
        };
        assert!(shown(&[0, 0]).contains(r#"width="0""#));
        let some = shown(&[100_000, 50_000, 1]);
        for width in ["172", "86", "1"] {
            assert!(some.contains(&format!(r#" width="{width}" "#)), "{some}");
        }
        assert!(some.contains("x: 100000, x: 50000, x: 1"));
    }
}
