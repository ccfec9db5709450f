use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use iam::Arn;
use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::{CUSTOMER, World, allow, bounded};
use crate::aws::uri::encode;
use crate::aws::{Algorithm, Issuer};

const ISSUER: &str = "https://oidc.tidegate.test/id/shop";
const SUBJECT: &str = "system:serviceaccount:orders:writer";
const AUDIENCE: &str = "sts.amazonaws.com";
const HOUR: Duration = Duration::from_hours(1);

struct Place {
    world: World,
    issuer: Issuer,
    role: Arn,
}

impl Place {
    async fn new(actions: &[&str]) -> Self {
        let world = World::new().await;
        let issuer = world.aws.issuer(ISSUER).unwrap();
        let account = world.aws.account(CUSTOMER.parse().unwrap());
        let provider = account.oidc_provider(&issuer, &[AUDIENCE]).await.unwrap();
        let trust = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow",
            "Principal": {"Federated": provider.as_str()}, "Action": actions,
            "Condition": {"StringEquals": {
                "oidc.tidegate.test/id/shop:sub": SUBJECT, "oidc.tidegate.test/id/shop:aud": AUDIENCE}}}});
        let role = account.role("writer", &trust.to_string()).policy(&allow("s3:*")).create().await.unwrap();
        Self { world, issuer, role }
    }

    fn token(&self, more: &Value) -> String {
        self.issuer.token(Algorithm::Rs256, SUBJECT, AUDIENCE, HOUR, more).expose().to_owned()
    }

    async fn exchange(&self, token: &str, more: &[(&str, &str)]) -> Answer {
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", self.role.as_str()),
            ("RoleSessionName", "writer"),
            ("WebIdentityToken", token),
        ];
        let pairs = form.iter().chain(more).map(|(name, value)| format!("{name}={}", encode(value, false)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
            self.world.aws.address(),
            body.len()
        );
        self.world.client().send(&head, body.as_bytes()).await.unwrap()
    }

    async fn refused(&self, what: &str, token: &str, code: &str, said: &str) {
        let answer = self.exchange(token, &[]).await;
        let status = if code == "AccessDenied" { 403 } else { 400 };
        assert_eq!((answer.code().as_str(), answer.status.as_u16()), (code, status), "{what}: {}", answer.text());
        assert!(answer.text().contains(said), "{what}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_token_is_exchanged_for_a_session_that_s3_takes() {
    bounded(async {
        let place = Place::new(&["sts:AssumeRoleWithWebIdentity"]).await;
        for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
            let token = place.issuer.token(algorithm, SUBJECT, AUDIENCE, HOUR, &json!({}));
            let answer = place.exchange(token.expose(), &[]).await;
            assert_eq!(answer.element("SubjectFromWebIdentityToken"), SUBJECT);
            assert_eq!(
                (answer.element("Provider"), answer.element("Audience")),
                (ISSUER.to_owned(), AUDIENCE.to_owned())
            );
            let client: Client = place.world.client().with_session(&answer);
            assert!(client.put("/lake/k", "x").await.status.is_success());
        }
        let several = place.token(&json!({"aud": ["other", AUDIENCE]}));
        assert_eq!(place.exchange(&several, &[]).await.element("Audience"), AUDIENCE);
        let long = place.exchange(&place.token(&json!({})), &[("DurationSeconds", "3601")]).await;
        assert!(long.text().contains("MaxSessionDuration"), "{}", long.text());
        let short = place.exchange(&place.token(&json!({})), &[("DurationSeconds", "899")]).await;
        assert_eq!(short.code(), "ValidationError");
        let narrow = place.exchange(&place.token(&json!({})), &[("Policy", &allow("s3:GetObject"))]).await;
        let narrow = place.world.client().with_session(&narrow);
        assert_eq!(narrow.put("/lake/k", "x").await.code(), "AccessDenied");
    })
    .await;
}

#[tokio::test]
async fn a_token_that_is_not_good_is_refused_in_aws_words() {
    bounded(async {
        let place = Place::new(&["sts:AssumeRoleWithWebIdentity"]).await;
        let invalid = "InvalidIdentityToken";
        let denied = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
        let token = |more: Value| place.token(&more);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let good = token(json!({}));
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let (header, body) = signed.split_once('.').unwrap();
        let header_of = |alg: &str| part(&json!({"alg": alg, "typ": "JWT", "kid": "rs256-x"}));
        let stranger = place.world.aws.issuer("https://stranger.tidegate.test").unwrap();
        let stranger = stranger.token(Algorithm::Rs256, SUBJECT, AUDIENCE, HOUR, &json!({})).expose().to_owned();
        let other_body =
            part(&json!({"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "iat": 0, "exp": 9_999_999_999_u64}));
        let now = place.world.client().now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        for (what, token, code, said) in [
            ("wrong audience", token(json!({"aud": "somebody"})), invalid, "Incorrect token audience"),
            ("wrong subject", token(json!({"sub": "system:serviceaccount:orders:other"})), "AccessDenied", denied),
            ("expired", token(json!({"exp": now - 1})), "ExpiredTokenException", "Token expired: current date/time "),
            ("not yet", token(json!({"nbf": now + 400})), invalid, "not yet valid"),
            ("issued later", token(json!({"iat": now + 400, "nbf": null})), invalid, "not yet valid"),
            (
                "unknown issuer",
                stranger,
                invalid,
                "No OpenIDConnect provider found in your account for https://stranger",
            ),
            (
                "issuer by http",
                token(json!({"iss": ISSUER.replace("https", "http")})),
                invalid,
                "No OpenIDConnect provider",
            ),
            ("alg none", format!("{}.{body}.", header_of("none")), invalid, "algorithm"),
            ("alg HS256", format!("{}.{body}.{signature}", header_of("HS256")), invalid, "algorithm"),
            ("unknown key", format!("{}.{body}.{signature}", header_of("RS256")), invalid, "verification key"),
            (
                "no key named",
                format!("{}.{body}.{signature}", part(&json!({"alg": "RS256"}))),
                invalid,
                "verification key",
            ),
            ("another body", format!("{header}.{other_body}.{signature}"), invalid, "signature"),
            ("no signature", format!("{signed}."), invalid, "signature"),
            ("fraction", token(json!({"exp": 4_102_444_800.5})), invalid, "exp is not an integer"),
            ("no expiry", token(json!({"exp": null})), invalid, "required claim: exp"),
            ("no subject", token(json!({"sub": null})), invalid, "required claim: sub"),
            ("no audience", token(json!({"aud": null})), invalid, "required claim: aud"),
            ("no JWT", "abcdef".to_owned(), invalid, "not a valid JWT"),
            ("four parts", format!("{good}.x"), invalid, "not a valid JWT"),
            (
                "tags of another form",
                token(json!({"https://aws.amazon.com/tags": {"principal_tags": {"a": "b"}}})),
                invalid,
                "malformed",
            ),
        ] {
            place.refused(what, &token, code, said).await;
        }
        assert_eq!(place.exchange("x", &[]).await.code(), "ValidationError");
        assert_eq!(place.exchange(&"x".repeat(20_001), &[]).await.code(), "ValidationError");
        place.issuer.rotate_keys();
        place.refused("key from before", &good, invalid, "verification key").await;
        assert!(place.exchange(&place.token(&json!({})), &[]).await.status.is_success());
    })
    .await;
}

#[tokio::test]
async fn another_accounts_provider_lets_nobody_in() {
    bounded(async {
        let mut place = Place::new(&["sts:AssumeRoleWithWebIdentity"]).await;
        let vendor = place.world.aws.account(super::VENDOR.parse().unwrap());
        let provider = format!("arn:aws:iam::{CUSTOMER}:oidc-provider/oidc.tidegate.test/id/shop");
        let trust = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow",
            "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity"}});
        place.role = vendor.role("writer", &trust.to_string()).create().await.unwrap();
        place.refused("no provider there", &place.token(&json!({})), "InvalidIdentityToken", "No OpenIDConnect").await;
        vendor.oidc_provider(&place.issuer, &[AUDIENCE]).await.unwrap();
        place.refused("trusts another's", &place.token(&json!({})), "AccessDenied", "Not authorized").await;
        place.role = format!("arn:aws:iam::{CUSTOMER}:role/nobody").parse().unwrap();
        place.refused("no role", &place.token(&json!({})), "AccessDenied", "Not authorized").await;
    })
    .await;
}

#[tokio::test]
async fn tags_and_source_identity_of_a_token_ask_for_their_own_permission() {
    bounded(async {
        let tags = json!({"https://aws.amazon.com/tags": {
            "principal_tags": {"team": ["shop"]}, "transitive_tag_keys": ["team"]}});
        let identity = json!({"https://aws.amazon.com/source_identity": "ana"});
        let plain = Place::new(&["sts:AssumeRoleWithWebIdentity"]).await;
        plain.refused("tags", &plain.token(&tags), "AccessDenied", "sts:TagSession").await;
        plain.refused("identity", &plain.token(&identity), "AccessDenied", "sts:SetSourceIdentity").await;
        let all = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"];
        let place = Place::new(&all).await;
        assert!(place.exchange(&place.token(&tags), &[]).await.status.is_success());
        assert_eq!(place.exchange(&place.token(&identity), &[]).await.element("SourceIdentity"), "ana");
    })
    .await;
}

#[tokio::test]
async fn an_issuer_shows_its_keys_where_its_document_says() {
    bounded(async {
        let world = World::new().await;
        let issuer = world.aws.issuer(ISSUER).unwrap();
        assert!(world.aws.issuer("http://not.secure.test").is_none());
        let get = |path: String| {
            let world = &world;
            async move {
                let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", world.aws.address());
                let answer = world.client().send(&head, b"").await.unwrap();
                (answer.status.as_u16(), serde_json::from_slice::<Value>(&answer.body).unwrap_or_default())
            }
        };
        let path = "/_oidc/oidc.tidegate.test/id/shop/.well-known/openid-configuration";
        let (status, document) = get(path.to_owned()).await;
        assert_eq!((status, &document["issuer"]), (200, &json!(issuer.url())));
        let keys = document["jwks_uri"].as_str().unwrap().strip_prefix(&world.aws.endpoint()).unwrap().to_owned();
        let (status, keys) = get(keys).await;
        assert_eq!((status, keys["keys"].as_array().unwrap().len()), (200, 2));
        let modulus = URL_SAFE_NO_PAD.decode(keys["keys"][0]["n"].as_str().unwrap()).unwrap();
        assert_eq!((modulus.len(), keys["keys"][0]["e"].as_str()), (256, Some("AQAB")));
        assert_eq!(get("/_oidc/nobody.test/keys".to_owned()).await.0, 404);
    })
    .await;
}
