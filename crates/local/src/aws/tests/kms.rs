//! Encrypted objects: who may write and read them.

use serde_json::{Value, json};

use super::client::{Ask, Client};
use super::{CUSTOMER, VENDOR, World, bounded};

const ALGORITHM: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";

async fn key(client: &Client, policy: Option<Value>) -> String {
    let mut asked = json!({});
    if let Some(policy) = policy {
        asked["Policy"] = json!(policy.to_string());
    }
    let made = client.kms("CreateKey", &asked).await;
    assert!(made.status.is_success(), "{}", made.text());
    made.json()["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

fn put(target: &str, key: &str) -> Ask {
    Ask::new("PUT", target, "body").header(ALGORITHM, "aws:kms").header(KEY_ID, key)
}

/// A user of the customer with all rights in S3 and some in KMS.
async fn user(world: &World, name: &str, kms: &[&str]) -> Client {
    let actions: Vec<&str> = ["s3:*"].iter().chain(kms).copied().collect();
    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}});
    let customer = world.aws.account(CUSTOMER.parse().unwrap());
    Client::new(&world.aws, &customer.user(name).policy(&policy.to_string()).create().await.unwrap())
}

fn refused(user: &str, action: &str, key: &str) -> String {
    format!(
        "403 AccessDenied: User: arn:aws:iam::{CUSTOMER}:user/{user} is not authorized to perform: {action} on resource: {key} because no identity-based policy allows the {action} action"
    )
}

#[tokio::test]
async fn each_step_of_an_encrypted_upload_needs_its_own_right_to_the_key() {
    bounded(async {
        let world = World::new().await;
        let key = key(&world.client(), None).await;
        let none = user(&world, "none", &[]).await;
        let writes = user(&world, "writes", &["kms:GenerateDataKey"]).await;
        let both = user(&world, "both", &["kms:GenerateDataKey", "kms:Decrypt"]).await;

        assert_eq!(none.ask(put("/lake/k", &key)).await.unwrap().refusal(), refused("none", "kms:GenerateDataKey", &key));
        let stored = writes.ask(put("/lake/k", &key)).await.unwrap();
        assert_eq!((stored.status.as_u16(), stored.header(KEY_ID)), (200, &*key));
        assert_eq!(writes.get("/lake/k").await.refusal(), refused("writes", "kms:Decrypt", &key));
        assert_eq!(both.get("/lake/k").await.body, b"body");

        let begin = |target: &str| Ask { method: "POST", ..put(&format!("{target}?uploads"), &key) }.header("x-amz-checksum-algorithm", "CRC32");
        assert_eq!(none.ask(begin("/lake/m")).await.unwrap().refusal(), refused("none", "kms:GenerateDataKey", &key));
        let upload = writes.ask(begin("/lake/m")).await.unwrap().element("UploadId");
        let part = format!("/lake/m?partNumber=1&uploadId={upload}");
        assert_eq!(writes.put(&part, "part").await.refusal(), refused("writes", "kms:Decrypt", &key));
        let sent = both.put(&part, "part").await;
        assert_eq!(writes.get(&format!("/lake/m?uploadId={upload}")).await.refusal(), refused("writes", "kms:Decrypt", &key));
        let body = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag><ChecksumCRC32>{}</ChecksumCRC32></Part></CompleteMultipartUpload>",
            sent.header("etag"),
            sent.header("x-amz-checksum-crc32")
        );
        let complete = format!("/lake/m?uploadId={upload}");
        assert_eq!(writes.post(&complete, &body).await.refusal(), refused("writes", "kms:Decrypt", &key));
        assert!(both.post(&complete, &body).await.status.is_success());
        let copy = |source: &str| Ask::new("PUT", "/lake/copy", "").header("x-amz-copy-source", source);
        assert_eq!(writes.ask(copy("lake/m")).await.unwrap().refusal(), refused("writes", "kms:Decrypt", &key));
        assert!(both.ask(copy("lake/m")).await.unwrap().status.is_success());
        assert_eq!(none.get("/lake/copy").await.body, b"part", "the copy is not encrypted with the key");
    })
    .await;
}

#[tokio::test]
async fn a_key_policy_has_the_first_word() {
    bounded(async {
        let world = World::new().await;
        let admin = world.admin.arn.as_str();
        let only = |action: Value| json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": admin}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": action, "Resource": "*"}]});
        let key = key(&world.client(), Some(only(json!("kms:DescribeKey")))).await;
        let other = user(&world, "other", &["kms:*"]).await;
        // All rights in IAM are none where the key's policy names neither the user nor the account.
        assert_eq!(
            other.ask(put("/lake/k", &key)).await.unwrap().refusal(),
            format!("403 AccessDenied: User: arn:aws:iam::{CUSTOMER}:user/other is not authorized to perform: kms:GenerateDataKey on resource: {key} because no resource-based policy allows the kms:GenerateDataKey action")
        );
        assert!(world.client().ask(put("/lake/k", &key)).await.unwrap().status.is_success());

        // Another account needs the bucket's word, the key's and its own.
        let vendor = world.vendor().await;
        let reads = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/*"}});
        world.client().put("/lake?policy", reads.to_string()).await;
        assert_eq!(vendor.get("/lake/k").await.refusal(), format!("403 AccessDenied: User: arn:aws:iam::{VENDOR}:user/app is not authorized to perform: kms:Decrypt on resource: {key}"));
        let policy = only(json!("kms:Decrypt")).to_string();
        let put_policy = json!({"KeyId": key, "Policy": policy});
        assert!(world.client().kms("PutKeyPolicy", &put_policy).await.status.is_success());
        assert_eq!(vendor.get("/lake/k").await.body, b"body");

        let locked = json!({"KeyId": key, "Policy": json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "kms:*", "Resource": "*"}}).to_string()});
        let answer = world.client().kms("PutKeyPolicy", &locked).await.json();
        assert_eq!((answer["__type"].as_str(), answer["message"].as_str()), (Some("MalformedPolicyDocumentException"), Some("The new key policy will not allow you to update the key policy in the future.")));
    })
    .await;
}

#[tokio::test]
async fn a_grant_lets_its_grantee_use_the_key_until_it_is_revoked() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let admin = world.admin.arn.as_str();
        let policy =
            json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": admin}, "Action": "kms:*", "Resource": "*"}});
        let key = key(&client, Some(policy)).await;
        let user = user(&world, "granted", &[]).await;
        let grantee = format!("arn:aws:iam::{CUSTOMER}:user/granted");
        let grant = json!({"KeyId": key, "GranteePrincipal": grantee, "Operations": ["GenerateDataKey"],
            "Constraints": {"EncryptionContextSubset": {"aws:s3:arn": "arn:aws:s3:::lake/k"}}});
        let made = client.kms("CreateGrant", &grant).await.json();
        assert!(user.ask(put("/lake/k", &key)).await.unwrap().status.is_success());
        assert_eq!(user.ask(put("/lake/other", &key)).await.unwrap().code(), "AccessDenied", "out of its constraint");
        assert_eq!(user.get("/lake/k").await.code(), "AccessDenied", "not among its operations");
        let listed = client.kms("ListGrants", &json!({"KeyId": key})).await.json();
        assert_eq!(listed["Grants"][0]["GranteePrincipal"], json!(grantee));
        assert_eq!(user.kms("ListGrants", &json!({"KeyId": key})).await.json()["__type"], "AccessDeniedException");
        let revoke = json!({"KeyId": key, "GrantId": made["GrantId"]});
        assert!(client.kms("RevokeGrant", &revoke).await.status.is_success());
        assert_eq!(user.ask(put("/lake/k", &key)).await.unwrap().code(), "AccessDenied");
        assert_eq!(client.kms("RevokeGrant", &revoke).await.json()["__type"], "NotFoundException");
        let nobody =
            json!({"KeyId": key, "GranteePrincipal": "arn:aws:iam::111111111111:user/none", "Operations": ["Decrypt"]});
        assert_eq!(client.kms("CreateGrant", &nobody).await.json()["__type"], "InvalidArnException");
        let odd = json!({"KeyId": key, "GranteePrincipal": grantee, "Operations": ["Sing"]});
        assert_eq!(client.kms("CreateGrant", &odd).await.json()["__type"], "ValidationException");
    })
    .await;
}

#[tokio::test]
async fn the_key_of_s3_itself_serves_its_own_account_only() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let own = Ask::new("PUT", "/lake/k", "body").header(ALGORITHM, "aws:kms");
        let plain = user(&world, "plain", &[]).await;
        let stored = plain.ask(own).await.unwrap();
        assert!(stored.header(KEY_ID).starts_with("arn:aws:kms:us-east-1:111111111111:key/"), "{}", stored.text());
        assert_eq!(plain.get("/lake/k").await.body, b"body");
        let reads = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/*"}});
        client.put("/lake?policy", reads.to_string()).await;
        assert_eq!(world.vendor().await.get("/lake/k").await.code(), "AccessDenied");
        let aliases = client.kms("ListAliases", &json!({})).await.json();
        assert_eq!(aliases["Aliases"][0]["AliasName"], "alias/aws/s3");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_missing_disabled_or_elsewhere_is_refused() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let key = key(&client, None).await;
        let ask = async |named: &str| client.ask(put("/lake/k", named)).await.unwrap();
        assert_eq!(ask("no-such-key").await.refusal(), "400 KMS.NotFoundException: Key 'no-such-key' does not exist");
        assert_eq!(
            ask(&key.replace("us-east-1", "eu-west-1")).await.refusal(),
            "400 KMS.NotFoundException: Invalid arn eu-west-1"
        );
        assert!(
            client
                .kms("CreateAlias", &json!({"AliasName": "alias/lake", "TargetKeyId": key}))
                .await
                .status
                .is_success()
        );
        for named in ["alias/lake", key.rsplit('/').next().unwrap(), "arn:aws:kms:us-east-1:111111111111:alias/lake"] {
            assert_eq!(ask(named).await.header(KEY_ID), key, "{named}");
        }
        assert!(client.kms("DisableKey", &json!({"KeyId": key})).await.status.is_success());
        assert_eq!(ask(&key).await.refusal(), format!("400 KMS.DisabledException: {key} is disabled."));
        assert_eq!(client.get("/lake/k").await.code(), "KMS.DisabledException");
        assert!(client.kms("EnableKey", &json!({"KeyId": key})).await.status.is_success());
        assert_eq!(client.get("/lake/k").await.body, b"body");
        assert_eq!(client.kms("Encrypt", &json!({"KeyId": key})).await.status.as_u16(), 501);
        assert_eq!(client.kms("DescribeKey", &json!({"KeyId": "none"})).await.json()["__type"], "NotFoundException");
        assert_eq!(client.kms("CreateKey", &json!({"MultiRegion": true})).await.status.as_u16(), 501);
    })
    .await;
}

#[tokio::test]
async fn a_bucket_policy_can_demand_encryption() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let demand = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::lake/*", "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}}});
        client.put("/lake?policy", demand.to_string()).await;
        assert!(client.put("/lake/k", "1").await.refusal().contains("with an explicit deny in a resource-based policy"));
        let ask = Ask::new("PUT", "/lake/k", "1").header(ALGORITHM, "aws:kms");
        assert!(client.ask(ask).await.unwrap().status.is_success());
    })
    .await;
}
