//! Buckets that keep what was replaced.

use super::client::{Answer, Ask, Client, keys};
use super::{World, bounded};
use crate::aws::AwsOptions;

async fn set(client: &Client, status: &str) {
    let body = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    assert_eq!(client.put("/lake?versioning", body).await.status.as_u16(), 200);
}

async fn delete(client: &Client, target: &str) -> Answer {
    client.ask(Ask::new("DELETE", target, "")).await.unwrap()
}

/// What ListObjectVersions lists: key, whether a marker, whether the latest.
fn listed(answer: &Answer) -> Vec<(String, bool, bool)> {
    let root = crate::aws::xml::Element::parse(&answer.body, "ListVersionsResult").unwrap();
    let versions = root.children.iter().filter(|child| ["Version", "DeleteMarker"].contains(&&*child.name));
    versions
        .map(|child| {
            let text = |name| child.child_text(name).unwrap().to_owned();
            (text("Key"), child.name == "DeleteMarker", text("IsLatest") == "true")
        })
        .collect()
}

#[tokio::test]
async fn what_is_replaced_or_deleted_can_be_read_by_its_version() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        client.put("/lake/k", "before").await;
        assert_eq!(client.get("/lake?versioning").await.text().matches("Status").count(), 0);
        set(&client, "Enabled").await;
        assert_eq!(client.get("/lake/k").await.header("x-amz-version-id"), "null");
        let first = client.put("/lake/k", "first").await.header("x-amz-version-id").to_owned();
        let second = client.put("/lake/k", "second").await.header("x-amz-version-id").to_owned();
        assert!(first.len() == 32 && first != second);
        for (version, body) in [("null", "before"), (&*first, "first"), (&*second, "second")] {
            let got = client.get(&format!("/lake/k?versionId={version}")).await;
            assert_eq!((got.text(), got.header("x-amz-version-id")), (body.to_owned(), version));
        }
        let gone = delete(&client, "/lake/k").await;
        assert_eq!((gone.status.as_u16(), gone.header("x-amz-delete-marker")), (204, "true"));
        let marker = gone.header("x-amz-version-id").to_owned();
        let missing = client.get("/lake/k").await;
        assert_eq!(
            (missing.refusal(), missing.header("x-amz-delete-marker")),
            ("404 NoSuchKey: The specified key does not exist.".to_owned(), "true")
        );
        assert_eq!(
            client.get(&format!("/lake/k?versionId={marker}")).await.refusal(),
            "405 MethodNotAllowed: The specified method is not allowed against this resource."
        );
        assert!(keys(&client.get("/lake").await).is_empty());
        assert_eq!(client.get(&format!("/lake/k?versionId={first}")).await.text(), "first");
        assert_eq!(
            listed(&client.get("/lake?versions").await),
            [("k", true, true), ("k", false, false), ("k", false, false), ("k", false, false)].map(|(k, m, l)| (
                k.to_owned(),
                m,
                l
            ))
        );
        let once = client.ask(Ask::new("PUT", "/lake/k", "x").header("if-none-match", "*")).await.unwrap();
        assert_eq!(once.status.as_u16(), 200, "behind a marker there is nothing");
        delete(&client, &format!("/lake/k?versionId={}", once.header("x-amz-version-id"))).await;

        // Without the marker the object is back; without its newest version the one before it is.
        let unmarked = delete(&client, &format!("/lake/k?versionId={marker}")).await;
        assert_eq!((unmarked.header("x-amz-version-id"), unmarked.header("x-amz-delete-marker")), (&*marker, "true"));
        assert_eq!(client.get("/lake/k").await.text(), "second");
        delete(&client, &format!("/lake/k?versionId={second}")).await;
        assert_eq!(client.get("/lake/k").await.text(), "first");
        assert_eq!(
            client.get(&format!("/lake/k?versionId={second}")).await.refusal(),
            "404 NoSuchVersion: The specified version does not exist."
        );
        assert_eq!(client.get("/lake/k?versionId=nonsense").await.code(), "InvalidArgument");
        assert_eq!(delete(&client, "/lake").await.code(), "BucketNotEmpty");
    })
    .await;
}

#[tokio::test]
async fn while_versioning_is_suspended_there_is_one_version_without_an_id() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        set(&client, "Enabled").await;
        client.put("/lake/k", "kept").await;
        set(&client, "Suspended").await;
        for body in ["one", "two"] {
            assert_eq!(client.put("/lake/k", body).await.header("x-amz-version-id"), "null");
        }
        assert_eq!(listed(&client.get("/lake?versions").await).len(), 2);
        assert_eq!(delete(&client, "/lake/k").await.header("x-amz-version-id"), "null");
        let versions = listed(&client.get("/lake?versions").await);
        assert_eq!(
            versions.iter().map(|(_, marker, _)| *marker).collect::<Vec<_>>(),
            [true, false],
            "the marker took its place"
        );
        delete(&client, "/lake/k?versionId=null").await;
        assert_eq!(client.get("/lake/k").await.text(), "kept");
    })
    .await;
}

#[tokio::test]
async fn a_version_needs_leave_of_its_own() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        set(&client, "Enabled").await;
        let version = client.put("/lake/k", "1").await.header("x-amz-version-id").to_owned();
        let customer = world.aws.account(super::CUSTOMER.parse().unwrap());
        let policy = super::allow("s3:*Object");
        let user = Client::new(&world.aws, &customer.user("plain").policy(&policy).create().await.unwrap());
        assert_eq!(user.get("/lake/k").await.text(), "1");
        let target = format!("/lake/k?versionId={version}");
        assert!(user.get(&target).await.refusal().contains("s3:GetObjectVersion on resource"));
        assert!(delete(&user, &target).await.refusal().contains("s3:DeleteObjectVersion on resource"));
        assert!(user.get("/lake?versions").await.refusal().contains("s3:ListBucketVersions on resource"));
        assert!(user.get("/lake?versioning").await.refusal().contains("s3:GetBucketVersioning on resource"));
    })
    .await;
}

#[tokio::test]
async fn versions_are_listed_in_pages_and_survive_a_restart() {
    bounded(async {
        let dir = tempfile::tempdir().unwrap();
        let options = || AwsOptions { dir: Some(dir.path().to_owned()), ..AwsOptions::default() };
        let world = World::with(options()).await;
        let client = world.client();
        client.put("/lake/a/1", "old").await;
        set(&client, "Enabled").await;
        for (key, body) in [("a/1", "new"), ("a/2", "1"), ("b", "1"), ("b", "2"), ("c", "1")] {
            client.put(&format!("/lake/{key}"), body).await;
        }
        delete(&client, "/lake/c").await;
        let tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
        client.put("/lake/b?tagging", tagging).await;
        let policy = r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:DeleteBucket","Resource":"arn:aws:s3:::lake"}}"#;
        client.put("/lake?policy", policy).await;
        let whole = listed(&client.get("/lake?versions").await);
        assert_eq!(whole.len(), 7);
        world.aws.stop().await;

        let world = World::with(options()).await;
        let client = world.client();
        assert_eq!(listed(&client.get("/lake?versions").await), whole);
        for size in 1..=3 {
            let (mut all, mut more) = (Vec::new(), String::new());
            loop {
                let page = client.get(&format!("/lake?versions&max-keys={size}{more}")).await;
                let entries = listed(&page);
                assert!(entries.len() <= size);
                all.extend(entries);
                if page.element("IsTruncated") == "false" {
                    break;
                }
                more = format!("&key-marker={}&version-id-marker={}", page.element("NextKeyMarker"), page.element("NextVersionIdMarker"));
            }
            assert_eq!(all, whole, "pages of {size}");
        }
        let folded = client.get("/lake?versions&delimiter=/").await;
        assert_eq!((folded.text().matches("<CommonPrefixes>").count(), listed(&folded).len()), (1, 4));
        assert_eq!(client.get("/lake/b").await.header("x-amz-tagging-count"), "1");
        assert_eq!(client.get("/lake/a/1?versionId=null").await.text(), "old");
        assert_eq!(client.get("/lake?policy").await.status.as_u16(), 200);
        client.put("/lake/b", "3").await;
        assert_eq!(client.get("/lake/b").await.text(), "3");
    })
    .await;
}
