use std::collections::BTreeMap;
use std::fmt;

use world::Secret;

/// One entry of a JAAS configuration: `org.apache.kafka...PlainLoginModule required username="u" password="p";`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoginModule {
    /// The class's name, with its package.
    pub(crate) class: String,
    /// Its options.
    pub(crate) options: BTreeMap<String, Secret>,
}

impl LoginModule {
    /// The class's name without its package.
    pub(crate) fn name(&self) -> &str {
        self.class.rsplit('.').next().unwrap_or_default()
    }

    pub(crate) fn option(&self, name: &str) -> Option<&Secret> {
        self.options.get(name)
    }

    /// Options whose names begin with `prefix`, by the rest of their names.
    pub(crate) fn options_under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Secret)> {
        self.options.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value)))
    }
}

/// What is wrong with a JAAS configuration. Never holds any of its text, which has passwords in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JaasError {
    Empty,
    NoFlag,
    OptionWithoutValue,
    UnclosedQuote,
    NoSemicolon,
    SeveralModules,
}

impl fmt::Display for JaasError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "names no login module",
            Self::NoFlag => "has no control flag (required, requisite, sufficient, optional) behind the login module",
            Self::OptionWithoutValue => "has an option that is not of the form name=\"value\"",
            Self::UnclosedQuote => "has a quotation mark that is not closed",
            Self::NoSemicolon => "does not end with a semicolon",
            Self::SeveralModules => "has more than one login module",
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Equals,
    Semicolon,
}

/// Parses the value of `sasl.jaas.config`, by the rules of Java's `ConfigFile` as Kafka's `JaasConfig` uses them: words,
/// quoted strings with backslash escapes, `//` and `/* */` comments.
pub(crate) fn parse(text: &str) -> Result<LoginModule, JaasError> {
    let mut tokens = tokens(text)?.into_iter();
    let Some(Token::Word(class)) = tokens.next() else { return Err(JaasError::Empty) };
    match tokens.next() {
        Some(Token::Word(flag))
            if ["required", "requisite", "sufficient", "optional"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(&flag)) => {}
        _ => return Err(JaasError::NoFlag),
    }
    let mut options = BTreeMap::new();
    loop {
        match tokens.next() {
            None => return Err(JaasError::NoSemicolon),
            Some(Token::Semicolon) => break,
            Some(Token::Equals) => return Err(JaasError::OptionWithoutValue),
            Some(Token::Word(name)) => match (tokens.next(), tokens.next()) {
                (Some(Token::Equals), Some(Token::Word(value))) => {
                    options.insert(name, Secret::new(value));
                }
                _ => return Err(JaasError::OptionWithoutValue),
            },
        }
    }
    if tokens.next().is_some() { Err(JaasError::SeveralModules) } else { Ok(LoginModule { class, options }) }
}

fn tokens(text: &str) -> Result<Vec<Token>, JaasError> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            letter if letter.is_whitespace() => {}
            '=' => tokens.push(Token::Equals),
            ';' => tokens.push(Token::Semicolon),
            '/' if rest.peek() == Some(&'/') => while rest.next().is_some_and(|letter| letter != '\n') {},
            '/' if rest.peek() == Some(&'*') => {
                let mut last = ' ';
                for letter in rest.by_ref() {
                    if last == '*' && letter == '/' {
                        break;
                    }
                    last = letter;
                }
            }
            '"' => {
                let mut word = String::new();
                loop {
                    match rest.next().ok_or(JaasError::UnclosedQuote)? {
                        '"' => break,
                        '\\' => word.push(match rest.next().ok_or(JaasError::UnclosedQuote)? {
                            'n' => '\n',
                            't' => '\t',
                            'r' => '\r',
                            other => other,
                        }),
                        other => word.push(other),
                    }
                }
                tokens.push(Token::Word(word));
            }
            first => {
                let mut word = String::from(first);
                while let Some(letter) = rest.next_if(|letter| !letter.is_whitespace() && !"=;\"".contains(*letter)) {
                    word.push(letter);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";

    #[test]
    fn the_usual_line_is_understood() {
        let module = parse(&format!(r#"{PLAIN} required username="alice" password="a;b\"c\\d=";"#)).unwrap();
        assert_eq!(module.name(), "PlainLoginModule");
        assert_eq!(module.option("username").unwrap().expose(), "alice");
        assert_eq!(module.option("password").unwrap().expose(), r#"a;b"c\d="#);
    }

    #[test]
    fn blanks_comments_and_bare_words_are_understood() {
        let text =
            format!("/* a */ {PLAIN}\n  REQUIRED // who\n username = alice\n unsecuredLoginStringClaim_sub=\"x y\" ;");
        let module = parse(&text).unwrap();
        assert_eq!(module.option("username").unwrap().expose(), "alice");
        let under: Vec<_> = module.options_under("unsecuredLoginStringClaim_").map(|(name, _)| name).collect();
        assert_eq!(under, ["sub"]);
    }

    #[test]
    fn each_fault_has_its_own_name() {
        for (text, fault) in [
            ("", JaasError::Empty),
            ("a.B username=\"x\";", JaasError::NoFlag),
            ("a.B required username;", JaasError::OptionWithoutValue),
            ("a.B required username=\"x", JaasError::UnclosedQuote),
            ("a.B required username=\"x\"", JaasError::NoSemicolon),
            ("a.B required; c.D required;", JaasError::SeveralModules),
        ] {
            assert_eq!(parse(text), Err(fault), "{text}");
        }
    }
}
