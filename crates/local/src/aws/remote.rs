use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::admin::PREFIX;
use super::error::AwsError;
use super::faults::FaultRule;

/// How long to wait for an answer: it comes from this machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The fault plane of an embedded AWS in another process on this machine.
#[derive(Debug, Clone)]
pub struct Remote {
    endpoint: String,
}

impl Remote {
    /// The one that listens at `endpoint`, as in `http://127.0.0.1:4566`.
    pub fn new(endpoint: &str) -> Self {
        Self { endpoint: endpoint.trim_end_matches('/').to_owned() }
    }

    /// Adds a fault and gives its number.
    pub async fn add_fault(&self, rule: &FaultRule) -> Result<u64, AwsError> {
        let said = self.ask(Method::POST, "faults", &json!(rule)).await?;
        said["number"].as_u64().ok_or_else(|| self.refused("it gave the fault no number"))
    }

    /// The faults: number, rule, and how often each has struck.
    pub async fn faults(&self) -> Result<Vec<(u64, FaultRule, u64)>, AwsError> {
        let said = self.ask(Method::GET, "faults", &Value::Null).await?;
        let read = |mut entry: Value| {
            let rule = serde_json::from_value(entry["rule"].take()).ok()?;
            Some((entry["number"].as_u64()?, rule, entry["struck"].as_u64()?))
        };
        let entries = said.as_array().cloned().unwrap_or_default();
        entries.into_iter().map(read).collect::<Option<_>>().ok_or_else(|| self.refused("it is of another version"))
    }

    /// Removes a fault, or all.
    pub async fn clear_faults(&self, number: Option<u64>) -> Result<(), AwsError> {
        let path = number.map_or_else(|| "faults".to_owned(), |number| format!("faults/{number}"));
        self.ask(Method::DELETE, &path, &Value::Null).await.map(drop)
    }

    /// Takes from all sessions of a role (an ARN) that were made before now all that they may do.
    pub async fn revoke_sessions(&self, role: &str) -> Result<(), AwsError> {
        self.ask(Method::POST, "revoke", &json!({"role": role})).await.map(drop)
    }

    /// From now on, edits of IAM take effect after this many seconds.
    pub async fn set_propagation(&self, seconds: u64) -> Result<(), AwsError> {
        self.ask(Method::PUT, "propagation", &json!({"seconds": seconds})).await.map(drop)
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, AwsError> {
        let asked = tokio::time::timeout(PATIENCE, self.exchange(method, path, body)).await;
        let (status, body) = asked.map_err(|_| self.refused("it does not answer"))??;
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(said);
        }
        Err(self.refused(said["error"].as_str().unwrap_or("it does not know the fault plane")))
    }

    async fn exchange(&self, method: Method, path: &str, body: &Value) -> Result<(StatusCode, Bytes), AwsError> {
        let refused = |error: &dyn std::fmt::Display| self.refused(&error.to_string());
        let uri: Uri = format!("{}{PREFIX}{path}", self.endpoint).parse().map_err(|error| refused(&error))?;
        let authority = uri.authority().ok_or_else(|| self.refused("it is no URL of http"))?;
        let address = (authority.host(), authority.port_u16().unwrap_or(80));
        let stream = TcpStream::connect(address).await.map_err(|error| refused(&error))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| refused(&error))?;
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(uri.path())
            .header("host", authority.as_str())
            .body(Full::new(Bytes::from(text)))
            .map_err(|error| refused(&error))?;
        let asked = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            Ok::<_, hyper::Error>((status, answer.into_body().collect().await?.to_bytes()))
        };
        tokio::select! {
            // The connection is driven while the answer is waited for, and ends with it.
            answer = asked => answer.map_err(|error| refused(&error)),
            Err(error) = connection => Err(refused(&error)),
        }
    }

    fn refused(&self, reason: &str) -> AwsError {
        AwsError::Remote { endpoint: self.endpoint.clone(), reason: reason.to_owned() }
    }
}
