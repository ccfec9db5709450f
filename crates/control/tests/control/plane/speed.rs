//! How long a store with many connectors takes. Measured in a release build:
//! `cargo test --release -p control --test control speed -- --ignored --nocapture`.

use std::time::Duration;

use tokio::time::Instant;

use super::{Plane, new, operator, sink};

const CONNECTORS: usize = 500;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; run it in a release build"]
#[expect(clippy::print_stdout, reason = "it tells what it has measured")]
async fn five_hundred_connectors_open_in_three_seconds_and_are_listed_in_twenty_milliseconds() {
    let world = Plane::new().await;
    let caller = operator();
    let cluster = world.plane.default_cluster(&caller).await.unwrap();
    let began = Instant::now();
    for number in 0..CONNECTORS {
        world.plane.create_connector(&caller, &cluster, new(&format!("c{number}"), sink(&[]))).await.unwrap();
    }
    println!("{CONNECTORS} made in {:?}", began.elapsed());
    world.plane.close().await;
    let began = Instant::now();
    let world = world.reopen().await;
    let opened = began.elapsed();
    let mut lists: Vec<Duration> = Vec::new();
    for _ in 0..50 {
        let began = Instant::now();
        assert_eq!(world.plane.connectors(&caller, &cluster).await.unwrap().len(), CONNECTORS);
        lists.push(began.elapsed());
    }
    lists.sort();
    println!("opened in {opened:?}, listed in {:?} (the slowest {:?})", lists[25], lists[49]);
    assert!(opened < Duration::from_secs(3) && lists[25] < Duration::from_millis(20));
}
