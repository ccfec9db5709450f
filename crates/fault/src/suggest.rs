/// The known word that a mistyped one most likely stands for.
///
/// Counts insertions, deletions, changes, and swaps of neighbours (optimal string alignment). A third of the word's
/// letters may be wrong, at most three: beyond that a suggestion misleads.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let allowed = (length / 3).clamp(1, 3);
    // "_" for "." and the wrong case are the commonest slips of configuration keys: they cost nothing.
    let plain = |text: &str| text.to_ascii_lowercase().replace(['_', '-'], ".");
    let wanted = plain(word);
    known
        .into_iter()
        // At least as far apart as their lengths: a word of a megabyte costs nothing.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed)
        .map(|candidate| (distance(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *candidate != word)
        .min_by_key(|(distance, candidate)| (*distance, candidate.len()))
        .map(|(_, candidate)| candidate)
}

fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_key_finds_its_neighbour() {
        let known = ["aws.s3.bucket.name", "aws.s3.region", "aws.s3.prefix", "file.max.records"];
        assert_eq!(suggest("aws.s3.bukcet.name", known), Some("aws.s3.bucket.name"));
        assert_eq!(suggest("aws_s3_region", known), Some("aws.s3.region"));
        assert_eq!(suggest("file.max.record", known), Some("file.max.records"));
        assert_eq!(suggest("flush.size", known), None);
        assert_eq!(suggest("", known), None);
    }

    #[test]
    fn a_very_long_word_is_compared_with_nothing() {
        // To compare these takes hours.
        let (word, known) = ("k".repeat(4 << 20), "k".repeat(1 << 20));
        assert_eq!(suggest(&word, [known.as_str()]), None);
    }

    #[test]
    fn distance_counts_single_slips() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("acb", "abc"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
