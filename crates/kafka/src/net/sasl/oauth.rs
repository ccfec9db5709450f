use std::fmt;
use std::time::Duration;

use fault::{Chain, Fault};
use futures_util::future::BoxFuture;
use world::Secret;
use zeroize::Zeroizing;

use super::super::Error;
use super::Exchange;
use crate::ErrorCode;

/// A bearer token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token as it goes over the wire.
    pub value: Secret,
    /// SASL extensions (KIP-342): names of letters only, and their values.
    pub extensions: Vec<(String, String)>,
}

/// Where bearer tokens come from: a configured login, or a session of somebody else (an MSK token is signed with an AWS
/// session).
///
/// Asked once for each authentication; whoever has an expensive source caches by itself.
pub trait TokenProvider: fmt::Debug + Send + Sync {
    /// A token that is good now. `address` is the broker's `host:port`.
    fn token<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Token, Fault>>;
}

pub(super) async fn run(exchange: &Exchange<'_>, tokens: &dyn TokenProvider) -> Result<Option<Duration>, Error> {
    let token = tokens
        .token(exchange.shared.address())
        .await
        .map_err(|fault| exchange.failed(format!("there is no token: {}", Chain(fault.as_error()))))?;
    let message = message(&token).map_err(|reason| exchange.failed(reason))?;
    let answer = exchange.send(message.as_bytes().to_vec()).await?;
    if answer.bytes.is_empty() {
        return Ok(answer.lifetime);
    }
    // RFC 7628: a refusal comes as JSON, and the broker ends the exchange after a last word from us.
    let reason = String::from_utf8_lossy(&answer.bytes).into_owned();
    match exchange.send(&b"\x01"[..]).await {
        Err(Error::Refused { code, .. }) => Err(exchange.refused(code, Some(&reason))),
        Ok(_) | Err(_) => Err(exchange.refused(ErrorCode::SASL_AUTHENTICATION_FAILED, Some(&reason))),
    }
}

/// RFC 7628, section 3.1, with control-A between the parts.
fn message(token: &Token) -> Result<Zeroizing<String>, String> {
    let mut message = Zeroizing::new(format!("n,,\x01auth=Bearer {}", token.value.expose()));
    if token.value.expose().contains('\x01') {
        return Err("the token has a control character in it".to_owned());
    }
    for (name, value) in &token.extensions {
        let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic()) && name != "auth";
        if !good || value.contains('\x01') {
            return Err(format!("extension {name} cannot be sent: names have letters only and are not \"auth\""));
        }
        message.push('\x01');
        message.push_str(name);
        message.push('=');
        message.push_str(value);
    }
    message.push_str("\x01\x01");
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_and_extensions_are_framed_by_control_a() {
        let token = Token { value: Secret::new("abc"), extensions: vec![("traceId".into(), "7".into())] };
        assert_eq!(&**message(&token).unwrap(), "n,,\x01auth=Bearer abc\x01traceId=7\x01\x01");
    }

    #[test]
    fn an_extension_cannot_pose_as_the_token() {
        let token = Token { value: Secret::new("abc"), extensions: vec![("auth".into(), "x".into())] };
        assert!(message(&token).is_err());
        let token = Token { value: Secret::new("abc"), extensions: vec![("a".into(), "x\x01auth=y".into())] };
        assert!(message(&token).is_err());
    }
}
