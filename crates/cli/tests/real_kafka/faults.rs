//! S3 that is down, or refuses.

use serde_json::json;

use crate::support::{EXTERNAL_ID, POWERLESS, SOON, STRANGER, WRITER, eventually, shared};
use crate::witness::{numbered, record};

#[test]
fn while_s3_is_down_offsets_stay_and_afterwards_everything_arrives_once() {
    let Some(shared) = shared("while_s3_is_down_offsets_stay_and_afterwards_everything_arrives_once") else { return };
    let place = shared.place("down");
    place.topic(3);
    let file = place.connector(&place.name, &json!({"tidegate.rotate.interval.ms": "200"}));
    place.witness.ask("begin_flow", json!({"topic": place.name, "partitions": 3, "rate": 300}));
    let mut run = place.run(&[&file], &["--metrics-addr", "127.0.0.1:0"]);
    eventually("objects are written", || run.metric("tidegate_objects_total", "") > 3.0);

    // Half of the requests find nobody, the others are told to come again.
    let bucket = &*place.name;
    let reset = json!({"bucket": bucket, "probability": 0.5, "effect": {"reset": {"applied": false}}});
    let unavailable = json!({"bucket": bucket, "effect": {"error": {"code": "ServiceUnavailable"}}});
    let faults = [shared.local.add_fault(&reset), shared.local.add_fault(&unavailable)];
    // What was under way may still be committed; then nothing more.
    let retries = run.metric("tidegate_aws_retries_total", "");
    eventually("requests are tried again", || run.metric("tidegate_aws_retries_total", "") >= retries + 6.0);
    let (committed, ends) = (place.committed(&place.name), place.ends());
    eventually("records go on arriving", || {
        let behind: i64 = place.ends().iter().zip(&ends).map(|((_, now), (_, then))| now - then).sum();
        behind > 900
    });
    assert_eq!(place.committed(&place.name), committed, "an offset moved without an object");
    assert!(run.is_running(), "{}", run.log());

    for number in faults {
        shared.local.ask("DELETE", &format!("faults/{number}"), &json!(null));
    }
    let ends = place.ends();
    eventually("it has caught up by itself", || {
        place.committed(&place.name).iter().zip(&ends).all(|((_, committed), (_, end))| committed >= end)
    });
    place.witness.ask("end_flow", json!({}));
    run.terminate();
    assert_eq!(run.exit(SOON).code(), Some(0), "{}", run.log());
    place.drain(&[&file]);
    place.each_record_is_in_one_object("");
    place.no_upload_is_left();
}

#[test]
fn a_drain_that_is_stopped_before_its_end_does_not_say_that_it_is_done() {
    let Some(shared) = shared("a_drain_that_is_stopped_before_its_end_does_not_say_that_it_is_done") else { return };
    let place = shared.place("interrupted");
    let topic = place.topic(1);
    place.witness.produce(&numbered(&topic, 1, 0..10));
    let unavailable = json!({"bucket": place.name, "effect": {"error": {"code": "ServiceUnavailable"}}});
    let fault = shared.local.add_fault(&unavailable);
    let file = place.connector(&topic, &json!({}));
    let mut run = place.run(&[&file], &["--drain", "--metrics-addr", "127.0.0.1:0"]);
    eventually("S3 is asked in vain", || run.metric("tidegate_aws_retries_total", "") > 0.0);
    run.terminate();
    assert_eq!(run.exit(SOON).code(), Some(4), "{}", run.log());
    assert_eq!(place.committed(&topic), []);
    shared.local.ask("DELETE", &format!("faults/{fault}"), &json!(null));
    place.drain(&[&file]);
    place.each_record_is_in_one_object("");
}

#[test]
fn a_refusal_says_who_was_refused_what_by_which_answer_and_what_to_do() {
    let Some(shared) = shared("a_refusal_says_who_was_refused_what_by_which_answer_and_what_to_do") else { return };
    let place = shared.place("refused");
    let topic = place.topic(1);
    place.witness.produce(&numbered(&topic, 1, 0..10));
    let role = json!({
        "aws.access.key.id": null, "aws.secret.access.key": null,
        "aws.s3.region": "us-east-1",
        "aws.sts.role.arn": POWERLESS,
        "aws.sts.role.session.name": "e2e",
        "aws.sts.role.external.id": EXTERNAL_ID,
        "aws.sts.config.endpoint": place.local.endpoint,
    });
    let file = place.connector(&topic, &role);
    let keys = [("AWS_ACCESS_KEY_ID", STRANGER.0), ("AWS_SECRET_ACCESS_KEY", STRANGER.1)];
    let mut run = place.run_as(&[&file], &["--drain"], &keys);
    assert_eq!(run.exit(SOON).code(), Some(3), "{}", run.log());
    let said = run.says(&["AccessDenied", &format!("connector=\"{topic}\"")]);
    for part in [
        "CreateMultipartUpload",
        &format!("arn:aws:s3:::{}/{topic}/0/0", place.name),
        "arn:aws:sts::444455556666:assumed-role/powerless/e2e",
        "(403)",
        "request ",
        "hint=",
        "s3:PutObject",
    ] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    assert!(!run.log().contains(STRANGER.1));
    assert_eq!(place.committed(&topic), []);
    // With the keys of somebody who may, everything is there once.
    place.drain(&[&place.connector(&topic, &json!({}))]);
    place.each_record_is_in_one_object("");
    place.no_upload_is_left();
}

#[test]
fn a_connector_that_has_failed_is_not_ready_and_does_not_stop_its_neighbour() {
    let test = "a_connector_that_has_failed_is_not_ready_and_does_not_stop_its_neighbour";
    let Some(shared) = shared(test) else { return };
    let place = shared.place("neighbours");
    let topic = place.topic(1);
    place.witness.produce(&numbered(&topic, 1, 0..10));
    let good = place.connector(&format!("{topic}-good"), &json!({"tidegate.rotate.interval.ms": "200"}));
    let nowhere =
        json!({"aws.s3.bucket.name": format!("{}-nowhere", place.name), "tidegate.rotate.interval.ms": "200"});
    let bad = place.connector(&format!("{topic}-bad"), &nowhere);
    let mut run = place.run(&[&good, &bad], &["--exit-on-failure", "--metrics-addr", "127.0.0.1:0"]);
    run.says(&["NoSuchBucket", "-bad", "hint="]);
    let failed = format!("connector=\"{topic}-bad\",state=\"failed\"");
    eventually("the failure is to be seen", || run.metric("tidegate_connector_state", &failed) > 0.0);
    assert_eq!(run.get("/readyz").0, 503);
    assert_eq!(run.get("/healthz").0, 200);
    eventually("the first is stored", || place.committed(&format!("{topic}-good")) == [(0, 10)]);
    place.witness.produce(&numbered(&topic, 1, 10..20));
    eventually("the neighbour goes on", || place.committed(&format!("{topic}-good")) == [(0, 20)]);
    assert!(run.is_running(), "{}", run.log());
    run.terminate();
    assert_eq!(run.exit(SOON).code(), Some(0), "{}", run.log());
    place.each_record_is_in_one_object("");
    assert_eq!(place.committed(&format!("{topic}-bad")), []);
}

#[test]
fn sessions_that_end_early_are_renewed_in_the_middle_of_uploads() {
    let Some(shared) = shared("sessions_that_end_early_are_renewed_in_the_middle_of_uploads") else { return };
    let place = shared.place("sessions");
    let topic = place.topic(1);
    // Three parts' worth.
    let records: Vec<_> = (0..150).map(|_| record(&topic, 0, "k", &"x".repeat(100_000))).collect();
    place.witness.produce(&records);
    let role = json!({
        "aws.access.key.id": null, "aws.secret.access.key": null,
        "aws.s3.region": "us-east-1",
        "aws.sts.role.arn": WRITER,
        "aws.sts.role.session.name": "e2e",
        "aws.sts.role.external.id": EXTERNAL_ID,
        "aws.sts.config.endpoint": place.local.endpoint,
    });
    let ends =
        |operation: &str| json!({"operation": operation, "bucket": place.name, "count": 1, "effect": "expire_session"});
    let numbers = ["UploadPart", "CompleteMultipartUpload"].map(|operation| shared.local.add_fault(&ends(operation)));
    let file = place.connector(&topic, &role);
    let keys = [("AWS_ACCESS_KEY_ID", STRANGER.0), ("AWS_SECRET_ACCESS_KEY", STRANGER.1)];
    let mut run = place.run_as(&[&file], &["--drain", "--drain-timeout", "60"], &keys);
    assert_eq!(run.exit(SOON).code(), Some(0), "{}", run.log());
    let struck = shared.local.ask("GET", "faults", &json!(null));
    for number in numbers {
        let fault =
            struck.as_array().expect("a list").iter().find(|fault| fault["number"] == number).expect("it is there");
        assert_eq!(fault["struck"], 1, "{fault}");
        shared.local.ask("DELETE", &format!("faults/{number}"), &json!(null));
    }
    place.each_record_is_in_one_object("");
    place.no_upload_is_left();
}
