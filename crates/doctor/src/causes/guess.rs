use crate::{Cause, Certainty};

/// A cause that an error message may be of.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// Which.
    pub cause: &'static Cause,
    /// [`Certainty::Likely`] if the message has a text that no other cause has; never decided: a text is no fact.
    pub certainty: Certainty,
    /// The cause's texts that the message has.
    pub matched: Vec<&'static str>,
    weight: f64,
}

/// Which causes an error message may be of, whoever printed it; the likeliest first.
///
/// A cause is known by its [`Cause::texts`]. A text says the more the longer it is, and the fewer causes share it.
pub fn guess(message: &str) -> Vec<Guess> {
    guess_among(&super::all(), message)
}

fn guess_among(all: &[&'static Cause], message: &str) -> Vec<Guess> {
    let message = plain(message);
    let sharers = |text: &str| all.iter().filter(|cause| cause.texts.contains(&text)).count().max(1);
    let mut guesses: Vec<Guess> = all
        .iter()
        .filter_map(|cause| {
            let found: Vec<&'static str> = cause.texts.iter().copied().filter(|text| holds(&message, text)).collect();
            // A text within another one says nothing more.
            let within = |text: &str| found.iter().any(|other| *other != text && other.contains(text));
            let matched: Vec<&'static str> = found.iter().copied().filter(|text| !within(text)).collect();
            let weight = matched.iter().map(|text| text.len() as f64 / sharers(text) as f64).sum();
            let is_own = matched.iter().any(|text| sharers(text) == 1);
            let certainty = if is_own { Certainty::Likely } else { Certainty::Possible };
            (!matched.is_empty()).then_some(Guess { cause, certainty, matched, weight })
        })
        .collect();
    guesses.sort_by(|a, b| {
        a.certainty.cmp(&b.certainty).then(b.weight.total_cmp(&a.weight)).then(a.cause.row.cmp(b.cause.row))
    });
    guesses
}

/// Whether a text stands in a message. One that begins or ends with a letter or digit does not begin or end within a word.
fn holds(message: &str, text: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    message.match_indices(text).any(|(at, _)| {
        let cut_before = is_word(text.chars().next()) && is_word(message[..at].chars().next_back());
        let cut_after = is_word(text.chars().next_back()) && is_word(message[at + text.len()..].chars().next());
        !cut_before && !cut_after
    })
}

/// In lower case, with one blank for any number of blanks and line breaks, and with plain quotes: as a text that was copied
/// out of a log, a mail or a browser comes.
fn plain(message: &str) -> String {
    let quotes = |c: char| match c {
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{201c}' | '\u{201d}' => '"',
        c => c,
    };
    let words: Vec<&str> = message.split_whitespace().collect();
    words.join(" ").chars().map(quotes).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{guess, guess_among};
    use crate::{Cause, Certainty};

    const fn cause(row: &'static str, texts: &'static [&'static str]) -> Cause {
        Cause { row, code: "a.b", title: "t", symptom: "s", why: "w", apart: "a", cure: "c", texts }
    }

    static ASSUME: Cause = cause("F01", &["sts:assumerole"]);
    static OTHER: Cause = cause("F03", &["sts:assumerole", "accessdenied"]);
    static TAGS: Cause = cause("F07", &["sts:tagsession", "accessdenied"]);

    #[test]
    fn what_is_said_of_one_cause_alone_goes_first() {
        use Certainty::{Likely, Possible};

        let all = [&ASSUME, &OTHER, &TAGS];
        let rows = |text: &str| {
            guess_among(&all, text).iter().map(|guess| (guess.cause.row, guess.certainty)).collect::<Vec<_>>()
        };
        assert_eq!(
            rows("AccessDenied: not authorized to perform: sts:TagSession"),
            [("F07", Likely), ("F03", Possible)]
        );
        // More of it speaks for the second, and none is decided.
        assert_eq!(rows("AccessDenied:\n  sts:AssumeRole"), [("F03", Possible), ("F01", Possible), ("F07", Possible)]);
        assert_eq!(rows("sts:AssumeRoleWithSAML"), []);
        assert_eq!(rows("all is well"), []);
    }

    #[test]
    fn texts_are_in_lower_case_with_single_blanks_or_would_never_be_found() {
        for cause in crate::causes::all() {
            for text in cause.texts {
                assert_eq!(&super::plain(text), text, "{}", cause.row);
                assert!(text.len() > 3 && guess(text).iter().any(|guess| guess.cause == cause), "{}", cause.row);
            }
        }
    }
}
