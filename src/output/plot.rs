//! Small plots in text: a bar for one number, a sparkline for a row of them. They mean the same without colour.

const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar of at most `width` characters; anything but zero shows at least a sliver.
pub fn bar(value: u64, max: u64, width: usize) -> String {
    if value == 0 || max == 0 || width == 0 {
        return String::new();
    }
    let eighths = (u128::from(value.min(max)) * width as u128 * 8).div_ceil(u128::from(max));
    let eighths = usize::try_from(eighths).unwrap_or(width * 8).max(1);
    let mut text = "█".repeat(eighths / 8);
    if eighths % 8 > 0 {
        text.push(EIGHTHS[eighths % 8 - 1]);
    }
    text
}

/// A character for each value, the highest as a full block, a dot for zero; a long row is added up to `width` of them.
pub fn sparkline(values: &[u64], width: usize) -> String {
    if width == 0 || values.is_empty() {
        return String::new();
    }
    let columns: Vec<u64> = if values.len() <= width {
        values.to_vec()
    } else {
        (0..width).map(|at| values[at * values.len() / width..(at + 1) * values.len() / width].iter().sum()).collect()
    };
    let max = columns.iter().copied().max().unwrap_or(0).max(1);
    let level = |value: u64| {
        let level = (u128::from(value) * 8).div_ceil(u128::from(max));
        usize::try_from(level).ok().and_then(|level| level.checked_sub(1)).map_or('·', |level| LEVELS[level.min(7)])
    };
    columns.into_iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bars_and_sparklines_show_proportions() {
        assert_eq!(bar(10, 10, 4), "████");
        assert_eq!(bar(5, 10, 4), "██");
        assert_eq!(bar(1, 1_000_000, 4), "▏");
        assert_eq!([bar(0, 10, 4), bar(3, 0, 4), bar(3, 3, 0)], [""; 3]);
        assert_eq!(sparkline(&[0, 1, 4, 8], 10), "·▁▄█");
        assert_eq!(sparkline(&[1, 1, 0, 0, 2, 2], 3), "▄·█");
        assert_eq!(sparkline(&[0, 0], 9), "··");
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_it_may_be(values in proptest::collection::vec(any::<u32>(), 0..200), width in 0usize..60) {
            let values: Vec<u64> = values.into_iter().map(u64::from).collect();
            prop_assert!(sparkline(&values, width).chars().count() <= width);
            let max = values.iter().copied().max().unwrap_or(0);
            for value in values {
                prop_assert!(bar(value, max, width).chars().count() <= width);
            }
        }
    }
}
