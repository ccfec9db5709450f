use aws_runtime::auth::PayloadSigningOverride;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Tells the SDK's signer what to sign in place of a body that it cannot look into.
#[derive(Debug)]
pub(crate) struct PayloadSigning(PayloadSigningOverride);

impl PayloadSigning {
    /// Signs the body's SHA-256 (hexadecimal), or leaves the body unsigned.
    pub(crate) fn of(sha256: Option<&str>) -> Self {
        Self(match sha256 {
            Some(sha256) => PayloadSigningOverride::Precomputed(sha256.to_owned()),
            None => PayloadSigningOverride::UnsignedPayload,
        })
    }
}

#[dyn_dispatch_hint]
impl Intercept for PayloadSigning {
    fn name(&self) -> &'static str {
        "PayloadSigning"
    }

    fn modify_before_signing(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(self.0.clone());
        Ok(())
    }
}
