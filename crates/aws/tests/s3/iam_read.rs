//! Reading roles and users of our own account, against the embedded AWS: signatures are verified, and who may not read is
//! refused.

use std::time::Duration;

use aws::{Clients, IamEndpoint};
use iam::Partition;
use identity::{AccessKeyId, Error, Signer, StaticKeys};
use local::aws::{Aws, AwsOptions, NewUser};
use world::{Clock, Environment};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Sid":"Vendor","Effect":"Allow","Principal":{"AWS":"222222222222"},
    "Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"c 7f3 & more"}}}}"#;

struct World {
    aws: Aws,
    clients: Clients,
    iam: IamEndpoint,
}

impl World {
    async fn new() -> Self {
        let aws = Aws::start(AwsOptions::default()).await.unwrap();
        let clients = Clients::new(Clock::system(), Environment::of::<String, String>([]));
        let iam = IamEndpoint::of(Partition::Aws).at(&aws.endpoint());
        Self { aws, clients, iam }
    }

    async fn user(&self, name: &str, actions: &str) -> (Signer, NewUser) {
        let policy =
            format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":{actions},"Resource":"*"}}}}"#);
        let account = self.aws.account("111111111111".parse().unwrap());
        let user = account.user(name).policy(&policy).create().await.unwrap();
        let keys = StaticKeys {
            access_key_id: AccessKeyId::new(user.access_key_id.clone()),
            secret: user.secret_access_key.clone(),
            token: None,
        };
        (keys.into(), user)
    }
}

#[tokio::test]
async fn a_role_of_ours_shows_whom_it_lets_in_and_for_how_long() {
    let world = World::new().await;
    let (signer, user) = world.user("reader", r#""iam:GetRole""#).await;
    let account = world.aws.account("111111111111".parse().unwrap());
    account.role("orders", TRUST).path("/team/").max_session(Duration::from_hours(2)).create().await.unwrap();
    let role = world.clients.read_role(&world.iam, "orders", &signer, user.arn.as_str()).await.unwrap();
    assert_eq!(role.arn, "arn:aws:iam::111111111111:role/team/orders");
    assert!(role.unique_id.starts_with("AROA"), "{}", role.unique_id);
    assert_eq!(role.max_session, Duration::from_hours(2));
    assert!(role.trust_policy.contains(r#""sts:ExternalId":"c 7f3 & more""#), "{}", role.trust_policy);

    let error = world.clients.read_role(&world.iam, "nobody", &signer, user.arn.as_str()).await.unwrap_err();
    assert!(matches!(&error, Error::Refused(refusal) if refusal.code == "NoSuchEntity"), "{error}");
}

#[tokio::test]
async fn grants_of_a_user_and_of_a_session_of_a_role_are_read_whole() {
    let world = World::new().await;
    let (signer, user) = world.user("reader", r#"["iam:Get*","iam:List*"]"#).await;
    let grants = world.clients.read_grants(&world.iam, user.arn.as_str(), &signer, "reader").await.unwrap();
    assert_eq!((grants.whose.as_str(), grants.unread.as_slice()), ("user reader", &[][..]));
    assert!(grants.unique_id.starts_with("AIDA") && grants.boundary.is_none());
    assert_eq!(grants.arn, user.arn.as_str());
    assert_eq!(grants.policies.len(), 1);
    assert!(grants.policies[0].text.contains("iam:List*"), "{:?}", grants.policies);

    let account = world.aws.account("111111111111".parse().unwrap());
    account
        .role("orders", TRUST)
        .policy(r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#)
        .create()
        .await
        .unwrap();
    let session = "arn:aws:sts::111111111111:assumed-role/orders/tidegate";
    let grants = world.clients.read_grants(&world.iam, session, &signer, "reader").await.unwrap();
    assert_eq!((grants.whose.as_str(), grants.policies.len()), ("role orders", 1));
}

#[tokio::test]
async fn what_may_not_be_read_is_named_or_refused() {
    let world = World::new().await;
    let (signer, user) = world.user("half", r#""iam:List*""#).await;
    let grants = world.clients.read_grants(&world.iam, user.arn.as_str(), &signer, "half").await.unwrap();
    assert!(grants.policies.is_empty());
    let unread = grants.unread.join("; ");
    assert!(unread.contains("(AccessDenied)") && unread.contains("the permissions boundary"), "{unread}");

    let (signer, user) = world.user("none", r#""s3:*""#).await;
    let error = world.clients.read_grants(&world.iam, user.arn.as_str(), &signer, "none").await.unwrap_err();
    assert!(matches!(&error, Error::Refused(refusal) if refusal.code == "AccessDenied"), "{error}");
    assert!(error.to_string().contains("iam:ListUserPolicies") && error.to_string().contains("as none"), "{error}");
}
