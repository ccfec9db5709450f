use crate::naming::Template;

/// By what records are grouped into objects. It follows from which variables the name's template holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grouping {
    /// All records of a partition, in order.
    TopicPartition,
    /// All records of a partition with the same key, in order.
    TopicPartitionKey,
    /// The last record of each key.
    Key,
    /// The last record of each key in each topic, partition or both, as far as the name tells them apart.
    KeyAndTopicPartition,
}

/// Why a template says nothing about grouping. The texts are upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupingError {
    /// The template is plain text.
    #[error(
        "RecordGrouper requires that the template [{template}] has variables defined. Supported variables are: {SUPPORTED}."
    )]
    NoVariables {
        /// The template.
        template: String,
    },
    /// Its variables do not belong together.
    #[error("unsupported set of template variables, supported sets are: {SUPPORTED}")]
    Unsupported,
}

const SUPPORTED: &str =
    "topic,partition,start_offset,timestamp; topic,partition,key,start_offset,timestamp; key; key,topic,partition";

impl Grouping {
    /// The grouping that a template asks for. Upstream's rules, in its order: where it asks that "the rest contains" a
    /// variable, other names slip through; they are not bound and stay in the name as they were written.
    pub fn of(template: &Template) -> Result<Self, GroupingError> {
        if template.variables().next().is_none() {
            return Err(GroupingError::NoVariables { template: template.to_string() });
        }
        let has = |name: &str| template.has(name);
        let rest = |taken: &[&str], one_of: &[&str]| {
            let mut left =
                template.variables().map(|v| v.name.as_str()).filter(|name| !taken.contains(name)).peekable();
            left.peek().is_none() || left.any(|name| one_of.contains(&name))
        };
        if has("topic") && has("partition") && has("start_offset") {
            if has("key") && rest(&["topic", "partition", "key", "start_offset"], &["timestamp"]) {
                return Ok(Self::TopicPartitionKey);
            }
            if rest(&["topic", "partition", "start_offset"], &["timestamp"]) {
                return Ok(Self::TopicPartition);
            }
        }
        if has("key") {
            if template.variables().all(|variable| variable.name == "key") {
                return Ok(Self::Key);
            }
            if rest(&["key"], &["topic", "partition"]) {
                return Ok(Self::KeyAndTopicPartition);
            }
        }
        Err(GroupingError::Unsupported)
    }

    /// Whether a name holds the record's key.
    pub fn uses_key(self) -> bool {
        self != Self::TopicPartition
    }

    /// Whether an object holds only the last record of its group.
    pub fn keeps_last_only(self) -> bool {
        matches!(self, Self::Key | Self::KeyAndTopicPartition)
    }

    /// The variables that are bound in names of this grouping.
    pub fn variables(self) -> &'static [&'static str] {
        match self {
            Self::TopicPartition => &["topic", "partition", "start_offset", "timestamp"],
            Self::TopicPartitionKey => &["topic", "partition", "key", "start_offset", "timestamp"],
            Self::Key => &["key"],
            Self::KeyAndTopicPartition => &["key", "topic", "partition"],
        }
    }

    /// The grouping as `tidegate check` says it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::TopicPartition => "all records of a partition",
            Self::TopicPartitionKey => "all records of a partition with the same key",
            Self::Key => "the last record of each key",
            Self::KeyAndTopicPartition => "the last record of each key by topic and partition",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grouping(template: &str) -> Result<Grouping, String> {
        Grouping::of(&Template::parse(template).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_set_of_variables_decides_and_order_and_repetition_do_not() {
        let cases = [
            ("{{topic}}-{{partition}}-{{start_offset}}", Grouping::TopicPartition),
            ("{{start_offset}}{{topic}}{{topic}}{{partition}}", Grouping::TopicPartition),
            ("{{topic}}{{partition}}{{start_offset}}{{timestamp:unit=HH}}", Grouping::TopicPartition),
            ("{{topic}}{{partition}}{{start_offset}}{{timestamp:unit=HH}}{{foo}}", Grouping::TopicPartition),
            ("{{topic}}-{{partition}}-{{key}}-{{start_offset}}", Grouping::TopicPartitionKey),
            ("{{topic}}{{partition}}{{key}}{{start_offset}}{{timestamp:unit=dd}}", Grouping::TopicPartitionKey),
            ("keys/{{key}}.txt", Grouping::Key),
            ("{{key}}/{{key}}", Grouping::Key),
            ("{{key}}-{{topic}}", Grouping::KeyAndTopicPartition),
            ("{{key}}-{{partition}}", Grouping::KeyAndTopicPartition),
            ("{{key}}-{{topic}}-{{start_offset}}", Grouping::KeyAndTopicPartition),
        ];
        for (template, expected) in cases {
            assert_eq!(grouping(template), Ok(expected), "{template}");
        }
    }

    #[test]
    fn other_sets_are_refused_in_upstreams_words() {
        let unsupported = format!("unsupported set of template variables, supported sets are: {SUPPORTED}");
        for template in [
            "{{topic}}-{{partition}}",
            "{{topic}}-{{start_offset}}",
            "{{key}}-{{timestamp:unit=dd}}",
            "{{partition}}",
            "{{foo}}",
            "{{topic}}{{partition}}{{start_offset}}{{foo}}",
        ] {
            assert_eq!(grouping(template), Err(unsupported.clone()), "{template}");
        }
        let no_variables = format!(
            "RecordGrouper requires that the template [plain] has variables defined. Supported variables are: {SUPPORTED}."
        );
        assert_eq!(grouping("plain"), Err(no_variables));
    }
}
