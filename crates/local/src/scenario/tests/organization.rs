use super::{ROLE, asked, assumed, bounded, caller, outcome, play, usual_with};

const DENY_S3: &str =
    "{ Version = '2012-10-17', Statement = { Effect = 'Deny', Action = 's3:GetObject', Resource = '*' } }";

#[tokio::test]
async fn what_an_organisation_forbids_is_told_within_it_and_to_nobody_else() {
    bounded(async {
        let scp = format!("[accounts.111111111111.organization]\nid = 'o-1'\nscps.no-reading = {DENY_S3}");
        let stage = play(&usual_with(&scp)).await;
        let session = assumed(&stage).await;
        let told = asked(&session, "GET", "/lake/topics/a").await;
        assert!(told.ends_with("\"arn:aws:s3:::lake/topics/a\" with an explicit deny in a service control policy"), "{told}");
        assert_eq!(asked(&session, "GET", "/lake?list-type=2").await, "ok");

        // Of the bucket's account, a resource control policy.
        let rcp = "[accounts.111111111111.organization]\nid = 'o-1'\nrcps.ours-only = { Version = '2012-10-17', Statement = { Effect = 'Deny', Principal = '*', Action = 's3:GetObject', Resource = '*' } }";
        let told = asked(&assumed(&play(&usual_with(rcp)).await).await, "GET", "/lake/topics/a").await;
        assert!(told.ends_with("with an explicit deny in a resource control policy"), "{told}");

        // Another account's bucket: told in one organisation, and not to a stranger.
        let elsewhere = "[buckets.lake]\naccount = '333333333333'\n[accounts.333333333333.organization]\nid = 'o-1'\n";
        for (more, expected) in [
            ("[accounts.111111111111.organization]\nid = 'o-1'", "because no resource-based policy allows the s3:GetObject action"),
            ("[accounts.111111111111.organization]\nid = 'o-2'", "403 AccessDenied: Access Denied"),
            ("", "403 AccessDenied: Access Denied"),
        ] {
            let stage = play(&usual_with(&format!("{elsewhere}{more}"))).await;
            let told = asked(&assumed(&stage).await, "GET", "/lake/topics/a").await;
            assert!(told.ends_with(expected), "{more}: {told}");
        }

        // Nothing is allowed where full access is detached.
        let none = "[accounts.222222222222.organization]\nid = 'o-1'\nfull_access = false";
        let told = outcome(&caller(&play(&usual_with(none)).await).assume(ROLE, &[("ExternalId", "c-7f3")]).await);
        assert!(told.starts_with("403 AccessDenied"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn a_policy_that_limits_regions_refuses_some_only() {
    bounded(async {
        let scp = "[accounts.222222222222.organization]\nid = 'o-1'\nscps.regions = { Version = '2012-10-17', Statement = { Effect = 'Deny', Action = '*', Resource = '*', Condition = { StringNotEquals = { 'aws:RequestedRegion' = ['eu-central-1'] } } } }";
        let stage = play(&usual_with(scp)).await;
        let mut client = caller(&stage);
        assert!(outcome(&client.assume(ROLE, &[("ExternalId", "c-7f3")]).await).starts_with("403 AccessDenied"));
        "eu-central-1".clone_into(&mut client.region);
        assert_eq!(outcome(&client.assume(ROLE, &[("ExternalId", "c-7f3")]).await), "ok");
    })
    .await;
}

#[tokio::test]
async fn where_a_request_comes_from_counts() {
    bounded(async {
        let only = |condition: &str| {
            format!("[buckets.lake.policy]\nStatement = {{ Effect = 'Deny', Principal = '*', Action = 's3:*', Resource = ['arn:aws:s3:::lake', 'arn:aws:s3:::lake/*'], Condition = {condition} }}\n")
        };
        let (vpce, ip) = ("{ StringNotEquals = { 'aws:SourceVpce' = 'vpce-1' } }", "{ NotIpAddress = { 'aws:SourceIp' = '203.0.113.0/24' } }");
        let secure = "{ Bool = { 'aws:SecureTransport' = 'false' } }";
        let denied = "with an explicit deny in a resource-based policy";
        let endpoint = "[machine.vpc_endpoints.s3]\nid = 'vpce-1'\n";
        let narrow = "policy = { Statement = { Effect = 'Allow', Principal = '*', Action = 's3:ListBucket', Resource = '*' } }";
        for (row, more, expected) in [
            ("F52", only(vpce), denied),
            ("F52", format!("{}{endpoint}", only(vpce)), "ok"),
            ("F52", format!("{endpoint}{narrow}"), "because no VPC endpoint policy allows the s3:GetObject action"),
            ("F15", only(ip), denied),
            ("F15", format!("{}[machine]\naddress = '203.0.113.7'", only(ip)), "ok"),
            // Behind an endpoint there is no such address.
            ("F15", format!("{}[machine]\naddress = '203.0.113.7'\n{endpoint}", only(ip)), denied),
            ("F54", only(secure), "ok"),
            ("F54", format!("{}[network]\nsecure = false", only(secure)), denied),
        ] {
            let stage = play(&usual_with(&more)).await;
            let told = asked(&assumed(&stage).await, "GET", "/lake/topics/a").await;
            assert!(told.ends_with(expected), "{row} {more}: {told}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_of_s3_does_not_keep_s3_from_its_key() {
    bounded(async {
        let stage = play(&usual_with(
            "[accounts.111111111111.kms_keys.k1]\nregion = 'us-east-1'\n[buckets.lake]\nencryption = { kind = 'aws:kms', key = 'k1' }\n[machine.vpc_endpoints.s3]\npolicy = { Statement = { Effect = 'Allow', Principal = '*', Action = 's3:*', Resource = '*' } }",
        ))
        .await;
        assert_eq!(asked(&assumed(&stage).await, "GET", "/lake/topics/a").await, "ok");
    })
    .await;
}
