//! Words that look like a mistyped one. Nothing is ever run by guess.

/// How many suggestions are of use.
const MOST: usize = 3;
/// How many edits still look like a slip.
const MAX_EDITS: usize = 3;

/// The known words within a few edits of the one given, nearest first.
#[must_use]
pub fn closest(word: &str, known: &[&str]) -> Vec<String> {
    let limit = MAX_EDITS.min(word.chars().count() / 2).max(1);
    let mut near: Vec<(usize, &str)> = known
        .iter()
        .map(|candidate| (edits(word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().take(MOST).map(|(_, word)| word.to_owned()).collect()
}

/// The Levenshtein distance, with one row of memory (Wagner and Fischer, 1974).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slips_are_suggested() {
        assert_eq!(closest("biling-sync", &["billing-sync", "audit"]), ["billing-sync"]);
        assert!(closest("x", &["audits:read"]).is_empty());
    }
}
