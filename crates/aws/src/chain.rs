use std::path::PathBuf;

use fault::Diagnose as _;
use futures_util::future::BoxFuture;
use identity::profile::{Followed, ProfileFiles, Source};
use identity::{AccessKeyId, Base, Error, Profile, Signer, StaticKeys, StsEndpoint, WebIdentity};
use world::Secret;

use crate::ambient::failed;
use crate::sts::Sts;
use crate::{container, instance, process};

/// The places where credentials are found in the AWS SDKs' way.
///
/// Ours and not `aws_config`'s: that one says only that nothing was found, not what it looked at and why it was not that.
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
        match self.keys_in_environment() {
            Some(keys) => return Ok(keys.into()),
            None => tried.push("environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set)".to_owned()),
        }
        let profile = Profile::default();
        let files = self.files(&profile).await?;
        let name = self.name(&profile);
        match files.get(&name) {
            // A region alone is no answer to who we are: `aws configure set region` must not hide the machine's role.
            Some(section) if !section.says_who() => tried.push(format!("profile ({name} says nothing of who we are)")),
            Some(_) => return self.follow(&files, &profile).await,
            None if environment.get("AWS_PROFILE").is_some() => return self.follow(&files, &profile).await,
            None => tried.push(format!("profile (there is no profile {name})")),
        }
        if let Some(web) = self.web_identity_in_environment() {
            return self.sts.web_identity(&web, self.endpoint).await.map(Signer::from);
        }
        tried.push("web identity (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not set)".into());
        if container::is_named(environment) {
            return container::session(environment).await;
        }
        tried.push("container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and ..._FULL_URI are not set)".into());
        if instance::is_disabled(environment) {
            tried.push("instance (AWS_EC2_METADATA_DISABLED is true)".into());
        } else {
            match instance::session(environment, &self.sts.clock).await {
                Ok(signer) => return Ok(signer),
                // Which may be an instance that does not answer, or none: what to do about the former is said too.
                Err(error) => {
                    let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
                    tried.push(format!("instance ({error}{hint})"));
                }
            }
        }
        Err(Error::NoCredentials { base: Base::DefaultChain.to_string(), tried: tried.join("; ") })
    }

    /// Keys in the environment and nowhere else.
    pub(crate) fn environment(self) -> Result<Signer, Error> {
        self.keys_in_environment().map(Signer::from).ok_or_else(|| {
            failed(
                &Base::Environment,
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set",
                "set both, and AWS_SESSION_TOKEN if they are a session's",
            )
        })
    }

    /// The web identity that the environment names.
    pub(crate) async fn ambient_web_identity(self) -> Result<Signer, Error> {
        match self.web_identity_in_environment() {
            Some(web) => self.sts.web_identity(&web, self.endpoint).await.map(Signer::from),
            None => Err(failed(
                &Base::AmbientWebIdentity,
                "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not both set",
                "annotate the pod's service account with eks.amazonaws.com/role-arn, or set role_arn and token_file at the connection",
            )),
        }
    }

    /// A profile, with all that it leads to.
    pub(crate) async fn profile(self, profile: &Profile) -> Result<Signer, Error> {
        let files = self.files(profile).await?;
        self.follow(&files, profile).await
    }

    /// Files are read, and followed, for every exchange: what renews them (a rotation, a tool) need not tell us.
    async fn follow(self, files: &ProfileFiles, profile: &Profile) -> Result<Signer, Error> {
        let base = Base::Profile(Profile { name: Some(self.name(profile)), ..profile.clone() });
        let followed = files.follow(&self.name(profile));
        let Followed { source, hops } = followed.map_err(|problem| failed(&base, problem.problem, problem.hint))?;
        let mut signer = match source {
            Source::Keys(keys) => keys.into(),
            Source::Environment => self.environment()?,
            Source::Instance => instance::session(&self.sts.environment, &self.sts.clock).await?,
            Source::Container => container::session(&self.sts.environment).await?,
            Source::WebIdentity(web) => self.sts.web_identity(&web, self.endpoint).await?.into(),
            Source::Process(command) => process::session(&base, &command).await?,
        };
        // Here, not at the end alone: behind a role nobody sees any more what it was taken on with.
        self.sts.keys.check(&signer, &base)?;
        for role in &hops {
            signer = self.sts.assume(role, self.endpoint, &signer).await?.into();
        }
        Ok(signer)
    }

    fn name(self, profile: &Profile) -> String {
        let named = profile.name.clone().or_else(|| self.sts.environment.get("AWS_PROFILE"));
        named.unwrap_or_else(|| "default".to_owned())
    }

    fn keys_in_environment(self) -> Option<StaticKeys> {
        let environment = &self.sts.environment;
        Some(StaticKeys {
            access_key_id: AccessKeyId::new(environment.get("AWS_ACCESS_KEY_ID")?),
            secret: Secret::new(environment.get("AWS_SECRET_ACCESS_KEY")?),
            token: environment.get("AWS_SESSION_TOKEN").map(Secret::new),
        })
    }

    fn web_identity_in_environment(self) -> Option<WebIdentity> {
        let environment = &self.sts.environment;
        let (file, role) = (environment.get("AWS_WEB_IDENTITY_TOKEN_FILE")?, environment.get("AWS_ROLE_ARN")?);
        let session_name = environment.get("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "tidegate".into());
        Some(WebIdentity::new(role, file, session_name))
    }

    pub(crate) async fn files(self, profile: &Profile) -> Result<ProfileFiles, Error> {
        let config = self.file(profile.config_file.as_ref(), "AWS_CONFIG_FILE", "config").await?;
        let credentials =
            self.file(profile.credentials_file.as_ref(), "AWS_SHARED_CREDENTIALS_FILE", "credentials").await?;
        Ok(ProfileFiles::parse(&config, &credentials))
    }

    /// A file that is not there is an empty one, as for every AWS tool, unless the connection names it.
    async fn file(self, named: Option<&PathBuf>, variable: &str, usual: &str) -> Result<String, Error> {
        let environment = &self.sts.environment;
        let path = match (named, environment.get(variable), environment.get("HOME")) {
            (Some(path), _, _) => path.clone(),
            (None, Some(path), _) => PathBuf::from(path),
            (None, None, Some(home)) => PathBuf::from(home).join(".aws").join(usual),
            (None, None, None) => return Ok(String::new()),
        };
        match crate::file::read(&path).await {
            Ok(text) => Ok(text),
            Err(error) if named.is_some() => Err(failed(
                &"the profile's files",
                format!("{} could not be read ({error})", path.display()),
                "name a file that this process may read",
            )),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "profile file not read");
                Ok(String::new())
            }
        }
    }
}

impl Sts {
    /// What a base has now.
    pub(crate) fn first<'a>(&'a self, base: &'a Base, sts: &'a StsEndpoint) -> BoxFuture<'a, Result<Signer, Error>> {
        Box::pin(async move {
            let chain = Chain { sts: self, endpoint: sts };
            match base {
                Base::Anonymous => Ok(Signer::Anonymous),
                Base::Keys(keys) => Ok(StaticKeys::clone(keys).into()),
                Base::Environment => chain.environment(),
                Base::DefaultChain => chain.first_configured().await,
                Base::WebIdentity(web) => self.web_identity(web, sts).await.map(Signer::from),
                Base::AmbientWebIdentity => chain.ambient_web_identity().await,
                Base::Container => container::session(&self.environment).await,
                Base::Instance => instance::session(&self.environment, &self.clock).await,
                Base::RolesAnywhere(declared) => self.roles_anywhere(declared).await.map(Signer::from),
                Base::Profile(profile) => chain.profile(profile).await,
            }
        })
    }
}
