//! Looking at the cluster's topics: when, at which, and what follows.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::super::membership::{Look, Pause, Topics};
use super::super::options::Subscription;
use super::{Member, Rules};

/// Looks at the cluster's topics. Numbered, so that who needs a fresh one can tell.
#[derive(Debug)]
pub(super) struct Looks {
    pub(super) last: u64,
    pub(super) under_way: bool,
    pub(super) next_at: Instant,
    /// `metadata.max.age.ms`.
    pub(super) every: Duration,
    pub(super) pause: Pause,
}

impl Member {
    /// The cluster has said what topics there are; `None` if it could not be asked.
    pub(crate) fn looked(&mut self, now: Instant, number: u64, topics: Option<Topics>) {
        self.begin(now);
        self.looks.under_way = false;
        match topics {
            None => self.looks.pause.failed(self.base.now, &mut self.base.dice),
            Some(topics) => {
                self.looks.pause.clear();
                self.looks.next_at = self.base.now + self.looks.every;
                self.base.topics = topics;
                self.apply_pattern();
                match &mut self.rules {
                    Rules::Classic(classic) => classic.looked(&mut self.base, number),
                    Rules::Consumer(consumer) => {
                        consumer.looked(&mut self.base, number);
                        if consumer.needs_look() {
                            self.looks.pause.failed(self.base.now, &mut self.base.dice);
                        }
                    }
                }
            }
        }
        self.go_on();
    }

    pub(super) fn wants_look(&self) -> bool {
        let due = self.base.now >= self.looks.next_at;
        let pattern = matches!(self.base.options.subscription, Subscription::Pattern(_));
        let (needed, leads) = match &self.rules {
            Rules::Classic(classic) => {
                (classic.needs_look().is_some_and(|number| self.looks.last < number), !classic.topics_led().is_empty())
            }
            Rules::Consumer(consumer) => (consumer.needs_look(), false),
        };
        needed || due && (pattern || leads)
    }

    pub(super) fn topics_to_look_at(&self) -> Look {
        match &self.base.options.subscription {
            Subscription::Pattern(_) => Look::All,
            Subscription::Topics(topics) => {
                let led = match &self.rules {
                    Rules::Classic(classic) => classic.topics_led(),
                    Rules::Consumer(_) => BTreeSet::new(),
                };
                Look::Named(topics | &led)
            }
        }
    }

    pub(super) fn apply_pattern(&mut self) {
        let Subscription::Pattern(pattern) = &self.base.options.subscription else { return };
        let matching: BTreeSet<_> = self.base.topics.keys().filter(|topic| pattern.matches(topic)).cloned().collect();
        if self.base.wanted.as_ref() == Some(&matching) {
            return;
        }
        tracing::info!(group = %self.base.options.group, %pattern, topics = matching.len(), "topics match");
        self.base.wanted = Some(matching);
        if let Rules::Classic(classic) = &mut self.rules {
            classic.wants_changed(&mut self.base);
        }
    }
}
