//! Offsets of a group, changed from outside of it.

use data::{Offset, TopicPartition};
use kafka::ErrorCode;
use kafka::admin::Outsider;
use transit::{Assignment, Commit, CommitOutcome, Committer as _};

use crate::group::{Follower, member, protocols};
use crate::support::{fresh, kafka, topic};

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_changed_from_outside_only_while_the_group_has_no_member() {
    let Some(kafka) = kafka("offsets_are_changed_from_outside_only_while_the_group_has_no_member") else { return };
    let cluster = kafka.connect().await;
    for (name, protocol) in protocols() {
        let (group, topic) = (fresh("outside"), topic(&cluster, 2).await);
        let [zero, one] = [0, 1].map(|number| TopicPartition::new(topic.as_str(), number));
        let committed = async || {
            let committed = cluster.committed(&group).await.unwrap();
            [&zero, &one].map(|partition| committed.get(partition).map(|one| (one.offset.0, one.metadata.clone())))
        };
        // Before there is a group, and one that is not there is taken away.
        cluster.delete_group(&group).await.unwrap();
        cluster.delete_committed(&group, std::slice::from_ref(&zero)).await.unwrap();
        cluster.commit_from_outside(&group, &[(zero.clone(), Offset(3)), (one.clone(), Offset(4))]).await.unwrap();
        assert_eq!(committed().await, [Some((3, String::new())), Some((4, String::new()))], "{name}");

        let follower = Follower::start(&cluster, member(&group, &topic, &protocol));
        follower.holds("both partitions", |seen| seen.held.len() == 2).await;
        let code = |error: kafka::cluster::Error| error.kafka_code();
        let refused = cluster.commit_from_outside(&group, &[(zero.clone(), Offset(5))]).await.unwrap_err();
        assert_eq!(code(refused), Some(ErrorCode::UNKNOWN_MEMBER_ID), "{name}");
        let refused = cluster.delete_committed(&group, std::slice::from_ref(&zero)).await.unwrap_err();
        assert_eq!(code(refused), Some(ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC), "{name}");
        let refused = cluster.delete_group(&group).await.unwrap_err();
        assert_eq!(code(refused), Some(ErrorCode::NON_EMPTY_GROUP), "{name}");
        let outsider = Outsider::new(cluster.clone(), group.as_str());
        let commit = |offset| Commit {
            partition: zero.clone(),
            assignment: Assignment(0),
            offset: Offset(offset),
            metadata: "".into(),
        };
        assert_eq!(outsider.commit(vec![commit(5)]).await.unwrap(), CommitOutcome::Fenced, "{name}");

        // What a member has left beside an offset is gone with it.
        assert_eq!(follower.commit(&zero, 3, "an intent").await, CommitOutcome::Done);
        follower.leave().await;
        assert_eq!(committed().await[0], Some((3, "an intent".to_owned())), "{name}");
        assert_eq!(outsider.commit(vec![commit(6)]).await.unwrap(), CommitOutcome::Done, "{name}");
        assert_eq!(committed().await, [Some((6, String::new())), Some((4, String::new()))], "{name}");
        cluster.delete_committed(&group, std::slice::from_ref(&zero)).await.unwrap();
        assert_eq!(committed().await, [None, Some((4, String::new()))], "{name}");
        cluster.delete_group(&group).await.unwrap();
        assert_eq!(committed().await, [None, None], "{name}");
    }
}
