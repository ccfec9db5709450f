use super::{asked, assumed, bounded, outcome, play, usual_with};
use crate::aws::tests::client::Ask;

/// A role in the bucket's account with these actions on the bucket and its objects.
fn may(actions: &str) -> String {
    format!(
        "[accounts.111111111111.roles.orders.policies.all]\nStatement = {{ Effect = 'Allow', Action = {actions}, Resource = ['arn:aws:s3:::lake', 'arn:aws:s3:::lake/*'] }}\n"
    )
}

#[tokio::test]
async fn what_a_role_lacks_in_a_bucket_is_refused_and_nothing_else() {
    bounded(async {
        for (row, more, list, get, absent) in [
            ("all", may("['s3:*']"), "ok", "ok", "404 NoSuchKey"),
            ("F42", may("['s3:GetObject']"), "403 AccessDenied", "ok", "403 AccessDenied"),
            ("F42, the other half", may("['s3:ListBucket']"), "ok", "403 AccessDenied", "403 AccessDenied"),
            (
                "F54",
                "[buckets.lake.policy]\nStatement = { Effect = 'Deny', Principal = '*', Action = 's3:GetObject', Resource = 'arn:aws:s3:::lake/*' }".to_owned(),
                "ok",
                "403 AccessDenied",
                "403 AccessDenied",
            ),
        ] {
            let stage = play(&usual_with(&more)).await;
            let session = assumed(&stage).await;
            for (target, expected) in [("/lake?list-type=2", list), ("/lake/topics/a", get), ("/lake/absent", absent)] {
                let told = asked(&session, "GET", target).await;
                assert!(told.starts_with(expected), "{row}: {target}: {told}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_object_of_a_third_account_is_refused_to_the_bucket_s_own_role() {
    bounded(async {
        let text = usual_with("[buckets.lake]\nobject_ownership = 'ObjectWriter'\n[buckets.lake.objects.\"topics/theirs\"]\ntext = 'x'\nowner = '333333333333'");
        let stage = play(&text).await;
        let session = assumed(&stage).await;
        assert_eq!(asked(&session, "GET", "/lake/topics/a").await, "ok");
        assert_eq!(asked(&session, "GET", "/lake/topics/theirs").await, "403 AccessDenied: Access Denied");
        assert_eq!(asked(&session, "HEAD", "/lake/topics/theirs").await, "403");
        assert_eq!(asked(&session, "GET", "/lake?list-type=2").await, "ok");
        // It stands in his bucket, and he may remove it.
        assert_eq!(asked(&session, "DELETE", "/lake/topics/theirs").await, "ok");
    })
    .await;
}

#[tokio::test]
async fn a_bucket_s_default_key_decides_who_writes_and_who_writes_in_parts() {
    bounded(async {
        let key = "arn:aws:kms:us-east-1:111111111111:key/k1";
        let stage = |kms: &str, key_policy: &str| {
            let more = format!(
                "[accounts.111111111111.kms_keys.k1]\nregion = 'us-east-1'\n{key_policy}\n[buckets.lake.encryption]\nkind = 'aws:kms'\nkey = '{key}'\n[accounts.111111111111.roles.orders.policies.all]\nStatement = [{{ Effect = 'Allow', Action = 's3:*', Resource = '*' }}, {{ Effect = 'Allow', Action = {kms}, Resource = '{key}' }}]"
            );
            async move { play(&usual_with(&more)).await }
        };
        // F45: enough for one piece, not for parts, nor for reading.
        let place = stage("['kms:GenerateDataKey']", "").await;
        let session = assumed(&place).await;
        let put = session.put("/lake/new", "x").await;
        assert_eq!((outcome(&put).as_str(), put.header("x-amz-server-side-encryption-aws-kms-key-id")), ("ok", key));
        let begun = session.post("/lake/large?uploads", "").await;
        let target = format!("/lake/large?uploadId={}&partNumber=1", begun.element("UploadId"));
        let told = outcome(&session.put(&target, "x").await);
        assert!(told.starts_with("403 AccessDenied") && told.contains("kms:Decrypt on resource: "), "{told}");
        let told = asked(&session, "GET", "/lake/topics/a").await;
        assert!(told.contains("kms:Decrypt"), "{told}");
        // All of it.
        let place = stage("['kms:GenerateDataKey', 'kms:Decrypt']", "").await;
        assert_eq!(asked(&assumed(&place).await, "GET", "/lake/topics/a").await, "ok");
        // F46: the key's own policy names somebody else.
        let policy = "policy = { Statement = { Effect = 'Allow', Principal = { AWS = '333333333333' }, Action = 'kms:*', Resource = '*' } }";
        let place = stage("['kms:*']", policy).await;
        let told = outcome(&assumed(&place).await.put("/lake/new", "x").await);
        assert!(told.contains("kms:GenerateDataKey") && told.contains("no resource-based policy"), "{told}");
        // What is asked for goes before the default.
        let ask = Ask::new("PUT", "/lake/plain", "x").header("x-amz-server-side-encryption", "AES256");
        assert_eq!(outcome(&assumed(&place).await.ask(ask).await.unwrap()), "ok");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_the_tail_of_an_alias_or_of_another_region_is_no_key() {
    bounded(async {
        let stage = play(&usual_with("")).await;
        let session = assumed(&stage).await;
        for (key, expected) in [
            ("aws/s3", "400 KMS.NotFoundException: Invalid keyId 'aws/s3'"),
            ("arn:aws:kms:eu-west-1:111111111111:key/k1", "400 KMS.NotFoundException: Invalid arn eu-west-1"),
            ("alias/none", "400 KMS.NotFoundException: Key 'alias/none' does not exist"),
        ] {
            let ask = Ask::new("PUT", "/lake/x", "x").header("x-amz-server-side-encryption", "aws:kms");
            let ask = ask.header("x-amz-server-side-encryption-aws-kms-key-id", key);
            assert_eq!(outcome(&session.ask(ask).await.unwrap()), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn a_bucket_elsewhere_or_of_somebody_else_says_where_and_nothing_more() {
    bounded(async {
        let stage = play(&usual_with("[buckets.lake]\nregion = 'eu-central-1'")).await;
        let told = asked(&assumed(&stage).await, "GET", "/lake?list-type=2").await;
        assert!(told.ends_with("the region 'us-east-1' is wrong; expecting 'eu-central-1'"), "{told}");
        let stage = play(&usual_with("[buckets.lake]\naccount = '333333333333'")).await;
        let told = asked(&assumed(&stage).await, "GET", "/lake?list-type=2").await;
        assert_eq!(told, "403 AccessDenied: Access Denied");
    })
    .await;
}

#[tokio::test]
async fn a_stranger_pays_or_is_refused_and_the_owner_never_is() {
    bounded(async {
        let pays = "[buckets.lake]\nrequester_pays = true\n";
        let stage = play(&usual_with(pays)).await;
        assert_eq!(asked(&assumed(&stage).await, "GET", "/lake/topics/a").await, "ok");
        let policy = "account = '333333333333'\npolicy = { Statement = { Effect = 'Allow', Principal = { AWS = '111111111111' }, Action = 's3:*', Resource = ['arn:aws:s3:::lake', 'arn:aws:s3:::lake/*'] } }";
        let stage = play(&usual_with(&format!("{pays}{policy}"))).await;
        let session = assumed(&stage).await;
        assert_eq!(asked(&session, "HEAD", "/lake").await, "ok");
        for target in ["/lake/topics/a", "/lake?list-type=2"] {
            assert_eq!(asked(&session, "GET", target).await, "403 AccessDenied: Access Denied");
            let ask = Ask::new("GET", target, "").header("x-amz-request-payer", "requester");
            assert_eq!(outcome(&session.ask(ask).await.unwrap()), "ok");
        }
    })
    .await;
}

#[tokio::test]
async fn a_canned_acl_needs_acls_and_leave_to_set_one() {
    bounded(async {
        let put = |ownership: &'static str, actions: &'static str, acl: &'static str| async move {
            let text = format!("{}[buckets.lake]\nobject_ownership = '{ownership}'", may(actions));
            let stage = play(&usual_with(&text)).await;
            let ask = Ask::new("PUT", "/lake/x", "x").header("x-amz-acl", acl);
            outcome(&assumed(&stage).await.ask(ask).await.unwrap())
        };
        let all = "['s3:PutObject', 's3:PutObjectAcl']";
        assert!(put("BucketOwnerEnforced", all, "private").await.starts_with("400 AccessControlListNotSupported"));
        assert_eq!(put("BucketOwnerPreferred", all, "bucket-owner-full-control").await, "ok");
        let told = put("BucketOwnerPreferred", "['s3:PutObject']", "bucket-owner-full-control").await;
        assert!(told.contains("s3:PutObjectAcl"), "{told}");
        assert!(put("ObjectWriter", all, "public-read").await.contains("BlockPublicAcls"));
        assert!(put("ObjectWriter", all, "bucket-owner-full-control").await.starts_with("501 NotImplemented"));
    })
    .await;
}

#[tokio::test]
async fn what_a_stranger_writes_is_his_own_unless_he_gives_it_away() {
    bounded(async {
        let policy = "[buckets.lake]\nobject_ownership = 'BucketOwnerPreferred'\npolicy = { Statement = { Effect = 'Allow', Principal = { AWS = '222222222222' }, Action = 's3:*', Resource = 'arn:aws:s3:::lake/*' } }";
        let stage = play(&usual_with(policy)).await;
        let (stranger, owner) = (super::caller(&stage), assumed(&stage).await);
        assert_eq!(outcome(&stranger.put("/lake/his", "x").await), "ok");
        let given = Ask::new("PUT", "/lake/given", "x").header("x-amz-acl", "bucket-owner-full-control");
        assert_eq!(outcome(&stranger.ask(given).await.unwrap()), "ok");
        assert_eq!(asked(&owner, "GET", "/lake/his").await, "403 AccessDenied: Access Denied");
        assert_eq!(asked(&owner, "GET", "/lake/given").await, "ok");
        assert_eq!(asked(&stranger, "GET", "/lake/his").await, "ok");
        // In parts it is his as well.
        let upload = stranger.post("/lake/parts?uploads", "").await.element("UploadId");
        let part = stranger.put(&format!("/lake/parts?uploadId={upload}&partNumber=1"), "x").await;
        let body = format!("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>", part.header("etag"));
        assert_eq!(outcome(&stranger.post(&format!("/lake/parts?uploadId={upload}"), &body).await), "ok");
        assert_eq!(asked(&owner, "GET", "/lake/parts").await, "403 AccessDenied: Access Denied");
    })
    .await;
}

#[tokio::test]
async fn a_locked_version_stays_and_a_write_to_such_a_bucket_brings_its_digest() {
    bounded(async {
        let lock = "[buckets.lake]\nversioning = 'enabled'\nobject_lock = { mode = 'COMPLIANCE', days = 1 }";
        let stage = play(&usual_with(lock)).await;
        let session = assumed(&stage).await;
        let shown = session.get("/lake?object-lock").await.text();
        assert!(shown.contains("<Mode>COMPLIANCE</Mode><Days>1</Days>"), "{shown}");
        let unlocked = play(&usual_with("")).await;
        assert!(
            asked(&assumed(&unlocked).await, "GET", "/lake?object-lock")
                .await
                .starts_with("404 ObjectLockConfigurationNotFoundError")
        );
        let told = outcome(&session.put("/lake/x", "x").await);
        assert!(told.starts_with("400 InvalidRequest: Content-MD5 OR x-amz-checksum-"), "{told}");
        let ask = Ask::new("PUT", "/lake/x", "x").header("content-md5", "ndTkYSaMgDT1yFZOFVxnpg==");
        let put = session.ask(ask).await.unwrap();
        assert_eq!(outcome(&put), "ok");
        let version = put.header("x-amz-version-id").to_owned();
        let head = session.ask(Ask::new("HEAD", "/lake/x", "")).await.unwrap();
        assert_eq!(head.header("x-amz-object-lock-mode"), "COMPLIANCE");
        assert!(head.header("x-amz-object-lock-retain-until-date").ends_with('Z'));
        // A marker hides it, and may go again; the version may not.
        assert_eq!(asked(&session, "DELETE", "/lake/x").await, "ok");
        let told = asked(&session, "DELETE", &format!("/lake/x?versionId={version}")).await;
        assert_eq!(told, "403 AccessDenied: Access Denied because object protected by object lock.");
        assert_eq!(asked(&session, "GET", &format!("/lake/x?versionId={version}")).await, "ok");
    })
    .await;
}

#[tokio::test]
async fn through_an_access_point_both_it_and_its_bucket_must_allow() {
    bounded(async {
        let arn = "arn:aws:s3:us-east-1:111111111111:accesspoint/orders";
        let only_point = format!(
            "[accounts.111111111111.roles.orders.policies.all]\nStatement = {{ Effect = 'Allow', Action = 's3:*', Resource = ['{arn}', '{arn}/object/*'] }}\n"
        );
        let delegated = "[buckets.lake.policy]\nStatement = { Effect = 'Deny', Principal = '*', Action = 's3:*', Resource = ['arn:aws:s3:::lake', 'arn:aws:s3:::lake/*'], Condition = { StringNotEquals = { 's3:DataAccessPointAccount' = '111111111111' } } }\n";
        let point = "[buckets.lake.access_points.orders]\n";
        let narrow = format!("policy = {{ Statement = {{ Effect = 'Deny', Principal = '*', Action = 's3:GetObject', Resource = '{arn}/object/topics/a' }} }}\n");
        let inside = "network_origin = 'VPC'\nvpc = 'vpc-1'\n";
        let endpoint = "[machine.vpc_endpoints.s3]\nvpc = 'vpc-1'\n";
        let explicit = format!("\"{arn}/object/topics/a\" with an explicit deny in a resource-based policy");
        for (more, direct, through) in [
            (point.to_owned(), "ok", "ok"),
            (format!("{only_point}{point}"), "because no identity-based policy allows the s3:GetObject action", "ok"),
            (format!("{delegated}{point}"), "with an explicit deny in a resource-based policy", "ok"),
            (format!("{point}{narrow}"), "ok", &*explicit),
            (format!("{point}{inside}"), "ok", "403 AccessDenied: Access Denied"),
            (format!("{point}{inside}{endpoint}"), "ok", "ok"),
            // The role's own policies must know the access point.
            (format!("{}{point}", may("['s3:*']")), "ok", "because no identity-based policy allows the s3:GetObject action"),
        ] {
            let text = usual_with(&format!("{more}[connections.lake]\nbucket = '${{access_point.orders}}'"));
            let stage = play(&text).await;
            let alias = super::connection(&stage)["bucket"].as_str().unwrap().to_owned();
            assert!(alias.starts_with("orders-") && alias.ends_with("-s3alias"), "{alias}");
            let session = assumed(&stage).await;
            let told = asked(&session, "GET", "/lake/topics/a").await;
            assert!(told.ends_with(direct), "{more}: {told}");
            let told = asked(&session, "GET", &format!("/{alias}/topics/a")).await;
            assert!(told.ends_with(through), "{more}: {told}");
        }
    })
    .await;
}
