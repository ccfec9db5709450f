use super::client::{Ask, keys};
use super::{World, bounded};
use crate::aws::{Effect, FaultRule, Remote};

#[tokio::test]
async fn a_reset_after_the_deed_loses_the_answer_and_not_the_object() {
    bounded(async {
        let world = World::new().await;
        let rule = |applied| FaultRule::new(Effect::Reset { applied }).operation("PutObject").count(1);
        for (applied, key) in [(false, "before"), (true, "after")] {
            world.aws.faults().add(rule(applied)).unwrap();
            let ask = Ask::new("PUT", &format!("/lake/{key}"), vec![7; 300_000]);
            let error = world.client().ask(ask).await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{key}: a reset, not a proper end");
        }
        assert_eq!(keys(&world.client().get("/lake?list-type=2").await), ["after"]);
        let counts = world.aws.requests().counts();
        assert_eq!(counts[&("PutObject".to_owned(), "reset".to_owned())], 2);
    })
    .await;
}

#[tokio::test]
async fn a_late_answer_is_to_a_deed_that_is_done() {
    bounded(async {
        let world = World::new().await;
        let rule = FaultRule::new(Effect::LateAnswer { millis: 3_600_000 }).operation("PutObject").count(1);
        world.aws.faults().add(rule).unwrap();
        let client = world.client();
        let ask = Ask::new("PUT", "/lake/k", "body");
        tokio::select! {
            answer = client.ask(ask) => panic!("answered: {answer:?}"),
            () = async { while client.get("/lake/k").await.body != b"body" {} } => {}
        }
    })
    .await;
}

#[tokio::test]
async fn where_the_bucket_stands_in_the_host_no_key_is_taken_for_the_fault_plane() {
    bounded(async {
        let world = World::new().await;
        let ask = |method| Ask::new(method, "/_local/faults", "body").header("host", "lake.s3.localhost");
        assert!(world.client().ask(ask("PUT")).await.unwrap().status.is_success());
        assert_eq!(world.client().get("/lake/_local/faults").await.body, b"body");
    })
    .await;
}

#[tokio::test]
async fn an_upload_completes_once_even_if_its_answer_is_lost() {
    bounded(async {
        let world = World::new().await;
        let upload = world.begin("k").await;
        let etag = world.client().put(&format!("/lake/k?partNumber=1&uploadId={upload}"), "body").await;
        let etag = etag.header("etag").to_owned();
        let lost = FaultRule::new(Effect::Error { code: "InternalError".to_owned(), applied: true });
        world.aws.faults().add(lost.operation("CompleteMultipartUpload").count(1)).unwrap();
        assert_eq!(world.complete("k", &upload, &etag).await.status.as_u16(), 500);
        assert_eq!(world.complete("k", &upload, &etag).await.code(), "NoSuchUpload");
        assert_eq!(world.client().get("/lake/k").await.body, b"body");
    })
    .await;
}

#[tokio::test]
async fn an_error_in_a_200_leaves_the_upload_as_it_was() {
    bounded(async {
        let world = World::new().await;
        let upload = world.begin("k").await;
        let part = world.client().put(&format!("/lake/k?partNumber=1&uploadId={upload}"), "body").await;
        let rule = FaultRule::new(Effect::ErrorInBody { code: "InternalError".to_owned() }).count(1);
        world.aws.faults().add(rule.operation("Complete*").bucket("lake").key("k")).unwrap();
        let answer = world.complete("k", &upload, part.header("etag")).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (200, "InternalError"));
        assert!(world.complete("k", &upload, part.header("etag")).await.status.is_success());
    })
    .await;
}

#[tokio::test]
async fn a_truncated_answer_ends_in_the_middle() {
    bounded(async {
        let world = World::new().await;
        world.client().put("/lake/k", vec![1; 100_000]).await;
        world.aws.faults().add(FaultRule::new(Effect::TruncateBody).count(1)).unwrap();
        assert!(world.client().ask(Ask::new("GET", "/lake/k", "")).await.is_err());
        assert_eq!(world.client().get("/lake/k").await.body.len(), 100_000);
    })
    .await;
}

#[tokio::test]
async fn another_process_makes_faults_revokes_and_delays() {
    bounded(async {
        let world = World::new().await;
        let customer = world.aws.account(super::CUSTOMER.parse().unwrap());
        let remote = Remote::new(&world.aws.endpoint());
        let rule = FaultRule::new("error=SlowDown".parse().unwrap()).operation("PutObject").count(1);
        assert_eq!(remote.add_fault(&rule).await.unwrap(), 1);
        assert_eq!(
            world.client().put("/lake/k", "1").await.refusal(),
            "503 SlowDown: Please reduce your request rate."
        );
        assert_eq!(remote.faults().await.unwrap(), [(1, rule, 1)]);
        remote.clear_faults(Some(1)).await.unwrap();
        assert_eq!(remote.faults().await.unwrap(), []);
        let gone = remote.clear_faults(Some(1)).await.unwrap_err();
        assert!(gone.to_string().ends_with("there is no fault 1"), "{gone}");
        remote.set_propagation(30).await.unwrap();
        let trusted = super::trust(world.admin.arn.as_str(), &["sts:AssumeRole"]);
        let slow = customer.role("slow", &trusted).create().await.unwrap();
        assert_eq!(world.client().assume(slow.as_str(), &[]).await.code(), "AccessDenied", "not there yet");
        remote.revoke_sessions(slow.as_str()).await.unwrap();
        let policies = world.client().iam("ListRolePolicies", &[("RoleName", "slow")]).await;
        assert_eq!(policies.element("member"), "AWSRevokeOlderSessions");
        let missing = remote.revoke_sessions("arn:aws:iam::111111111111:role/none").await.unwrap_err();
        assert!(missing.to_string().ends_with("there is no role none"), "{missing}");
        world.aws.stop().await;
        assert!(remote.faults().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn faults_and_counters_are_had_over_http_from_this_machine_only() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let say = async |method: &str, path: &str, header: &str, body: &str| {
            let length = body.len();
            let head =
                format!("{method} /_local/{path} HTTP/1.1\r\nhost: x\r\n{header}content-length: {length}\r\n\r\n");
            let answer = client.send(&head, body.as_bytes()).await.unwrap();
            (answer.status.as_u16(), answer.text())
        };
        let rule = r#"{"operation":"PutObject","count":1,"effect":{"error":{"code":"SlowDown"}}}"#;
        assert_eq!(say("POST", "faults", "", rule).await, (201, "{\"number\":1}\n".to_owned()));
        assert_eq!(say("POST", "faults", "", &rule.replace("SlowDown", "Tired")).await.0, 400);
        assert_eq!(say("POST", "faults", "", &rule.replace("count", "cuont")).await.0, 400);
        assert_eq!(say("POST", "faults", "origin: http://evil.example\r\n", rule).await.0, 403);
        assert_eq!(client.put("/lake/k", "").await.code(), "SlowDown");
        assert!(client.put("/lake/k", "").await.status.is_success());
        assert!(say("GET", "faults", "", "").await.1.contains("\"struck\":1"));
        assert!(say("GET", "requests", "", "").await.1.contains(r#""PutObject":{"200":1,"SlowDown":1}"#));
        assert_eq!(say("GET", "tally", "", "").await.1, "{\"objects\":1,\"bytes\":0,\"lines\":0}\n");
        assert_eq!(say("DELETE", "faults/1", "", "").await.0, 204);
        assert_eq!(say("GET", "faults", "", "").await.1, "[]\n");
        assert_eq!(say("GET", "secrets", "", "").await.0, 404);
    })
    .await;
}
