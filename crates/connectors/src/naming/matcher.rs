use crate::naming::NameTemplate;
use crate::pattern::Pattern;

/// Tells the names that a naming could have made from others: which uploads left behind in a bucket are ours.
#[derive(Debug, Clone)]
pub struct NameMatcher {
    prefix: String,
    pattern: Option<Pattern>,
}

impl NameMatcher {
    pub(super) fn new(name: &NameTemplate) -> Self {
        Self { prefix: name.literal_prefix().to_owned(), pattern: Pattern::parse(&name.pattern()).ok() }
    }

    /// The text that every name begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether `name` could be one of them.
    pub fn matches(&self, name: &str) -> bool {
        self.pattern.as_ref().is_some_and(|pattern| pattern.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naming::Template;

    #[test]
    fn names_of_others_under_the_same_prefix_are_not_ours() {
        let template = Template::parse("data/{{topic}}/{{partition}}-{{start_offset:padding=true}}.gz").unwrap();
        let name = NameTemplate::bind(&template, &["topic", "partition", "start_offset"]).unwrap();
        let matcher = NameMatcher::new(&name);
        assert_eq!(matcher.prefix(), "data/");
        assert!(matcher.matches("data/orders/3-00000000000000000017.gz"));
        assert!(!matcher.matches("data/orders/3-00000000000000000017.zst"));
        assert!(!matcher.matches("data/backup.tar.gz"));
        assert!(!matcher.matches("data/orders/x-17.gz"));
    }
}
