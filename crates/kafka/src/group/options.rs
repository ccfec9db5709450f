use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fancy_regex::Regex;

use super::assign::Assignor;
use super::error::GroupError;
use crate::admin::Isolation;

/// How a member takes part in its group. The defaults are the Java consumer's (Kafka 4.1), except for
/// `auto.offset.reset`, which is `earliest` as in Connect's sinks. How soon new partitions and topics are noticed is
/// `metadata.max.age.ms` of the client.
#[derive(Debug, Clone)]
pub struct GroupOptions {
    /// `group.id`.
    pub group: Arc<str>,
    /// Which topics.
    pub subscription: Subscription,
    /// `group.protocol`.
    pub protocol: GroupProtocol,
    /// `group.instance.id`: a static member keeps its partitions over a restart.
    pub instance: Option<Arc<str>>,
    /// `client.rack`.
    pub rack: Option<Arc<str>>,
    /// `session.timeout.ms`: without a heartbeat for so long a member is dead. Under KIP-848 the broker has its own
    /// (`group.consumer.session.timeout.ms`, the same by default); this one then is how long *we* believe in a membership
    /// that the coordinator has not confirmed.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`. Under KIP-848 the broker says it.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`: how long the group waits for a member in a rebalance. (The poll that Java means never
    /// stops here.)
    pub max_poll_interval: Duration,
    /// How long a rebalance waits for what is being given up to be settled, at most.
    pub revocation_patience: Duration,
    /// `auto.offset.reset`: where to begin where nothing is committed.
    pub offset_reset: OffsetReset,
    /// `isolation.level`.
    pub isolation: Isolation,
}

/// The patience of a revocation is at most this, which is what finishing a large cut may take.
const PATIENCE: Duration = Duration::from_mins(1);

impl GroupOptions {
    /// Member of `group` for `subscription`, everything else by default.
    pub fn new(group: impl Into<Arc<str>>, subscription: Subscription) -> Self {
        let max_poll_interval = Duration::from_mins(5);
        Self {
            group: group.into(),
            subscription,
            protocol: GroupProtocol::default(),
            instance: None,
            rack: None,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            max_poll_interval,
            revocation_patience: Self::patience_for(max_poll_interval),
            offset_reset: OffsetReset::Earliest,
            isolation: Isolation::ReadUncommitted,
        }
    }

    /// The patience that leaves a member time to rejoin within `max.poll.interval.ms`: half of it, at most a minute.
    pub fn patience_for(max_poll_interval: Duration) -> Duration {
        PATIENCE.min(max_poll_interval / 2)
    }
}

/// The topics that a member wants.
#[derive(Debug, Clone)]
pub enum Subscription {
    /// These, whether they exist yet or not.
    Topics(BTreeSet<Arc<str>>),
    /// All whose whole name matches, now and later.
    Pattern(TopicPattern),
}

impl Subscription {
    /// These topics.
    pub fn topics<T: Into<Arc<str>>>(topics: impl IntoIterator<Item = T>) -> Self {
        Self::Topics(topics.into_iter().map(Into::into).collect())
    }
}

/// `topics.regex`.
///
/// Evaluated here and not by the broker, under either protocol, so that it means the same everywhere: the whole name
/// must match, as in Java. (A broker would use RE2/J, which lacks some of Java's syntax.) Kafka's internal topics never
/// match.
#[derive(Debug, Clone)]
pub struct TopicPattern {
    text: Arc<str>,
    whole: Regex,
}

impl TopicPattern {
    /// Checks and compiles `pattern`.
    pub fn new(pattern: &str) -> Result<Self, GroupError> {
        let refuse = |error: fancy_regex::Error| GroupError::Pattern {
            pattern: pattern.into(),
            reason: error.to_string().into(),
        };
        // By itself first, so that `a)|(b` is not made valid by what is put around it.
        Regex::new(pattern).map_err(refuse)?;
        let whole = Regex::new(&format!(r"\A(?:{pattern})\z")).map_err(refuse)?;
        Ok(Self { text: pattern.into(), whole })
    }

    /// Whether the whole of `topic` matches. A pattern that takes too many steps to say so (the crate stops at a million)
    /// does not.
    pub fn matches(&self, topic: &str) -> bool {
        self.whole.is_match(topic).unwrap_or_else(|error| {
            tracing::warn!(pattern = %self.text, topic, %error, "topics.regex could not be evaluated");
            false
        })
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `group.protocol`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupProtocol {
    /// Members share out the partitions among themselves, by the first of these rules that all of them know
    /// (`partition.assignment.strategy`).
    Classic(Vec<Assignor>),
    /// The broker shares them out (KIP-848), by `group.remote.assignor` if given.
    Consumer(Option<Arc<str>>),
}

impl Default for GroupProtocol {
    /// Classic with `range,cooperative-sticky`, as in Java: everything is given up in each rebalance, until `range` is
    /// taken out of the list.
    fn default() -> Self {
        Self::Classic(vec![Assignor::Range, Assignor::CooperativeSticky])
    }
}

impl GroupProtocol {
    /// Whether partitions that stay are kept during a rebalance. In the classic protocol only if every rule of the list
    /// allows it, because the group may agree on any of them.
    pub fn is_cooperative(&self) -> bool {
        match self {
            Self::Classic(assignors) => assignors.iter().all(|assignor| assignor.is_cooperative()),
            Self::Consumer(_) => true,
        }
    }
}

/// `auto.offset.reset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the first record that is there.
    Earliest,
    /// Behind the last record.
    Latest,
    /// Nowhere: fail.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names_only() {
        let pattern = TopicPattern::new("orders|returns-.*").unwrap();
        assert!(pattern.matches("orders"));
        assert!(pattern.matches("returns-eu"));
        assert!(!pattern.matches("orders-eu"));
        assert!(!pattern.matches("my-orders"));
    }

    #[test]
    fn java_syntax_beyond_regular_languages_is_understood() {
        let pattern = TopicPattern::new("(?!internal)[a-z]+").unwrap();
        assert!(pattern.matches("orders"));
        assert!(!pattern.matches("internal"));
        assert!(TopicPattern::new(r"(a|b)-\1").unwrap().matches("b-b"));
    }

    #[test]
    fn what_is_no_pattern_by_itself_is_refused() {
        for pattern in ["a)|(b", "[", "*"] {
            assert!(matches!(TopicPattern::new(pattern), Err(GroupError::Pattern { .. })), "{pattern}");
        }
    }

    #[test]
    fn one_rule_that_gives_everything_up_makes_the_member_give_everything_up() {
        assert!(!GroupProtocol::default().is_cooperative());
        assert!(GroupProtocol::Classic(vec![Assignor::CooperativeSticky]).is_cooperative());
    }
}
