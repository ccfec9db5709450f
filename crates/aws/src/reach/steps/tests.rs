use std::time::UNIX_EPOCH;

use tokio::net::TcpListener;
use world::Environment;

use super::*;
use crate::plain::{says, serve};

fn clients() -> Clients {
    Clients::new(Clock::system(), Environment::of::<String, String>([]))
}

async fn sts_at(url: &str) -> Reached {
    clients().reach_sts(&StsEndpoint::new("eu-central-1").at(url), &Clock::system()).await
}

#[tokio::test]
async fn each_service_is_known_by_its_own_no() {
    let aws = local::aws::Aws::start(local::aws::AwsOptions::default()).await.unwrap();
    let (url, clock) = (aws.endpoint(), Clock::system());
    let options = S3Options { endpoint: Some(url.clone()), ..S3Options::new("lake", "eu-central-1") };
    let reached = [
        sts_at(&url).await,
        clients().reach_s3(&options, &clock).await,
        clients().reach_kms("eu-central-1", Some(&url), false, &clock).await,
    ];
    for reached in reached {
        let answer = reached.answer().unwrap_or_else(|| panic!("{reached:?}"));
        assert!(answer.is_service() && answer.status >= 400, "{reached:?}");
        assert!(answer.ahead_millis().unwrap().abs() < 2000, "{reached:?}");
        let steps: Vec<_> = reached.steps.iter().map(|(step, _)| *step).collect();
        assert_eq!(steps, [Step::Name, Step::Connect, Step::Answer]);
    }
}

#[tokio::test]
async fn a_clock_that_is_off_is_seen_to_the_second() {
    let url = serve(|_, _| {
        Some("HTTP/1.1 403 Forbidden\r\ndate: Mon, 23 Nov 2026 08:00:00 GMT\r\ncontent-length: 0\r\n\r\n".into())
    });
    // 2026-11-23T08:15:01Z.
    let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(498_728) + Duration::from_secs(901));
    let reached = clients().reach_sts(&StsEndpoint::new("eu-central-1").at(url.await), &clock).await;
    assert_eq!(reached.answer().unwrap().ahead_millis(), Some(-900_500));
}

#[tokio::test]
async fn what_is_not_the_service_does_not_pass_for_it() {
    let page = serve(|_, _| says("200 OK", "<html><body>Please log in</body></html>")).await;
    let reached = sts_at(&page).await;
    let answer = reached.answer().unwrap();
    assert!(!answer.is_service() && answer.is_page(), "{answer:?}");
    let store = serve(|_, _| says("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>")).await;
    let reached = sts_at(&store).await;
    assert!(!reached.answer().unwrap().is_service() && !reached.answer().unwrap().is_page());
}

#[tokio::test]
async fn every_obstacle_is_told_from_the_others() {
    let obstacle = |reached: &Reached| {
        let stopped = reached.stopped().unwrap_or_else(|| panic!("{reached:?}"));
        (stopped.step, stopped.obstacle.clone())
    };
    // Bound and closed again: nobody listens there.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(obstacle(&sts_at(&format!("http://{gone}")).await), (Step::Connect, Obstacle::Refused));

    let broken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", broken.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = broken.accept().await {
            drop(stream);
        }
    });
    assert_eq!(obstacle(&sts_at(&url).await), (Step::Answer, Obstacle::Broken));
    assert_eq!(obstacle(&sts_at(&url.replace("http", "https")).await), (Step::Tls, Obstacle::Broken));

    let plain = serve(|_, _| says("200 OK", "")).await.replace("http", "https");
    let reached = sts_at(&plain).await;
    assert_eq!(reached.stopped().unwrap().step, Step::Tls, "{reached:?}");

    let silent = serve(|_, _| None).await;
    assert_eq!(obstacle(&sts_at(&silent).await), (Step::Answer, Obstacle::Silent));
    let ssh = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", ssh.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = ssh.accept().await {
            drop(tokio::io::AsyncWriteExt::write_all(&mut stream, b"SSH-2.0-OpenSSH_9.9\r\n").await);
        }
    });
    assert_eq!(obstacle(&sts_at(&url).await), (Step::Answer, Obstacle::OtherProtocol));
    assert_eq!(obstacle(&sts_at("nonsense").await), (Step::Name, Obstacle::NoHost));
    let unknown = sts_at("http://sts.invalid").await;
    assert_eq!(unknown.stopped().unwrap().step, Step::Name, "{unknown:?}");
}
