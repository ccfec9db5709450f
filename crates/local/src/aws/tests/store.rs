use std::path::{Path, PathBuf};

use super::client::{Ask, keys};
use super::{World, bounded};
use crate::aws::{AwsOptions, Bodies};

#[tokio::test]
async fn of_many_who_write_only_if_absent_one_succeeds() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let write = |n: usize| {
            let ask = Ask::new("PUT", "/lake/once", n.to_string()).header("if-none-match", "*");
            let client = client.clone();
            async move { client.ask(ask).await.unwrap().status.as_u16() }
        };
        let mut statuses = futures_util::future::join_all((0..16).map(write)).await;
        statuses.sort_unstable();
        assert_eq!(statuses[0], 200);
        assert!(statuses[1..].iter().all(|status| *status == 412), "{statuses:?}");
    })
    .await;
}

#[tokio::test]
async fn of_many_who_complete_an_upload_one_succeeds() {
    bounded(async {
        let world = World::new().await;
        let upload = world.begin("k").await;
        let part = world.client().put(&format!("/lake/k?partNumber=1&uploadId={upload}"), "body").await;
        let complete = |_| world.complete("k", &upload, part.header("etag"));
        let answers = futures_util::future::join_all((0..8).map(complete)).await;
        let won = answers.iter().filter(|answer| answer.status.is_success()).count();
        let late = answers.iter().filter(|answer| answer.code() == "NoSuchUpload").count();
        assert_eq!((won, late), (1, 7));
    })
    .await;
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_directory_holds_readable_objects_and_nothing_that_was_refused() {
    bounded(async {
        let dir = tempfile::tempdir().unwrap();
        let options = || AwsOptions { dir: Some(dir.path().to_owned()), ..AwsOptions::default() };
        let world = World::with(options()).await;
        let client = world.client();
        client.put("/lake/a/b", "one").await;
        client.put("/lake/a", "a file where a directory is").await;
        let refused = client.ask(Ask::new("PUT", "/lake/wrong", "x").hash(&"0".repeat(64))).await.unwrap();
        assert_eq!(refused.status.as_u16(), 400);
        let clash = client.ask(Ask::new("PUT", "/lake/a/b", "two").header("if-none-match", "*")).await.unwrap();
        assert_eq!(clash.status.as_u16(), 412);
        let lake = dir.path().join("s3/buckets/lake");
        assert_eq!(std::fs::read(lake.join("a/b")).unwrap(), b"one");
        assert_eq!(files(&lake).len(), 2, "{:?}", files(&lake));
        assert_eq!(files(&dir.path().join("s3/tmp")), [] as [PathBuf; 0]);
        let upload = world.begin("c").await;
        let part = client.put(&format!("/lake/c?partNumber=1&uploadId={upload}"), "part").await;
        world.aws.stop().await;

        // A part whose line did not make it into the journal, and a line that was being written.
        let orphan = dir.path().join("s3/uploads/gone/1-0");
        std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
        std::fs::write(&orphan, "part").unwrap();
        let journal = dir.path().join("s3/journal.jsonl");
        let torn = std::fs::read_to_string(&journal).unwrap() + "{\"event\":\"object_put\",\"bu";
        std::fs::write(&journal, torn).unwrap();
        let again = World::with(options()).await;
        let client = again.client();
        assert!(!orphan.exists());
        assert_eq!(keys(&client.get("/lake?list-type=2").await), ["a", "a/b"]);
        assert_eq!(client.get("/lake/a").await.body, b"a file where a directory is");
        assert!(again.complete("c", &upload, part.header("etag")).await.status.is_success());
        assert_eq!(client.get("/lake/c").await.body, b"part");
        client.ask(Ask::new("DELETE", "/lake/a/b", "")).await.unwrap();
        again.aws.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_directory_belongs_to_one_process_at_a_time() {
    bounded(async {
        let dir = tempfile::tempdir().unwrap();
        let options = || AwsOptions { dir: Some(dir.path().to_owned()), ..AwsOptions::default() };
        let first = World::with(options()).await;
        let error = crate::aws::Aws::start(options()).await.unwrap_err();
        assert!(error.to_string().ends_with("is in use by another process"), "{error}");
        first.aws.stop().await;
        World::with(options()).await;
    })
    .await;
}

#[tokio::test]
async fn a_document_is_held_to_its_checksum() {
    bounded(async {
        let world = World::new().await;
        world.client().put("/lake/k", "").await;
        let delete = "<Delete><Object><Key>k</Key></Object></Delete>";
        let ask = |sum: &str| Ask::new("POST", "/lake?delete", delete).header("x-amz-checksum-crc32", sum);
        assert_eq!(world.client().ask(ask("AAAAAA==")).await.unwrap().code(), "BadDigest");
        assert_eq!(keys(&world.client().get("/lake").await), ["k"]);
        assert!(world.client().post("/lake?delete", delete).await.text().contains("<Deleted><Key>k</Key></Deleted>"));
        assert!(keys(&world.client().get("/lake").await).is_empty());

        // Of an upload that is completed, the checksum is the object's and the MD5 the document's.
        let upload = world.begin("k").await;
        let etag = world.client().put(&format!("/lake/k?partNumber=1&uploadId={upload}"), "1").await.header("etag").to_owned();
        let body = format!("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>");
        let ask = Ask::new("POST", &format!("/lake/k?uploadId={upload}"), body);
        let wrong = ask.clone().header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==");
        assert_eq!(world.client().ask(wrong).await.unwrap().code(), "BadDigest");
        assert!(world.client().ask(ask).await.unwrap().status.is_success());
    })
    .await;
}

#[tokio::test]
async fn a_damaged_state_is_named_and_not_overwritten() {
    bounded(async {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("aws.json");
        for (text, reason) in [
            ("{", "EOF"),
            (r#"{"accounts":{"1":{}}}"#, "twelve digits"),
            (r#"{"accounts":{"111111111111":{"groups":{}}}}"#, "unknown field `groups`"),
            (
                r#"{"accounts":{"111111111111":{"roles":{"r":{"trust":{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::222222222222:user/no"}}}}}}}}"#,
                "who does not exist",
            ),
        ] {
            std::fs::write(&file, text).unwrap();
            let options = AwsOptions { dir: Some(dir.path().to_owned()), ..AwsOptions::default() };
            let error = crate::aws::Aws::start(options).await.unwrap_err().to_string();
            assert!(error.contains("aws.json is damaged") && error.contains(reason), "{error}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
    })
    .await;
}

#[tokio::test]
async fn a_state_written_by_hand_is_completed() {
    bounded(async {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("aws.json");
        let text = r#"{"accounts": {
            "111111111111": {"roles": {"orders": {"trust": {"Version": "2012-10-17", "Statement": {"Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::222222222222:user/app"}, "Action": "sts:AssumeRole"}}}}},
            "222222222222": {"users": {"app": {"access_keys": [{"id": "AKIATEST", "secret": "s3cret"}],
                "policies": {"all": {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}}}}}
        }}"#;
        std::fs::write(&file, text).unwrap();
        let world = World::with(AwsOptions { dir: Some(dir.path().to_owned()), ..AwsOptions::default() }).await;
        let mut client = world.client();
        (client.key_id, client.secret) = ("AKIATEST".to_owned(), "s3cret".to_owned());
        assert!(client.assume("arn:aws:iam::111111111111:role/orders", &[]).await.status.is_success());
        let written = std::fs::read_to_string(&file).unwrap();
        assert!(written.contains("\"id\": \"AROA") && written.contains("\"session_key\""), "{written}");
        assert!(written.contains("arn:aws:iam::222222222222:user/app"), "the policy stays readable: {written}");
    })
    .await;
}

#[tokio::test]
async fn discarded_bodies_are_verified_and_counted() {
    bounded(async {
        let world = World::with(AwsOptions { bodies: Bodies::Discard, ..AwsOptions::default() }).await;
        let client = world.client();
        client.put("/lake/a", "1\n2\n3").await;
        let upload = world.begin("b").await;
        let part = client.put(&format!("/lake/b?partNumber=1&uploadId={upload}"), "4\n").await;
        let tally = world.aws.tally();
        assert_eq!((tally.objects, tally.bytes, tally.lines), (1, 5, 2), "a part is not an object yet");
        world.complete("b", &upload, part.header("etag")).await;
        let tally = world.aws.tally();
        assert_eq!((tally.objects, tally.bytes, tally.lines), (2, 7, 3));
        let head = client.ask(Ask::new("HEAD", "/lake/a", "")).await.unwrap();
        assert_eq!(head.header("content-length"), "5");
        assert_eq!(client.get("/lake/a").await.code(), "NotImplemented");
        let wrong = client.ask(Ask::new("PUT", "/lake/a", "x").hash(&"0".repeat(64))).await.unwrap();
        assert_eq!(wrong.code(), "XAmzContentSHA256Mismatch");
    })
    .await;
}
