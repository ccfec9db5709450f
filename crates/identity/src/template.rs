use std::fmt;

/// A text with variables in it, as `tidegate-{{connector}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Connector,
    Connection,
}

/// What the variables stand for.
#[derive(Debug, Clone, Copy)]
pub struct Variables<'a> {
    /// The connector's name.
    pub connector: &'a str,
    /// The connection's name.
    pub connection: &'a str,
}

/// The variables that a template may name.
pub(crate) const VARIABLES: [&str; 2] = ["connector", "connection"];

impl Template {
    /// Reads a template; the error is what is wrong with it, as one clause.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, behind)) = after.split_once("}}") else {
                return Err("has a {{ without its }}".to_owned());
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(match name.trim() {
                "connector" => Piece::Connector,
                "connection" => Piece::Connection,
                "task" => {
                    return Err(
                        "names {{task}}, which it cannot: a session is shared by all tasks of a connector".into()
                    );
                }
                other => {
                    return Err(format!("names the variable {{{{{other}}}}}; known are {}", VARIABLES.join(", ")));
                }
            });
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The text as it is.
    pub fn literal(text: impl Into<String>) -> Self {
        Self(vec![Piece::Text(text.into())])
    }

    /// The text with its variables filled in.
    pub fn fill(&self, variables: Variables<'_>) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Connector => variables.connector.to_owned(),
            Piece::Connection => variables.connection.to_owned(),
        };
        self.0.iter().map(piece).collect()
    }

    /// The same where AWS takes no more than 64 of `A-Z a-z 0-9 _ + = , . @ -` (session names): what is filled in is fitted,
    /// because a connector may be called as it likes. What was written down is not: that is refused where it is wrong.
    pub fn fill_name(&self, variables: Variables<'_>) -> String {
        let fit = |text: &str| {
            text.chars().map(|c| if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) { c } else { '-' }).collect()
        };
        let (connector, connection): (String, String) = (fit(variables.connector), fit(variables.connection));
        let mut name = self.fill(Variables { connector: &connector, connection: &connection });
        if !self.is_literal() && name.is_ascii() {
            name.truncate(64);
        }
        name
    }

    /// Whether it names no variable.
    pub fn is_literal(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Text(_)))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Connector => f.write_str("{{connector}}"),
            Piece::Connection => f.write_str("{{connection}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Variables<'_> = Variables { connector: "orders to s3", connection: "lake" };

    #[test]
    fn variables_are_filled_in_and_fitted() {
        let template = Template::parse("tidegate-{{connector}}@{{ connection }}").unwrap();
        assert_eq!(template.to_string(), "tidegate-{{connector}}@{{connection}}");
        assert_eq!(template.fill(NAMES), "tidegate-orders to s3@lake");
        assert_eq!(template.fill_name(NAMES), "tidegate-orders-to-s3@lake");
        let long = "c".repeat(100);
        let long = Variables { connector: &long, connection: "lake" };
        assert_eq!(template.fill_name(long).len(), 64);
    }

    #[test]
    fn what_is_written_down_is_not_made_to_fit() {
        let literal = Template::parse("two words").unwrap();
        assert_eq!(literal.fill_name(NAMES), "two words");
        assert!(literal.is_literal());
    }

    #[test]
    fn unknown_variables_are_refused_with_the_known_ones() {
        assert!(Template::parse("{{topic}}").unwrap_err().ends_with("known are connector, connection"));
        assert!(Template::parse("{{task}}").unwrap_err().contains("shared by all tasks"));
        assert!(Template::parse("{{connector").unwrap_err().contains("without its }}"));
    }
}
