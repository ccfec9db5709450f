//! Against the embedded broker and the embedded AWS.

mod metrics;
mod offsets;
mod scene;

use std::time::Duration;

use fault::Diagnose as _;
use local::aws::{Effect, FaultRule};

use self::scene::{Scene, eventually};
use crate::plane::{Doing, Restart, Target};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wanted_runs_pauses_stops_and_goes_on() {
    let scene = Scene::start().await;
    let id = Scene::id(1);
    scene.produce(0..20).await;
    scene.want(&id, 1, Target::Running);
    eventually("all 20 records are committed", async || scene.committed().await == 20).await;
    assert_eq!(scene.status(&id).connector, Doing::Running);
    assert_eq!(scene.status(&id).tasks, [Doing::Running; 2]);
    assert_eq!(scene.status(&id).worker_id, "127.0.0.1:8083");
    assert_eq!(scene.topics(&id), ["orders"]);

    scene.want(&id, 1, Target::Paused);
    scene.supervisor.stopped(&id).await;
    assert_eq!((scene.status(&id).connector, scene.status(&id).tasks), (Doing::Paused, vec![Doing::Paused; 2]));
    assert!(scene.supervisor.running(&id).is_none());
    // The group is left, so that its offsets could be changed.
    scene.cluster.commit_from_outside("connect-orders", &Scene::offsets(20)).await.unwrap();

    scene.want(&id, 1, Target::Stopped);
    scene.supervisor.stopped(&id).await;
    assert_eq!((scene.status(&id).connector, scene.status(&id).tasks), (Doing::Stopped, vec![]));

    scene.produce(20..40).await;
    scene.want(&id, 1, Target::Running);
    eventually("the other 20 are committed", async || scene.committed().await == 40).await;
    assert_eq!(scene.stored().await, 40);

    scene.supervisor.forget(&id);
    assert_eq!(scene.supervisor.status(&id), None);
    scene.supervisor.stopped(&id).await;
    assert!(scene.supervisor.0.hands().by_id.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_configuration_is_started_when_the_cut_of_the_one_before_is_committed() {
    let scene = Scene::start().await;
    let id = Scene::id(1);
    scene.want(&id, 1, Target::Running);
    scene.joined(&id).await;
    // Too few for a cut, and before a minute is over only a stop makes one.
    scene.produce(0..8).await;
    let first = scene.supervisor.running(&id).unwrap();
    eventually("8 records are taken up", async || Scene::taken(&first) == 8).await;
    assert_eq!(scene.committed().await, 0);
    scene.want(&id, 2, Target::Running);
    eventually("another run goes on", async || {
        scene.supervisor.running(&id).is_some_and(|running| !std::sync::Arc::ptr_eq(&running, &first))
    })
    .await;
    // Already: the other run could not have begun before.
    assert_eq!(scene.committed().await, 8);
    assert_eq!(scene.stored().await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_shown_until_it_is_over_also_while_it_is_tried_again() {
    let scene = Scene::start().await;
    let id = Scene::id(1);
    scene.produce(0..20).await;
    let denied = FaultRule::new(Effect::Error { code: "AccessDenied".to_owned(), applied: false });
    let denied = scene.aws.faults().add(denied.operation("CreateMultipartUpload")).unwrap();
    scene.want(&id, 1, Target::Running);
    eventually("it has failed", async || scene.status(&id).connector == Doing::Failed).await;
    let failed = scene.status(&id);
    assert_eq!(failed.tasks, [Doing::Failed; 2]);
    let explanation = failed.explanation.unwrap();
    assert!(explanation.text.contains("AccessDenied"), "{}", explanation.text);
    assert!(explanation.retry_in.is_some());

    // A restart of what has failed is one, and it fails again.
    let told = scene.supervisor.restart(&id, Restart { include_tasks: true, only_failed: true }).unwrap();
    assert_eq!((told.connector, told.tasks, told.explanation), (Doing::Restarting, vec![Doing::Restarting; 2], None));
    eventually("it has failed again", async || scene.status(&id).connector == Doing::Failed).await;

    scene.aws.faults().remove(denied);
    assert_eq!(scene.supervisor.restart(&id, Restart::default()).unwrap().connector, Doing::Restarting);
    eventually("it runs", async || scene.status(&id).connector == Doing::Running).await;
    eventually("all is committed", async || scene.committed().await == 20).await;
    scene.want(&id, 1, Target::Stopped);
    scene.supervisor.stopped(&id).await;

    // Nothing has failed, and what is stopped is not started by a restart.
    assert_eq!(scene.supervisor.restart(&id, Restart::default()).unwrap().connector, Doing::Stopped);
    scene.want(&id, 1, Target::Running);
    eventually("it runs", async || scene.status(&id).connector == Doing::Running).await;
    let told = scene.supervisor.restart(&id, Restart { include_tasks: true, only_failed: true }).unwrap();
    assert_eq!(told.connector, Doing::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_planned_keeps_showing_why_and_disturbs_nobody() {
    let scene = Scene::start().await;
    let (good, bad) = (Scene::id(1), Scene::id(2));
    scene.want(&good, 1, Target::Running);
    scene.want_unplanned(&bad, 1, "the secret ${file:/gone:key} is not there");
    eventually("it has failed", async || scene.status(&bad).connector == Doing::Failed).await;
    let first = scene.status(&bad).explanation.unwrap();
    assert_eq!(first.text, "the secret ${file:/gone:key} is not there");
    assert!(runtime::OffsetsError::Unfinished(Duration::ZERO).hint().is_some() && first.hint.is_some());
    scene.joined(&good).await;

    // One that runs goes on with the plan that it has, as long as that is what is wanted.
    let running = scene.supervisor.running(&good).unwrap();
    scene.want_unplanned(&good, 1, "the secret is not there");
    scene.supervisor.stopped(&good).await;
    assert!(std::sync::Arc::ptr_eq(&scene.supervisor.running(&good).unwrap(), &running));
    scene.want_unplanned(&good, 2, "the secret is not there");
    scene.supervisor.stopped(&good).await;
    assert_eq!(scene.status(&good).connector, Doing::Failed);
    scene.supervisor.restart(&good, Restart::default());
    scene.supervisor.stopped(&good).await;
    assert_eq!(scene.status(&good).explanation.unwrap().text, "the secret is not there");
    // Mended.
    scene.want(&good, 3, Target::Running);
    eventually("it runs", async || scene.status(&good).connector == Doing::Running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_ends_everything_and_nothing_is_started_afterwards() {
    let scene = Scene::start().await;
    let ids = [Scene::id(1), Scene::id(2), Scene::id(3)];
    scene.produce(0..10).await;
    for id in &ids {
        scene.want(id, 1, Target::Running);
    }
    for id in &ids {
        eventually("it runs", async || scene.status(id).connector == Doing::Running).await;
    }
    eventually("records are taken up", async || {
        ids.iter().map(|id| Scene::taken(&scene.supervisor.running(id).unwrap())).sum::<u64>() == 10
    })
    .await;
    scene.supervisor.close().await;
    assert_eq!(scene.committed().await, 10);
    scene.want(&ids[0], 2, Target::Running);
    assert_eq!(scene.supervisor.status(&ids[0]), None);
    scene.supervisor.close().await;
}
