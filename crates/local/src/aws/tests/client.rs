use std::fmt::Write;
use std::net::SocketAddr;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use world::Clock;

use crate::aws::sigv4::{Claim, sha256_hex, sign_for_test};
use crate::aws::xml::Element;
use crate::aws::{Aws, NewUser, time};

/// A client that signs properly and lets everything else be wrong.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) key_id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    pub(crate) region: String,
    pub(crate) now: SystemTime,
}

/// A request before it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    /// What is signed as the body's hash; of the body if `None`.
    pub(crate) hash: Option<String>,
    pub(crate) service: &'static str,
}

impl Ask {
    pub(crate) fn new(method: &'static str, target: &str, body: impl Into<Bytes>) -> Self {
        let (target, body) = (target.to_owned(), body.into());
        Self { method, target, headers: Vec::new(), body, hash: None, service: "s3" }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(crate) fn hash(mut self, hash: &str) -> Self {
        self.hash = Some(hash.to_owned());
        self
    }
}

/// A request as it goes over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) head: String,
    pub(crate) body: Bytes,
    /// For chunks that are signed too.
    pub(in crate::aws) claim: std::sync::Arc<Claim>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the first element `name`, wherever it stands.
    pub(crate) fn element(&self, name: &str) -> String {
        let text = self.text();
        let found = text.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once("</"));
        found.unwrap_or_else(|| panic!("no {name} in {} {text}", self.status)).0.to_owned()
    }

    /// AWS's code of a refusal; empty for what is none.
    pub(crate) fn code(&self) -> String {
        if self.text().contains("<Code>") { self.element("Code") } else { String::new() }
    }

    /// AWS's code and text of a refusal of KMS.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Status, code and text of a refusal, as one line.
    pub(crate) fn refusal(&self) -> String {
        let unescaped = |text: String| text.replace("&quot;", "\"").replace("&gt;", ">").replace("&lt;", "<");
        format!("{} {}: {}", self.status.as_u16(), self.code(), unescaped(self.element("Message")))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Client {
    pub(crate) fn new(aws: &Aws, user: &NewUser) -> Self {
        Self {
            address: aws.address(),
            key_id: user.access_key_id.clone(),
            secret: user.secret_access_key.expose().to_owned(),
            token: None,
            region: "us-east-1".to_owned(),
            now: Clock::system().now(),
        }
    }

    /// The same client with the session that `answer` of AssumeRole holds.
    pub(crate) fn with_session(&self, answer: &Answer) -> Self {
        let token = Some(answer.element("SessionToken"));
        Self { key_id: answer.element("AccessKeyId"), secret: answer.element("SecretAccessKey"), token, ..self.clone() }
    }

    /// The same client with a session whose keys a JSON document names.
    pub(crate) fn with_keys(&self, document: &serde_json::Value, names: [&str; 3]) -> Self {
        let [key_id, secret, token] = names.map(|name| document[name].as_str().unwrap().to_owned());
        Self { key_id, secret, token: Some(token), ..self.clone() }
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.ask(Ask::new("GET", target, "")).await.unwrap()
    }

    pub(crate) async fn put(&self, target: &str, body: impl Into<Bytes>) -> Answer {
        self.ask(Ask::new("PUT", target, body)).await.unwrap()
    }

    pub(crate) async fn post(&self, target: &str, body: &str) -> Answer {
        self.ask(Ask::new("POST", target, body.to_owned())).await.unwrap()
    }

    pub(crate) async fn sts(&self, form: &[(&str, &str)]) -> Answer {
        self.form("sts", "2011-06-15", form).await
    }

    pub(crate) async fn iam(&self, action: &str, more: &[(&str, &str)]) -> Answer {
        self.form("iam", "2010-05-08", &[&[("Action", action)], more].concat()).await
    }

    pub(crate) async fn kms(&self, operation: &str, body: &serde_json::Value) -> Answer {
        let ask = Ask { service: "kms", ..Ask::new("POST", "/", body.to_string()) };
        let ask = ask.header("content-type", "application/x-amz-json-1.1");
        self.ask(ask.header("x-amz-target", format!("TrentService.{operation}"))).await.unwrap()
    }

    async fn form(&self, service: &'static str, version: &str, form: &[(&str, &str)]) -> Answer {
        let mut body = format!("Version={version}");
        for (name, value) in form {
            write!(body, "&{name}={}", crate::aws::uri::encode(value, false)).unwrap();
        }
        let ask = Ask { service, ..Ask::new("POST", "/", body) };
        self.ask(ask.header("content-type", "application/x-www-form-urlencoded")).await.unwrap()
    }

    pub(crate) async fn assume(&self, role: &str, more: &[(&str, &str)]) -> Answer {
        let form = [("Action", "AssumeRole"), ("RoleArn", role), ("RoleSessionName", "test")];
        self.sts(&[&form[..], more].concat()).await
    }

    /// Signs and sends; an error if the connection ends before an answer.
    pub(crate) async fn ask(&self, ask: Ask) -> std::io::Result<Answer> {
        let signed = self.sign(ask);
        self.send(&signed.head, &signed.body).await
    }

    pub(crate) fn sign(&self, ask: Ask) -> Signed {
        let hash = ask.hash.unwrap_or_else(|| sha256_hex(&ask.body));
        let mut headers = HeaderMap::new();
        let mut set = |name: &str, value: &str| {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        };
        if !ask.headers.iter().any(|(name, _)| *name == "host") {
            set("host", &self.address.to_string());
        }
        set("x-amz-date", &time::compact(self.now));
        set("x-amz-content-sha256", &hash);
        if let Some(token) = &self.token {
            set("x-amz-security-token", token);
        }
        for (name, value) in &ask.headers {
            set(name, value);
        }
        let (path, query) = ask.target.split_once('?').unwrap_or((&ask.target, ""));
        let request = (ask.method, path, query, &*hash);
        let claim = sign_for_test(&self.key_id, &self.secret, &self.region, ask.service, self.now, &headers, request);
        let (key, scope) = (&self.key_id, format!("{}/{}/{}/aws4_request", claim.date, claim.region, claim.service));
        let signed = claim.signed_headers.join(";");
        let mut head = format!("{} {} HTTP/1.1\r\n", ask.method, ask.target);
        for (name, value) in &headers {
            write!(head, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
        }
        if !headers.contains_key("content-length") {
            write!(head, "content-length: {}\r\n", ask.body.len()).unwrap();
        }
        let credential = format!("{key}/{scope}");
        let authorization = format!("Credential={credential}, SignedHeaders={signed}, Signature={}", claim.signature);
        write!(head, "authorization: AWS4-HMAC-SHA256 {authorization}\r\n\r\n").unwrap();
        Signed { head, body: ask.body, claim: std::sync::Arc::new(claim) }
    }

    /// A URL that reads `path` for `seconds`.
    pub(crate) fn presign(&self, path: &str, seconds: u64) -> String {
        self.presign_with("GET", path, seconds, "")
    }

    /// A URL for one request; `hoisted` are headers in the query, as in `&x-amz-acl=private`.
    pub(crate) fn presign_with(&self, method: &str, path: &str, seconds: u64, hoisted: &str) -> String {
        let date = time::compact(self.now);
        let credential = format!("{}/{}/{}/s3/aws4_request", self.key_id, &date[..8], self.region);
        let encode = |text: &str| crate::aws::uri::encode(text, false);
        let mut query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={date}&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host{hoisted}",
            encode(&credential)
        );
        if let Some(token) = &self.token {
            write!(query, "&X-Amz-Security-Token={}", encode(token)).unwrap();
        }
        let mut headers = HeaderMap::new();
        headers.append("host", self.address.to_string().parse().unwrap());
        let request = (method, path, &*query, "UNSIGNED-PAYLOAD");
        let claim = sign_for_test(&self.key_id, &self.secret, &self.region, "s3", self.now, &headers, request);
        format!("{path}?{query}&X-Amz-Signature={}", claim.signature)
    }

    /// Sends bytes as they are, and reads one answer.
    pub(crate) async fn send(&self, head: &str, body: &[u8]) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(head.as_bytes()).await?;
        // The server may answer, or tear the connection, before it has read everything.
        drop(stream.write_all(body).await);
        let is_head = head.starts_with("HEAD ");
        read_answer(&mut stream, is_head).await
    }
}

/// Reads one answer; an error if the connection ends before it is whole.
pub(crate) async fn read_answer(stream: &mut TcpStream, is_head: bool) -> std::io::Result<Answer> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    };
    let mut body = bytes.split_off(end + 4);
    let head = String::from_utf8(bytes).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    assert_ne!(status, StatusCode::CONTINUE, "nobody asked for leave to go on");
    let length = headers.get("content-length").map_or(0, |value| value.to_str().unwrap().parse().unwrap());
    while body.len() < length && !is_head {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Answer { status, headers, body })
}

/// What a listing lists.
pub(crate) fn keys(listing: &Answer) -> Vec<String> {
    let root = Element::parse(&listing.body, "ListBucketResult").unwrap();
    root.all("Contents").map(|entry| entry.child_text("Key").unwrap().to_owned()).collect()
}
