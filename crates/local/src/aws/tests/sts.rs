//! Sessions: what narrows them, what ends them, what they hand on.

use std::time::Duration;

use serde_json::json;
use world::Clock;

use super::client::Client;
use super::{CUSTOMER, VENDOR, World, allow, bounded, trust};
use crate::aws::AwsOptions;

const ROLE: &str = "arn:aws:iam::111111111111:role/orders";

/// A role that the customer's admin may take on, with all rights in S3.
async fn orders(world: &World, actions: &[&str]) -> Client {
    let customer = world.aws.account(CUSTOMER.parse().unwrap());
    let admin = world.admin.arn.as_str();
    customer.role("orders", &trust(admin, actions)).policy(&allow("s3:*")).create().await.unwrap();
    world.client()
}

#[tokio::test]
async fn tags_and_source_identity_need_leave_of_both_sides() {
    bounded(async {
        let world = World::new().await;
        let (vendor, customer) =
            (world.aws.account(VENDOR.parse().unwrap()), world.aws.account(CUSTOMER.parse().unwrap()));
        let all = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
        customer.role("orders", &trust(VENDOR, &all)).create().await.unwrap();
        let tags = [("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "shop")];
        let identity = [("SourceIdentity", "ana")];
        let base = "User: arn:aws:iam::222222222222:user";
        for (user, actions, more, denied) in [
            ("all", "sts:*", &tags[..], None),
            ("assume", "sts:AssumeRole", &[][..], None),
            ("tag", "sts:AssumeRole", &tags[..], Some("sts:TagSession")),
            ("identity", "sts:AssumeRole", &identity[..], Some("sts:SetSourceIdentity")),
        ] {
            let made = vendor.user(user).policy(&allow(actions)).create().await.unwrap();
            let answer = Client::new(&world.aws, &made).assume(ROLE, more).await;
            let expected = denied.map(|action| {
                format!("403 AccessDenied: {base}/{user} is not authorized to perform: {action} on resource: {ROLE}")
            });
            assert_eq!((!answer.status.is_success()).then(|| answer.refusal()), expected, "{user}");
        }
        let all_user = world.vendor().await;
        customer.update_trust("orders", &trust(VENDOR, &all[..1])).await.unwrap();
        for (more, action) in [(&tags[..], "sts:TagSession"), (&identity[..], "sts:SetSourceIdentity")] {
            let answer = all_user.assume(ROLE, more).await;
            assert_eq!(
                answer.refusal(),
                format!("403 AccessDenied: {base}/app is not authorized to perform: {action} on resource: {ROLE}")
            );
        }
    })
    .await;
}

#[tokio::test]
async fn policies_of_a_session_only_narrow_it() {
    bounded(async {
        let world = World::new().await;
        let client = orders(&world, &["sts:AssumeRole"]).await;
        let on = |action: &str, key: &str| json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": action, "Resource": format!("arn:aws:s3:::lake/{key}")}}).to_string();
        let made = client.iam("CreatePolicy", &[("PolicyName", "reads"), ("PolicyDocument", &on("s3:GetObject", "*"))]).await;
        let reads = made.element("Arn");
        assert_eq!(reads, "arn:aws:iam::111111111111:policy/reads");
        client.put("/lake/k", "1").await;
        let refused = |action: &str| format!("403 AccessDenied: User: arn:aws:sts::111111111111:assumed-role/orders/test is not authorized to perform: {action} on resource: \"arn:aws:s3:::lake/k\" because no session policy allows the {action} action");
        let (puts, wide) = (on("s3:PutObject", "k"), allow("*"));
        for (more, may_get, may_put) in [
            (&[("Policy", &*puts)][..], false, true),
            (&[("PolicyArns.member.1.arn", &*reads)], true, false),
            (&[("Policy", &*puts), ("PolicyArns.member.1.arn", &*reads)], true, true),
            (&[("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")], true, false),
            (&[("Policy", &*wide)], true, true),
        ] {
            let session = client.with_session(&client.assume(ROLE, more).await);
            let (get, put) = (session.get("/lake/k").await, session.put("/lake/k", "1").await);
            assert_eq!((get.status.is_success(), put.status.is_success()), (may_get, may_put), "{more:?}");
            for (answer, action) in [(get, "s3:GetObject"), (put, "s3:PutObject")] {
                if !answer.status.is_success() {
                    assert_eq!(answer.refusal(), refused(action));
                }
            }
            let beyond = session.kms("ListKeys", &json!({})).await;
            assert_eq!(beyond.json()["__type"], "AccessDeniedException", "a session policy gives nothing");
        }
        let missing = client.assume(ROLE, &[("PolicyArns.member.1.arn", "arn:aws:iam::111111111111:policy/none")]).await;
        assert_eq!(missing.code(), "MalformedPolicyDocument");
        let many: Vec<String> = (1..=11).map(|n| format!("PolicyArns.member.{n}.arn")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|name| (&**name, &*reads)).collect();
        assert_eq!(client.assume(ROLE, &many).await.code(), "ValidationError");
    })
    .await;
}

#[tokio::test]
async fn a_permissions_boundary_only_narrows() {
    bounded(async {
        let world = World::new().await;
        let client = orders(&world, &["sts:AssumeRole"]).await;
        let boundary = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["s3:GetObject", "sts:*"], "Resource": "*"}}).to_string();
        client.iam("CreatePolicy", &[("PolicyName", "edge"), ("PolicyDocument", &boundary)]).await;
        client.put("/lake/k", "1").await;
        let edge = [("RoleName", "orders"), ("PermissionsBoundary", "arn:aws:iam::111111111111:policy/edge")];
        let session = client.with_session(&client.assume(ROLE, &[]).await);
        assert!(session.put("/lake/k", "1").await.status.is_success());
        assert!(client.iam("PutRolePermissionsBoundary", &edge).await.status.is_success());
        assert!(session.get("/lake/k").await.status.is_success());
        assert_eq!(
            session.put("/lake/k", "1").await.refusal(),
            "403 AccessDenied: User: arn:aws:sts::111111111111:assumed-role/orders/test is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::lake/k\" because no permissions boundary allows the s3:PutObject action"
        );
        let who = session.sts(&[("Action", "GetAccessKeyInfo"), ("AccessKeyId", "AKIAAAAAAAAAAAAAAAAA")]).await;
        assert_eq!(who.code(), "AccessDenied", "a boundary gives nothing: {}", who.text());
        assert!(client.iam("DeleteRolePermissionsBoundary", &edge[..1]).await.status.is_success());
        assert!(session.put("/lake/k", "1").await.status.is_success());
    })
    .await;
}

#[tokio::test]
async fn more_than_the_packed_size_holds_is_refused() {
    bounded(async {
        let world = World::new().await;
        let client = orders(&world, &["sts:AssumeRole", "sts:TagSession"]).await;
        let value = "v".repeat(256);
        let tags: Vec<(String, &str)> = (1..=17)
            .flat_map(|n| [(format!("Tags.member.{n}.Key"), KEYS[n - 1]), (format!("Tags.member.{n}.Value"), &*value)])
            .collect();
        let tags: Vec<(&str, &str)> = tags.iter().map(|(name, value)| (&**name, *value)).collect();
        let answer = client.assume(ROLE, &tags).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (400, "PackedPolicyTooLarge"));
        assert!(answer.text().contains("Packed size of session tags consumes 10"), "{}", answer.text());
        let few = client.assume(ROLE, &tags[..4]).await;
        assert_eq!(few.element("PackedPolicySize"), "13");
    })
    .await;
}

const KEYS: [&str; 17] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q"];

#[tokio::test]
async fn a_user_session_may_what_its_user_may_and_ends() {
    bounded(async {
        let clock = Clock::manual(Clock::system().now());
        let world = World::with(AwsOptions { clock: clock.clone(), ..AwsOptions::default() }).await;
        let mut client = world.client();
        client.now = clock.now();
        let token = |more: &[(&'static str, &'static str)]| [&[("Action", "GetSessionToken")], more].concat();
        let mut session = client.with_session(&client.sts(&token(&[("DurationSeconds", "900")])).await);
        assert!(session.key_id.starts_with("ASIA"));
        let who = session.sts(&[("Action", "GetCallerIdentity")]).await;
        assert_eq!(who.element("Arn"), "arn:aws:iam::111111111111:user/admin");
        assert!(session.put("/lake/k", "1").await.status.is_success());
        assert_eq!(
            session.sts(&token(&[])).await.refusal(),
            "403 AccessDenied: Cannot call GetSessionToken with session credentials"
        );
        assert_eq!(session.iam("ListUsers", &[]).await.code(), "InvalidClientTokenId", "not without a second factor");
        assert_eq!(client.sts(&token(&[("DurationSeconds", "129601")])).await.code(), "ValidationError");
        assert_eq!(client.sts(&token(&[("SerialNumber", "x")])).await.code(), "NotImplemented");
        clock.advance(Duration::from_secs(901));
        session.now = clock.now();
        assert_eq!(
            session.sts(&[("Action", "GetCallerIdentity")]).await.refusal(),
            "403 ExpiredToken: The security token included in the request is expired"
        );
        assert_eq!(session.get("/lake/k").await.refusal(), "400 ExpiredToken: The provided token has expired.");
        let listed = session.kms("ListKeys", &json!({})).await;
        assert_eq!((listed.status.as_u16(), listed.json()["__type"].clone()), (400, json!("ExpiredTokenException")));
    })
    .await;
}

#[tokio::test]
async fn nobody_can_be_denied_to_know_who_he_is() {
    bounded(async {
        let world = World::new().await;
        let customer = world.aws.account(CUSTOMER.parse().unwrap());
        let none = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}});
        let user = customer.user("nobody").policy(&none.to_string()).create().await.unwrap();
        let client = Client::new(&world.aws, &user);
        assert_eq!(client.sts(&[("Action", "GetCallerIdentity")]).await.element("Arn"), user.arn.as_str());
        let info = [("Action", "GetAccessKeyInfo"), ("AccessKeyId", &*client.key_id)];
        assert_eq!(client.sts(&info).await.code(), "AccessDenied");
        assert_eq!(world.client().sts(&info).await.element("Account"), CUSTOMER);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_refused_with_the_token_of_another() {
    bounded(async {
        let world = World::new().await;
        let client = orders(&world, &["sts:AssumeRole"]).await;
        let session = client.with_session(&client.assume(ROLE, &[]).await);
        let swapped = Client { key_id: client.key_id.clone(), secret: client.secret.clone(), ..session.clone() };
        let bare = Client { token: None, ..session.clone() };
        let mangled = Client { token: session.token.as_ref().map(|token| token[1..].to_owned()), ..session };
        let who = [("Action", "GetCallerIdentity")];
        for (wrong, s3) in [
            (swapped, "400 InvalidToken: The provided token is malformed or otherwise invalid."),
            (bare, "403 InvalidAccessKeyId: The AWS Access Key Id you provided does not exist in our records."),
            (mangled, "400 InvalidToken: The provided token is malformed or otherwise invalid."),
        ] {
            assert_eq!(wrong.get("/lake/k").await.refusal(), s3);
            let sts = wrong.sts(&who).await.refusal();
            assert_eq!(sts, "403 InvalidClientTokenId: The security token included in the request is invalid.");
        }
    })
    .await;
}

#[tokio::test]
async fn sessions_of_before_a_revocation_may_nothing_and_later_ones_all() {
    bounded(async {
        let clock = Clock::manual(Clock::system().now());
        let world = World::with(AwsOptions { clock: clock.clone(), ..AwsOptions::default() }).await;
        let mut client = orders(&world, &["sts:AssumeRole"]).await;
        client.now = clock.now();
        let mut old = client.with_session(&client.assume(ROLE, &[]).await);
        clock.advance(Duration::from_secs(2));
        (old.now, client.now) = (clock.now(), clock.now());
        assert!(old.put("/lake/k", "1").await.status.is_success());
        world.aws.account(CUSTOMER.parse().unwrap()).revoke_sessions("orders").await.unwrap();
        assert_eq!(
            old.put("/lake/k", "1").await.refusal(),
            "403 AccessDenied: User: arn:aws:sts::111111111111:assumed-role/orders/test is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::lake/k\" with an explicit deny in an identity-based policy"
        );
        clock.advance(Duration::from_secs(1));
        client.now = clock.now();
        let new = client.with_session(&client.assume(ROLE, &[]).await);
        assert!(new.put("/lake/k", "1").await.status.is_success());
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_explained_to_those_who_may_decode_it() {
    bounded(async {
        let world = World::new().await;
        let client = orders(&world, &["sts:AssumeRole"]).await;
        let session = client.with_session(&client.assume(ROLE, &[]).await);
        let refused = session.kms("ListKeys", &json!({})).await;
        let message = refused.header("x-tidegate-authorization-message").to_owned();
        let decode = |message: &str| {
            vec![("Action", "DecodeAuthorizationMessage".to_owned()), ("EncodedMessage", message.to_owned())]
        };
        let ask = async |client: &Client, message: &str| {
            let form = decode(message);
            client.sts(&form.iter().map(|(name, value)| (*name, &**value)).collect::<Vec<_>>()).await
        };
        assert_eq!(ask(&session, &message).await.code(), "AccessDenied");
        assert_eq!(
            ask(&client, "nonsense").await.refusal(),
            "400 InvalidAuthorizationMessageException: Message is not valid"
        );
        let decoded = ask(&client, &message).await.element("DecodedMessage").replace("&quot;", "\"");
        let decoded: serde_json::Value = serde_json::from_str(&decoded).unwrap();
        assert_eq!(decoded["context"]["action"], "kms:ListKeys");
        assert_eq!((decoded["allowed"].clone(), decoded["explicitDeny"].clone()), (json!(false), json!(false)));
    })
    .await;
}
