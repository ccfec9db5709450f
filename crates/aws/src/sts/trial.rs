//! Asking for a session that nobody wants: whether a role lets us in.

use aws_sdk_sts::operation::RequestId;
use identity::{AssumeRole, Error, Signer, StsEndpoint};
use world::Secret;

use super::{Asked, seconds};
use crate::Clients;

/// STS gave a session, and it was thrown away unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Won {
    /// What AWS knows the call by.
    pub request_id: Option<String>,
}

impl Clients {
    /// The ARN of whom `signer` acts as. `GetCallerIdentity` needs no permission, and no policy can deny it.
    pub async fn caller_arn(&self, sts: &StsEndpoint, signer: &Signer) -> Result<String, Error> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        if let Some(principal) = signer.principal() {
            return Ok(principal.to_owned());
        }
        let as_whom = format!("access key {}", signer.access_key_id());
        match self.sts().client(sts, Some(signer)).get_caller_identity().send().await {
            Ok(answer) => {
                answer.arn.ok_or(Error::Malformed { operation: OPERATION, target: as_whom, missing: "the ARN" })
            }
            Err(error) => {
                let target = as_whom.clone();
                let asked = Asked { operation: OPERATION, target, as_whom, sts, with_external_id: false };
                Err(self.sts().explain(error.into(), asked))
            }
        }
    }

    /// Asks for a session of `role` (of it: ARN, session name, external ID, duration and policy), signed by `signer` who
    /// acts as `as_whom`, and throws it away: no part of it is read, kept or logged. Never from a cache: what counts is
    /// what STS answers now.
    pub async fn try_role(
        &self,
        role: &AssumeRole,
        sts: &StsEndpoint,
        signer: &Signer,
        as_whom: &str,
    ) -> Result<Won, Error> {
        const OPERATION: &str = "sts:AssumeRole";
        let target = format!("role {}", role.role_arn);
        let call = self
            .sts()
            .client(sts, Some(signer))
            .assume_role()
            .role_arn(&role.role_arn)
            .role_session_name(&role.session_name)
            .set_external_id(role.external_id.clone())
            .set_duration_seconds(seconds(role.duration))
            .set_policy(role.policy.clone());
        match call.send().await {
            Ok(answer) => {
                let request_id = answer.request_id().map(str::to_owned);
                if let Some(credentials) = answer.credentials {
                    // The SDK's strings are not wiped; a secret of ours is.
                    drop((Secret::new(credentials.secret_access_key), Secret::new(credentials.session_token)));
                }
                Ok(Won { request_id })
            }
            Err(error) => {
                let (as_whom, with_external_id) = (as_whom.to_owned(), role.external_id.is_some());
                Err(self
                    .sts()
                    .explain(error.into(), Asked { operation: OPERATION, target, as_whom, sts, with_external_id }))
            }
        }
    }
}
