use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{Ask, read_answer};
use super::{CUSTOMER, VENDOR, World, allow, bounded};
use crate::aws::{Aws, AwsOptions};

#[tokio::test]
async fn a_request_that_is_not_as_it_was_signed_is_refused() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let ask = || Ask::new("PUT", "/lake/k", "body").header("x-amz-meta-a", "1");
        for (what, from, to, code) in [
            ("method", "PUT ", "POST ", "MethodNotAllowed"),
            ("key", "/lake/k", "/lake/other", "SignatureDoesNotMatch"),
            ("parameter", "/lake/k ", "/lake/k?x=y ", "SignatureDoesNotMatch"),
            ("signed header", "x-amz-meta-a: 1", "x-amz-meta-a: 2", "SignatureDoesNotMatch"),
            ("new header", "x-amz-meta-a: 1", "x-amz-meta-a: 1\r\nx-amz-meta-b: 2", "AccessDenied"),
            ("host", "host: 127.0.0.1", "host: 127.0.0.2", "SignatureDoesNotMatch"),
            ("scope", "/us-east-1/s3/", "/eu-west-1/s3/", "SignatureDoesNotMatch"),
            ("algorithm", "AWS4-HMAC-SHA256 C", "AWS3 C", "InvalidRequest"),
            ("credential", "/aws4_request", "", "AuthorizationHeaderMalformed"),
            ("date", "x-amz-date", "x-other-date", "AccessDenied"),
            ("hash header", "x-amz-content-sha256: ", "x-other: ", "InvalidRequest"),
            ("unsigned", "authorization: ", "x-authorization: ", "AccessDenied"),
            ("host unsigned", "SignedHeaders=content-length;host;", "SignedHeaders=", "AuthorizationHeaderMalformed"),
        ] {
            let signed = client.sign(ask().header("content-length", 4));
            let head = signed.head.replacen(from, to, 1);
            assert_ne!(head, signed.head, "{what}");
            let answer = client.send(&head, &signed.body).await.unwrap();
            assert_eq!(answer.code(), code, "{what}: {}", answer.text());
        }
        assert!(client.ask(ask()).await.unwrap().status.is_success());
        let other_body = client.ask(ask().hash(&"0".repeat(64))).await.unwrap();
        assert_eq!(other_body.code(), "XAmzContentSHA256Mismatch");
        assert_eq!(client.ask(ask().hash("zero")).await.unwrap().code(), "InvalidArgument");
        assert!(client.ask(ask().hash("UNSIGNED-PAYLOAD")).await.unwrap().status.is_success());
    })
    .await;
}

#[tokio::test]
async fn a_refused_client_that_sends_its_body_without_waiting_for_leave_still_reads_why() {
    bounded(async {
        let world = World::new().await;
        // More than the sockets' buffers hold: it is still being sent when the answer is there.
        let body = vec![b'x'; 32 << 20];
        let head = format!(
            "PUT /lake/k HTTP/1.1\r\nhost: {}\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            world.aws.address(),
            body.len()
        );
        let mut stream = TcpStream::connect(world.aws.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.expect("the server takes what it is sent");
        let answer = read_answer(&mut stream, false).await.unwrap();
        assert_eq!(answer.refusal(), "403 AccessDenied: Access Denied");
        assert_eq!(stream.read(&mut [0; 1]).await.expect("the connection ends properly"), 0);
    })
    .await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_and_not_stored() {
    bounded(async {
        let options = AwsOptions { idle_timeout: Duration::from_millis(50), ..AwsOptions::default() };
        let world = World::with(options).await;
        let client = world.client();
        let signed = client.sign(Ask::new("PUT", "/lake/half", "0123456789"));
        let mut stream = TcpStream::connect(world.aws.address()).await.unwrap();
        stream.write_all(signed.head.as_bytes()).await.unwrap();
        stream.write_all(b"01234").await.unwrap();
        let answer = read_answer(&mut stream, false).await.unwrap();
        assert_eq!((answer.status.as_u16(), &*answer.code()), (400, "RequestTimeout"));
        drop(stream);
        assert_eq!(client.get("/lake/half").await.status.as_u16(), 404);
    })
    .await;
}

#[tokio::test]
async fn sts_speaks_its_own_words() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let mut wrong = client.clone();
        wrong.secret = "wrong".to_owned();
        let who = [("Action", "GetCallerIdentity")];
        assert_eq!(client.sts(&who).await.element("Account"), CUSTOMER);
        assert_eq!(wrong.sts(&who).await.code(), "SignatureDoesNotMatch");
        assert_eq!(client.sts(&[("Action", "GetFederationToken")]).await.code(), "NotImplemented");
        assert_eq!(client.sts(&[("Action", "MakeCoffee")]).await.code(), "InvalidAction");
        assert_eq!(client.sts(&[]).await.code(), "MissingAction");

        let signed =
            client.sign(Ask { service: "sts", ..Ask::new("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", "") });
        let answer = client.send(&signed.head, b"").await.unwrap();
        assert_eq!(answer.element("Account"), CUSTOMER, "by GET too");
        for (from, to, code) in [
            ("authorization: ", "x-authorization: ", "MissingAuthenticationToken"),
            ("Credential=", "Credentials=", "IncompleteSignature"),
        ] {
            let answer = client.send(&signed.head.replace(from, to), b"").await.unwrap();
            assert_eq!((answer.code(), answer.header("content-type")), (code.to_owned(), "text/xml"));
        }

        let mut skewed = client.clone();
        skewed.now -= Duration::from_secs(901);
        let answer = skewed.sts(&who).await;
        assert_eq!(answer.code(), "SignatureDoesNotMatch");
        assert!(answer.text().contains("Signature expired: "), "{}", answer.text());
    })
    .await;
}

#[tokio::test]
async fn an_account_sees_nothing_of_another() {
    bounded(async {
        let world = World::new().await;
        let vendor = world.aws.account(VENDOR.parse().unwrap());
        let user = vendor.user("app").policy(&allow("*")).create().await.unwrap();
        let client = super::Client::new(&world.aws, &user);
        world.client().put("/lake/k", "secret").await;
        let refused = client.get("/lake/k").await;
        assert_eq!(
            (refused.code(), refused.element("Message")),
            ("AccessDenied".to_owned(), "Access Denied".to_owned())
        );
        assert!(!client.get("/").await.text().contains("lake"));
        assert_eq!(client.put("/lake", "").await.code(), "BucketAlreadyExists");
        assert_eq!(world.client().put("/lake", "").await.status.as_u16(), 200, "one's own is no clash in us-east-1");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_region_is_refused_with_the_right_one() {
    bounded(async {
        let world = World::new().await;
        let mut client = world.client();
        client.region = "eu-west-1".to_owned();
        let answer = client.get("/lake/k").await;
        assert_eq!(
            (answer.code(), answer.element("Region")),
            ("AuthorizationHeaderMalformed".to_owned(), "us-east-1".to_owned())
        );
        let head = client.ask(Ask::new("HEAD", "/lake", "")).await.unwrap();
        assert_eq!((head.status.as_u16(), head.header("x-amz-bucket-region")), (400, "us-east-1"));
    })
    .await;
}

#[tokio::test]
async fn it_ends_when_it_is_dropped() {
    bounded(async {
        let aws = Aws::start(AwsOptions::default()).await.unwrap();
        let address = aws.address();
        drop(aws);
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
