use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Provided;
use aws_credential_types::provider::{ProvideCredentials, Result};
use aws_smithy_async::time::TimeSource;
use identity::{AwsClock, Identity, Signer};

/// Lets the SDK ask our session cache, anew for each request.
#[derive(Debug)]
pub(crate) struct CacheBridge(pub(crate) Identity);

impl CacheBridge {
    async fn provide(&self) -> Result {
        self.0.signer().await.map(|signer| credentials(&signer)).map_err(CredentialsError::provider_error)
    }
}

impl ProvideCredentials for CacheBridge {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::new(self.provide())
    }
}

/// What the SDK signs with. It wipes its copy when it drops it.
pub(crate) fn credentials(signer: &Signer) -> Credentials {
    Credentials::new(
        signer.access_key_id().as_str(),
        signer.secret().expose(),
        signer.token().map(|token| token.expose().to_owned()),
        signer.expires_at(),
        "tidegate",
    )
}

/// Lets the SDK sign by AWS's hour.
#[derive(Debug)]
pub(crate) struct ClockBridge(pub(crate) AwsClock);

impl TimeSource for ClockBridge {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
}
