use std::fmt;

use fancy_regex::Regex;

/// A Java regular expression that is asked whether it matches a whole text (`Pattern.matches`).
///
/// What Java's and this engine's syntax share covers what is written for topic names: look-around, possessive
/// quantifiers, class intersections and `\Q..\E` included.
#[derive(Clone)]
pub struct Pattern {
    source: String,
    whole: Regex,
}

impl Pattern {
    /// Reads an expression; the error says what is wrong with it.
    pub fn parse(source: &str) -> Result<Self, String> {
        let whole = format!("^(?:{})$", unquote(source));
        match Regex::new(&whole) {
            Ok(whole) => Ok(Self { source: source.to_owned(), whole }),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whether all of `text` matches. An expression that backtracks without end matches nothing.
    pub fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text).unwrap_or(false)
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

/// Writes Java's `\Q..\E` out as escapes, which the engine here does not know.
fn unquote(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        if let Some(quoted) = escape.strip_prefix("\\Q") {
            let (quoted, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            out.push_str(&fancy_regex::escape(quoted));
            rest = after;
        } else {
            let end = escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end);
            out.push_str(&escape[..end]);
            rest = &escape[end..];
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_pattern_matches_the_whole_text_or_nothing() {
        let orders = Pattern::parse("orders.*|pay[a-z&&[^z]]+").unwrap();
        assert!(orders.matches("orders-eu") && orders.matches("payments"));
        assert!(!orders.matches("my-orders") && !orders.matches("payz"));
        assert!(Pattern::parse(r"(?!__)\Qa.b\E.*").unwrap().matches("a.bc"));
        assert!(!Pattern::parse(r"(?!__)\Qa.b\E.*").unwrap().matches("aXbc"));
        assert!(Pattern::parse("a++b").unwrap().matches("aab"));
        assert!(Pattern::parse("(unclosed").is_err());
    }
}
