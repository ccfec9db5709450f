mod trial;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_sts::Client;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, Config, IdentityCache, Region, SharedHttpClient};
use aws_sdk_sts::types::{AssumedRoleUser, Credentials, Tag};
use aws_smithy_async::rt::sleep::TokioSleep;
use futures_util::future::BoxFuture;
use identity::roles_anywhere::Pairs;
use identity::{
    AccessKeyId, AssumeRole, AwsClock, Base, Error, Exchange, KeyRule, Lifetime, Refusal, Session, Signer, StsEndpoint,
    WebIdentity,
};
use world::{Environment, Secret};

use crate::bridge::{ClockBridge, credentials};
use crate::failure::{Failure, Loss};

pub use trial::Won;

/// The exchanges that need an AWS client: STS's, and those of the bases.
#[derive(Debug, Clone)]
pub(crate) struct Sts {
    pub(crate) http: SharedHttpClient,
    pub(crate) clock: AwsClock,
    pub(crate) environment: Environment,
    pub(crate) pairs: Pairs,
    /// Whether keys that never end may sign: also the calls on the way to a session that ends.
    pub(crate) keys: KeyRule,
}

/// How long one call of STS may take. It answers in well under a second; longer than this is an outage, and the cache
/// has a live session to serve meanwhile.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(10);

impl Sts {
    fn client(&self, sts: &StsEndpoint, signer: Option<&Signer>) -> Client {
        // One attempt: the session cache decides about the next one, for all who wait.
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(self.http.clone())
            .region(Region::new(sts.region.clone()))
            .time_source(ClockBridge(self.clock.clone()))
            .sleep_impl(TokioSleep::new())
            .identity_cache(IdentityCache::no_cache())
            .disable_clock_skew_correction(true)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(CALL_LIMIT).build())
            .use_fips(sts.fips)
            .use_dual_stack(sts.dual_stack);
        config.set_endpoint_url(sts.endpoint.clone());
        match signer {
            Some(signer @ (Signer::Session(_) | Signer::Keys(_))) => {
                config = config.credentials_provider(credentials(signer));
            }
            Some(Signer::Anonymous) | None => config = config.allow_no_auth(),
        }
        Client::from_conf(config.build())
    }

    pub(crate) async fn assume(&self, role: &AssumeRole, sts: &StsEndpoint, signer: &Signer) -> Result<Session, Error> {
        const OPERATION: &str = "sts:AssumeRole";
        let target = format!("role {}", role.role_arn);
        let tags = role.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let tags =
            tags.collect::<Result<Vec<_>, _>>().map_err(|error| unreachable_because(OPERATION, &target, sts, error))?;
        let mut call = self
            .client(sts, Some(signer))
            .assume_role()
            .role_arn(&role.role_arn)
            .role_session_name(&role.session_name)
            .set_external_id(role.external_id.clone())
            .set_duration_seconds(seconds(role.duration))
            .set_policy(role.policy.clone())
            .set_source_identity(role.source_identity.clone());
        if !tags.is_empty() {
            call = call.set_tags(Some(tags));
        }
        if !role.transitive_tag_keys.is_empty() {
            call = call.set_transitive_tag_keys(Some(role.transitive_tag_keys.clone()));
        }
        match call.send().await {
            Ok(answer) => {
                // The newer member counts the whole token, which nobody can make shorter alone.
                #[expect(deprecated, reason = "what takes its place says something else")]
                let packed = answer.packed_policy_size.or(answer.session_token_utilization);
                let packed = packed.and_then(|percent| u32::try_from(percent).ok());
                let session = session(OPERATION, &target, answer.credentials, answer.assumed_role_user)?;
                Ok(session.packed(packed))
            }
            Err(error) => {
                let failure = Failure::from(error);
                // Who does not answer, or is asked too often, is not asked another question.
                let as_whom = match &failure {
                    Failure::Answered(answer) if answer.status < 429 && !is_throttle(&answer.code) => {
                        self.as_whom(sts, signer).await
                    }
                    _ => signer.principal().map_or_else(|| key_of(signer), str::to_owned),
                };
                let with_external_id = role.external_id.is_some();
                Err(self.explain(failure, Asked { operation: OPERATION, target, as_whom, sts, with_external_id }))
            }
        }
    }

    pub(crate) async fn web_identity(&self, web: &WebIdentity, sts: &StsEndpoint) -> Result<Session, Error> {
        const OPERATION: &str = "sts:AssumeRoleWithWebIdentity";
        let target = format!("role {}", web.role_arn);
        let text = crate::file::read(&web.token_file).await.map_err(|error| {
            crate::ambient::failed(
                &Base::WebIdentity(web.clone()),
                format!("token file {} could not be read ({error})", web.token_file.display()),
                "let the identity provider write its token there (in EKS: the pod's projected service account token), readable \
                 for the user that Tidegate runs as; or correct the path",
            )
        })?;
        // A line break at the end is no part of a JWT, and editors add one.
        let text = Secret::new(text);
        let token = text.expose().trim();
        let call = self.client(sts, None).assume_role_with_web_identity();
        let answer = call
            .role_arn(&web.role_arn)
            .role_session_name(&web.session_name)
            .set_duration_seconds(seconds(web.duration))
            .set_policy(web.policy.clone())
            .web_identity_token(token)
            .send()
            .await;
        match answer {
            Ok(answer) => session(OPERATION, &target, answer.credentials, answer.assumed_role_user),
            Err(error) => {
                let as_whom = format!("the web identity in {}", web.token_file.display());
                let with_external_id = false;
                let mut failure = Failure::from(error);
                // Whoever answers may quote what it was asked.
                if let Failure::Answered(answer) = &mut failure
                    && !token.is_empty()
                {
                    answer.message = answer.message.replace(token, "[hidden]");
                }
                Err(self.explain(failure, Asked { operation: OPERATION, target, as_whom, sts, with_external_id }))
            }
        }
    }

    /// Who `signer` is, for a message: its ARN, by asking if it must be. `GetCallerIdentity` needs no permission; where
    /// it fails all the same, the key id has to do.
    pub(crate) async fn as_whom(&self, sts: &StsEndpoint, signer: &Signer) -> String {
        if let Some(principal) = signer.principal() {
            return principal.to_owned();
        }
        let answer = self.client(sts, Some(signer)).get_caller_identity().send().await;
        match answer.ok().and_then(|answer| answer.arn) {
            Some(arn) => arn,
            None => key_of(signer),
        }
    }

    /// Who AWS takes `signer` for: its ARN.
    pub(crate) async fn caller(&self, sts: &StsEndpoint, signer: &Signer) -> Result<String, Error> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let key = key_of(signer);
        let missing = || Error::Malformed { operation: OPERATION, target: key.clone(), missing: "the ARN" };
        match self.client(sts, Some(signer)).get_caller_identity().send().await {
            Ok(answer) => answer.arn.ok_or_else(missing),
            Err(error) => {
                let (target, as_whom) = (key.clone(), key);
                let asked = Asked { operation: OPERATION, target, as_whom, sts, with_external_id: false };
                Err(self.explain(error.into(), asked))
            }
        }
    }

    fn explain(&self, failure: Failure, asked: Asked<'_>) -> Error {
        let Asked { operation, target, as_whom, sts, with_external_id } = asked;
        match failure {
            Failure::Answered(answer) => {
                let refusal = Refusal {
                    operation,
                    target,
                    as_whom,
                    endpoint: host(sts),
                    status: answer.status,
                    code: answer.name(),
                    message: answer.message,
                    request_id: answer.request_id,
                    with_external_id,
                };
                if let Some(date) = answer.date.filter(|_| refusal.blames_clock()) {
                    self.clock.learn(date);
                }
                Error::Refused(Arc::new(refusal))
            }
            Failure::Lost(Loss::Connection(source) | Loss::Session(source)) | Failure::Unsent(source) => {
                Error::Unreachable { operation, target, endpoint: host(sts), source }
            }
            Failure::Lost(loss @ (Loss::Silent(_) | Loss::Stalled(_))) => {
                Error::Unreachable { operation, target, endpoint: host(sts), source: Arc::new(loss) }
            }
        }
    }
}

struct Asked<'a> {
    operation: &'static str,
    target: String,
    as_whom: String,
    sts: &'a StsEndpoint,
    with_external_id: bool,
}

impl Exchange for Sts {
    fn base<'a>(&'a self, base: &'a Base, sts: &'a StsEndpoint) -> BoxFuture<'a, Result<Signer, Error>> {
        self.first(base, sts)
    }

    fn assume_role<'a>(
        &'a self,
        role: &'a AssumeRole,
        sts: &'a StsEndpoint,
        signer: &'a Signer,
    ) -> BoxFuture<'a, Result<Session, Error>> {
        Box::pin(self.assume(role, sts, signer))
    }
}

fn seconds(lifetime: Lifetime) -> Option<i32> {
    lifetime.asked().map(|duration| i32::try_from(duration.as_secs()).unwrap_or(i32::MAX))
}

fn session(
    operation: &'static str,
    target: &str,
    credentials: Option<Credentials>,
    user: Option<AssumedRoleUser>,
) -> Result<Session, Error> {
    let missing = |missing| Error::Malformed { operation, target: target.to_owned(), missing };
    let credentials = credentials.ok_or_else(|| missing("credentials"))?;
    let expires_at = SystemTime::try_from(credentials.expiration).map_err(|_| missing("a possible expiration"))?;
    let session = Session::new(
        AccessKeyId::new(credentials.access_key_id),
        Secret::new(credentials.secret_access_key),
        Secret::new(credentials.session_token),
        expires_at,
    );
    Ok(match user {
        Some(user) => session.acting_as(user.arn),
        None => session,
    })
}

fn unreachable_because(
    operation: &'static str,
    target: &str,
    sts: &StsEndpoint,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::Unreachable { operation, target: target.to_owned(), endpoint: host(sts), source: Arc::new(error) }
}

fn is_throttle(code: &str) -> bool {
    ["Throttl", "RequestLimit", "TooMany"].iter().any(|word| code.contains(word))
}

/// Who asks, where no ARN is known.
fn key_of(signer: &Signer) -> String {
    format!("access key {}", signer.access_key_id())
}

/// Who is asked, for messages.
fn host(sts: &StsEndpoint) -> String {
    sts.endpoint.clone().unwrap_or_else(|| format!("STS in {}", sts.region))
}
