use std::collections::HashMap;
use std::sync::Arc;

use fault::Fault;
use local::aws::{Effect, FaultRule};
use runtime::Connector;
use transit::intent::{self, Metadata};

use super::scene::{GROUP, Scene, eventually};
use crate::plane::PartitionOffset;

fn at(partition: i32, offset: Option<i64>) -> PartitionOffset {
    PartitionOffset { topic: "orders".to_owned(), partition, offset }
}

fn code(result: Result<(), Fault>) -> &'static str {
    result.unwrap_err().code()
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_of_a_group_without_members_are_set_and_taken_away() {
    let scene = Scene::start().await;
    let (plan, supervisor) = (scene.plan(&[]), &scene.supervisor);
    assert_eq!(supervisor.offsets(&plan).await.unwrap(), []);
    supervisor.alter_offsets(&plan, &[at(1, Some(7)), at(0, Some(3))]).await.unwrap();
    assert_eq!(supervisor.offsets(&plan).await.unwrap(), [at(0, Some(3)), at(1, Some(7))]);
    supervisor.alter_offsets(&plan, &[at(0, None), at(1, Some(8))]).await.unwrap();
    assert_eq!(supervisor.offsets(&plan).await.unwrap(), [at(1, Some(8))]);
    // Of a partition that there is not, nothing is changed at all.
    assert_eq!(code(supervisor.alter_offsets(&plan, &[at(0, Some(1)), at(2, Some(1))]).await), "offsets.no-partition");
    assert_eq!(code(supervisor.alter_offsets(&plan, &[at(0, Some(-1))]).await), "offsets.negative");
    assert_eq!(supervisor.offsets(&plan).await.unwrap(), [at(1, Some(8))]);
    supervisor.reset_offsets(&plan).await.unwrap();
    assert_eq!(supervisor.offsets(&plan).await.unwrap(), []);
    supervisor.reset_offsets(&plan).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_of_a_group_with_members_are_refused_in_connects_words() {
    let scene = Scene::start().await;
    let plan = scene.plan(&[]);
    let connector = Connector::start(&scene.process, Arc::clone(&plan), HashMap::new());
    eventually("it has its partitions", async || connector.stats().partitions().len() == 2).await;
    let altered = scene.supervisor.alter_offsets(&plan, &[at(0, Some(3))]).await.unwrap_err();
    assert_eq!(altered.code(), "offsets.in-use");
    let text = altered.as_error().to_string();
    assert!(text.starts_with("Failed to alter consumer group offsets for connector orders either because"), "{text}");
    let taken = scene.supervisor.alter_offsets(&plan, &[at(0, None)]).await;
    assert_eq!(code(taken), "offsets.in-use");
    let reset = scene.supervisor.reset_offsets(&plan).await.unwrap_err();
    assert!(reset.as_error().to_string().starts_with("Failed to reset consumer group offsets"), "{reset}");
    connector.end().await;
    scene.supervisor.alter_offsets(&plan, &[at(0, Some(3))]).await.unwrap();
}

/// Lets a run die between preparing a cut and publishing it.
async fn leave_intents(scene: &Scene) {
    let down = FaultRule::new(Effect::Error { code: "SlowDown".to_owned(), applied: false });
    scene.aws.faults().add(down.operation("CompleteMultipartUpload")).unwrap();
    scene.produce(0..20).await;
    let plan = scene.plan(&[("tidegate.rotate.records", "10")]);
    let connector = Connector::start(&scene.process, plan, HashMap::new());
    eventually("both partitions have an intent", async || intents(scene).await == 2).await;
    // Not ended but killed: nothing is given up in an orderly way.
    drop(connector);
    eventually("the group has missed its member", async || {
        scene.cluster.commit_from_outside(GROUP, &[]).await.is_ok() && is_empty(scene).await
    })
    .await;
}

async fn intents(scene: &Scene) -> usize {
    let committed = scene.cluster.committed(GROUP).await.unwrap();
    committed.values().filter(|one| matches!(intent::decode(&one.metadata), Ok(Metadata::Intent(_)))).count()
}

/// Kafka deletes offsets of topics that nobody reads; of a partition that has none that changes nothing.
async fn is_empty(scene: &Scene) -> bool {
    scene.cluster.delete_committed(GROUP, &[transit::TopicPartition::new("orders", 99)]).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_that_was_prepared_is_finished_before_its_offset_is_moved() {
    let scene = Scene::start().await;
    leave_intents(&scene).await;
    assert_eq!((scene.committed().await, scene.stored().await), (0, 0));
    scene.aws.faults().clear();
    // Of one partition alone: the other's intent is finished with it, and its offset stays where that leads.
    scene.supervisor.alter_offsets(&scene.plan(&[]), &[at(0, Some(4))]).await.unwrap();
    assert_eq!(scene.supervisor.offsets(&scene.plan(&[])).await.unwrap(), [at(0, Some(4)), at(1, Some(10))]);
    assert_eq!((intents(&scene).await, scene.stored().await), (0, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_that_was_prepared_is_finished_before_all_offsets_are_taken_away() {
    let scene = Scene::start().await;
    leave_intents(&scene).await;
    scene.aws.faults().clear();
    scene.supervisor.reset_offsets(&scene.plan(&[])).await.unwrap();
    assert_eq!(scene.supervisor.offsets(&scene.plan(&[])).await.unwrap(), []);
    assert_eq!(scene.stored().await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_moved_where_a_prepared_cut_cannot_be_finished() {
    let scene = Scene::start().await;
    leave_intents(&scene).await;
    scene.aws.faults().clear();
    let denied = FaultRule::new(Effect::Error { code: "AccessDenied".to_owned(), applied: false });
    scene.aws.faults().add(denied.operation("*Multipart*")).unwrap();
    scene
        .aws
        .faults()
        .add(FaultRule::new(Effect::Error { code: "AccessDenied".to_owned(), applied: false }).operation("ListParts"))
        .unwrap();
    let refused = scene.supervisor.reset_offsets(&scene.plan(&[])).await.unwrap_err();
    assert!(fault::Chain(refused.as_error()).to_string().contains("AccessDenied"), "{refused}");
    assert_eq!(intents(&scene).await, 2);
}
