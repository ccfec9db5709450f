use std::io;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::{Decodable, StrBytes};
use rand::RngExt;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Error;
use super::connection::{Connection, Settings};
use super::guard::Guarded;
use super::sasl::{self, Sasl};
use super::shared::Shared;
use super::versions::Versions;
use crate::ErrorCode;
use crate::config::{ClientConfig, Tls};

/// `ApiVersionsRequest` version 3 is the newest that every broker from 2.4 on understands, and the first that says who
/// asks (KIP-511). Later ones only add features that we do not use.
const API_VERSIONS: i16 = 3;

pub(super) async fn open(config: &ClientConfig, address: Arc<str>, after: Duration) -> Result<Connection, Error> {
    match tokio::time::timeout(after, set_up(config, address.clone())).await {
        Ok(result) => result,
        Err(_) => Err(Error::SetupTimedOut { address, after }),
    }
}

async fn set_up(config: &ClientConfig, address: Arc<str>) -> Result<Connection, Error> {
    let settings = Settings {
        client_id: config.client_id.clone(),
        request_timeout: config.request_timeout,
        ..Settings::default()
    };
    let stream = connect(&address).await?;
    let mut connection = match &config.tls {
        None => Connection::start(stream, address, settings),
        Some(Tls(client)) => {
            let failed = |source| Error::Tls { address: address.clone(), source: Arc::new(source) };
            let name = server_name(&address).map_err(|error| failed(io::Error::other(error)))?;
            let stream = TlsConnector::from(client.clone()).connect(name, stream).await.map_err(failed)?;
            Connection::start(stream, address, settings)
        }
    };
    negotiate(connection.shared()).await?;
    if let Some(sasl) = &config.sasl {
        let lifetime = sasl::authenticate(sasl, connection.shared()).await?;
        if let Some(lifetime) = lifetime {
            let task = tokio::spawn(stay_authenticated(connection.shared().clone(), sasl.clone(), lifetime));
            connection.own(task);
        }
    }
    Ok(connection)
}

fn server_name(address: &str) -> Result<ServerName<'static>, rustls_pki_types::InvalidDnsNameError> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // A final dot is the resolver's business; certificates do not carry it.
    ServerName::try_from(host.strip_suffix('.').unwrap_or(host).to_owned())
}

/// Authenticates again on the same connection before the broker would close it (KIP-368). A failure ends the connection.
async fn stay_authenticated(shared: Arc<Shared>, sasl: Sasl, mut lifetime: Duration) {
    loop {
        // Java's share: late enough to be rare, early enough for a slow answer, and not all clients at once.
        let share = rand::rng().random_range(0.85..0.95);
        tokio::time::sleep(lifetime.mul_f64(share)).await;
        // The broker takes nothing but this exchange until it is done.
        let gate = shared.close_gate().await;
        let result = sasl::authenticate(&sasl, &shared).await;
        drop(gate);
        match result {
            Ok(Some(next)) => lifetime = next,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(broker = %shared.address(), error = %fault::Chain(&error), "cannot authenticate again");
                return shared.end(error);
            }
        }
    }
}

async fn connect(address: &Arc<str>) -> Result<TcpStream, Error> {
    let addresses = tokio::net::lookup_host(&**address)
        .await
        .map_err(|source| Error::Resolve { address: address.clone(), source: Arc::new(source) })?;
    // Every address of the name in turn, as `client.dns.lookup=use_all_dns_ips` does.
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for candidate in addresses {
        match TcpStream::connect(candidate).await {
            Ok(stream) => {
                // Requests are written whole; waiting for more to send only delays them.
                stream.set_nodelay(true).ok();
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(Error::Connect { address: address.clone(), source: Arc::new(last) })
}

/// Asks for the broker's versions: the first request of every connection.
pub(super) async fn negotiate(shared: &Arc<Shared>) -> Result<(), Error> {
    let request = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("tidegate"))
        .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
    let body = shared.ungated(&request, API_VERSIONS).await?;
    // A broker that does not know version 3 answers in version 0, with the error code first in both.
    let code = body.first_chunk().map_or(0, |code| i16::from_be_bytes(*code));
    let response = if ErrorCode::of(code) == Some(ErrorCode::UNSUPPORTED_VERSION) {
        let body = shared.ungated(&ApiVersionsRequest::default(), 0).await?;
        ApiVersionsResponse::decode(&mut Guarded::with_plain_lengths(body), 0)
    } else {
        ApiVersionsResponse::decode(&mut Guarded::new(body), API_VERSIONS)
    };
    let malformed = |reason: String| Error::Malformed {
        address: shared.address().clone(),
        api: 18,
        version: API_VERSIONS,
        reason: reason.into(),
    };
    let response = response.map_err(|error| malformed(format!("{error:#}")))?;
    ErrorCode::check(response.error_code).map_err(|code| malformed(format!("it says {code}")))?;
    shared.settle_versions(Versions::of(&response));
    Ok(())
}
