use std::time::Duration;

use iam::AccountId;
use serde_json::{Value, json};

use super::base::Base;
use super::caller::entity;
use super::fault::ScenarioFault;
use super::reader::Reader;
use crate::aws::{Algorithm, Aws};

/// The file that the token is in, in the scenario's directory.
const FILE: &str = "web-identity-token";

/// How long tokens live.
const LIFE: Duration = Duration::from_hours(1);

/// A token that a cluster or a CI service has put on the machine.
#[derive(Debug)]
pub(super) struct WebIdentityScript {
    issuer: String,
    subject: String,
    audience: String,
    role: Option<(AccountId, String)>,
    token: Token,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Good,
    Expired,
    NotYetValid,
    /// Signed with a key that the issuer does not have any more.
    Rotated,
    Damaged,
    Missing,
}

pub(super) fn read(scenario: &mut Reader<'_>) -> Option<WebIdentityScript> {
    const TOKENS: [(&str, Token); 6] = [
        ("good", Token::Good),
        ("expired", Token::Expired),
        ("not-yet-valid", Token::NotYetValid),
        ("rotated", Token::Rotated),
        ("damaged", Token::Damaged),
        ("missing", Token::Missing),
    ];
    let mut token = scenario.child("web_identity")?;
    token.only(&["audience", "issuer", "role", "subject", "token"]);
    let issuer = token.required("issuer").unwrap_or_default().to_owned();
    let subject = token.required("subject").unwrap_or_default().to_owned();
    let audience = token.text("audience").unwrap_or("sts.amazonaws.com").to_owned();
    token.required("role");
    let role = entity(&mut token, "role");
    let kind = token.word("token", &TOKENS).unwrap_or(Token::Good);
    Some(WebIdentityScript { issuer, subject, audience, role, token: kind })
}

impl WebIdentityScript {
    pub(super) fn play(
        &self,
        aws: &Aws,
        dir: &std::path::Path,
        now: u64,
        faults: &mut Vec<ScenarioFault>,
    ) -> Option<Base> {
        let Some(issuer) = aws.issuer(&self.issuer) else {
            faults.push(ScenarioFault::new("web_identity.issuer", "must be an https URL of plain letters"));
            return None;
        };
        let (account, name) = self.role.as_ref()?;
        let Some(role) = aws.role_arn(*account, name) else {
            faults.push(ScenarioFault::new("web_identity.role", format!("is no role: {account}/{name}")));
            return None;
        };
        let hour = LIFE.as_secs();
        let claims = match self.token {
            Token::Expired => json!({"iat": now - 2 * hour, "nbf": now - 2 * hour, "exp": now - hour}),
            Token::NotYetValid => json!({"iat": now + hour, "nbf": now + hour, "exp": now + 2 * hour}),
            Token::Good | Token::Rotated | Token::Damaged | Token::Missing => Value::Null,
        };
        let token = issuer.token(Algorithm::Rs256, &self.subject, &self.audience, LIFE, &claims);
        let mut text = token.expose().to_owned();
        match self.token {
            Token::Rotated => issuer.rotate_keys(),
            Token::Damaged => text.truncate(text.len() / 2),
            Token::Good | Token::Expired | Token::NotYetValid | Token::Missing => {}
        }
        let mut base = Base::of("web-identity");
        base.keys = vec![("role_arn", role.to_string()), ("token_file", dir.join(FILE).display().to_string())];
        if self.token != Token::Missing {
            base.files.push((FILE, text));
        }
        Some(base)
    }
}
