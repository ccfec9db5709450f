use jiff::Timestamp;
use world::Secret;

use super::{ControlPlane, Refusal, User};
use crate::{Caller, Credentials, Origin};

/// A login.
#[derive(Debug, Clone)]
pub struct Login {
    /// Three parts of base64url as a JWT has, with `exp`; we look it up, and believe nothing that it says.
    pub token: Secret,
    /// Gets the next one.
    pub refresh_token: Secret,
    /// Who.
    pub user: User,
    /// When the token ends.
    pub expires_at: Timestamp,
}

impl ControlPlane {
    /// Who shows `credentials`. Takes the same time whether the user exists or not.
    pub async fn authenticate(&self, credentials: Credentials, origin: Origin) -> Result<Caller, Refusal> {
        let _ = (credentials, origin);
        todo!("store")
    }

    /// Logs a person in.
    pub async fn login(&self, email: &str, password: &Secret, origin: Origin) -> Result<Login, Refusal> {
        let _ = (email, password, origin);
        todo!("store")
    }

    /// The next token for a refresh token, which is used up.
    pub async fn refresh(&self, refresh_token: &Secret, origin: Origin) -> Result<Login, Refusal> {
        let _ = (refresh_token, origin);
        todo!("store")
    }

    /// Ends the login of `token`.
    pub async fn logout(&self, token: &Secret, origin: Origin) -> Result<(), Refusal> {
        let _ = (token, origin);
        todo!("store")
    }
}
