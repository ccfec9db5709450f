use std::time::Duration;

use super::client::Client;
use super::{CUSTOMER, VENDOR, World, allow, bounded, trust};

const ROLE: &str = "arn:aws:iam::111111111111:role/orders";

#[tokio::test]
async fn a_role_made_anew_is_not_the_one_that_was_trusted() {
    bounded(async {
        let world = World::new().await;
        let (vendor, customer) =
            (world.aws.account(VENDOR.parse().unwrap()), world.aws.account(CUSTOMER.parse().unwrap()));
        let user = vendor.user("app").policy(&allow("sts:*")).create().await.unwrap();
        let app_trust = trust(user.arn.as_str(), &["sts:AssumeRole"]);
        let missing = customer.role("early", &trust("arn:aws:iam::222222222222:role/app", &["sts:AssumeRole"]));
        assert!(missing.create().await.unwrap_err().to_string().contains("does not exist"));

        let app = vendor.role("app", &app_trust).policy(&allow("sts:*")).create().await.unwrap();
        customer
            .role("orders", &trust(app.as_str(), &["sts:AssumeRole"]))
            .policy(&allow("s3:*"))
            .create()
            .await
            .unwrap();
        let client = Client::new(&world.aws, &user);
        let as_app = client.with_session(&client.assume(app.as_str(), &[]).await);
        let as_orders = as_app.with_session(&as_app.assume(ROLE, &[]).await);
        assert!(as_orders.put("/lake/k", "1").await.status.is_success());

        vendor.delete_role("app").await.unwrap();
        assert_eq!(as_app.assume(ROLE, &[]).await.code(), "AccessDenied", "a session of a role that is gone");
        vendor.role("app", &app_trust).policy(&allow("sts:*")).create().await.unwrap();
        let anew = client.with_session(&client.assume(app.as_str(), &[]).await);
        assert_eq!(anew.assume(ROLE, &[]).await.code(), "AccessDenied", "another role of the same name");
        assert_eq!(as_app.assume(ROLE, &[]).await.code(), "AccessDenied", "and the old one's session stays dead");

        customer.update_trust("orders", &trust(app.as_str(), &["sts:AssumeRole"])).await.unwrap();
        assert!(anew.assume(ROLE, &[]).await.status.is_success(), "once it is trusted anew");
    })
    .await;
}

#[tokio::test]
async fn a_chain_of_roles_lasts_an_hour_and_hands_on_what_it_must() {
    bounded(async {
        let world = World::new().await;
        let (vendor, customer) =
            (world.aws.account(VENDOR.parse().unwrap()), world.aws.account(CUSTOMER.parse().unwrap()));
        let user = vendor.user("app").policy(&allow("sts:*")).create().await.unwrap();
        let all = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
        let twelve = Duration::from_hours(12);
        let app = vendor.role("app", &trust(user.arn.as_str(), &all)).policy(&allow("sts:*")).max_session(twelve);
        let app = app.create().await.unwrap();
        let orders = customer.role("orders", &trust(VENDOR, &all)).max_session(twelve).create().await.unwrap();
        let plain = customer.role("plain", &trust(VENDOR, &["sts:AssumeRole"])).create().await.unwrap();

        let client = Client::new(&world.aws, &user);
        assert!(client.assume(orders.as_str(), &[("DurationSeconds", "43200")]).await.status.is_success());
        let tagged = [
            ("DurationSeconds", "7200"),
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", "shop"),
            ("Tags.member.2.Key", "own"),
            ("Tags.member.2.Value", "x"),
            ("TransitiveTagKeys.member.1", "Team"),
        ];
        assert_eq!(client.assume(app.as_str(), &tagged).await.code(), "InvalidParameterValue", "not among the tags");
        let mut tagged = tagged;
        tagged[5].1 = "team";
        let first = client.assume(app.as_str(), &[&tagged[..], &[("SourceIdentity", "ana")]].concat()).await;
        let chained = client.with_session(&first);

        let long = chained.assume(orders.as_str(), &[("DurationSeconds", "3601")]).await;
        assert!(long.text().contains("exceeds the 1 hour session limit for roles assumed by role chaining."));
        assert_eq!(long.code(), "ValidationError");
        assert!(chained.assume(orders.as_str(), &[("DurationSeconds", "3600")]).await.status.is_success());

        let untagged = chained.assume(plain.as_str(), &[]).await;
        assert!(untagged.text().contains("sts:TagSession"), "{}", untagged.text());
        let clash = [("Tags.member.1.Key", "TEAM"), ("Tags.member.1.Value", "other")];
        assert_eq!(chained.assume(orders.as_str(), &clash).await.code(), "InvalidParameterValue");
        let own = [("Tags.member.1.Key", "own"), ("Tags.member.1.Value", "y")];
        assert!(chained.assume(orders.as_str(), &own).await.status.is_success(), "what is not transitive ends here");
        let other = chained.assume(orders.as_str(), &[("SourceIdentity", "bob")]).await;
        assert!(other.text().contains("sts:SetSourceIdentity"), "{}", other.text());
        let kept = chained.assume(orders.as_str(), &[]).await;
        assert_eq!(kept.element("SourceIdentity"), "ana");
    })
    .await;
}

#[tokio::test]
async fn parameters_are_held_to_their_limits() {
    bounded(async {
        let world = World::new().await;
        let customer = world.aws.account(CUSTOMER.parse().unwrap());
        customer.role("orders", &trust(world.admin.arn.as_str(), &["sts:*"])).create().await.unwrap();
        let client = world.client();
        let many: Vec<(String, String)> = (1..=51)
            .flat_map(|n| {
                [(format!("Tags.member.{n}.Key"), format!("k{n}")), (format!("Tags.member.{n}.Value"), String::new())]
            })
            .collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(a, b)| (&**a, &**b)).collect();
        let long = "x".repeat(2049);
        for (more, code, text) in [
            (&[("DurationSeconds", "899")][..], "ValidationError", "Value '899' at 'durationSeconds' failed"),
            (&[("DurationSeconds", "43201")], "ValidationError", "less than or equal to 43200"),
            (&[("DurationSeconds", "3601")], "ValidationError", "MaxSessionDuration set for this role"),
            (&[("ExternalId", "x"), ("SourceIdentity", "x")], "ValidationError", "2 validation errors detected: "),
            (&[("ExternalId", "a b")], "ValidationError", "at 'externalId'"),
            (&[("SourceIdentity", "aws:x")], "ValidationError", "at 'sourceIdentity'"),
            (&[("Policy", &long)], "ValidationError", "less than or equal to 2048"),
            (&[("Policy", "{\"Statement\":[]}")], "MalformedPolicyDocument", "no statement"),
            (&many, "ValidationError", "less than or equal to 50"),
            (&[("Tags.member.1.Key", "AWS:x")], "InvalidParameterValue", "System tags"),
            (&[("Tags.member.1.Key", "a"), ("Tags.member.2.Key", "A")], "InvalidParameterValue", "Duplicate tag keys"),
            (&[("TokenCode", "123456")], "NotImplemented", "TokenCode"),
        ] {
            let answer = client.assume(ROLE, more).await;
            assert_eq!(answer.code(), code, "{}", answer.text());
            assert!(answer.text().replace("&quot;", "\"").contains(text), "{}", answer.text());
        }
        assert_eq!(client.assume("arn:aws:iam::111111111111:user/ana", &[]).await.code(), "ValidationError");
        assert_eq!(client.assume("arn:aws:iam::111111111111:role/other/orders", &[]).await.code(), "AccessDenied");
        assert!(client.assume(ROLE, &[]).await.status.is_success());
    })
    .await;
}
