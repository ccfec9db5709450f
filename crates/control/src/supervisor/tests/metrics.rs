use runtime::Dialect;

use super::scene::{Scene, eventually};
use crate::plane::{Doing, Target};

/// The lines of one metric.
fn lines<'a>(text: &'a str, metric: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.split(['{', ' ']).next() == Some(metric)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_for_kafka_connect_find_what_they_ask_for_in_both_dialects() {
    let scene = Scene::start().await;
    let (id, paused) = (Scene::id(1), Scene::id(2));
    scene.produce(0..20).await;
    scene.want(&id, 1, Target::Running);
    scene.want_as("other", &paused, 1, Target::Paused);
    scene.supervisor.stopped(&paused).await;
    eventually("all is committed", async || scene.committed().await == 20).await;
    let text = scene.metrics.text();
    let of = r#"connector="orders",cluster="lkc-1""#;
    for expected in [
        format!(r#"kafka_connect_connector_status{{{of},status="running"}} 1.0"#),
        format!(r#"kafka_connect_connector_task_status{{{of},task="1",status="running"}} 1.0"#),
        r#"kafka_connect_connector_status{connector="other",cluster="lkc-1",status="paused"} 1.0"#.to_owned(),
        "kafka_connect_worker_connector_count{} 2.0".to_owned(),
        "kafka_connect_worker_task_count{} 4.0".to_owned(),
        "kafka_connect_worker_task_startup_success_total{} 2.0".to_owned(),
        format!("kafka_connect_worker_connector_running_task_count{{{of}}} 2.0"),
        format!(r#"kafka_connect_sink_task_sink_record_read_total{{{of},task="0"}} 20.0"#),
        format!(r#"kafka_connect_sink_task_sink_record_read_total{{{of},task="1"}} 0.0"#),
        format!(r#"kafka_connect_sink_task_partition_count{{{of},task="0"}} 2.0"#),
        format!(r#"kafka_connect_task_error_total_record_failures{{{of},task="0"}} 0.0"#),
        format!("tidegate_connector_restarts_total{{{of}}} 0.0"),
        format!("tidegate_records_total{{{of}}} 20.0"),
    ] {
        assert!(text.lines().any(|line| line == expected), "{expected}\n{text}");
    }
    // Two of the paused one: its status and its worker's view of it; none of the states that nobody is in.
    assert_eq!(lines(&text, "kafka_connect_connector_status").len(), 2);
    assert_eq!(lines(&text, "kafka_connect_connector_task_status").len(), 4);
    assert!(text.contains("# TYPE kafka_connect_sink_task_sink_record_read counter"));

    let text = scene.metrics.clone().with_dialect(Dialect::Confluent).text();
    for expected in [
        r#"kafka_connect_connect_worker_metrics_connector_count{connector="aggregate"} 2.0"#.to_owned(),
        format!(r#"kafka_connect_sink_task_metrics_sink_record_read_total{{{of},task="0"}} 20.0"#),
        format!("kafka_connect_connect_worker_metrics_connector_failed_task_count{{{of}}} 0.0"),
        format!(r#"kafka_connect_task_error_metrics_total_record_failures{{{of},task="0"}} 0.0"#),
    ] {
        assert!(text.lines().any(|line| line == expected), "{expected}\n{text}");
    }
    let class = "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector";
    assert!(text.contains(&format!(r#"status="running",connector_class="{class}",connector_type="sink""#)));

    // Gone is gone.
    scene.supervisor.forget(&paused);
    assert_eq!(scene.supervisor.status(&id).unwrap().connector, Doing::Running);
    assert!(!scene.metrics.text().contains("connector=\"other\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clusters_id_is_learnt() {
    let scene = Scene::start().await;
    assert_eq!(scene.supervisor.kafka_cluster_id(), None);
    scene.supervisor.learn_cluster_id(scene.worker());
    eventually("it is known", async || scene.supervisor.kafka_cluster_id().is_some()).await;
    assert_eq!(scene.supervisor.kafka_cluster_id(), scene.cluster.metadata().cluster_id);
}

/// All names of metrics in a text of PromQL.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("kafka_") || word.starts_with("tidegate_"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_in_the_documentation_asks_for_nothing_that_is_not_there() {
    let scene = Scene::start().await;
    let id = Scene::id(1);
    scene.produce(0..20).await;
    scene.want(&id, 1, Target::Running);
    eventually("all is committed", async || scene.committed().await == 20).await;
    let (text, board) = (scene.metrics.text(), include_str!("../../../../../docs/grafana-dashboard.json"));
    // Where there is no value yet, the name stands in its help all the same.
    let known: Vec<&str> = text.lines().flat_map(names).collect();
    let asked: std::collections::BTreeSet<&str> = names(board).collect();
    assert!(asked.len() > 15);
    for name in asked {
        assert!(known.contains(&name) || known.contains(&name.trim_end_matches("_total")), "{name}");
    }
}
