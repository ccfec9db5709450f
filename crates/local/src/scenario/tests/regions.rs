use std::time::Duration;

use super::{ROLE, asked, bounded, caller, connection, outcome, play, usual_with};
use crate::aws::tests::client::Client;

const IDENTITY: [(&str, &str); 1] = [("Action", "GetCallerIdentity")];

fn at(client: &Client, region: &str) -> Client {
    Client { region: region.to_owned(), ..client.clone() }
}

#[tokio::test]
async fn a_region_without_sts_makes_no_sessions_and_tells_nothing_else() {
    bounded(async {
        let stage = play(&usual_with("[accounts.111111111111.regions]\nsts_deactivated = ['eu-central-1']")).await;
        let client = at(&caller(&stage), "eu-central-1");
        assert_eq!(
            outcome(&client.assume(ROLE, &[("ExternalId", "c-7f3")]).await),
            "403 RegionDisabledException: STS is not activated in this region for account:111111111111. Your account administrator can activate STS in this region using the IAM Console."
        );
        assert_eq!(outcome(&client.sts(&IDENTITY).await), "ok");
        assert_eq!(outcome(&at(&client, "eu-west-1").assume(ROLE, &[("ExternalId", "c-7f3")]).await), "ok");
    })
    .await;
}

#[tokio::test]
async fn a_region_that_one_opts_in_to_knows_those_who_have() {
    bounded(async {
        let bucket = "[buckets.far]\naccount = '111111111111'\nregion = 'ap-east-1'\nobjects.a = 'x'\n";
        // The account of who takes the role on has not opted in; that of the role has.
        let closed = format!("{bucket}[accounts.222222222222.regions]\nopted_in = []");
        let stage = play(&usual_with(&closed)).await;
        let client = caller(&stage);
        let told = outcome(&at(&client, "ap-east-1").sts(&IDENTITY).await);
        assert!(told.starts_with("403 InvalidClientTokenId"), "{told}");
        let session = client.with_session(&client.assume(ROLE, &[("ExternalId", "c-7f3")]).await);
        let told = asked(&at(&session, "ap-east-1"), "GET", "/far/a").await;
        assert_eq!(told, "400 InvalidToken: The provided token is malformed or otherwise invalid.");
        let open = format!("{bucket}[accounts.222222222222.regions]\nopted_in = ['ap-east-1']");
        let stage = play(&usual_with(&open)).await;
        let client = at(&caller(&stage), "ap-east-1");
        let session = client.with_session(&client.assume(ROLE, &[("ExternalId", "c-7f3")]).await);
        assert_eq!(asked(&session, "GET", "/far/a").await, "ok");
    })
    .await;
}

#[tokio::test]
async fn a_token_of_the_global_endpoint_is_good_in_old_regions_only() {
    bounded(async {
        let more = "[connections.lake]\nendpoints.sts = '${endpoint.sts-global}'\n[buckets.far]\naccount = '111111111111'\nregion = 'ap-east-1'\nobjects.a = 'x'";
        let stage = play(&usual_with(more)).await;
        let global = connection(&stage)["endpoints"]["sts"].as_str().unwrap().to_owned();
        let address = global.strip_prefix("http://").unwrap().parse().unwrap();
        let client = Client { address, ..caller(&stage) };
        let session = client.with_session(&client.assume(ROLE, &[("ExternalId", "c-7f3")]).await);
        let session = Client { address: stage.aws().address(), ..session };
        assert_eq!(asked(&session, "GET", "/lake/topics/a").await, "ok");
        let far = at(&session, "ap-east-1");
        assert!(asked(&far, "GET", "/far/a").await.starts_with("400 InvalidToken"));
        assert!(outcome(&far.sts(&IDENTITY).await).starts_with("403 InvalidClientTokenId"));
        // The endpoint itself is one of us-east-1, and of STS.
        let told = outcome(&at(&client, "eu-west-1").sts(&IDENTITY).await);
        assert!(told.starts_with("403 SignatureDoesNotMatch: Credential should be scoped"), "{told}");
        assert!(asked(&client, "GET", "/lake/topics/a").await.starts_with("400 InvalidAction"));

        let base = "[accounts.222222222222.roles.base]\ntrust = { Statement = { Effect = 'Allow', Principal = { Service = 'ec2.amazonaws.com' }, Action = 'sts:AssumeRole' } }\n[caller]\nrole = '222222222222/base'\nglobal_endpoint = true";
        let stage = play(&usual_with(base)).await;
        assert_eq!(outcome(&caller(&stage).sts(&IDENTITY).await), "ok");
        let told = outcome(&at(&caller(&stage), "eu-south-1").sts(&IDENTITY).await);
        assert!(told.starts_with("403 InvalidClientTokenId"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn one_partition_knows_nothing_of_another() {
    bounded(async {
        let stage = play(&usual_with("")).await;
        let abroad = at(&caller(&stage), "us-gov-west-1");
        assert!(outcome(&abroad.sts(&IDENTITY).await).starts_with("403 InvalidClientTokenId"));
        assert!(asked(&abroad, "GET", "/lake/topics/a").await.starts_with("403 InvalidAccessKeyId"));

        let gov = r#"
            title = "GovCloud"
            [accounts.111111111111]
            partition = "aws-us-gov"
            [accounts.111111111111.users.ana.policies.all]
            Statement = { Effect = "Allow", Action = "*", Resource = ["arn:aws-us-gov:s3:::lake/*", "arn:aws-us-gov:iam::111111111111:role/orders"] }
            [accounts.111111111111.roles.orders.trust]
            Statement = { Effect = "Allow", Principal = { AWS = "arn:aws-us-gov:iam::111111111111:user/ana" }, Action = "sts:AssumeRole" }
            [buckets.lake]
            account = "111111111111"
            region = "us-gov-west-1"
            objects.a = "x"
            [caller]
            user = "111111111111/ana"
            [connections.lake]
            region = "us-gov-west-1"
        "#;
        let stage = play(gov).await;
        let client = caller(&stage);
        assert_eq!(client.sts(&IDENTITY).await.element("Arn"), "arn:aws-us-gov:iam::111111111111:user/ana");
        assert_eq!(asked(&client, "GET", "/lake/a").await, "ok");
        let session = client.assume("arn:aws-us-gov:iam::111111111111:role/orders", &[]).await;
        assert_eq!(session.element("Arn"), "arn:aws-us-gov:sts::111111111111:assumed-role/orders/test");
        let told = asked(&client.with_session(&session), "GET", "/lake/a").await;
        assert!(told.contains("\"arn:aws-us-gov:s3:::lake/a\" because no identity-based policy"), "{told}");
        // An ARN with another partition names nobody here.
        let told = outcome(&client.assume(ROLE, &[]).await);
        assert!(told.starts_with("403 AccessDenied: User: arn:aws-us-gov:iam::") && told.ends_with(ROLE), "{told}");
    })
    .await;
}

#[tokio::test]
async fn a_mended_trust_policy_takes_effect_later() {
    bounded(async {
        let stale = "[accounts.111111111111.roles.orders.trust]\nStatement = { Effect = 'Allow', Principal = { AWS = '333333333333' }, Action = 'sts:AssumeRole' }\n[[edits]]\nrole = '111111111111/orders'\nseconds = SECONDS\ntrust = { Statement = { Effect = 'Allow', Principal = { AWS = '222222222222' }, Action = 'sts:AssumeRole' } }";
        let later = play(&usual_with(&stale.replace("SECONDS", "3600"))).await;
        assert!(outcome(&caller(&later).assume(ROLE, &[]).await).starts_with("403 AccessDenied"));
        let soon = play(&usual_with(&stale.replace("SECONDS", "1"))).await;
        let mended = async {
            while outcome(&caller(&soon).assume(ROLE, &[]).await) != "ok" {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), mended).await.unwrap();
    })
    .await;
}
