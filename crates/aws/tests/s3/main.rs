//! The sink against an S3 that fails in every way that S3 fails.

mod ambient;
mod base;
mod embedded;
mod fake;
mod iam_read;
mod objects;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aws::s3::{Error, ExistingObject, Payload, S3Options, S3Sink, Sweep, Swept};
use aws::{Backoff, Clients};
use bytes::Bytes;
use fault::{Blame, Diagnose as _, Retry};
use identity::{AccessKeyId, AssumeRole, Base, Connection, StaticKeys, StsEndpoint};
use transit::{Finished, IntentObject, ObjectName, PartTag, Sink as _, UploadId};
use world::{Clock, Environment, Secret};

use crate::fake::{Fake, Object, PRINCIPAL, Trouble, Upload};

const MIB: usize = 1 << 20;
const MARKER: &str = "cut-1 orders 0.1.0";
const NAME: &str = "shop/orders-0-17.jsonl";

fn connection(fake: &Fake) -> Connection {
    let keys = StaticKeys { access_key_id: AccessKeyId::new("AKIAVENDOR"), secret: Secret::new("s"), token: None };
    Connection {
        base: Base::Keys(keys),
        hops: vec![AssumeRole::new("arn:aws:iam::111111111111:role/orders", "tidegate")],
        sts: StsEndpoint::new("eu-central-1").at(fake.url()),
    }
}

fn options(fake: &Fake) -> S3Options {
    S3Options {
        endpoint: Some(fake.url()),
        backoff: Backoff { base: Duration::from_millis(1), cap: Duration::from_millis(5) },
        gone_after: Duration::from_millis(50),
        ..S3Options::new("lake", "eu-central-1")
    }
}

fn clients(fake: &Fake) -> Clients {
    Clients::new(fake.clock.clone(), Environment::of::<String, String>([]))
}

fn sink(fake: &Fake) -> S3Sink {
    clients(fake).s3(&connection(fake), options(fake)).unwrap()
}

fn name() -> ObjectName {
    NAME.into()
}

fn object(upload: &UploadId) -> IntentObject {
    IntentObject { name: name(), upload: upload.clone(), marker: MARKER.into(), shared: false }
}

/// An upload of one small part.
async fn uploaded(sink: &S3Sink) -> (IntentObject, Vec<PartTag>) {
    let upload = sink.begin(&name(), MARKER).await.unwrap();
    let part = sink.part(&name(), &upload, 1, vec![Bytes::from_static(b"hello")]).await.unwrap();
    (object(&upload), vec![part])
}

/// An object that was made visible with this mark.
async fn published(sink: &S3Sink, marker: &str) -> IntentObject {
    let upload = sink.begin(&name(), marker).await.unwrap();
    let part = sink.part(&name(), &upload, 1, vec![Bytes::copy_from_slice(marker.as_bytes())]).await.unwrap();
    let object = IntentObject { marker: marker.into(), ..object(&upload) };
    assert_eq!(sink.publish(&object, &[part]).await.unwrap(), Finished::Visible);
    object
}

fn hello() -> Object {
    Object {
        marker: Some(MARKER.into()),
        content_type: "application/octet-stream".into(),
        bytes: Bytes::from_static(b"hello"),
    }
}

/// Waits for `state`, for a minute at most.
async fn eventually(state: impl Fn() -> bool) {
    let wait = async {
        while !state() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), wait).await.expect("the state comes within a minute");
}

/// What a person gets to see.
fn s3_error(fault: &fault::Fault) -> &Error {
    fault.as_error().downcast_ref().expect("an error of S3")
}

#[tokio::test]
async fn parts_in_pieces_become_one_object_with_our_mark() {
    let fake = Fake::start().await;
    let sink = clients(&fake)
        .s3(&connection(&fake), S3Options { server_side_encryption: Some("aws:kms".into()), ..options(&fake) })
        .unwrap();
    let name = name();
    let upload = sink.begin(&name, MARKER).await.unwrap();
    let pieces: Vec<Bytes> = (0..6u8).map(|i| Bytes::from(vec![i; MIB])).collect();
    // Parts may go side by side and arrive in any order.
    let (second, first) = tokio::join!(
        sink.part(&name, &upload, 2, vec![Bytes::from_static(b"the "), Bytes::from_static(b"end")]),
        sink.part(&name, &upload, 1, pieces.clone()),
    );
    let finished = sink.publish(&object(&upload), &[second.unwrap(), first.unwrap()]).await.unwrap();
    assert_eq!(finished, Finished::Visible);
    let mut expected = pieces.concat();
    expected.extend_from_slice(b"the end");
    let state = fake.state();
    assert_eq!(state.objects[NAME], Object { bytes: expected.into(), ..hello() });
    for header in ["content-type: application/octet-stream", "x-amz-server-side-encryption: aws:kms"] {
        assert!(state.begin_headers.iter().any(|sent| sent == header), "{header} in {:?}", state.begin_headers);
    }
}

#[tokio::test]
async fn payloads_are_signed_only_when_asked_to_on_the_loopback() {
    let fake = Fake::start().await;
    uploaded(&sink(&fake)).await;
    let signing = S3Options { payload: Payload::Signed, ..options(&fake) };
    uploaded(&clients(&fake).s3(&connection(&fake), signing).unwrap()).await;
    // sha256 of "hello".
    let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(fake.state().body_hashes, ["UNSIGNED-PAYLOAD", sha256]);
}

#[tokio::test]
async fn a_store_without_checksums_is_sent_none() {
    let fake = Fake::start().await;
    let sink = clients(&fake).s3(&connection(&fake), S3Options { checksums: false, ..options(&fake) }).unwrap();
    let (object, parts) = uploaded(&sink).await;
    assert!(!fake.state().uploads[&*object.upload].with_crc32c);
    assert_eq!(sink.finish(&object).await.unwrap(), Finished::Visible);
    assert_eq!(parts[0].tag, "\"9a71bb4c-5\"");
}

#[tokio::test]
async fn every_call_is_tried_until_it_succeeds() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    let all = || {
        [
            Trouble::Says(503, "SlowDown"),
            Trouble::Says(500, "InternalError"),
            Trouble::Page(502),
            Trouble::Lost,
            Trouble::Says(400, "RequestTimeout"),
            Trouble::Page(503),
        ]
    };
    for operation in [
        "AssumeRole",
        "CreateMultipartUpload",
        "UploadPart",
        "ListParts",
        "CompleteMultipartUpload",
        "PutObject",
        "GetObject",
        "AbortMultipartUpload",
    ] {
        // A cache pauses for a second and more between exchanges that fail: one is enough.
        fake.trouble(operation, all().into_iter().take(if operation == "AssumeRole" { 1 } else { 6 }));
    }
    let (object, _) = uploaded(&sink).await;
    assert_eq!(sink.finish(&object).await.unwrap(), Finished::Visible);
    let manifest: ObjectName = "shop/.manifest".into();
    sink.put_manifest(&manifest, Bytes::from_static(b"intent")).await.unwrap();
    assert_eq!(sink.get_manifest(&manifest).await.unwrap().as_deref(), Some(&b"intent"[..]));
    sink.delete_manifest(&manifest).await;
    assert_eq!(sink.get_manifest(&manifest).await.unwrap(), None);
    let upload = sink.begin(&name(), MARKER).await.unwrap();
    sink.abort(&name(), &upload).await;
    let state = fake.state();
    assert!(state.uploads.is_empty());
    assert_eq!(state.objects.keys().collect::<Vec<_>>(), [NAME]);
}

#[tokio::test]
async fn a_page_with_200_is_no_object() {
    let fake = Fake::start().await;
    let sink = clients(&fake).s3(&connection(&fake), options(&fake)).unwrap();
    fake.trouble("PutObject", [Trouble::Page(200)]);
    let put = sink.put(&name(), vec![Bytes::from_static(b"hello")], Some(MARKER)).await.unwrap_err();
    assert_eq!(put.code(), "s3.malformed-answer");
    assert!(fake.state().objects.is_empty());
}

#[tokio::test]
async fn outcomes_are_counted_by_operation_and_code() {
    let fake = Fake::start().await;
    let clients = clients(&fake);
    let sink = clients.s3(&connection(&fake), options(&fake)).unwrap();
    fake.trouble("UploadPart", [Trouble::Says(503, "SlowDown"), Trouble::Lost]);
    uploaded(&sink).await;
    let requests = clients.counters().requests();
    let count = |operation: &str, code: &str| {
        requests
            .iter()
            .find(|request| request.operation == operation && request.code == code)
            .map_or(0, |found| found.count)
    };
    assert_eq!(count("UploadPart", "OK"), 1);
    assert_eq!(count("UploadPart", "SlowDown"), 1);
    assert_eq!(count("UploadPart", "connection"), 1);
    assert_eq!(count("CreateMultipartUpload", "OK"), 1);
    assert_eq!(clients.counters().retries(), 2);
    assert_eq!(clients.counters().bytes_sent(), 15);
    assert_eq!(clients.sessions().stats()[0].renewals, 1);
}

#[tokio::test]
async fn a_store_that_is_down_is_waited_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let up = Fake::start().await;
    let sink = clients(&up)
        .s3(&connection(&up), S3Options { endpoint: Some(format!("http://{address}")), ..options(&up) })
        .unwrap();
    let begun = tokio::spawn({
        let sink = sink.clone();
        async move { sink.begin(&name(), MARKER).await }
    });
    eventually(|| sink.counters().retries() >= 10).await;
    assert!(!begun.is_finished());
    let fake = Fake::serve(tokio::net::TcpListener::bind(address).await.unwrap());
    begun.await.unwrap().unwrap();
    assert_eq!(fake.state().uploads.len(), 1);
}

#[tokio::test]
async fn a_store_that_never_answers_is_asked_again() {
    let fake = Fake::start().await;
    let patience = S3Options { answer_within: Duration::from_millis(100), ..options(&fake) };
    let sink = clients(&fake).s3(&connection(&fake), patience).unwrap();
    fake.trouble("UploadPart", [Trouble::Silence]);
    uploaded(&sink).await;
    assert_eq!(fake.count("UploadPart"), 2);
}

#[tokio::test]
async fn a_store_that_stops_reading_is_asked_again() {
    let fake = Fake::start().await;
    // The first connection is taken and never read; bytes go into the kernel's buffers until those are full.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let target = fake.address;
    tokio::spawn(async move {
        let mut stuck = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            if stuck.is_empty() {
                stuck.push(stream);
                continue;
            }
            tokio::spawn(async move {
                let mut to = tokio::net::TcpStream::connect(target).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut stream, &mut to).await);
            });
        }
    });
    let upload = sink(&fake).begin(&name(), MARKER).await.unwrap();
    let patience = S3Options {
        endpoint: Some(format!("http://{address}")),
        stall_after: Duration::from_millis(200),
        ..options(&fake)
    };
    let sink = clients(&fake).s3(&connection(&fake), patience).unwrap();
    let body = vec![Bytes::from(vec![7; 32 * MIB])];
    sink.part(&name(), &upload, 1, body).await.unwrap();
    assert_eq!(fake.state().uploads[&*upload].parts[&1].bytes.len(), 32 * MIB);
    assert!(sink.counters().requests().iter().any(|request| request.code == "stalled"));
}

#[tokio::test]
async fn completion_whose_answer_was_lost_is_found_by_the_mark() {
    let fake = Fake::start().await;
    for existing in [ExistingObject::Overwrite, ExistingObject::Fail] {
        fake.state().objects.clear();
        let sink = clients(&fake).s3(&connection(&fake), S3Options { existing, ..options(&fake) }).unwrap();
        let (object, parts) = uploaded(&sink).await;
        fake.trouble("CompleteMultipartUpload", [Trouble::AnswerLost]);
        assert_eq!(sink.publish(&object, &parts).await.unwrap(), Finished::Visible);
        // And said again, by us or by the next owner, it is the same.
        assert_eq!(sink.publish(&object, &parts).await.unwrap(), Finished::Visible);
        assert_eq!(sink.finish(&object).await.unwrap(), Finished::Visible);
        assert_eq!(fake.state().objects[NAME], hello());
    }
    assert_eq!(fake.state().published, 2, "each became visible once");
}

#[tokio::test]
async fn completion_that_fails_within_a_200_is_tried_again() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    let (object, parts) = uploaded(&sink).await;
    fake.trouble("CompleteMultipartUpload", [Trouble::SaysIn200("InternalError"), Trouble::SaysIn200("SlowDown")]);
    assert_eq!(sink.publish(&object, &parts).await.unwrap(), Finished::Visible);
    assert_eq!((fake.count("CompleteMultipartUpload"), fake.state().published), (3, 1));
}

#[tokio::test]
async fn completion_still_at_work_is_not_taken_for_gone() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    let (object, parts) = uploaded(&sink).await;
    fake.trouble("CompleteMultipartUpload", [Trouble::ShownLate(4)]);
    assert_eq!(sink.publish(&object, &parts).await.unwrap(), Finished::Visible);
}

#[tokio::test]
async fn an_upload_that_somebody_aborted_is_gone() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    let (object, parts) = uploaded(&sink).await;
    fake.state().uploads.clear();
    assert_eq!(sink.publish(&object, &parts).await.unwrap(), Finished::Gone);
    assert_eq!(sink.finish(&object).await.unwrap(), Finished::Gone);
    // Another cut's object of the same name is not ours.
    fake.state().objects.insert(NAME.into(), Object { marker: Some("cut-2".into()), ..hello() });
    assert_eq!(sink.finish(&object).await.unwrap(), Finished::Gone);
    fake.state().objects.insert(NAME.into(), hello());
    assert_eq!(sink.finish(&object).await.unwrap(), Finished::Visible);
}

#[tokio::test]
async fn an_object_that_was_replaced_is_not_gone_if_others_could_replace_it() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    let older = published(&sink, "shop a-1-1000").await;
    published(&sink, "shop b-1-2000").await;
    assert_eq!(sink.finish(&IntentObject { shared: true, ..older.clone() }).await.unwrap(), Finished::Visible);
    assert_eq!(sink.finish(&older).await.unwrap(), Finished::Gone);
}

#[tokio::test]
async fn an_object_that_was_to_replace_an_earlier_one_and_was_aborted_is_gone() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    published(&sink, "shop a-1-1000").await;
    for marker in ["shop a-2-1500", "shop b-1-2000"] {
        let upload = sink.begin(&name(), marker).await.unwrap();
        sink.part(&name(), &upload, 1, vec![Bytes::from_static(b"later")]).await.unwrap();
        sink.abort(&name(), &upload).await;
        let aborted = IntentObject { marker: marker.into(), shared: true, ..object(&upload) };
        assert_eq!(sink.finish(&aborted).await.unwrap(), Finished::Gone, "{marker}");
    }
}

#[tokio::test]
async fn the_next_owner_completes_from_the_intent_alone() {
    let fake = Fake::start().await;
    let first = sink(&fake);
    let upload = first.begin(&name(), MARKER).await.unwrap();
    for (number, bytes) in [(1, vec![1; 5 * MIB]), (2, vec![2; 5 * MIB]), (3, vec![3; 7])] {
        first.part(&name(), &upload, number, vec![bytes.into()]).await.unwrap();
    }
    drop(first);
    fake.state().page_size = 1;
    assert_eq!(sink(&fake).finish(&object(&upload)).await.unwrap(), Finished::Visible);
    assert_eq!(fake.state().objects[NAME].bytes.len(), 10 * MIB + 7);
    assert_eq!(fake.count("ListParts"), 3);
}

#[tokio::test]
async fn an_object_is_not_completed_with_some_of_its_parts() {
    for hide in [
        |state: &mut fake::State| state.next_page_is_lost = true,
        |state: &mut fake::State| {
            state.uploads.values_mut().for_each(|upload| drop(upload.parts.remove(&2)));
        },
    ] {
        let fake = Fake::start().await;
        let sink = sink(&fake);
        let upload = sink.begin(&name(), MARKER).await.unwrap();
        for number in 1..=3 {
            sink.part(&name(), &upload, number, vec![vec![7; 5 * MIB].into()]).await.unwrap();
        }
        fake.state().page_size = 2;
        fake.change(hide);
        let fault = sink.finish(&object(&upload)).await.unwrap_err();
        assert_eq!(fault.code(), "s3.malformed-answer");
        assert!(fake.state().objects.is_empty(), "an object that is cut short was made visible");
    }
}

#[tokio::test]
async fn what_was_begun_with_checksums_is_finished_with_them_whatever_is_configured_since() {
    let fake = Fake::start().await;
    let (object, _) = uploaded(&sink(&fake)).await;
    let plain = clients(&fake).s3(&connection(&fake), S3Options { checksums: false, ..options(&fake) }).unwrap();
    assert_eq!(plain.finish(&object).await.unwrap(), Finished::Visible);
}

#[tokio::test]
async fn an_object_that_may_not_be_seen_is_gone_if_s3_says_that_listing_is_what_lacks() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    let (object, _) = uploaded(&sink).await;
    fake.change(|state| {
        state.uploads.clear();
        state.denied.insert("ListObjectsV2");
        state.explains_denials = true;
    });
    assert_eq!(sink.finish(&object).await.unwrap(), Finished::Gone);
    assert_eq!(fake.count("PutObject"), 0);
}

#[tokio::test]
async fn an_object_that_may_not_be_seen_is_gone_once_reading_is_proven() {
    let fake = Fake::start().await;
    fake.state().denied.insert("ListObjectsV2");
    let sink = sink(&fake);
    let (object, parts) = uploaded(&sink).await;
    assert_eq!(sink.publish(&object, &parts).await.unwrap(), Finished::Visible);
    let (lost, _) = uploaded(&sink).await;
    fake.change(|state| {
        state.uploads.clear();
        state.objects.clear();
    });
    assert_eq!(sink.finish(&lost).await.unwrap(), Finished::Gone);
    assert_eq!(fake.count("PutObject"), 0);
}

#[tokio::test]
async fn reading_is_proven_by_an_object_beside_it_where_nothing_else_tells() {
    let fake = Fake::start().await;
    let (object, _) = uploaded(&sink(&fake)).await;
    fake.change(|state| {
        state.uploads.clear();
        state.denied.insert("ListObjectsV2");
    });
    assert_eq!(sink(&fake).finish(&object).await.unwrap(), Finished::Gone);
    assert_eq!(fake.count("PutObject"), 1);
    assert!(fake.state().objects.is_empty(), "the proof is taken away again");
}

#[tokio::test]
async fn the_proof_of_reading_stays_within_the_fence_that_the_object_is_in() {
    let fake = Fake::start().await;
    let (object, _) = uploaded(&sink(&fake)).await;
    fake.change(|state| {
        state.uploads.clear();
        // It is not taken away again, so that it can be seen.
        state.denied.extend(["ListObjectsV2", "DeleteObject"]);
    });
    assert_eq!(sink(&fake).finish(&object).await.unwrap(), Finished::Gone);
    let state = fake.state();
    let key = state.objects.keys().next().unwrap();
    // A fence may end within a name: `topics/orders-` holds the object, and what is beside it must be held too.
    assert!(key.starts_with(NAME), "{key}");
}

#[tokio::test]
async fn without_the_right_to_read_nothing_is_guessed() {
    let fake = Fake::start().await;
    let (object, _) = uploaded(&sink(&fake)).await;
    fake.change(|state| {
        state.uploads.clear();
        // It is there in truth: taken for gone, its records would be doubled.
        state.objects.insert(NAME.into(), hello());
        state.denied.extend(["ListObjectsV2", "GetObject"]);
    });
    let fault = sink(&fake).finish(&object).await.unwrap_err();
    assert_eq!(fault.code(), "s3.object-unseen");
    assert_eq!(
        fault.hint().unwrap(),
        format!("allow s3:GetObject on arn:aws:s3:::lake/{NAME} (better: on all objects written here) for {PRINCIPAL}")
    );
    // With the right to list it is plain that something is there, and still not what.
    fake.state().denied.remove("ListObjectsV2");
    assert_eq!(sink(&fake).finish(&object).await.unwrap_err().code(), "s3.object-unseen");
    fake.state().objects.clear();
    assert_eq!(sink(&fake).finish(&object).await.unwrap(), Finished::Gone);
}

#[tokio::test]
async fn an_hour_that_is_wrong_is_not_taken_for_a_missing_object() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    let (object, _) = uploaded(&sink).await;
    fake.state().uploads.clear();
    fake.state().objects.insert(NAME.into(), hello());
    // HEAD has no body: all that can be seen of a skewed clock is a 403.
    fake.trouble("HeadObject", [Trouble::Says(403, "RequestTimeTooSkewed")]);
    assert_eq!(sink.finish(&object).await.unwrap(), Finished::Visible);
}

#[tokio::test]
async fn a_role_that_may_not_read_writes_and_stops_only_where_it_would_have_to_guess() {
    let fake = Fake::start().await;
    fake.state().denied.insert("GetObject");
    let sink = sink(&fake);
    for _ in 0..2 {
        let (object, parts) = uploaded(&sink).await;
        assert_eq!(sink.publish(&object, &parts).await.unwrap(), Finished::Visible);
    }
    assert_eq!(fake.count("HeadObject"), 1, "looked at once");
    let (object, parts) = uploaded(&sink).await;
    fake.trouble("CompleteMultipartUpload", [Trouble::AnswerLost]);
    assert_eq!(sink.publish(&object, &parts).await.unwrap_err().code(), "s3.object-unseen");
}

#[tokio::test]
async fn an_upload_whose_parts_were_taken_away_is_ended_before_it_is_given_up() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    let upload = sink.begin(&name(), MARKER).await.unwrap();
    assert_eq!(sink.finish(&object(&upload)).await.unwrap(), Finished::Gone);
    assert!(fake.state().uploads.is_empty());
}

#[tokio::test]
async fn trouble_can_be_seen_while_it_lasts() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    fake.trouble("CreateMultipartUpload", vec![Trouble::Says(503, "SlowDown"); 200]);
    let begun = tokio::spawn({
        let sink = sink.clone();
        async move { sink.begin(&name(), MARKER).await }
    });
    eventually(|| sink.trouble().is_some()).await;
    assert_eq!(sink.trouble().unwrap().why, "CreateMultipartUpload: SlowDown (503) as told");
    begun.await.unwrap().unwrap();
    assert!(sink.trouble().is_none());
}

#[tokio::test]
async fn a_store_that_drops_the_mark_is_found_out_by_the_first_object() {
    let fake = Fake::start().await;
    fake.state().drops_metadata = true;
    let sink = sink(&fake);
    let (object, parts) = uploaded(&sink).await;
    let fault = sink.publish(&object, &parts).await.unwrap_err();
    assert_eq!(fault.code(), "s3.metadata-dropped");
    assert!(fault.hint().unwrap().contains("tidegate.write.mode=at-least-once"));
}

#[tokio::test]
async fn the_mark_is_looked_at_once_a_process() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    for _ in 0..3 {
        let (object, parts) = uploaded(&sink).await;
        sink.publish(&object, &parts).await.unwrap();
    }
    assert_eq!(fake.count("HeadObject"), 1);
}

#[tokio::test]
async fn somebody_elses_object_is_not_overwritten_where_that_is_asked_for() {
    let fake = Fake::start().await;
    let foreign = Object { marker: None, bytes: Bytes::from_static(b"theirs"), ..hello() };
    fake.state().objects.insert(NAME.into(), foreign.clone());
    let strict = S3Options { existing: ExistingObject::Fail, ..options(&fake) };
    let sink = clients(&fake).s3(&connection(&fake), strict).unwrap();
    let (object, parts) = uploaded(&sink).await;
    let fault = sink.publish(&object, &parts).await.unwrap_err();
    assert_eq!((fault.code(), fault.blame()), ("s3.object-exists", Blame::Operator));
    let put = sink.put(&name(), vec![Bytes::from_static(b"ours")], Some(MARKER)).await.unwrap_err();
    assert_eq!(put.code(), "s3.object-exists");
    assert_eq!(fake.state().objects[NAME], foreign);
}

#[tokio::test]
async fn an_upload_that_met_another_write_of_its_name_is_ended_and_written_anew() {
    let fake = Fake::start().await;
    let strict = S3Options { existing: ExistingObject::Fail, gone_after: Duration::ZERO, ..options(&fake) };
    let sink = clients(&fake).s3(&connection(&fake), strict).unwrap();
    let (object, parts) = uploaded(&sink).await;
    fake.trouble("CompleteMultipartUpload", [Trouble::Says(409, "ConditionalRequestConflict")]);
    assert_eq!(sink.publish(&object, &parts).await.unwrap(), Finished::Gone);
    assert!(fake.state().uploads.is_empty(), "completed late, it would double its records");
    let (object, parts) = uploaded(&sink).await;
    assert_eq!(sink.publish(&object, &parts).await.unwrap(), Finished::Visible);
    assert_eq!(fake.state().published, 1);
}

#[tokio::test]
async fn put_whose_answer_was_lost_is_written_once_where_only_new_objects_are_allowed() {
    let fake = Fake::start().await;
    let strict = S3Options { existing: ExistingObject::Fail, ..options(&fake) };
    let sink = clients(&fake).s3(&connection(&fake), strict).unwrap();
    fake.trouble("PutObject", [Trouble::AnswerLost]);
    sink.put(&name(), vec![Bytes::from_static(b"hello")], Some(MARKER)).await.unwrap();
    let state = fake.state();
    assert_eq!((state.published, &state.objects[NAME]), (1, &hello()));
}

#[tokio::test]
async fn an_upload_outlives_its_session() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    let upload = sink.begin(&name(), MARKER).await.unwrap();
    fake.state().expired.insert("ASIA1".into());
    let part = sink.part(&name(), &upload, 1, vec![Bytes::from_static(b"hello")]).await.unwrap();
    assert_eq!(fake.state().exchanges, 2);
    fake.state().expired.insert("ASIA2".into());
    assert_eq!(sink.publish(&object(&upload), &[part]).await.unwrap(), Finished::Visible);
    assert_eq!(fake.state().exchanges, 3);
    assert_eq!(sink.identity().stats().unwrap().drops, 2);
}

#[tokio::test]
async fn an_answer_without_a_body_is_not_too_short_to_see_that_the_session_is_over() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    let (object, _) = uploaded(&sink).await;
    fake.state().uploads.clear();
    fake.state().objects.insert(NAME.into(), hello());
    fake.trouble("HeadObject", [Trouble::Says(400, "ExpiredToken")]);
    assert_eq!(sink.finish(&object).await.unwrap(), Finished::Visible);
    assert_eq!(fake.state().exchanges, 2);
}

#[tokio::test]
async fn many_parts_that_meet_an_expired_session_cause_one_exchange() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    let upload = sink.begin(&name(), MARKER).await.unwrap();
    fake.state().expired.insert("ASIA1".into());
    let parts = (1..=50).map(|number| {
        let (sink, upload) = (sink.clone(), upload.clone());
        tokio::spawn(async move { sink.part(&name(), &upload, number, vec![Bytes::from_static(b"x")]).await.unwrap() })
    });
    for part in parts.collect::<Vec<_>>() {
        part.await.unwrap();
    }
    assert_eq!(fake.state().exchanges, 2);
}

#[tokio::test]
async fn keys_that_are_over_end_the_matter() {
    let fake = Fake::start().await;
    fake.state().expired.insert("AKIAVENDOR".into());
    let sink = clients(&fake).s3(&Connection { hops: Vec::new(), ..connection(&fake) }, options(&fake)).unwrap();
    let fault = sink.begin(&name(), MARKER).await.unwrap_err();
    assert_eq!((fault.code(), fault.retry()), ("s3.session-not-accepted", Retry::Never));
    assert_eq!(fake.count("CreateMultipartUpload"), 1);
}

#[tokio::test]
async fn an_sts_that_is_down_is_not_asked_who_we_are_too() {
    for trouble in [Trouble::Says(503, "ServiceUnavailable"), Trouble::Says(429, "Slower"), Trouble::Lost] {
        let fake = Fake::start().await;
        fake.trouble("AssumeRole", [trouble.clone()]);
        let identity = clients(&fake).sessions().open(&connection(&fake)).unwrap();
        let error = identity.signer().await.unwrap_err();
        assert!(error.to_string().contains("AssumeRole"), "{error}");
        let calls = (fake.count("AssumeRole"), fake.count("GetCallerIdentity"));
        assert_eq!(calls, (1, 0), "{trouble:?}: one failure is one call");
    }
}

#[tokio::test]
async fn a_machine_whose_clock_is_hours_off_still_writes() {
    let fake = Fake::start().await;
    for hours in [-3_i32, 3] {
        let off = Duration::from_hours(u64::from(hours.unsigned_abs()));
        let clock = Clock::manual(if hours < 0 { fake.clock.now() - off } else { fake.clock.now() + off });
        let clients = Clients::new(clock, Environment::of::<String, String>([]));
        let sink = clients.s3(&connection(&fake), options(&fake)).unwrap();
        let (object, parts) = uploaded(&sink).await;
        assert_eq!(sink.publish(&object, &parts).await.unwrap(), Finished::Visible);
        assert_eq!(clients.clock().ahead_millis(), -i64::from(hours) * 3_600_000);
    }
}

#[tokio::test]
async fn a_denial_says_what_was_tried_as_whom_what_came_back_and_what_to_do() {
    let fake = Fake::start().await;
    fake.state().denied.insert("CreateMultipartUpload");
    let sink = sink(&fake);
    let fault = sink.begin(&name(), MARKER).await.unwrap_err();
    assert_eq!(
        fault.to_string(),
        format!(
            "CreateMultipartUpload on arn:aws:s3:::lake/{NAME} as {PRINCIPAL} was refused with AccessDenied (403): \
             Access Denied (request r-42)"
        )
    );
    assert_eq!((fault.code(), fault.blame(), fault.retry()), ("s3.access-denied", Blame::Operator, Retry::Never));
    assert!(
        fault.hint().unwrap().starts_with(&format!("allow s3:PutObject on arn:aws:s3:::lake/{NAME} for {PRINCIPAL}"))
    );
    assert_eq!(fake.count("CreateMultipartUpload"), 1, "it is not tried again");
}

#[tokio::test]
async fn refusals_that_waiting_does_not_mend_have_names() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    for (status, code, named, blame) in [
        (404, "NoSuchBucket", "s3.no-such-bucket", Blame::Operator),
        (301, "PermanentRedirect", "s3.wrong-region", Blame::Operator),
        (400, "AuthorizationHeaderMalformed", "s3.wrong-region", Blame::Operator),
        (403, "SignatureDoesNotMatch", "s3.keys-not-accepted", Blame::Operator),
        (400, "KMS.DisabledException", "s3.encryption", Blame::Operator),
        (501, "NotImplemented", "s3.not-supported-by-store", Blame::Operator),
        (400, "KeyTooLongError", "s3.bad-name", Blame::Operator),
        (400, "EntityTooSmall", "s3.part-too-small", Blame::Bug),
    ] {
        fake.trouble("CreateMultipartUpload", [Trouble::Says(status, code)]);
        let fault = sink.begin(&name(), MARKER).await.unwrap_err();
        assert_eq!((fault.code(), fault.blame()), (named, blame), "{code}");
        let Error::Refused(refusal) = s3_error(&fault) else { panic!("{fault}") };
        assert_eq!((refusal.code.as_str(), refusal.status), (code, status));
    }
}

#[tokio::test]
async fn a_part_that_is_too_small_is_said_by_completion() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    let upload = sink.begin(&name(), MARKER).await.unwrap();
    let mut parts = Vec::new();
    for number in [1, 2] {
        parts.push(sink.part(&name(), &upload, number, vec![Bytes::from_static(b"small")]).await.unwrap());
    }
    let fault = sink.publish(&object(&upload), &parts).await.unwrap_err();
    assert_eq!(fault.code(), "s3.part-too-small");
    assert_eq!(sink.publish(&object(&upload), &[]).await.unwrap_err().code(), "s3.no-parts");
}

#[tokio::test]
async fn a_role_that_is_refused_says_as_whom_it_was_asked_for() {
    let fake = Fake::start().await;
    fake.state().external_id = Some("c-7f3".into());
    let sink = sink(&fake);
    let fault = sink.begin(&name(), MARKER).await.unwrap_err();
    assert_eq!((fault.code(), fault.retry()), ("identity.access-denied", Retry::Never));
    let text = fault::Chain(fault.as_error()).to_string();
    assert!(text.contains("as arn:aws:iam::222222222222:user/akiavendor was refused by http://127.0.0.1:"), "{text}");
    assert!(text.contains("AccessDenied (403)") && text.contains("(request r-7)"), "{text}");
    assert!(fault.hint().unwrap().contains("whether it asks for an external ID, which is not configured here"));
    assert!(!text.contains("secret"));

    let mut with_id = connection(&fake);
    with_id.hops[0].external_id = Some("c-7f3".into());
    clients(&fake).s3(&with_id, options(&fake)).unwrap().begin(&name(), MARKER).await.unwrap();
}

#[tokio::test]
async fn slow_down_lowers_how_many_requests_are_under_way() {
    let fake = Fake::start().await;
    let clients = clients(&fake);
    let sink = clients.s3(&connection(&fake), options(&fake)).unwrap();
    let upload = sink.begin(&name(), MARKER).await.unwrap();
    let before = sink.concurrency_limit();
    fake.trouble("UploadPart", vec![Trouble::Says(503, "SlowDown"); 4]);
    let parts = (1..=16).map(|number| {
        let (sink, upload) = (sink.clone(), upload.clone());
        tokio::spawn(async move { sink.part(&name(), &upload, number, vec![Bytes::from_static(b"x")]).await.unwrap() })
    });
    for part in parts.collect::<Vec<_>>() {
        part.await.unwrap();
    }
    // Another connector on the same bucket feels it too.
    let other = clients.s3(&connection(&fake), options(&fake)).unwrap();
    assert!(before > 60.0 && other.concurrency_limit() < 16.0, "{before} then {}", other.concurrency_limit());
}

#[tokio::test]
async fn a_sweep_aborts_only_what_is_old_and_ours_and_not_wanted() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    let (wanted, _) = uploaded(&sink).await;
    let now = fake.clock.now();
    let day = Duration::from_hours(24);
    let upload = |key: &str, age: Duration, initiator: &str| Upload {
        key: key.into(),
        marker: None,
        with_crc32c: false,
        parts: std::collections::BTreeMap::new(),
        begun: now - age,
        initiator: initiator.into(),
    };
    let elder = "arn:aws:sts::111111111111:assumed-role/orders/an-earlier-session";
    fake.change(|state| {
        state.uploads.get_mut(&*wanted.upload).unwrap().begun = now - day * 3;
        for (id, left) in [
            ("1-old", upload("shop/orders-0-1.jsonl", day, elder)),
            ("2-old-too", upload("shop/orders-0-2.jsonl", day * 30, elder)),
            ("3-young", upload("shop/orders-0-3.jsonl", day.mul_f64(0.9), elder)),
            (
                "4-other-role",
                upload("shop/orders-0-4.jsonl", day * 2, "arn:aws:sts::111111111111:assumed-role/other/s"),
            ),
            ("5-other-name", upload("shop/report.pdf", day * 2, elder)),
            ("6-other-prefix", upload("warehouse/orders-0-4.jsonl", day * 2, elder)),
        ] {
            state.uploads.insert(id.into(), left);
        }
        state.page_size = 2;
    });
    let keep = HashSet::from([wanted.upload.clone()]);
    let is_ours = |name: &str| name.starts_with("shop/orders-");
    let sweep = Sweep { prefix: "shop/", is_ours: &is_ours, keep: &keep, older_than: Sweep::A_DAY };
    assert_eq!(sink.sweep(&sweep).await.unwrap(), Swept { aborted: 2, left: 3 });
    let left: Vec<_> = fake.state().uploads.keys().cloned().collect();
    assert_eq!(left, ["3-young", "4-other-role", "5-other-name", "6-other-prefix", &*wanted.upload]);
}

#[tokio::test]
async fn a_sweep_that_is_not_allowed_is_no_failure() {
    let fake = Fake::start().await;
    fake.state().denied.insert("ListMultipartUploads");
    let sweep = Sweep { prefix: "", is_ours: &|_| true, keep: &HashSet::new(), older_than: Sweep::A_DAY };
    assert_eq!(sink(&fake).sweep(&sweep).await.unwrap(), Swept::default());
}

#[tokio::test]
async fn names_with_any_character_arrive_as_they_are() {
    let fake = Fake::start().await;
    let sink = sink(&fake);
    let name: ObjectName = Arc::from("a b+c=ü/{x}&y?.json");
    sink.put_manifest(&name, Bytes::from_static(b"1")).await.unwrap();
    let keys: Vec<_> = fake.state().objects.keys().cloned().collect();
    assert_eq!(keys, ["a%20b%2Bc%3D%C3%BC/%7Bx%7D%26y%3F.json"], "percent-encoded once");
    assert_eq!(sink.get_manifest(&name).await.unwrap().as_deref(), Some(&b"1"[..]));
}
