//! HTTP without TLS to an address on this machine or link: what metadata services speak.
//!
//! Not the SDK's client: a metadata service that does not answer is explained by how it does not, and its errors tell a
//! connection that is refused from one that stays silent only in words.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The largest answer that is read; a session's is 2 KiB.
const LARGEST: usize = 64 << 10;

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) connect: Duration,
    pub(crate) answer: Duration,
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub(crate) enum Silence {
    /// Nobody listens there, or nothing leads there.
    Refused(String),
    /// No connection came about in time.
    NoConnection,
    /// The connection stood, and no answer came in time.
    NoAnswer,
    /// The answer was no HTTP, or broke off.
    Broken(String),
}

impl std::fmt::Display for Silence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "no connection ({why})"),
            Self::NoConnection => f.write_str("no connection in time"),
            Self::NoAnswer => f.write_str("connected, and no answer in time"),
            Self::Broken(why) => write!(f, "the answer broke off ({why})"),
        }
    }
}

/// Sends one request to `authority` (`host:port`).
pub(crate) async fn ask(
    authority: &str,
    request: http::request::Builder,
    patience: Patience,
) -> Result<(StatusCode, Bytes), Silence> {
    let answer = ask_whole(authority, request, patience).await?;
    Ok((answer.status(), answer.into_body()))
}

/// The same, with the answer's headers.
pub(crate) async fn ask_whole(
    authority: &str,
    request: http::request::Builder,
    patience: Patience,
) -> Result<Response<Bytes>, Silence> {
    let broken = |error: &dyn std::fmt::Display| Silence::Broken(error.to_string());
    let request: Request<Empty<Bytes>> =
        request.header("host", authority).body(Empty::new()).map_err(|error| broken(&error))?;
    let stream = match tokio::time::timeout(patience.connect, TcpStream::connect(authority)).await {
        Err(_) => return Err(Silence::NoConnection),
        Ok(Err(error)) => return Err(Silence::Refused(error.to_string())),
        Ok(Ok(stream)) => stream,
    };
    let answer = async {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        // Ends with the sender, or with the far side.
        let driver = tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, LARGEST).collect().await.map_err(|error| broken(&error))?;
        drop(sender);
        driver.abort();
        Ok(Response::from_parts(parts, body.to_bytes()))
    };
    tokio::time::timeout(patience.answer, answer).await.unwrap_or(Err(Silence::NoAnswer))
}

/// A metadata service for tests: answers each request by its first line (`GET /path`), or not at all.
#[cfg(test)]
pub(crate) async fn serve(answer: impl Fn(&str, &str) -> Option<String> + Send + Sync + 'static) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = std::sync::Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = std::sync::Arc::clone(&answer);
            tokio::spawn(async move {
                let mut text = Vec::new();
                while !text.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    text.push(byte);
                }
                let text = String::from_utf8(text).unwrap();
                let line = text.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
                match answer(&line, &text) {
                    Some(answer) => drop(stream.write_all(answer.as_bytes()).await),
                    None => std::future::pending().await,
                }
            });
        }
    });
    url
}

/// An answer of HTTP.
#[cfg(test)]
#[expect(clippy::unnecessary_wraps, reason = "no answer is an answer of `serve` too")]
pub(crate) fn says(status: &str, body: &str) -> Option<String> {
    Some(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()))
}
