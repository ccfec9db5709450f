use std::collections::HashMap;
use std::sync::Arc;

use data::TopicPartition;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::{FetchRequest, FetchResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::ErrorCode;

/// The first version in which topics have ids in place of names (KIP-516).
pub(super) const TOPIC_IDS: i16 = 13;
/// The epoch that begins a session.
const BEGIN: i32 = 0;

/// What is asked of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) topic_id: Uuid,
    pub(super) offset: i64,
    pub(super) max_bytes: i32,
    pub(super) leader_epoch: i32,
    /// The leader epoch of the last record read, -1 if none: the broker tells if its log has no such records (KIP-595).
    pub(super) last_epoch: i32,
}

/// An incremental fetch session with one broker (KIP-227): the broker remembers what was asked, so that a request names
/// only what changed, and a response only what has news.
///
/// Pure: it makes requests and hears what became of them.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// 0: the broker keeps none for us.
    id: i32,
    epoch: i32,
    with_ids: bool,
    /// What the broker remembers, if `epoch` is not [`BEGIN`].
    remembered: HashMap<TopicPartition, Ask>,
    names: HashMap<Uuid, Arc<str>>,
}

impl Session {
    /// The part of a request that names partitions. `wanted` is all that is to be fetched; those that waited longest come
    /// first, for a broker fills a response in order.
    pub(super) fn request(&mut self, wanted: &[(TopicPartition, Ask)], version: i16) -> FetchRequest {
        let with_ids = version >= TOPIC_IDS;
        if self.with_ids != with_ids {
            self.epoch = BEGIN;
            self.with_ids = with_ids;
        }
        let mut forgotten = Vec::new();
        if self.epoch == BEGIN {
            self.remembered.clear();
            self.names.clear();
        } else {
            let keep: HashMap<_, _> = wanted.iter().map(|(partition, ask)| (partition, ask.topic_id)).collect();
            // A topic made again under its old name is another one: the old id is forgotten, the new one added.
            forgotten.extend(
                self.remembered.extract_if(|partition, ask| keep.get(partition).is_none_or(|id| *id != ask.topic_id)),
            );
        }
        let mut changed = Vec::new();
        for (partition, ask) in wanted {
            if self.remembered.get(partition) != Some(ask) {
                self.remembered.insert(partition.clone(), *ask);
                changed.push((partition, ask));
            }
            if with_ids && !self.names.contains_key(&ask.topic_id) {
                self.names.insert(ask.topic_id, partition.topic.clone());
            }
        }
        FetchRequest::default()
            .with_session_id(self.id)
            .with_session_epoch(self.epoch)
            .with_topics(topics(&changed, with_ids))
            .with_forgotten_topics_data(forgotten_topics(forgotten, with_ids))
    }

    /// The broker answered. An error means that the whole response is to be ignored.
    pub(super) fn answered(&mut self, response: &FetchResponse) -> Result<(), ErrorCode> {
        if let Err(code) = ErrorCode::check(response.error_code) {
            // What it knows as this session is not ours any more; anything else ends the one that it may hold.
            if code == ErrorCode::FETCH_SESSION_ID_NOT_FOUND {
                self.id = 0;
            }
            self.epoch = BEGIN;
            return Err(code);
        }
        if self.epoch == BEGIN {
            self.id = response.session_id;
        }
        // A broker whose cache is full grants none; then each request names everything.
        self.epoch = match (self.id, self.epoch) {
            (0, _) => BEGIN,
            (_, i32::MAX) => 1,
            (_, epoch) => epoch + 1,
        };
        Ok(())
    }

    /// No answer came: what the broker remembers is not known. The next request ends that session and begins another.
    pub(super) fn lost(&mut self) {
        self.epoch = BEGIN;
    }

    /// Which topic a response is about.
    pub(super) fn topic(&self, name: &TopicName, id: Uuid) -> Option<Arc<str>> {
        if self.with_ids { self.names.get(&id).cloned() } else { Some((&***name).into()) }
    }
}

fn named(topic: &str, with_ids: bool) -> TopicName {
    if with_ids { TopicName::default() } else { TopicName(StrBytes::from_string(topic.to_owned())) }
}

/// In the order given; neighbours of one topic share an entry.
fn topics(changed: &[(&TopicPartition, &Ask)], with_ids: bool) -> Vec<FetchTopic> {
    changed
        .chunk_by(|(a, _), (b, _)| a.topic == b.topic)
        .map(|run| {
            let partitions = run.iter().map(|(partition, ask)| {
                FetchPartition::default()
                    .with_partition(partition.partition)
                    .with_current_leader_epoch(ask.leader_epoch)
                    .with_fetch_offset(ask.offset)
                    .with_last_fetched_epoch(ask.last_epoch)
                    .with_partition_max_bytes(ask.max_bytes)
            });
            let (partition, ask) = run[0];
            FetchTopic::default()
                .with_topic(named(&partition.topic, with_ids))
                .with_topic_id(if with_ids { ask.topic_id } else { Uuid::nil() })
                .with_partitions(partitions.collect())
        })
        .collect()
}

fn forgotten_topics(mut forgotten: Vec<(TopicPartition, Ask)>, with_ids: bool) -> Vec<ForgottenTopic> {
    forgotten.sort_by(|(a, a_ask), (b, b_ask)| (&a.topic, a_ask.topic_id).cmp(&(&b.topic, b_ask.topic_id)));
    forgotten
        .chunk_by(|(a, a_ask), (b, b_ask)| a.topic == b.topic && a_ask.topic_id == b_ask.topic_id)
        .map(|run| {
            ForgottenTopic::default()
                .with_topic(named(&run[0].0.topic, with_ids))
                .with_topic_id(if with_ids { run[0].1.topic_id } else { Uuid::nil() })
                .with_partitions(run.iter().map(|(partition, _)| partition.partition).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(offset: i64) -> Ask {
        Ask { topic_id: Uuid::from_u128(7), offset, max_bytes: 1, leader_epoch: 2, last_epoch: -1 }
    }

    fn wanted(partitions: &[(i32, i64)]) -> Vec<(TopicPartition, Ask)> {
        partitions.iter().map(|(index, offset)| (TopicPartition::new("orders", *index), ask(*offset))).collect()
    }

    /// Session id and epoch, the partitions named with their offsets, and those forgotten.
    type Brief = (i32, i32, Vec<(i32, i64)>, Vec<i32>);

    fn brief(request: &FetchRequest) -> Brief {
        let named = request.topics.iter().flat_map(|topic| &topic.partitions);
        let mut forgotten: Vec<_> =
            request.forgotten_topics_data.iter().flat_map(|topic| topic.partitions.clone()).collect();
        forgotten.sort_unstable();
        (
            request.session_id,
            request.session_epoch,
            named.map(|partition| (partition.partition, partition.fetch_offset)).collect(),
            forgotten,
        )
    }

    fn granted(id: i32) -> FetchResponse {
        FetchResponse::default().with_session_id(id)
    }

    fn refused(code: i16) -> FetchResponse {
        FetchResponse::default().with_error_code(code)
    }

    #[test]
    fn a_session_names_only_what_changed() {
        let mut session = Session::default();
        let all = wanted(&[(0, 5), (1, 6), (2, 7)]);
        assert_eq!(brief(&session.request(&all, 17)), (0, 0, vec![(0, 5), (1, 6), (2, 7)], vec![]));
        session.answered(&granted(99)).unwrap();
        assert_eq!(brief(&session.request(&all, 17)), (99, 1, vec![], vec![]));
        session.answered(&granted(99)).unwrap();
        assert_eq!(
            brief(&session.request(&wanted(&[(0, 5), (2, 8), (3, 0)]), 17)),
            (99, 2, vec![(2, 8), (3, 0)], vec![1])
        );
        session.answered(&granted(99)).unwrap();
        // One that was forgotten is named again when it comes back.
        assert_eq!(
            brief(&session.request(&wanted(&[(0, 5), (1, 6), (2, 8), (3, 0)]), 17)),
            (99, 3, vec![(1, 6)], vec![])
        );
    }

    #[test]
    fn a_broker_that_grants_no_session_is_told_everything_each_time() {
        let mut session = Session::default();
        let all = wanted(&[(0, 5), (1, 6)]);
        for _ in 0..3 {
            assert_eq!(brief(&session.request(&all, 12)), (0, 0, vec![(0, 5), (1, 6)], vec![]));
            session.answered(&granted(0)).unwrap();
        }
    }

    #[test]
    fn a_session_that_the_broker_has_dropped_begins_anew() {
        let mut session = Session::default();
        let all = wanted(&[(0, 5)]);
        session.request(&all, 17);
        session.answered(&granted(99)).unwrap();
        session.request(&all, 17);
        assert!(session.answered(&refused(70)).is_err());
        assert_eq!(brief(&session.request(&all, 17)), (0, 0, vec![(0, 5)], vec![]));
    }

    #[test]
    fn a_session_out_of_step_or_without_answer_is_ended_by_the_next_request() {
        let all = wanted(&[(0, 5)]);
        let by_error = |session: &mut Session| assert!(session.answered(&refused(71)).is_err());
        for lose in [Session::lost, by_error] {
            let mut session = Session::default();
            session.request(&all, 17);
            session.answered(&granted(99)).unwrap();
            session.request(&all, 17);
            lose(&mut session);
            assert_eq!(brief(&session.request(&all, 17)), (99, 0, vec![(0, 5)], vec![]));
        }
    }

    #[test]
    fn a_topic_made_again_is_forgotten_by_its_old_id_and_added_by_its_new_one() {
        let mut session = Session::default();
        let mut all = wanted(&[(0, 5)]);
        session.request(&all, 17);
        session.answered(&granted(99)).unwrap();
        all[0].1.topic_id = Uuid::from_u128(8);
        let request = session.request(&all, 17);
        assert_eq!(request.forgotten_topics_data[0].topic_id, Uuid::from_u128(7));
        assert_eq!(request.topics[0].topic_id, Uuid::from_u128(8));
        assert_eq!(session.topic(&TopicName::default(), Uuid::from_u128(8)).as_deref(), Some("orders"));
    }

    #[test]
    fn names_and_ids_do_not_mix_in_a_session() {
        let mut session = Session::default();
        let all = wanted(&[(0, 5)]);
        session.request(&all, 17);
        session.answered(&granted(99)).unwrap();
        let request = session.request(&all, 12);
        assert_eq!(brief(&request), (99, 0, vec![(0, 5)], vec![]));
        assert_eq!((&**request.topics[0].topic, request.topics[0].topic_id), ("orders", Uuid::nil()));
    }

    #[test]
    fn partitions_are_named_in_the_order_in_which_they_wait() {
        let mut session = Session::default();
        let mut all = wanted(&[(2, 0), (0, 0)]);
        all.push((TopicPartition::new("other", 0), Ask { topic_id: Uuid::from_u128(9), ..ask(1) }));
        all.extend(wanted(&[(1, 0)]));
        let request = session.request(&all, 17);
        let order: Vec<_> = request
            .topics
            .iter()
            .flat_map(|t| t.partitions.iter().map(|p| (t.topic_id.as_u128(), p.partition)))
            .collect();
        assert_eq!(order, [(7, 2), (7, 0), (9, 0), (7, 1)]);
    }

    #[test]
    fn epochs_go_round_without_touching_zero() {
        let mut session = Session { id: 5, epoch: i32::MAX, with_ids: true, ..Session::default() };
        session.answered(&granted(5)).unwrap();
        assert_eq!(session.epoch, 1);
    }
}
