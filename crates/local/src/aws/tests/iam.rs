//! IAM by its own API.

use std::time::Duration;

use serde_json::json;
use world::Clock;

use super::client::Client;
use super::{CUSTOMER, World, allow, bounded, trust};
use crate::aws::AwsOptions;

const ROLE: &str = "arn:aws:iam::111111111111:role/app/orders";

#[tokio::test]
async fn a_user_is_made_given_a_key_and_removed() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let name = [("UserName", "ana")];
        let made = client.iam("CreateUser", &[name[0], ("Path", "/team/"), ("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "b")]).await;
        assert_eq!(made.element("Arn"), "arn:aws:iam::111111111111:user/team/ana");
        assert!(made.element("UserId").starts_with("AIDA"));
        assert_eq!(client.iam("CreateUser", &[("UserName", "ANA")]).await.refusal(), "409 EntityAlreadyExists: User with name ANA already exists.");
        let key = client.iam("CreateAccessKey", &name).await;
        let ana = Client { key_id: key.element("AccessKeyId"), secret: key.element("SecretAccessKey"), ..client.clone() };
        assert_eq!(ana.sts(&[("Action", "GetCallerIdentity")]).await.element("UserId"), made.element("UserId"));
        assert_eq!(
            ana.iam("GetUser", &[]).await.refusal(),
            "403 AccessDenied: User: arn:aws:iam::111111111111:user/team/ana is not authorized to perform: iam:GetUser on resource: arn:aws:iam::111111111111:user/team/ana because no identity-based policy allows the iam:GetUser action"
        );
        client.iam("PutUserPolicy", &[name[0], ("PolicyName", "all"), ("PolicyDocument", &allow("iam:Get*"))]).await;
        assert_eq!(ana.iam("GetUser", &[]).await.element("UserName"), "ana");

        let off = [name[0], ("AccessKeyId", &*ana.key_id), ("Status", "Inactive")];
        assert!(client.iam("UpdateAccessKey", &off).await.status.is_success());
        assert_eq!(ana.iam("GetUser", &[]).await.code(), "InvalidClientTokenId");
        assert_eq!(client.iam("ListAccessKeys", &name).await.element("Status"), "Inactive");
        client.iam("CreateAccessKey", &name).await;
        assert_eq!(client.iam("CreateAccessKey", &name).await.refusal(), "409 LimitExceeded: Cannot exceed quota for AccessKeysPerUser: 2");

        let conflict = |what: &str| format!("409 DeleteConflict: Cannot delete entity, must {what} first.");
        assert_eq!(client.iam("DeleteUser", &name).await.refusal(), conflict("delete access keys"));
        for _ in 0..2 {
            let id = client.iam("ListAccessKeys", &name).await.element("AccessKeyId");
            assert!(client.iam("DeleteAccessKey", &[name[0], ("AccessKeyId", &id)]).await.status.is_success());
        }
        assert_eq!(client.iam("DeleteUser", &name).await.refusal(), conflict("delete policies"));
        client.iam("DeleteUserPolicy", &[name[0], ("PolicyName", "all")]).await;
        assert!(client.iam("DeleteUser", &name).await.status.is_success());
        assert_eq!(client.iam("GetUser", &name).await.refusal(), "404 NoSuchEntity: The user with name ana cannot be found.");
    })
    .await;
}

#[tokio::test]
async fn a_role_is_made_read_back_and_removed() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let admin = world.admin.arn.as_str();
        let name = ("RoleName", "orders");
        let document = trust(admin, &["sts:AssumeRole"]);
        let create = [
            name,
            ("Path", "/app/"),
            ("AssumeRolePolicyDocument", &*document),
            ("MaxSessionDuration", "7200"),
            ("Description", "a & b"),
        ];
        let made = client.iam("CreateRole", &create).await;
        assert_eq!((made.element("Arn"), made.element("MaxSessionDuration")), (ROLE.to_owned(), "7200".to_owned()));
        assert_eq!(
            client.iam("CreateRole", &create).await.refusal(),
            "409 EntityAlreadyExists: Role with name orders already exists."
        );
        let read = client.iam("GetRole", &[name]).await;
        let shown = crate::aws::uri::decode(&read.element("AssumeRolePolicyDocument"), false).unwrap();
        let parse = |text: &str| iam::Document::parse(text).unwrap();
        assert_eq!(parse(&shown), parse(&document));
        assert!(client.assume(ROLE, &[("DurationSeconds", "7200")]).await.status.is_success());
        assert_eq!(client.iam("UpdateRole", &[name, ("MaxSessionDuration", "3599")]).await.code(), "ValidationError");
        assert!(client.iam("UpdateRole", &[name, ("MaxSessionDuration", "3600")]).await.status.is_success());
        assert_eq!(
            client.assume(ROLE, &[("DurationSeconds", "7200")]).await.refusal(),
            "400 ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        );

        client.iam("PutRolePolicy", &[name, ("PolicyName", "inline"), ("PolicyDocument", &allow("s3:*"))]).await;
        client.iam("CreatePolicy", &[("PolicyName", "kms"), ("PolicyDocument", &allow("kms:*"))]).await;
        let kms = ("PolicyArn", "arn:aws:iam::111111111111:policy/kms");
        assert!(client.iam("AttachRolePolicy", &[name, kms]).await.status.is_success());
        let session = client.with_session(&client.assume(ROLE, &[]).await);
        assert!(session.put("/lake/k", "1").await.status.is_success());
        assert!(session.kms("ListKeys", &json!({})).await.status.is_success());
        assert_eq!(client.iam("ListAttachedRolePolicies", &[name]).await.element("PolicyName"), "kms");
        assert_eq!(client.iam("ListRolePolicies", &[name]).await.element("member"), "inline");
        assert_eq!(client.iam("GetPolicy", &[kms]).await.element("AttachmentCount"), "1");
        assert_eq!(
            client.iam("DeletePolicy", &[kms]).await.refusal(),
            "409 DeleteConflict: Cannot delete a policy attached to entities."
        );

        let profile = ("InstanceProfileName", "machine");
        client.iam("CreateInstanceProfile", &[profile]).await;
        assert!(client.iam("AddRoleToInstanceProfile", &[profile, name]).await.status.is_success());
        assert_eq!(client.iam("GetInstanceProfile", &[profile]).await.element("RoleName"), "orders");
        let conflict = |what: &str| format!("409 DeleteConflict: Cannot delete entity, must {what} first.");
        assert_eq!(client.iam("DeleteRole", &[name]).await.refusal(), conflict("remove roles from instance profile"));
        client.iam("RemoveRoleFromInstanceProfile", &[profile, name]).await;
        assert_eq!(client.iam("DeleteRole", &[name]).await.refusal(), conflict("detach all policies"));
        client.iam("DetachRolePolicy", &[name, kms]).await;
        assert_eq!(session.kms("ListKeys", &json!({})).await.json()["__type"], "AccessDeniedException");
        assert_eq!(client.iam("DeleteRole", &[name]).await.refusal(), conflict("delete policies"));
        client.iam("DeleteRolePolicy", &[name, ("PolicyName", "inline")]).await;
        assert!(client.iam("DeleteRole", &[name]).await.status.is_success());
        assert_eq!(
            client.iam("GetRole", &[name]).await.refusal(),
            "404 NoSuchEntity: The role with name orders cannot be found."
        );
        assert!(client.iam("DeletePolicy", &[kms]).await.status.is_success());
    })
    .await;
}

#[tokio::test]
async fn a_policy_that_aws_would_not_save_is_not_saved() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let name = ("RoleName", "orders");
        let good = trust(CUSTOMER, &["sts:AssumeRole"]);
        client.iam("CreateRole", &[name, ("AssumeRolePolicyDocument", &good)]).await;
        let condition = |condition: serde_json::Value| {
            json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": CUSTOMER},
                "Action": "sts:AssumeRole", "Condition": condition}})
            .to_string()
        };
        for (document, text) in [
            ("{".to_owned(), "EOF"),
            (allow("sts:AssumeRole"), "principal"),
            (
                trust("arn:aws:iam::111111111111:role/none", &["sts:AssumeRole"]),
                "Invalid principal in policy: \"AWS\":\"arn:aws:iam::111111111111:role/none\"",
            ),
            (trust("arn:aws:iam::111111111111:role/o*", &["sts:AssumeRole"]), "wildcard"),
            (trust(CUSTOMER, &["s3:GetObject"]), "sts actions"),
            (condition(json!({"StringIsh": {"sts:ExternalId": "a"}})), "StringIsh"),
            (condition(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}})), "10.0.0.0/33"),
            (good.replace("2012-10-17", "2020-01-01"), "2020-01-01"),
        ] {
            for action in ["UpdateAssumeRolePolicy", "CreateRole"] {
                let parameter = if action == "CreateRole" { "AssumeRolePolicyDocument" } else { "PolicyDocument" };
                let role = if action == "CreateRole" { ("RoleName", "other") } else { name };
                let answer = client.iam(action, &[role, (parameter, &document)]).await;
                assert!(answer.refusal().starts_with("400 MalformedPolicyDocument: "), "{}", answer.refusal());
                assert!(answer.refusal().contains(text), "{}", answer.refusal());
            }
        }
        let long = trust(CUSTOMER, &["sts:AssumeRole"]).replace("sts:AssumeRole", &format!("sts:{}", "A".repeat(2048)));
        let long = client.iam("UpdateAssumeRolePolicy", &[name, ("PolicyDocument", &long)]).await;
        assert_eq!(long.refusal(), "409 LimitExceeded: Cannot exceed quota for ACLSizePerRole: 2048");
        assert_eq!(client.iam("ListRoles", &[]).await.text().matches("<RoleName>").count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_principal_that_was_removed_is_shown_and_kept_by_its_id() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let user = ("UserName", "ana");
        let id = client.iam("CreateUser", &[user]).await.element("UserId");
        let document = trust("arn:aws:iam::111111111111:user/ana", &["sts:AssumeRole"]);
        client.iam("CreateRole", &[("RoleName", "orders"), ("AssumeRolePolicyDocument", &document)]).await;
        client.iam("DeleteUser", &[user]).await;
        let shown = async || {
            let role = client.iam("GetRole", &[("RoleName", "orders")]).await;
            crate::aws::uri::decode(&role.element("AssumeRolePolicyDocument"), false).unwrap()
        };
        assert!(shown().await.contains(&format!("\"AWS\":\"{id}\"")), "{}", shown().await);
        client.iam("CreateUser", &[user]).await;
        assert!(shown().await.contains(&id), "who is made anew under a name is somebody else");
    })
    .await;
}

#[tokio::test]
async fn every_call_is_authorised_and_of_its_own_account() {
    bounded(async {
        let world = World::new().await;
        let (client, vendor) = (world.client(), world.vendor().await);
        let document = trust(CUSTOMER, &["sts:AssumeRole"]);
        client.iam("CreateRole", &[("RoleName", "orders"), ("AssumeRolePolicyDocument", &document)]).await;
        assert_eq!(vendor.iam("GetRole", &[("RoleName", "orders")]).await.code(), "NoSuchEntity");
        assert!(!vendor.iam("ListRoles", &[]).await.text().contains("orders"));
        let customer = world.aws.account(CUSTOMER.parse().unwrap());
        let nobody = Client::new(&world.aws, &customer.user("nobody").create().await.unwrap());
        let role = ("RoleName", "orders");
        for action in super::super::iam::OPERATIONS {
            let form = [
                role,
                ("UserName", "admin"),
                ("PolicyName", "p"),
                ("PolicyDocument", &*document),
                ("AssumeRolePolicyDocument", &*document),
                ("PolicyArn", "arn:aws:iam::111111111111:policy/p"),
                ("PermissionsBoundary", "arn:aws:iam::111111111111:policy/p"),
                ("InstanceProfileName", "i"),
                ("Url", "https://idp.example"),
                ("ClientID", "c"),
                ("VersionId", "v1"),
                ("OpenIDConnectProviderArn", "arn:aws:iam::111111111111:oidc-provider/idp.example"),
                ("AccessKeyId", &*client.key_id),
                ("Status", "Active"),
            ];
            // Each takes its own of these; a policy of roles is not fit to be one of users.
            let identity = allow("*");
            let form: Vec<(&str, &str)> = form
                .into_iter()
                .map(|(name, value)| {
                    if name == "PolicyDocument" && action != "UpdateAssumeRolePolicy" {
                        (name, &*identity)
                    } else {
                        (name, value)
                    }
                })
                .collect();
            let answer = nobody.iam(action, &form).await;
            assert!(matches!(&*answer.code(), "AccessDenied" | "NotImplemented"), "{action}: {}", answer.text());
            assert_ne!(answer.code(), "InvalidAction", "{action}");
        }
        assert_eq!(nobody.iam("MakeCoffee", &[]).await.code(), "InvalidAction");
    })
    .await;
}

#[tokio::test]
async fn what_is_edited_takes_effect_later_and_reads_back_at_once() {
    bounded(async {
        let clock = Clock::manual(Clock::system().now());
        let world = World::with(AwsOptions {
            clock: clock.clone(),
            propagation: Duration::from_secs(5),
            ..AwsOptions::default()
        })
        .await;
        clock.advance(Duration::from_secs(5));
        let mut client = world.client();
        client.now = clock.now();
        let user = world.aws.account(CUSTOMER.parse().unwrap()).user("ana").create().await.unwrap();
        let mut ana = Client::new(&world.aws, &user);
        ana.now = clock.now();
        let policy = [("UserName", "ana"), ("PolicyName", "all")];
        client.iam("PutUserPolicy", &[policy[0], policy[1], ("PolicyDocument", &allow("*"))]).await;
        assert_eq!(client.iam("GetUserPolicy", &policy).await.element("PolicyName"), "all");
        assert_eq!(ana.get("/lake/k").await.code(), "AccessDenied");
        clock.advance(Duration::from_secs(5));
        (ana.now, client.now) = (clock.now(), clock.now());
        assert_eq!(ana.get("/lake/k").await.code(), "NoSuchKey");
        client.iam("DeleteUserPolicy", &policy).await;
        assert_eq!(client.iam("GetUserPolicy", &policy).await.code(), "NoSuchEntity");
        assert_eq!(ana.get("/lake/k").await.code(), "NoSuchKey", "what is taken away works on for a while");
        clock.advance(Duration::from_secs(5));
        ana.now = clock.now();
        assert_eq!(ana.get("/lake/k").await.code(), "AccessDenied");
    })
    .await;
}

#[tokio::test]
async fn an_identity_provider_is_stored() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let arn = "arn:aws:iam::111111111111:oidc-provider/idp.example/id/1";
        let create = [("Url", "https://idp.example/id/1"), ("ClientIDList.member.1", "sts.amazonaws.com")];
        assert_eq!(client.iam("CreateOpenIDConnectProvider", &create).await.element("OpenIDConnectProviderArn"), arn);
        assert_eq!(client.iam("CreateOpenIDConnectProvider", &create).await.code(), "EntityAlreadyExists");
        assert_eq!(
            client.iam("CreateOpenIDConnectProvider", &[("Url", "ftp://idp.example")]).await.code(),
            "ValidationError"
        );
        let provider = [("OpenIDConnectProviderArn", arn)];
        client.iam("AddClientIDToOpenIDConnectProvider", &[provider[0], ("ClientID", "other")]).await;
        let read = client.iam("GetOpenIDConnectProvider", &provider).await;
        assert_eq!(read.element("Url"), "idp.example/id/1");
        assert!(read.text().contains("<member>sts.amazonaws.com</member><member>other</member>"), "{}", read.text());
        assert!(client.iam("ListOpenIDConnectProviders", &[]).await.text().contains(arn));
        client.iam("DeleteOpenIDConnectProvider", &provider).await;
        assert_eq!(client.iam("GetOpenIDConnectProvider", &provider).await.code(), "NoSuchEntity");
    })
    .await;
}

#[tokio::test]
async fn a_listing_comes_in_pages() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        for name in ["a", "b", "c"] {
            client.iam("CreateUser", &[("UserName", name), ("Path", "/x/")]).await;
        }
        let first = client.iam("ListUsers", &[("PathPrefix", "/x/"), ("MaxItems", "2")]).await;
        assert_eq!((first.text().matches("<UserName>").count(), first.element("IsTruncated")), (2, "true".to_owned()));
        let marker = first.element("Marker");
        let rest = client.iam("ListUsers", &[("PathPrefix", "/x/"), ("Marker", &marker)]).await;
        assert_eq!((rest.element("UserName"), rest.element("IsTruncated")), ("c".to_owned(), "false".to_owned()));
        assert_eq!(client.iam("ListUsers", &[("MaxItems", "0")]).await.code(), "ValidationError");
    })
    .await;
}

#[tokio::test]
async fn everything_made_by_the_api_survives_a_restart() {
    bounded(async {
        let dir = tempfile::tempdir().unwrap();
        let options = || AwsOptions { dir: Some(dir.path().to_owned()), ..AwsOptions::default() };
        let world = World::with(options()).await;
        let client = world.client();
        client.iam("CreateUser", &[("UserName", "ana")]).await;
        let document = trust("arn:aws:iam::111111111111:user/ana", &["sts:AssumeRole"]);
        let role = ("RoleName", "orders");
        client
            .iam(
                "CreateRole",
                &[
                    role,
                    ("AssumeRolePolicyDocument", &document),
                    ("Tags.member.1.Key", "a"),
                    ("Tags.member.1.Value", "b"),
                ],
            )
            .await;
        client.iam("CreatePolicy", &[("PolicyName", "p"), ("PolicyDocument", &allow("s3:*"))]).await;
        client.iam("AttachRolePolicy", &[role, ("PolicyArn", "arn:aws:iam::111111111111:policy/p")]).await;
        client
            .iam(
                "PutRolePermissionsBoundary",
                &[role, ("PermissionsBoundary", "arn:aws:iam::aws:policy/AdministratorAccess")],
            )
            .await;
        client.iam("CreateInstanceProfile", &[("InstanceProfileName", "i")]).await;
        client.iam("CreateOpenIDConnectProvider", &[("Url", "https://idp.example")]).await;
        client.kms("CreateKey", &json!({"Description": "mine"})).await;
        // Trusted by its id, which outlives the user.
        client.iam("DeleteUser", &[("UserName", "ana")]).await;
        let ask = async |client: &Client| {
            let mut all = Vec::new();
            for (action, more) in [
                ("GetRole", role),
                ("ListAttachedRolePolicies", role),
                ("ListUsers", ("", "")),
                ("ListPolicies", ("", "")),
                ("ListInstanceProfiles", ("", "")),
                ("ListOpenIDConnectProviders", ("", "")),
            ] {
                let answer = client.iam(action, &[more]).await;
                assert!(answer.status.is_success(), "{action}: {}", answer.text());
                all.push(answer.text().split("<ResponseMetadata>").next().unwrap().to_owned());
            }
            all.push(client.kms("ListKeys", &json!({})).await.text());
            all
        };
        let before = ask(&client).await;
        world.aws.stop().await;
        let again = World::with(options()).await;
        assert_eq!(ask(&again.client()).await, before);
    })
    .await;
}
