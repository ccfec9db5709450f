//! Partitions that nobody is asked for: without a leader, or with an offset that their log does not hold.

use data::{Offset, TopicPartition};
use tokio::time::Instant;
use uuid::Uuid;

use super::super::{FetchError, OffsetReset};
use super::partition::{Lead, Standing};
use super::{Partitions, State};
use crate::ErrorCode;
use crate::cluster::Metadata;

/// What the upkeep has to do.
#[derive(Debug, Default)]
pub(in crate::fetch) struct Due {
    pub(in crate::fetch) leaderless: Vec<TopicPartition>,
    /// Whether what the metadata say about some of them has proved wrong.
    pub(in crate::fetch) stale: bool,
    pub(in crate::fetch) astray: Vec<TopicPartition>,
    /// When there will be more.
    pub(in crate::fetch) next: Option<Instant>,
}

impl Partitions {
    /// The leader's log has no such records as were read last: its end under their epoch is `end`.
    pub(super) fn diverged(&self, state: &mut State, name: &TopicPartition, end: i64, epoch: i32) {
        let Some(partition) = state.partitions.get_mut(name) else { return };
        let position = partition.position;
        if end >= position {
            // Other records under the same offsets; how many, nobody can tell.
            tracing::error!(
                partition = %name, position,
                "the log was replaced by another replica's that differs (unclean leader election)"
            );
            partition.last_epoch = epoch;
            return;
        }
        if self.options.reset == OffsetReset::None {
            let (position, end) = (Offset(position), Offset(end));
            state.failure.get_or_insert(FetchError::Truncated { partition: name.clone(), position, end });
        } else {
            tracing::warn!(
                partition = %name, old = position, new = end, lost = position - end,
                "the log was cut back behind what was read (unclean leader election); going on at its end"
            );
            state.rewind(name, end.max(0), false);
        }
        self.ready.notify_waiters();
    }

    pub(in crate::fetch) fn due(&self, now: Instant) -> Due {
        let mut due = Due::default();
        for (name, partition) in &mut self.state().partitions {
            match partition.standing {
                Standing::Leaderless { stale, not_before } if not_before <= now => {
                    due.leaderless.push(name.clone());
                    due.stale |= stale;
                }
                Standing::Astray { not_before, anew } if not_before <= now => {
                    partition.standing = Standing::Asking { anew };
                    due.astray.push(name.clone());
                }
                Standing::Leaderless { not_before, .. } | Standing::Astray { not_before, .. } => {
                    due.next = Some(due.next.map_or(not_before, |next| next.min(not_before)));
                }
                Standing::Led(_) | Standing::Asking { .. } => {}
            }
        }
        due
    }

    /// Gives partitions the leaders that `metadata` names; answers which brokers these are. A partition without one has
    /// to wait.
    pub(in crate::fetch) fn lead(&self, names: &[TopicPartition], metadata: &Metadata) -> Vec<i32> {
        let mut state = self.state();
        let mut nodes = Vec::new();
        let mut astray = false;
        for name in names {
            let Some(partition) = state.partitions.get_mut(name) else { continue };
            let Standing::Leaderless { .. } = partition.standing else { continue };
            let topic = metadata.topics.get(&name.topic);
            if let (Some(leader), Some(topic)) = (metadata.leader(name), topic) {
                if partition.topic_id.replace(topic.id).is_some_and(|known| known != topic.id) {
                    // Its offsets count anew, and `known` is about the old ones. Where it begins is to be asked.
                    partition.known = false;
                    partition.standing = Standing::Astray { not_before: Instant::now(), anew: true };
                    astray = true;
                    continue;
                }
                let lead = Lead { node: leader.node, epoch: leader.epoch, topic_id: topic.id };
                partition.standing = Standing::Led(lead);
                nodes.push(leader.node);
                continue;
            }
            let error = topic.and_then(|topic| topic.error);
            if error == Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED) {
                state.failure.get_or_insert(FetchError::Denied { topic: name.topic.clone() });
                self.ready.notify_waiters();
                break;
            }
            let pause = partition.backoff.next_pause();
            tracing::warn!(partition = %name, ?pause, ?error, "no leader, looking again");
            partition.standing = Standing::Leaderless { stale: true, not_before: Instant::now() + pause };
        }
        nodes.sort_unstable();
        nodes.dedup();
        drop(state);
        if astray {
            self.needy.notify_one();
        }
        self.askable.notify_waiters();
        nodes
    }

    /// What was due could not be done: not before `not_before` again.
    pub(in crate::fetch) fn postpone(&self, names: &[TopicPartition], not_before: Instant) {
        let mut state = self.state();
        for name in names {
            let Some(partition) = state.partitions.get_mut(name) else { continue };
            partition.standing = match partition.standing {
                Standing::Leaderless { .. } => Standing::Leaderless { stale: true, not_before },
                Standing::Asking { anew } => Standing::Astray { anew, not_before },
                other @ (Standing::Led(_) | Standing::Astray { .. }) => other,
            };
        }
        drop(state);
        self.needy.notify_one();
    }

    /// Moves a partition whose offset is not in the log to where the log, which holds `[earliest, latest)`, has records.
    /// Before version 13 records are fetched by the topic's name, so that `topic_id` may be the first to tell of another
    /// topic.
    pub(in crate::fetch) fn found(&self, name: &TopicPartition, topic_id: Uuid, earliest: Offset, latest: Offset) {
        let mut state = self.state();
        let Some(partition) = state.partitions.get_mut(name) else { return };
        let Standing::Asking { anew } = partition.standing else { return };
        let anew = anew || partition.topic_id.replace(topic_id).is_some_and(|known| known != topic_id);
        let position = partition.position;
        let reset = match self.options.reset {
            OffsetReset::Earliest => Some(earliest.0),
            OffsetReset::Latest => Some(latest.0),
            OffsetReset::None => None,
        };
        let there = (earliest.0..=latest.0).contains(&position);
        let (partition_name, at) = (name.clone(), Offset(position));
        match reset {
            _ if there && !anew => {
                // It is there after all: a leader that was behind, or that does not know the epoch of what was read.
                tracing::warn!(partition = %name, position, "the offset is there again after OFFSET_OUT_OF_RANGE");
                partition.go_on(position);
            }
            None => {
                let error = if anew {
                    FetchError::MadeAnew { partition: partition_name, position: at }
                } else {
                    FetchError::OutOfRange { partition: partition_name, position: at, earliest, latest }
                };
                state.failure.get_or_insert(error);
            }
            Some(new) if anew => {
                tracing::warn!(
                    partition = %name, old = position, new,
                    "the topic was deleted and made anew; going on by auto.offset.reset"
                );
                state.rewind(name, new, true);
            }
            Some(_) if position > latest.0 && partition.known && !topic_id.is_nil() => {
                // The log that had the position has it no more. What is below its end is what it was.
                tracing::warn!(
                    partition = %name, old = position, new = latest.0, lost = position - latest.0,
                    "the log was cut back behind what was read (unclean leader election); going on at its end"
                );
                state.rewind(name, latest.0, false);
            }
            Some(new) if position > latest.0 => {
                tracing::warn!(
                    partition = %name, old = position, new, end = latest.0,
                    "the log ends before the offset that the group had come to: the topic was made anew or has lost \
                     records; going on by auto.offset.reset"
                );
                state.rewind(name, new, true);
            }
            Some(new) => {
                tracing::warn!(
                    partition = %name, old = position, new, gone = earliest.0 - position, skipped = new - earliest.0,
                    "offsets are gone before they could be read (retention or deletion); going on behind them by \
                     auto.offset.reset"
                );
                partition.go_on(new);
            }
        }
        drop(state);
        self.needy.notify_one();
        self.ready.notify_waiters();
    }
}
