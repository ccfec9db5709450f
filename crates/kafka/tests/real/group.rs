//! Membership against a real coordinator, under each protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use data::{Offset, TopicPartition};
use kafka::Cluster;
use kafka::group::{
    Assignor, Group, GroupCommitter, GroupError, GroupEvent, GroupOptions, GroupProtocol, Subscription, TopicPattern,
};
use tokio::sync::oneshot;
use transit::{Assigned, Assignment, Commit, CommitOutcome, Committer, Revoked};

use crate::support::{Kafka, eventually, fresh, kafka, topic};

pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A member whose events are followed in the background, as a task would.
pub(crate) struct Follower {
    state: Arc<Mutex<Seen>>,
    committer: GroupCommitter,
    stop: Option<oneshot::Sender<bool>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) held: BTreeMap<TopicPartition, Assigned>,
    /// Keep revocations instead of dropping them.
    stubborn: bool,
    kept: Vec<Revoked>,
    revoked: Vec<(TopicPartition, Assignment)>,
    pub(crate) lost: Vec<(TopicPartition, Assignment)>,
    error: Option<GroupError>,
}

impl Follower {
    pub(crate) fn start(cluster: &Cluster, options: GroupOptions) -> Self {
        let mut group = Group::join(cluster.clone(), options);
        let state: Arc<Mutex<Seen>> = Arc::default();
        let committer = group.committer();
        let (stop, mut stopped) = oneshot::channel();
        let seen = state.clone();
        let task = tokio::spawn(async move {
            let politely = loop {
                tokio::select! {
                    politely = &mut stopped => break politely.unwrap_or(false),
                    event = group.next() => {
                        let mut seen = seen.lock().unwrap();
                        match event {
                            Ok(event) => seen.take_in(event),
                            Err(error) => {
                                seen.error = Some(error);
                                break false;
                            }
                        }
                    }
                }
            };
            if politely {
                group.leave().await;
            }
        });
        Self { state, committer, stop: Some(stop), task }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.state.lock().unwrap()
    }

    pub(crate) fn held(&self) -> BTreeMap<TopicPartition, Assigned> {
        self.seen().held.clone()
    }

    fn numbers(&self) -> Vec<i32> {
        self.held().into_keys().map(|partition| partition.partition).collect()
    }

    pub(crate) fn assignment(&self, partition: &TopicPartition) -> Assignment {
        self.seen().held[partition].assignment
    }

    pub(crate) async fn holds(&self, what: &str, condition: impl Fn(&Seen) -> bool) {
        eventually(what, SOON, async || {
            let seen = self.seen();
            assert!(seen.error.is_none(), "{what}: {:?}", seen.error);
            condition(&seen).then_some(())
        })
        .await;
    }

    pub(crate) async fn commit(&self, partition: &TopicPartition, offset: i64, metadata: &str) -> CommitOutcome {
        let assignment = self.assignment(partition);
        self.commit_as(partition, assignment, offset, metadata).await
    }

    pub(crate) async fn commit_as(
        &self,
        partition: &TopicPartition,
        assignment: Assignment,
        offset: i64,
        metadata: &str,
    ) -> CommitOutcome {
        let commit =
            Commit { partition: partition.clone(), assignment, offset: Offset(offset), metadata: metadata.into() };
        tokio::time::timeout(SOON, self.committer.commit(vec![commit])).await.expect("an outcome").expect("no fault")
    }

    pub(crate) async fn leave(mut self) {
        self.stop.take().unwrap().send(true).ok();
        self.task.await.unwrap();
    }

    /// As a crash would: without a word.
    async fn crash(mut self) {
        self.stop.take().unwrap().send(false).ok();
        self.task.await.unwrap();
    }
}

impl Seen {
    fn take_in(&mut self, event: GroupEvent) {
        match event {
            GroupEvent::Assigned(assigned) => {
                for one in assigned {
                    let before = self.held.insert(one.partition.clone(), one);
                    assert!(before.is_none(), "assigned what is held: {before:?}");
                }
            }
            GroupEvent::Revoked(revoked) => {
                self.revoked.extend(revoked.partitions.iter().cloned());
                if self.stubborn {
                    self.kept.push(revoked);
                } else {
                    for (partition, _) in &revoked.partitions {
                        self.held.remove(partition);
                    }
                }
            }
            GroupEvent::Lost(lost) => {
                for (partition, _) in &lost {
                    self.held.remove(partition);
                }
                self.lost.extend(lost);
            }
            GroupEvent::Rewound(rewound) => {
                self.held.remove(&rewound.partition);
                self.lost.push((rewound.partition, rewound.was));
            }
        }
    }
}

pub(crate) fn protocols() -> [(&'static str, GroupProtocol); 4] {
    [
        ("range", GroupProtocol::Classic(vec![Assignor::Range])),
        ("sticky", GroupProtocol::Classic(vec![Assignor::Sticky])),
        ("cooperative-sticky", GroupProtocol::Classic(vec![Assignor::CooperativeSticky])),
        ("consumer", GroupProtocol::Consumer(None)),
    ]
}

pub(crate) fn member(group: &str, topic: &str, protocol: &GroupProtocol) -> GroupOptions {
    let mut options = GroupOptions::new(group, Subscription::topics([topic]));
    options.protocol = protocol.clone();
    options.session_timeout = Duration::from_secs(6);
    options.heartbeat_interval = Duration::from_millis(500);
    options
}

/// A topic with a group of its own, on the shared node.
async fn stage(test: &str, partitions: i32) -> Option<(&'static Kafka, Cluster, String, String)> {
    let kafka = kafka(test)?;
    let cluster = kafka.connect().await;
    let topic = topic(&cluster, partitions).await;
    Some((kafka, cluster, topic, fresh("group")))
}

#[tokio::test]
async fn what_a_member_commits_is_where_the_next_one_begins() {
    let Some((_, cluster, topic, _)) = stage("what_a_member_commits_is_where_the_next_one_begins", 2).await else {
        return;
    };
    for (name, protocol) in protocols() {
        let group = fresh(name);
        let (zero, one) = (TopicPartition::new(&*topic, 0), TopicPartition::new(&*topic, 1));
        let first = Follower::start(&cluster, member(&group, &topic, &protocol));
        first.holds(name, |seen| seen.held.len() == 2).await;
        assert!(!first.seen().held[&zero].committed);
        assert_eq!(first.seen().held[&zero].position, Offset(0));
        assert_eq!(first.commit(&zero, 7, "an intent").await, CommitOutcome::Done, "{name}");
        first.leave().await;

        let second = Follower::start(&cluster, member(&group, &topic, &protocol));
        second.holds(name, |seen| seen.held.len() == 2).await;
        let held = second.seen().held[&zero].clone();
        assert_eq!((held.position, held.committed, &*held.metadata), (Offset(7), true, "an intent"), "{name}");
        assert!(!second.seen().held[&one].committed);
        second.leave().await;
    }
}

#[tokio::test]
async fn two_members_share_and_the_one_that_stays_gets_all() {
    let Some((_, cluster, topic, _)) = stage("two_members_share_and_the_one_that_stays_gets_all", 4).await else {
        return;
    };
    for (name, protocol) in protocols() {
        let group = fresh(name);
        let first = Follower::start(&cluster, member(&group, &topic, &protocol));
        first.holds(name, |seen| seen.held.len() == 4).await;
        let before = first.held();
        let second = Follower::start(&cluster, member(&group, &topic, &protocol));
        second.holds(name, |seen| seen.held.len() == 2).await;
        first.holds(name, |seen| seen.held.len() == 2).await;
        let all: BTreeSet<_> = first.numbers().into_iter().chain(second.numbers()).collect();
        assert_eq!(all, (0..4).collect(), "{name}");
        // What is kept is kept under its number, and can be committed under the new epoch.
        for (partition, now) in first.held() {
            assert_eq!(now.assignment == before[&partition].assignment, protocol.is_cooperative(), "{name}");
            assert_eq!(first.commit(&partition, 3, "").await, CommitOutcome::Done, "{name}");
        }
        for partition in second.held().into_keys() {
            assert_eq!(second.commit(&partition, 4, "").await, CommitOutcome::Done, "{name}");
            // Of a stay that is over, even where the member is still one of the group.
            let over = before[&partition].assignment;
            assert_eq!(first.commit_as(&partition, over, 1, "").await, CommitOutcome::Fenced, "{name}");
        }
        second.leave().await;
        first.holds(name, |seen| seen.held.len() == 4).await;
        assert!(first.seen().lost.is_empty(), "{name}: {:?}", first.seen().lost);
        let offsets: BTreeSet<_> = first.seen().held.values().map(|held| (held.position.0, held.committed)).collect();
        let kept = if protocol.is_cooperative() { (0, false) } else { (3, true) };
        assert_eq!(offsets, [kept, (4, true)].into(), "{name}");
        first.leave().await;
    }
}

#[tokio::test]
async fn a_revocation_waits_for_the_last_commit() {
    let Some((_, cluster, topic, _)) = stage("a_revocation_waits_for_the_last_commit", 2).await else { return };
    for (name, protocol) in protocols() {
        let group = fresh(name);
        let first = Follower::start(&cluster, member(&group, &topic, &protocol));
        first.holds(name, |seen| seen.held.len() == 2).await;
        first.seen().stubborn = true;
        let second = Follower::start(&cluster, member(&group, &topic, &protocol));
        first.holds(name, |seen| !seen.kept.is_empty()).await;
        // Far longer than a session: heartbeats go on while the task takes its time, and nobody gets the partition.
        let partition = first.seen().revoked[0].0.clone();
        tokio::time::sleep(Duration::from_secs(8)).await;
        assert!(!second.seen().held.contains_key(&partition), "{name}");
        assert_eq!(first.commit(&partition, 11, "last").await, CommitOutcome::Done, "{name}");
        let revoked = std::mem::take(&mut first.seen().kept);
        first.seen().stubborn = false;
        for (partition, _) in revoked.iter().flat_map(|revoked| &revoked.partitions) {
            first.seen().held.remove(partition);
        }
        drop(revoked);
        // Who gets it is the group's business; whoever it is, finds the last commit.
        eventually(name, SOON, async || {
            let held = [&first, &second].iter().find_map(|it| it.seen().held.get(&partition).cloned())?;
            assert_eq!((held.position, &*held.metadata), (Offset(11), "last"), "{name}");
            Some(())
        })
        .await;
        assert!(first.seen().lost.is_empty(), "{name}: {:?}", first.seen().lost);
        second.leave().await;
        first.leave().await;
    }
}

#[tokio::test]
async fn a_task_that_never_lets_go_loses_what_it_was_asked_for() {
    let Some((_, cluster, topic, _)) = stage("a_task_that_never_lets_go_loses_what_it_was_asked_for", 2).await else {
        return;
    };
    for (name, protocol) in protocols() {
        let group = fresh(name);
        let mut options = member(&group, &topic, &protocol);
        options.revocation_patience = Duration::from_secs(1);
        let first = Follower::start(&cluster, options);
        first.holds(name, |seen| seen.held.len() == 2).await;
        first.seen().stubborn = true;
        let second = Follower::start(&cluster, member(&group, &topic, &protocol));
        first.holds(name, |seen| !seen.lost.is_empty()).await;
        second.holds(name, |seen| seen.held.len() == 1).await;
        let (partition, assignment) = first.seen().lost[0].clone();
        assert_eq!(first.commit_as(&partition, assignment, 11, "").await, CommitOutcome::Fenced, "{name}");
        second.leave().await;
        first.leave().await;
    }
}

#[tokio::test]
async fn a_member_that_crashes_is_replaced_after_its_session() {
    let Some((_, cluster, topic, _)) = stage("a_member_that_crashes_is_replaced_after_its_session", 2).await else {
        return;
    };
    for (name, protocol) in protocols() {
        let group = fresh(name);
        let first = Follower::start(&cluster, member(&group, &topic, &protocol));
        let second = Follower::start(&cluster, member(&group, &topic, &protocol));
        first.holds(name, |seen| seen.held.len() == 1).await;
        second.holds(name, |seen| seen.held.len() == 1).await;
        let partition = second.held().into_keys().next().unwrap();
        assert_eq!(second.commit(&partition, 5, "prepared").await, CommitOutcome::Done, "{name}");
        second.crash().await;
        first.holds(name, |seen| seen.held.len() == 2).await;
        let held = first.held()[&partition].clone();
        assert_eq!((held.position, &*held.metadata), (Offset(5), "prepared"), "{name}");
        first.leave().await;
    }
}

#[tokio::test]
async fn new_partitions_and_topics_are_noticed() {
    let Some(kafka) = kafka("new_partitions_and_topics_are_noticed") else { return };
    for (name, protocol) in protocols() {
        let mut config = kafka::ClientConfig::plaintext([kafka.address(0)]);
        config.metadata_max_age = Duration::from_millis(500);
        let cluster = Cluster::connect(config).await.unwrap();
        let first = topic(&cluster, 1).await;
        let group = fresh(name);
        let mut options = member(&group, &first, &protocol);
        let others = fresh("regex");
        options.subscription = Subscription::Pattern(TopicPattern::new(&format!("{first}|{others}-.*")).unwrap());
        let follower = Follower::start(&cluster, options);
        follower.holds(name, |seen| seen.held.len() == 1).await;
        kafka.script(
            "tool",
            &["org.apache.kafka.tools.TopicCommand", "--alter", "--topic", &first, "--partitions", "3"],
        );
        follower.holds(name, |seen| seen.held.len() == 3).await;
        let new = kafka::admin::NewTopic {
            name: format!("{others}-late").into(),
            partitions: 2,
            replication_factor: 1,
            configs: BTreeMap::new(),
        };
        cluster.create_topic(&new).await.unwrap();
        follower.holds(name, |seen| seen.held.len() == 5).await;
        follower.leave().await;
    }
}

#[tokio::test]
async fn a_static_member_comes_back_to_what_it_had_without_a_rebalance() {
    let Some((_, cluster, topic, _)) = stage("a_static_member_comes_back_to_what_it_had_without_a_rebalance", 4).await
    else {
        return;
    };
    for (name, protocol) in protocols() {
        let group = fresh(name);
        let named = |instance: &str| {
            let mut options = member(&group, &topic, &protocol);
            options.instance = Some(instance.into());
            options
        };
        let first = Follower::start(&cluster, named("a"));
        let second = Follower::start(&cluster, named("b"));
        first.holds(name, |seen| seen.held.len() == 2).await;
        second.holds(name, |seen| seen.held.len() == 2).await;
        let had = second.numbers();
        let undisturbed = first.held();
        second.leave().await;
        let second = Follower::start(&cluster, named("b"));
        second.holds(name, |seen| seen.held.len() == 2).await;
        assert_eq!(second.numbers(), had, "{name}");
        assert_eq!(first.held(), undisturbed, "{name}");
        second.leave().await;
        first.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_restarts_costs_nobody_anything() {
    if !crate::support::wanted("a_coordinator_that_restarts_costs_nobody_anything") {
        return;
    }
    let kafka = Kafka::start(&[]);
    let cluster = kafka.connect().await;
    let topic = topic(&cluster, 2).await;
    let mut followers = Vec::new();
    for (name, protocol) in protocols() {
        let mut options = member(&fresh(name), &topic, &protocol);
        // As long as the restart may take on a busy machine; the coordinator begins its own count anew.
        options.session_timeout = Duration::from_secs(45);
        let follower = Follower::start(&cluster, options);
        follower.holds(name, |seen| seen.held.len() == 2).await;
        followers.push((name, follower));
    }
    kafka.script("stop", &["1"]);
    let zero = TopicPartition::new(&*topic, 0);
    let resumed = async {
        // Beside the commits, which wait for it.
        tokio::task::block_in_place(|| kafka.script("resume", &["1"]));
    };
    let committed = async {
        for (name, follower) in &followers {
            let commit = Commit {
                partition: zero.clone(),
                assignment: follower.assignment(&zero),
                offset: Offset(1),
                metadata: "".into(),
            };
            let outcome = tokio::time::timeout(Duration::from_mins(1), follower.committer.commit(vec![commit])).await;
            assert_eq!(outcome.expect("an outcome").expect("no fault"), CommitOutcome::Done, "{name}");
            assert!(follower.seen().lost.is_empty(), "{name}");
        }
    };
    tokio::join!(committed, resumed);
}
