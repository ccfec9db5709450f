use crate::naming::name::Piece;
use crate::naming::{NameTemplate, Unit};
use crate::pattern::Pattern;
use crate::plan::TopicSelection;

/// Which object names a connector can write, to know its own unfinished uploads again.
#[derive(Debug, Clone)]
pub struct NamePattern {
    prefix: String,
    names: Pattern,
}

impl NamePattern {
    /// The names that `template` can print for records of `topics`.
    pub(crate) fn of(template: &NameTemplate, topics: &TopicSelection) -> Self {
        const ANY_TOPIC: &str = "[a-zA-Z0-9._-]+";
        let topic = match topics {
            TopicSelection::Named(names) => {
                let names: Vec<_> = names.iter().map(|name| fancy_regex::escape(name).into_owned()).collect();
                format!("(?:{})", names.join("|"))
            }
            // Not the user's own expression: its groups and back-references would count anew in the larger one.
            TopicSelection::Matching(_) => ANY_TOPIC.to_owned(),
        };
        let mut pattern = String::from("(?s)");
        for piece in template.pieces() {
            pattern.push_str(&match piece {
                Piece::Text(text) => fancy_regex::escape(text).into_owned(),
                Piece::Topic => topic.clone(),
                Piece::Partition { padded: false } | Piece::StartOffset { padded: false } => "[0-9]+".to_owned(),
                Piece::Partition { padded: true } => "[0-9]{10}".to_owned(),
                Piece::StartOffset { padded: true } => "[0-9]{20}".to_owned(),
                Piece::Key => ".*".to_owned(),
                Piece::Time(Unit::Year) => "(?:[0-9]{4}|\\+[0-9]{5,})".to_owned(),
                Piece::Time(Unit::Month | Unit::Day | Unit::Hour) => "[0-9]{2}".to_owned(),
                Piece::UtcDate | Piece::LocalDate => "-?[0-9]{4,}-[0-9]{2}-[0-9]{2}".to_owned(),
            });
        }
        let names = Pattern::parse(&pattern).expect("pieces are escaped, and the rest is written above");
        Self { prefix: prefix(template, topics), names }
    }

    /// What all of the names begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether a name is one that the connector can write.
    pub fn matches(&self, name: &str) -> bool {
        self.names.matches(name)
    }
}

fn prefix(template: &NameTemplate, topics: &TopicSelection) -> String {
    let mut prefix = String::new();
    for piece in template.pieces() {
        match (piece, topics) {
            (Piece::Text(text), _) => prefix.push_str(text),
            (Piece::Topic, TopicSelection::Named(names)) if names.len() == 1 => prefix.push_str(&names[0]),
            _ => break,
        }
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naming::Template;

    fn names(template: &str, topics: &[&str]) -> NamePattern {
        let bound = ["topic", "partition", "start_offset", "timestamp", "key"];
        let template = NameTemplate::bind(&Template::parse(template).unwrap(), &bound).unwrap();
        NamePattern::of(&template, &TopicSelection::Named(topics.iter().map(|&name| name.to_owned()).collect()))
    }

    #[test]
    fn a_connector_knows_its_own_names() {
        let names = names("a.b/{{topic}}-{{partition}}-{{start_offset:padding=true}}.gz", &["t", "t-1"]);
        assert_eq!(names.prefix(), "a.b/");
        assert!(names.matches("a.b/t-0-00000000000000000012.gz"));
        assert!(names.matches("a.b/t-1-0-00000000000000000012.gz"));
        for other in ["a.b/u-0-00000000000000000012.gz", "aXb/t-0-00000000000000000012.gz", "a.b/t-0-12.gz", "a.b/t-0"]
        {
            assert!(!names.matches(other), "{other}");
        }
    }

    #[test]
    fn keys_and_times_are_anything_that_they_can_be() {
        let names = names(
            "{{topic}}/{{timestamp:unit=yyyy}}{{timestamp:unit=MM}}/{{key}}/{{partition}}/{{start_offset}}",
            &["t"],
        );
        assert_eq!(names.prefix(), "t/");
        assert!(names.matches("t/202601/a/b\nc/0/1") && names.matches("t/+5584001//0/1"));
        assert!(!names.matches("t/20261/a/0/1"));
    }
}
