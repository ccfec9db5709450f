//! Who may do what with buckets and objects, and what S3 refuses.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use world::Clock;

use super::client::{Ask, Client, read_answer};
use super::{CUSTOMER, VENDOR, World, bounded};
use crate::aws::AwsOptions;

/// A user of the customer under a policy of one statement.
async fn user(world: &World, name: &str, actions: &[&str], resource: &str, condition: Value) -> Client {
    let mut statement = json!({"Effect": "Allow", "Action": actions, "Resource": resource});
    if condition != Value::Null {
        statement["Condition"] = condition;
    }
    let policy = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    let customer = world.aws.account(CUSTOMER.parse().unwrap());
    Client::new(&world.aws, &customer.user(name).policy(&policy).create().await.unwrap())
}

fn denied(user: &str, action: &str, resource: &str) -> String {
    format!(
        "403 AccessDenied: User: arn:aws:iam::{CUSTOMER}:user/{user} is not authorized to perform: {action} on resource: \"{resource}\" because no identity-based policy allows the {action} action"
    )
}

#[tokio::test]
async fn an_object_action_on_a_bucket_and_a_bucket_action_on_objects_allow_nothing() {
    bounded(async {
        let world = World::new().await;
        world.client().put("/lake/k", "1").await;
        let (bucket, objects) = ("arn:aws:s3:::lake", "arn:aws:s3:::lake/*");
        let on_bucket = user(&world, "a", &["s3:GetObject", "s3:ListBucket"], bucket, Value::Null).await;
        let on_objects = user(&world, "b", &["s3:GetObject", "s3:ListBucket"], objects, Value::Null).await;
        assert_eq!(on_bucket.get("/lake/k").await.refusal(), denied("a", "s3:GetObject", "arn:aws:s3:::lake/k"));
        assert_eq!(on_bucket.get("/lake?list-type=2").await.status.as_u16(), 200);
        assert_eq!(on_objects.get("/lake?list-type=2").await.refusal(), denied("b", "s3:ListBucket", bucket));
        assert_eq!(on_objects.get("/lake/k").await.status.as_u16(), 200);
    })
    .await;
}

#[tokio::test]
async fn a_listing_is_held_to_its_prefix() {
    bounded(async {
        let world = World::new().await;
        let condition = json!({"StringLike": {"s3:prefix": "topics/*"}});
        let client = user(&world, "a", &["s3:ListBucket"], "arn:aws:s3:::lake", condition).await;
        assert_eq!(client.get("/lake?list-type=2&prefix=topics/orders").await.status.as_u16(), 200);
        for query in ["?list-type=2", "?list-type=2&prefix=", "?prefix=other/"] {
            let answer = client.get(&format!("/lake{query}")).await;
            assert_eq!(answer.refusal(), denied("a", "s3:ListBucket", "arn:aws:s3:::lake"), "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_missing_is_told_only_to_those_who_may_list() {
    bounded(async {
        let world = World::new().await;
        let reads = user(&world, "a", &["s3:GetObject"], "arn:aws:s3:::lake/*", Value::Null).await;
        assert_eq!(reads.get("/lake/none").await.refusal(), denied("a", "s3:ListBucket", "arn:aws:s3:::lake"));
        assert_eq!(
            world.client().get("/lake/none").await.refusal(),
            "404 NoSuchKey: The specified key does not exist."
        );
        let head = reads.ask(Ask::new("HEAD", "/lake/none", "")).await.unwrap();
        assert_eq!((head.status.as_u16(), head.body.len()), (403, 0));
    })
    .await;
}

#[tokio::test]
async fn an_expected_owner_must_be_the_owner() {
    bounded(async {
        let world = World::new().await;
        let ask = |owner: &str| Ask::new("PUT", "/lake/k", "1").header("x-amz-expected-bucket-owner", owner);
        assert_eq!(world.client().ask(ask(VENDOR)).await.unwrap().refusal(), "403 AccessDenied: Access Denied");
        assert_eq!(world.client().ask(ask(CUSTOMER)).await.unwrap().status.as_u16(), 200);
    })
    .await;
}

#[tokio::test]
async fn the_endpoint_of_another_region_sends_one_on() {
    bounded(async {
        let world = World::new().await;
        let client = Client { region: "eu-west-1".to_owned(), ..world.client() };
        let ask = |method| Ask::new(method, "/k", "").header("host", "lake.s3.eu-west-1.localhost");
        let answer = client.ask(ask("GET")).await.unwrap();
        assert_eq!((answer.status.as_u16(), &*answer.code()), (301, "PermanentRedirect"));
        assert_eq!(answer.element("Endpoint"), "lake.s3.us-east-1.localhost");
        let head = client.ask(ask("HEAD")).await.unwrap();
        assert_eq!((head.status.as_u16(), head.header("x-amz-bucket-region")), (301, "us-east-1"));
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_off_by_more_than_a_quarter_of_an_hour_is_refused_with_both_times() {
    bounded(async {
        let world = World::new().await;
        for seconds in [901i64, -901] {
            let mut client = world.client();
            let by = Duration::from_secs(seconds.unsigned_abs());
            client.now = if seconds < 0 { client.now - by } else { client.now + by };
            let answer = client.get("/lake/k").await;
            assert_eq!(
                answer.refusal(),
                "403 RequestTimeTooSkewed: The difference between the request time and the current time is too large."
            );
            assert_eq!(answer.element("MaxAllowedSkewMilliseconds"), "900000");
            assert_eq!(answer.element("RequestTime"), crate::aws::time::compact(client.now));
            assert!(!answer.element("ServerTime").is_empty() && !answer.header("date").is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn a_presigned_url_ends_with_its_time_or_with_its_session() {
    bounded(async {
        let clock = Clock::manual(Clock::system().now());
        let world = World::with(AwsOptions { clock: clock.clone(), ..AwsOptions::default() }).await;
        let mut client = world.client();
        client.now = clock.now();
        client.put("/lake/k", "body").await;
        let session = client.sts(&[("Action", "GetSessionToken"), ("DurationSeconds", "900")]).await;
        let session = client.with_session(&session);
        let (short, long, own) =
            (client.presign("/lake/k", 60), session.presign("/lake/k", 86_400), client.presign("/lake/k", 86_400));
        let open = async |url: &str| {
            client.send(&format!("GET {url} HTTP/1.1\r\nhost: {}\r\n\r\n", client.address), b"").await.unwrap()
        };
        for url in [&short, &long, &own] {
            assert_eq!(open(url).await.body, b"body");
        }
        assert_eq!(open(&short.replace("Expires=60", "Expires=61")).await.code(), "SignatureDoesNotMatch");
        assert_eq!(open(&client.presign("/lake/k", 604_801)).await.code(), "AuthorizationQueryParametersError");
        clock.advance(Duration::from_secs(61));
        assert_eq!(open(&short).await.refusal(), "403 AccessDenied: Request has expired");
        assert_eq!(open(&long).await.body, b"body");
        clock.advance(Duration::from_mins(15));
        assert_eq!(open(&long).await.refusal(), "400 ExpiredToken: The provided token has expired.");
        assert_eq!(open(&own).await.body, b"body");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_known_is_refused_by_name_and_not_ignored() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        for (header, value) in [
            ("x-amz-object-lock-mode", "GOVERNANCE"),
            ("x-amz-website-redirect-location", "/x"),
            ("x-amz-mfa", "1"),
            ("x-amz-something-of-2030", "1"),
            ("x-amz-write-offset-bytes", "0"),
        ] {
            let answer = client.ask(Ask::new("PUT", "/lake/k", "1").header(header, value)).await.unwrap();
            assert_eq!(
                (answer.status.as_u16(), answer.code(), answer.element("Header")),
                (501, "NotImplemented".to_owned(), header.to_owned())
            );
        }
        for (header, code) in
            [("x-amz-acl", "AccessControlListNotSupported"), ("x-amz-grant-read", "AccessControlListNotSupported")]
        {
            let answer = client.ask(Ask::new("PUT", "/lake/k", "1").header(header, "public-read")).await.unwrap();
            assert_eq!(answer.code(), code);
        }
        for subresource in ["acl", "lifecycle", "object-lock", "website", "cors", "something2030"] {
            for target in ["/lake", "/lake/k"] {
                let answer = client.put(&format!("{target}?{subresource}"), "").await;
                assert_eq!(answer.status.as_u16(), 501, "{subresource}");
                assert!(answer.text().contains(subresource), "{}", answer.text());
            }
        }
        assert_eq!(client.get("/lake?list-type=2").await.element("KeyCount"), "0");
        assert_eq!(
            client.put("/lake/k?x-id=PutObject", "1").await.status.as_u16(),
            200,
            "what a client says of itself"
        );
    })
    .await;
}

#[tokio::test]
async fn a_conditional_write_that_meets_a_deletion_is_a_conflict() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        client.put("/lake/k", "old").await;
        let etag = client.get("/lake/k").await.header("etag").to_owned();
        for (header, value) in [("if-none-match", "*"), ("if-match", &*etag)] {
            client.put("/lake/k", "old").await;
            let ask = Ask::new("PUT", "/lake/k", "0123456789").header(header, value).header("expect", "100-continue");
            let signed = client.sign(ask);
            let mut stream = TcpStream::connect(world.aws.address()).await.unwrap();
            stream.write_all(signed.head.as_bytes()).await.unwrap();
            // It has begun once the server asks for its body.
            let mut go_on = [0; 25];
            stream.read_exact(&mut go_on).await.unwrap();
            assert_eq!(go_on, *b"HTTP/1.1 100 Continue\r\n\r\n");
            client.ask(Ask::new("DELETE", "/lake/k", "")).await.unwrap();
            stream.write_all(b"0123456789").await.unwrap();
            let answer = read_answer(&mut stream, false).await.unwrap();
            assert_eq!(answer.refusal(), "409 ConditionalRequestConflict: The conditional request cannot succeed due to a conflicting operation against this resource.", "{header}");
        }
        let again = client.ask(Ask::new("PUT", "/lake/k", "1").header("if-none-match", "*")).await.unwrap();
        assert_eq!(again.status.as_u16(), 200);
        let again = client.ask(Ask::new("PUT", "/lake/k", "2").header("if-none-match", "*")).await.unwrap();
        assert_eq!(again.refusal(), "412 PreconditionFailed: At least one of the pre-conditions you specified did not hold");
    })
    .await;
}

fn bucket_policy(statement: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statement}).to_string()
}

#[tokio::test]
async fn a_bucket_policy_lets_in_another_account_and_keeps_out_ones_own() {
    bounded(async {
        let world = World::new().await;
        let (client, vendor) = (world.client(), world.vendor().await);
        client.put("/lake/k", "1").await;
        assert_eq!(vendor.get("/lake/k").await.refusal(), "403 AccessDenied: Access Denied");
        let reads = json!({"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/*"});
        assert_eq!(client.get("/lake?policy").await.refusal(), "404 NoSuchBucketPolicy: The bucket policy does not exist");
        assert_eq!(client.put("/lake?policy", bucket_policy(&reads)).await.status.as_u16(), 204);
        assert_eq!(vendor.get("/lake/k").await.body, b"1");
        assert_eq!(vendor.put("/lake/k", "2").await.code(), "AccessDenied");
        assert_eq!(client.get("/lake?policy").await.json()["Statement"][0]["Action"], "s3:GetObject");
        assert_eq!(vendor.get("/lake?policy").await.code(), "AccessDenied");

        // Without If-None-Match nobody writes, whatever he may otherwise.
        let demand = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::lake/*",
            "Condition": {"Null": {"s3:if-none-match": "true"}}});
        client.put("/lake?policy", bucket_policy(&demand)).await;
        assert_eq!(
            client.put("/lake/k", "2").await.refusal(),
            "403 AccessDenied: User: arn:aws:iam::111111111111:user/admin is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::lake/k\" with an explicit deny in a resource-based policy"
        );
        let once = client.ask(Ask::new("PUT", "/lake/new", "2").header("if-none-match", "*")).await.unwrap();
        assert_eq!(once.status.as_u16(), 200);
        client.ask(Ask::new("DELETE", "/lake?policy", "")).await.unwrap();
        assert_eq!(client.put("/lake/k", "2").await.status.as_u16(), 200);
    })
    .await;
}

#[tokio::test]
async fn a_bucket_policy_that_s3_would_not_take_is_refused() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let base = json!({"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/*"});
        let with = |key: &str, value: Value| {
            let mut statement = base.clone();
            statement[key] = value;
            bucket_policy(&statement)
        };
        for (policy, code, text) in [
            ("{".to_owned(), "MalformedPolicy", "EOF"),
            (with("Resource", json!("arn:aws:s3:::other/*")), "MalformedPolicy", "Policy has invalid resource"),
            (with("Resource", json!("arn:aws:s3:::lake2")), "MalformedPolicy", "Policy has invalid resource"),
            (with("Action", json!("sts:AssumeRole")), "MalformedPolicy", "Policy has invalid action"),
            (with("Principal", json!({"AWS": "arn:aws:iam::222222222222:user/none"})), "MalformedPolicy", "Invalid principal in policy"),
            (with("Principal", json!("*")), "AccessDenied", "BlockPublicPolicy"),
            (with("Condition", json!({"StringIsh": {"a": "b"}})), "MalformedPolicy", "StringIsh"),
        ] {
            let answer = client.put("/lake?policy", policy).await;
            assert!(answer.code() == code && answer.text().contains(text), "{}", answer.text());
        }
        assert_eq!(client.get("/lake?policy").await.code(), "NoSuchBucketPolicy");
    })
    .await;
}

#[tokio::test]
async fn tags_of_objects_are_set_read_and_judged() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let tagged =
            |key: &str, tags: &str| Ask::new("PUT", &format!("/lake/{key}"), "1").header("x-amz-tagging", tags);
        client.ask(tagged("open", "class=open&a=b")).await.unwrap();
        client.ask(tagged("secret", "class=secret")).await.unwrap();
        assert_eq!(client.get("/lake/open").await.header("x-amz-tagging-count"), "2");
        assert!(
            client.get("/lake/open?tagging").await.text().contains("<Tag><Key>class</Key><Value>open</Value></Tag>")
        );

        let condition = json!({"StringEquals": {"s3:ExistingObjectTag/class": "open"}});
        let reader = user(&world, "reader", &["s3:GetObject"], "arn:aws:s3:::lake/*", condition).await;
        assert_eq!(reader.get("/lake/open").await.body, b"1");
        assert_eq!(
            reader.get("/lake/secret").await.refusal(),
            denied("reader", "s3:GetObject", "arn:aws:s3:::lake/secret")
        );
        let writer = user(&world, "writer", &["s3:PutObject"], "arn:aws:s3:::lake/*", Value::Null).await;
        assert_eq!(
            writer.ask(tagged("new", "a=b")).await.unwrap().refusal(),
            denied("writer", "s3:PutObjectTagging", "arn:aws:s3:::lake/new")
        );

        let set = "<Tagging><TagSet><Tag><Key>class</Key><Value>open</Value></Tag></TagSet></Tagging>";
        assert_eq!(client.put("/lake/secret?tagging", set).await.status.as_u16(), 200);
        assert_eq!(reader.get("/lake/secret").await.body, b"1");
        client.ask(Ask::new("DELETE", "/lake/secret?tagging", "")).await.unwrap();
        assert_eq!(reader.get("/lake/secret").await.code(), "AccessDenied");
        assert_eq!(client.put("/lake/open?tagging", "<Tagging/>").await.code(), "MalformedXML");
        let copy = Ask::new("PUT", "/lake/copy", "").header("x-amz-copy-source", "lake/open");
        client.ask(copy).await.unwrap();
        assert_eq!(client.get("/lake/copy").await.header("x-amz-tagging-count"), "2");
    })
    .await;
}
