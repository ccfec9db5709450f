use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::certificates::{Authority, Issued, Leaf, Validity, self_signed};
use super::network::Obstacle;

/// Connections at a time at one obstacle; more wait.
const MAX_CONNECTIONS: usize = 64;

/// How long a connection to a full listener may take before it counts as one that never comes about. On loopback those
/// that do come about take less than a millisecond.
const FULL: Duration = Duration::from_millis(200);

/// What stands where a service should be. It goes when this is dropped.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) url: String,
    task: Option<JoinHandle<()>>,
    /// A port that is taken and not listened at, or a listener with connections that fill it.
    _held: Held,
}

#[derive(Debug)]
enum Held {
    Nothing,
    Port { _socket: TcpSocket },
    Full { _listener: TcpListener, _connections: Vec<TcpStream> },
}

impl Drop for Standing {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Standing {
    /// Puts an obstacle on the way to `aws`.
    pub(super) async fn put(
        obstacle: Obstacle,
        service: &str,
        aws: SocketAddr,
        authority: &Authority,
        now: SystemTime,
    ) -> io::Result<Self> {
        let plain = |address: SocketAddr| format!("http://{address}");
        match obstacle {
            Obstacle::UnknownHost => {
                // RFC 6761: names under `.invalid` are nobody's.
                let url = format!("http://{service}.scenario.invalid");
                Ok(Self { url, task: None, _held: Held::Nothing })
            }
            Obstacle::Refused => {
                let socket = bound()?;
                let url = plain(socket.local_addr()?);
                Ok(Self { url, task: None, _held: Held::Port { _socket: socket } })
            }
            Obstacle::Unroutable => {
                let listener = bound()?.listen(1)?;
                let address = listener.local_addr()?;
                let connections = fill(address).await?;
                let held = Held::Full { _listener: listener, _connections: connections };
                Ok(Self { url: plain(address), task: None, _held: held })
            }
            Obstacle::Silent => {
                Self::serve(plain, |mut stream| async move {
                    // Reading on keeps the kernel from answering in our place.
                    drop(tokio::io::copy(&mut stream, &mut tokio::io::sink()).await);
                })
                .await
            }
            Obstacle::Reset => {
                Self::serve(plain, |mut stream| async move {
                    if stream.read(&mut [0; 1]).await.is_ok() {
                        drop(stream.set_zero_linger());
                    }
                })
                .await
            }
            Obstacle::Foreign => {
                Self::serve(plain, |stream| answer(stream, StatusCode::NOT_FOUND, "MinIO", "application/xml", FOREIGN))
                    .await
            }
            Obstacle::ProxyHtml => {
                Self::serve(plain, |stream| answer(stream, StatusCode::FORBIDDEN, "squid/6.9", "text/html", PAGE)).await
            }
            Obstacle::Tls | Obstacle::SelfSignedTls | Obstacle::OtherNameTls | Obstacle::ExpiredTls => {
                let acceptor = acceptor(&certificate(obstacle, authority, now).map_err(io::Error::other)?)?;
                Self::serve(
                    |address| format!("https://{address}"),
                    move |stream| {
                        let acceptor = acceptor.clone();
                        async move {
                            let Ok(mut stream) = acceptor.accept(stream).await else { return };
                            if let Ok(mut behind) = TcpStream::connect(aws).await {
                                drop(tokio::io::copy_bidirectional(&mut stream, &mut behind).await);
                            }
                        }
                    },
                )
                .await
            }
        }
    }

    async fn serve<F: Future<Output = ()> + Send + 'static>(
        url: impl FnOnce(SocketAddr) -> String,
        handle: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = url(listener.local_addr()?);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                if connections.len() >= MAX_CONNECTIONS {
                    connections.join_next().await;
                }
                tokio::select! {
                    Some(_) = connections.join_next() => {}
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => drop(connections.spawn(handle(stream))),
                        Err(error) => {
                            tracing::warn!(%error, "an obstacle cannot accept a connection");
                            return;
                        }
                    },
                }
            }
        });
        Ok(Self { url, task: Some(task), _held: Held::Nothing })
    }
}

/// A port that nobody else gets.
fn bound() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    Ok(socket)
}

/// Connects until no more connection comes about.
async fn fill(address: SocketAddr) -> io::Result<Vec<TcpStream>> {
    /// More than any kernel lets wait at a listener that asks for one.
    const MOST: usize = 64;
    let mut connections = Vec::new();
    while connections.len() < MOST {
        match tokio::time::timeout(FULL, TcpStream::connect(address)).await {
            Err(_) => return Ok(connections),
            Ok(connected) => connections.push(connected?),
        }
    }
    Err(io::Error::other("the listener does not fill up"))
}

/// What MinIO says to what it does not know.
const FOREIGN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message><Resource>/</Resource><RequestId>17F3A2C4D5E6F708</RequestId><HostId>dd9025bab4ad464b049177c95eb6ebf374d3b3fd1af9251148b658df7ac2e3e8</HostId></Error>";

const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Access denied</title></head><body><h1>Access denied</h1><p>The web policy of your organisation does not allow this address.</p></body></html>\n";

async fn answer(stream: TcpStream, status: StatusCode, server: &'static str, kind: &'static str, body: &'static str) {
    let service = service_fn(move |_| async move {
        let response = Response::builder().status(status).header("server", server).header("content-type", kind);
        let response = response.body(Full::new(Bytes::from_static(body.as_bytes()))).expect("all of it is constant");
        Ok::<_, Infallible>(response)
    });
    let end = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = end {
        tracing::debug!(%error, "connection ended");
    }
}

fn certificate(obstacle: Obstacle, authority: &Authority, now: SystemTime) -> Result<Issued, rcgen::Error> {
    let good = Leaf {
        common_name: "scenario",
        validity: Validity::Now,
        is_authority: false,
        may_sign: true,
        server: Some("127.0.0.1"),
    };
    match obstacle {
        Obstacle::SelfSignedTls => self_signed(&good, now),
        Obstacle::OtherNameTls => authority.issue(&Leaf { server: Some("other.example"), ..good }, now),
        Obstacle::ExpiredTls => authority.issue(&Leaf { validity: Validity::Past, ..good }, now),
        _ => authority.issue(&good, now),
    }
}

fn acceptor(issued: &Issued) -> io::Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = vec![CertificateDer::from(issued.der.clone())];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(issued.key_der.clone()));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
