use crate::context::{Context, Values};

/// A policy's text with wildcards and variables, cut into pieces once, so that matching allocates nothing for the usual
/// pattern without variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    pieces: Vec<Piece>,
    has_variables: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    /// `*`: any number of characters.
    Run,
    /// `?`: exactly one.
    One,
    /// `${key}` or `${key, 'default'}`.
    Variable {
        key: Box<str>,
        default: Option<Box<str>>,
    },
}

/// What of a text is special.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syntax {
    /// `*` and `?` are wildcards (else characters).
    pub(crate) wildcards: bool,
    /// `${..}` is a variable (else characters). Only documents of version 2012-10-17 have variables.
    pub(crate) variables: bool,
}

impl Pattern {
    pub(crate) fn compile(text: &str, syntax: Syntax) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let piece = match c {
                '*' if syntax.wildcards => Piece::Run,
                '?' if syntax.wildcards => Piece::One,
                '$' if syntax.variables && rest.starts_with("${") => {
                    let end = rest.find('}').ok_or_else(|| format!("{text:?} has a variable without an end"))?;
                    let variable = parse_variable(&rest[2..end]).map_err(|reason| format!("{text:?} {reason}"))?;
                    rest = &rest[end + 1..];
                    match variable {
                        Piece::Text(escaped) => literal.push_str(&escaped),
                        piece => {
                            flush(&mut literal, &mut pieces);
                            pieces.push(piece);
                        }
                    }
                    continue;
                }
                _ => {
                    literal.push(c);
                    rest = &rest[c.len_utf8()..];
                    continue;
                }
            };
            flush(&mut literal, &mut pieces);
            // Two runs in a row say what one says.
            if !(piece == Piece::Run && pieces.last() == Some(&Piece::Run)) {
                pieces.push(piece);
            }
            rest = &rest[1..];
        }
        flush(&mut literal, &mut pieces);
        let has_variables = pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. }));
        Ok(Self { pieces, has_variables })
    }

    /// Whether `value` matches; `None` if a variable has no value or several, so that there is no pattern to match with.
    pub(crate) fn matches(&self, value: &str, context: &Context) -> Option<bool> {
        match &self.pieces[..] {
            [] => return Some(value.is_empty()),
            [Piece::Run] => return Some(true),
            [Piece::Text(text)] => return Some(**text == *value),
            [Piece::Text(text), Piece::Run] => return Some(value.starts_with(&**text)),
            _ if !self.has_variables => return Some(glob(&self.pieces, value, |_| "")),
            _ => {}
        }
        for piece in &self.pieces {
            resolve(piece, context)?;
        }
        Some(glob(&self.pieces, value, |piece| resolve(piece, context).unwrap_or_default()))
    }

    /// The text it stands for, where it has no wildcards; `None` if a variable has no value or several.
    pub(crate) fn text(&self, context: &Context) -> Option<String> {
        self.pieces.iter().map(|piece| resolve(piece, context)).collect()
    }

    /// The text it stands for, where it is nothing but text.
    pub(crate) fn literal(&self) -> Option<&str> {
        match &self.pieces[..] {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    pub(crate) fn has_wildcards(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Run | Piece::One))
    }
}

fn flush(literal: &mut String, pieces: &mut Vec<Piece>) {
    if !literal.is_empty() {
        pieces.push(Piece::Text(std::mem::take(literal).into_boxed_str()));
    }
}

fn parse_variable(inner: &str) -> Result<Piece, &'static str> {
    if matches!(inner, "*" | "?" | "$") {
        return Ok(Piece::Text(inner.into()));
    }
    let (key, default) = match inner.split_once(',') {
        None => (inner, None),
        Some((key, default)) => {
            let quoted = default.trim().strip_prefix('\'').and_then(|d| d.strip_suffix('\''));
            (key, Some(quoted.ok_or("has a variable whose default is not in single quotes")?.into()))
        }
    };
    let key = key.trim();
    let named = key.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
    if !named || key.contains(['$', '{', '\'', '*', '?']) {
        return Err("has a variable that names no condition key");
    }
    Ok(Piece::Variable { key: key.into(), default })
}

/// The fixed text of a piece; `None` for a variable without exactly one value. Wildcards have no text.
fn resolve<'a>(piece: &'a Piece, context: &'a Context) -> Option<&'a str> {
    match piece {
        Piece::Text(text) => Some(text),
        Piece::Run | Piece::One => Some(""),
        Piece::Variable { key, default } => match context.get(key) {
            None => default.as_deref(),
            // An empty value is no value; several values have no single text.
            Some(Values::One(value)) if value.is_empty() => default.as_deref(),
            Some(Values::One(value)) => Some(value),
            Some(Values::Many(_)) => None,
        },
    }
}

/// Matches with one point to come back to: a later run makes an earlier one's choice final, so this is at worst
/// quadratic and never recursive. A variable's value is text: a `*` in it is a character.
fn glob<'a>(pieces: &'a [Piece], value: &str, variable: impl Fn(&'a Piece) -> &'a str) -> bool {
    let (mut piece, mut at) = (0, 0);
    let mut last_run: Option<(usize, usize)> = None;
    loop {
        let step = match pieces.get(piece) {
            None if at == value.len() => return true,
            None => None,
            Some(Piece::Run) => {
                last_run = Some((piece, at));
                Some(0)
            }
            Some(Piece::One) => value[at..].chars().next().map(char::len_utf8),
            Some(Piece::Text(text)) => value[at..].starts_with(&**text).then_some(text.len()),
            Some(variable_piece @ Piece::Variable { .. }) => {
                let text = variable(variable_piece);
                value[at..].starts_with(text).then_some(text.len())
            }
        };
        if let Some(length) = step {
            at += length;
            piece += 1;
            continue;
        }
        let Some((run, from)) = last_run else { return false };
        let Some(next) = value[from..].chars().next() else { return false };
        at = from + next.len_utf8();
        // Where text comes after the run, only its first byte is worth a try; it never is the middle of a character.
        if let Some(Piece::Text(text)) = pieces.get(run + 1) {
            let Some(ahead) = value.as_bytes()[at..].iter().position(|b| Some(b) == text.as_bytes().first()) else {
                return false;
            };
            at += ahead;
        }
        piece = run + 1;
        last_run = Some((run, at));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Pattern, Syntax};
    use crate::Context;

    const ALL: Syntax = Syntax { wildcards: true, variables: true };

    fn matches(pattern: &str, value: &str) -> bool {
        Pattern::compile(pattern, ALL).unwrap().matches(value, &Context::new()).unwrap()
    }

    #[test]
    fn wildcards_match_as_in_a_shell_but_across_slashes() {
        for (pattern, value, expected) in [
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abcd", false),
            ("a?c", "aéc", true),
            ("a?c", "ac", false),
            ("*/x/*", "a/b/x/c", true),
            ("**a**b", "xaxb", true),
            ("a*b*a", "aba", true),
            ("a*b*a", "ab", false),
            ("${*}", "*", true),
            ("${*}", "x", false),
            ("${?}${$}", "?$", true),
        ] {
            assert_eq!(matches(pattern, value), expected, "{pattern} on {value}");
        }
    }

    #[test]
    fn a_star_in_a_variables_value_is_a_character() {
        let mut context = Context::new();
        context.set("aws:username", "*");
        let pattern = Pattern::compile("home/${AWS:UserName}/x", ALL).unwrap();
        assert_eq!(pattern.matches("home/ana/x", &context), Some(false));
        assert_eq!(pattern.matches("home/*/x", &context), Some(true));
    }

    #[test]
    fn a_variable_without_a_single_value_gives_no_pattern() {
        let mut context = Context::new();
        let plain = Pattern::compile("${aws:username}", ALL).unwrap();
        let with_default = Pattern::compile("${aws:username, 'guest'}", ALL).unwrap();
        assert_eq!(plain.matches("", &context), None);
        assert_eq!(with_default.matches("guest", &context), Some(true));
        context.set("aws:username", "");
        assert_eq!(plain.matches("", &context), None);
        assert_eq!(with_default.matches("guest", &context), Some(true));
        context.set_many("aws:username", ["a", "b"]);
        assert_eq!(with_default.matches("guest", &context), None);
    }

    #[test]
    fn a_broken_variable_is_refused() {
        for text in ["${", "${aws:x", "${}", "${x}", "${aws:x, y}", "${a:${b:c}}"] {
            assert!(Pattern::compile(text, ALL).is_err(), "{text}");
        }
        let literal = Syntax { wildcards: true, variables: false };
        assert_eq!(Pattern::compile("${", literal).unwrap().matches("${", &Context::new()), Some(true));
    }

    /// The obvious way, exponential: the yardstick of the quick one.
    fn slow(pattern: &[char], value: &[char]) -> bool {
        match pattern.split_first() {
            None => value.is_empty(),
            Some(('*', rest)) => (0..=value.len()).any(|skip| slow(rest, &value[skip..])),
            Some(('?', rest)) => !value.is_empty() && slow(rest, &value[1..]),
            Some((c, rest)) => value.first() == Some(c) && slow(rest, &value[1..]),
        }
    }

    proptest! {
        #[test]
        fn the_matcher_agrees_with_the_obvious_one(pattern in "[ab*?]{0,8}", value in "[abé]{0,10}") {
            let (p, v): (Vec<char>, Vec<char>) = (pattern.chars().collect(), value.chars().collect());
            prop_assert_eq!(matches(&pattern, &value), slow(&p, &v));
        }
    }
}
