use std::path::PathBuf;
use std::sync::Arc;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_async::rt::sleep::TokioSleep;
use fault::Chain as Causes;
use identity::{AccessKeyId, Base, Error, Session, Signer, StaticKeys, StsEndpoint, WebIdentity};
use world::Secret;

use crate::bridge::ClockBridge;
use crate::sts::Sts;

/// The places where credentials are found in the AWS SDKs' way.
///
/// Put together here and not by `aws_config`'s default chain: that one reads the process's environment itself, and says
/// only that nothing was found, not what it looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain<'a> {
    pub(crate) sts: &'a Sts,
    pub(crate) endpoint: &'a StsEndpoint,
}

impl Chain<'_> {
    /// The first that is configured of environment, profile, web identity, container and instance. One that is
    /// configured and fails ends the search: going on would act as somebody else than was meant.
    pub(crate) async fn first_configured(self) -> Result<Signer, Error> {
        let environment = &self.sts.environment;
        let mut tried = Vec::new();
        match self.environment_keys() {
            Some(keys) => return Ok(keys.into()),
            None => tried.push("environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set)".to_owned()),
        }
        match self.ask(&Base::Profile(None), &self.profile_provider(None).await).await? {
            Ok(signer) => return Ok(signer),
            Err(reason) => tried.push(format!("profile ({reason})")),
        }
        match (environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"), environment.get("AWS_ROLE_ARN")) {
            (Some(file), Some(role_arn)) => {
                let session_name = environment.get("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "tidegate".into());
                let web = WebIdentity { role_arn, token_file: file.into(), session_name };
                return self.sts.web_identity(&web, self.endpoint).await.map(Signer::from);
            }
            _ => tried.push("web identity (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not set)".into()),
        }
        let container = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
        if container.iter().any(|name| environment.get(name).is_some()) {
            return self.container().await;
        }
        tried.push("container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and ..._FULL_URI are not set)".into());
        if environment.get("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            tried.push("instance (AWS_EC2_METADATA_DISABLED is true)".into());
        } else {
            match self.ask(&Base::Instance, &self.instance_provider()?).await? {
                Ok(signer) => return Ok(signer),
                Err(reason) => tried.push(format!("instance ({reason})")),
            }
        }
        Err(Error::NoCredentials { base: Base::DefaultChain.to_string(), tried: tried.join("; ") })
    }

    pub(crate) async fn container(self) -> Result<Signer, Error> {
        let provider = EcsCredentialsProvider::builder().configure(&self.provider_config()).build();
        self.only(&Base::Container, &provider).await
    }

    pub(crate) async fn instance(self) -> Result<Signer, Error> {
        self.only(&Base::Instance, &self.instance_provider()?).await
    }

    pub(crate) async fn profile(self, name: Option<&str>) -> Result<Signer, Error> {
        self.only(&Base::Profile(name.map(str::to_owned)), &self.profile_provider(name).await).await
    }

    fn environment_keys(self) -> Option<StaticKeys> {
        let environment = &self.sts.environment;
        Some(StaticKeys {
            access_key_id: AccessKeyId::new(environment.get("AWS_ACCESS_KEY_ID")?),
            secret: Secret::new(environment.get("AWS_SECRET_ACCESS_KEY")?),
            token: environment.get("AWS_SESSION_TOKEN").map(Secret::new),
        })
    }

    async fn profile_provider(self, name: Option<&str>) -> ProfileFileCredentialsProvider {
        let mut files = EnvConfigFiles::builder();
        for (kind, variable, usual) in [
            (EnvConfigFileKind::Config, "AWS_CONFIG_FILE", "config"),
            (EnvConfigFileKind::Credentials, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        ] {
            // A file that is not there is an empty one, as for every AWS tool.
            let text = self.profile_file(variable, usual).await.unwrap_or_default();
            files = files.with_contents(kind, text);
        }
        let mut provider =
            ProfileFileCredentialsProvider::builder().configure(&self.provider_config()).profile_files(files.build());
        if let Some(name) = name.map(str::to_owned).or_else(|| self.sts.environment.get("AWS_PROFILE")) {
            provider = provider.profile_name(name);
        }
        provider.build()
    }

    async fn profile_file(self, variable: &str, usual: &str) -> Option<String> {
        let environment = &self.sts.environment;
        let path = match environment.get(variable) {
            Some(path) => PathBuf::from(path),
            None => PathBuf::from(environment.get("HOME")?).join(".aws").join(usual),
        };
        match tokio::fs::read_to_string(&path).await {
            Ok(text) => Some(text),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "profile file not read");
                None
            }
        }
    }

    fn instance_provider(self) -> Result<ImdsCredentialsProvider, Error> {
        let mut client = imds::Client::builder().configure(&self.provider_config());
        if let Some(endpoint) = self.sts.environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") {
            client = client.endpoint(&endpoint).map_err(|error| Error::NoCredentials {
                base: Base::Instance.to_string(),
                tried: format!("AWS_EC2_METADATA_SERVICE_ENDPOINT \"{endpoint}\" ({error})"),
            })?;
        }
        Ok(ImdsCredentialsProvider::builder().configure(&self.provider_config()).imds_client(client.build()).build())
    }

    fn provider_config(self) -> ProviderConfig {
        ProviderConfig::without_region()
            .with_region(Some(Region::new(self.endpoint.region.clone())))
            .with_behavior_version(Some(BehaviorVersion::v2026_01_12()))
            .with_http_client(self.sts.http.clone())
            .with_time_source(ClockBridge(self.sts.clock.clone()))
            .with_sleep_impl(TokioSleep::new())
    }

    /// Asks a base that was named: not being configured is an error.
    async fn only(self, base: &Base, provider: &impl ProvideCredentials) -> Result<Signer, Error> {
        self.ask(base, provider).await?.map_err(|tried| Error::NoCredentials { base: base.to_string(), tried })
    }

    /// Asks a provider; the inner error says why it is not configured.
    async fn ask(self, base: &Base, provider: &impl ProvideCredentials) -> Result<Result<Signer, String>, Error> {
        match provider.provide_credentials().await {
            Ok(credentials) => Ok(Ok(signer(&credentials))),
            Err(error @ CredentialsError::CredentialsNotLoaded(_)) => Ok(Err(Causes(&error).to_string())),
            Err(error @ CredentialsError::InvalidConfiguration(_)) => {
                Err(Error::NoCredentials { base: base.to_string(), tried: Causes(&error).to_string() })
            }
            Err(error) => Err(Error::Unreachable {
                operation: "credentials",
                target: base.to_string(),
                endpoint: base.to_string(),
                source: Arc::new(error),
            }),
        }
    }
}

fn signer(credentials: &Credentials) -> Signer {
    let access_key_id = AccessKeyId::new(credentials.access_key_id());
    let secret = Secret::new(credentials.secret_access_key());
    let token = credentials.session_token().map(Secret::new);
    match (token, credentials.expiry()) {
        (Some(token), Some(expires_at)) => Session::new(access_key_id, secret, token, expires_at).into(),
        (token, _) => StaticKeys { access_key_id, secret, token }.into(),
    }
}
