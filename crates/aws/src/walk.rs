use std::time::SystemTime;

use fault::Diagnose as _;
use identity::{Connection, Error, Signer};

use crate::Clients;

/// One stop on the way from a base to the last role: who we are there, by AWS's own word.
#[derive(Debug, Clone)]
pub struct Stop {
    /// What was asked for: `the instance's role`, `role arn:aws:iam::111111111111:role/orders`.
    pub what: String,
    /// The ARN that AWS knows us by; `None` for nobody.
    pub arn: Option<String>,
    /// When the session ends; `None` if it does not, or nobody said.
    pub expires_at: Option<SystemTime>,
    /// What its requests are signed with.
    pub signed_with: SignedWith,
    /// How many percent of STS's room for them the session's policies and tags take up, where STS said so.
    pub packed_percent: Option<u32>,
}

/// What requests are signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignedWith {
    /// Nothing.
    Nothing,
    /// Keys that never end.
    Keys,
    /// A session's keys and token that came without an end: there is one, and nobody said when.
    Token,
    /// A session with its end.
    Session,
}

impl SignedWith {
    fn of(signer: &Signer) -> Self {
        match signer {
            Signer::Anonymous => Self::Nothing,
            Signer::Keys(keys) if keys.token.is_some() => Self::Token,
            Signer::Keys(_) => Self::Keys,
            Signer::Session(_) => Self::Session,
        }
    }
}

impl Clients {
    /// Goes the way of a connection, stop by stop, and asks at each one who we are (`sts:GetCallerIdentity`, which needs no
    /// permission). The last one is an error if the way ends there. The sessions are those that connectors use too.
    pub async fn walk(&self, connection: &Connection) -> Vec<Result<Stop, Error>> {
        let mut stops = Vec::new();
        for length in 0..=connection.hops.len() {
            let part = Connection { hops: connection.hops[..length].to_vec(), ..connection.clone() };
            let stop = self.stop(&part).await;
            let is_end = stop.is_err();
            stops.push(stop);
            if is_end {
                break;
            }
        }
        stops
    }

    async fn stop(&self, part: &Connection) -> Result<Stop, Error> {
        let identity = self.sessions().open(part)?;
        let what = identity.name();
        let mut signer = identity.signer().await?;
        if matches!(signer, Signer::Anonymous) {
            return Ok(Stop {
                what,
                arn: None,
                expires_at: None,
                signed_with: SignedWith::Nothing,
                packed_percent: None,
            });
        }
        let arn = match self.sts().caller(&part.sts, &signer).await {
            // As every request does: a session that AWS has dropped is asked for once more.
            Err(error) if error.code() == "identity.signer-not-accepted" && identity.drop_session(&signer) => {
                signer = identity.signer().await?;
                self.sts().caller(&part.sts, &signer).await?
            }
            answer => answer?,
        };
        let packed_percent = match &signer {
            Signer::Session(session) => session.packed_percent(),
            Signer::Keys(_) | Signer::Anonymous => None,
        };
        let signed_with = SignedWith::of(&signer);
        Ok(Stop { what, arn: Some(arn), expires_at: signer.expires_at(), signed_with, packed_percent })
    }
}
