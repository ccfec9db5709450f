//! Credentials that a place hands out, as the document that all such places write.

use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use identity::{AccessKeyId, Error, Session, Signer, StaticKeys};
use serde_json::Value;
use world::Secret;

/// The document: instance metadata, container endpoints and processes have these names in common.
pub(crate) struct Document(Value);

impl Document {
    /// Reads one. The error quotes nothing of it.
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        match serde_json::from_slice(text) {
            Ok(value @ Value::Object(_)) => Ok(Self(value)),
            Ok(_) => Err("it is no JSON object".to_owned()),
            Err(error) => Err(format!("it is no JSON (line {}, column {})", error.line(), error.column())),
        }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    pub(crate) fn number(&self, key: &str) -> Option<i64> {
        self.0.get(key)?.as_i64()
    }

    /// The session in it, whose token is called `token`; keys that do not end if it names no end.
    pub(crate) fn signer(&self, token: &str) -> Result<Signer, String> {
        let part = |key: &str| self.text(key).ok_or_else(|| format!("it lacks {key}"));
        let access_key_id = AccessKeyId::new(part("AccessKeyId")?);
        let secret = Secret::new(part("SecretAccessKey")?);
        let end = match self.text("Expiration") {
            None => None,
            Some(text) => Some(end(text).ok_or("its Expiration is no time")?),
        };
        Ok(match (self.text(token).map(Secret::new), end) {
            (Some(token), Some(end)) => Session::new(access_key_id, secret, token, end).into(),
            (token, _) => StaticKeys { access_key_id, secret, token }.into(),
        })
    }
}

/// `2026-08-30T12:36:00Z`, also with fractions and offsets.
fn end(text: &str) -> Option<SystemTime> {
    DateTime::from_str(text, Format::DateTimeWithOffset).ok().and_then(|time| SystemTime::try_from(time).ok())
}

/// The session with another end: see [`crate::instance`].
pub(crate) fn prolonged(session: &Session, now: SystemTime, by: Duration) -> Session {
    Session::new(session.access_key_id().clone(), session.secret().clone(), session.token().clone(), now + by)
}

/// A base that failed for good.
pub(crate) fn failed(base: &impl ToString, problem: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::Base { base: base.to_string(), problem: problem.into(), hint: hint.into(), passing: false }
}

/// A base that may answer the next time.
pub(crate) fn passing(base: &impl ToString, problem: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::Base { base: base.to_string(), problem: problem.into(), hint: hint.into(), passing: true }
}
