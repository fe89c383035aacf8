//! "Did you mean": the candidate with the fewest edits to what was written, if they are few.

/// Such as "; did you mean `partitions`?", or nothing.
pub(crate) fn did_you_mean(word: &str, candidates: &[&str]) -> String {
    let close = candidates.iter().map(|candidate| (edits(word, candidate), candidate)).min();
    match close {
        Some((edits, candidate)) if edits <= candidate.len() / 3 + 1 && edits < candidate.len() => {
            format!("; did you mean `{candidate}`?")
        }
        _ => String::new(),
    }
}

/// How many insertions, deletions and replacements make `b` of `a` (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, (above_left, above)) in b.chars().zip(row.iter().zip(row.iter().skip(1))) {
            left = (above_left + usize::from(x != y)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(edits("", ""), 0);
        assert_eq!(edits("partition", "partitions"), 1);
        assert_eq!(edits("psot", "post"), 2);
        assert_eq!(edits("key", ""), 3);
    }

    #[test]
    fn names_only_what_is_close() {
        let known = ["partitions", "retention", "key"];
        assert_eq!(did_you_mean("partition", &known), "; did you mean `partitions`?");
        assert_eq!(did_you_mean("retenton", &known), "; did you mean `retention`?");
        assert_eq!(did_you_mean("colour", &known), "");
    }
}
