use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use iam::{AccountId, Arn};
use serde_json::{Map, Value, json};
use world::Secret;

use super::keys::{Algorithm, Keys};
use crate::aws::entity::OidcProvider;
use crate::aws::error::AwsError;
use crate::aws::server::Shared;
use crate::aws::store::timestamp;
use crate::aws::{Account, Aws};

/// The keys of the issuers there are, by URL without its scheme, as IAM names providers.
#[derive(Debug, Default)]
pub(in crate::aws) struct Issuers(RwLock<BTreeMap<String, Arc<Keys>>>);

impl Issuers {
    pub(in crate::aws) fn keys(&self, url: &str) -> Option<Arc<Keys>> {
        self.0.read().expect("no thread panics while it holds this lock").get(url).cloned()
    }

    fn put(&self, url: &str, keys: Keys) {
        self.0.write().expect("no thread panics while it holds this lock").insert(url.to_owned(), Arc::new(keys));
    }
}

/// The audiences of the provider that `account` has for an issuer, if it has one.
pub(in crate::aws) fn audiences(shared: &Shared, account: AccountId, url: &str) -> Option<Vec<String>> {
    let directory = shared.directory();
    let provider = directory.entities(account)?.oidc_providers.get(url)?;
    Some(provider.client_ids.clone())
}

/// An issuer's URL without its scheme; `None` if it is none that IAM takes. One on this machine has no certificate.
pub(super) fn bare(url: &str) -> Option<&str> {
    let here = url.strip_prefix("http://").filter(|rest| rest.starts_with("127.0.0.1"));
    url.strip_prefix("https://").or(here).map(|bare| bare.trim_end_matches('/')).filter(|bare| !bare.is_empty())
}

/// An issuer of tokens, for whoever plays a cluster or a CI service.
#[derive(Debug, Clone)]
pub struct Issuer {
    shared: Arc<Shared>,
    url: String,
}

impl Aws {
    /// An issuer at this URL (`https://..`, as IAM asks for, or one on this machine); it is made if there is none. `None` if
    /// the URL is of another kind.
    pub fn issuer(&self, url: &str) -> Option<Issuer> {
        let bare = bare(url)?;
        let issuers = &self.shared.ambient.issuers;
        if !bare.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/:".contains(&b)) {
            return None;
        }
        if issuers.keys(bare).is_none() {
            issuers.put(bare, Keys::generate()?);
        }
        Some(Issuer { shared: self.shared.clone(), url: url.trim_end_matches('/').to_owned() })
    }
}

impl Account {
    /// Lets the account trust an issuer for these audiences (an IAM OpenID Connect provider).
    pub async fn oidc_provider(&self, issuer: &Issuer, audiences: &[&str]) -> Result<Arn, AwsError> {
        let url = issuer.bare().to_owned();
        let (partition, account) = self.place();
        let arn = OidcProvider::arn_of(partition, account, &url)?;
        let created = timestamp(self.shared.clock.now());
        let client_ids = audiences.iter().map(|audience| (*audience).to_owned()).collect();
        let provider = OidcProvider { arn: arn.clone(), created, client_ids, thumbprints: Vec::new() };
        let id = self.id();
        self.shared
            .change(|directory| {
                directory.entities_mut(id).oidc_providers.insert(url, provider);
                Ok(arn)
            })
            .await
    }
}

impl Issuer {
    /// Its URL, as tokens name it.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn bare(&self) -> &str {
        bare(&self.url).unwrap_or_default()
    }

    /// A token for `subject`, good for `life` from now. `more` are further claims, or others in place of the usual ones.
    pub fn token(&self, algorithm: Algorithm, subject: &str, audience: &str, life: Duration, more: &Value) -> Secret {
        let now = self.shared.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let usual = json!({
            "iss": self.url(), "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + life.as_secs(),
            "jti": uuid::Uuid::from_bytes(rand::random()).to_string(),
        });
        let mut claims: Map<String, Value> = usual.as_object().cloned().unwrap_or_default();
        for (name, value) in more.as_object().into_iter().flatten() {
            claims.insert(name.clone(), value.clone());
        }
        claims.retain(|_, value| !value.is_null());
        let keys = self.shared.ambient.issuers.keys(self.bare()).expect("an issuer has keys from when it is made");
        let header = json!({"alg": algorithm.name(), "typ": "JWT", "kid": keys.id(algorithm)});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&Value::Object(claims)));
        let signature = keys.sign(algorithm, signed.as_bytes()).expect("a key that was made signs");
        Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Replaces its keys: tokens from before are signed by keys that nobody finds any more.
    pub fn rotate_keys(&self) {
        if let Some(keys) = Keys::generate() {
            self.shared.ambient.issuers.put(self.bare(), keys);
        }
    }
}
