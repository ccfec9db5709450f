use std::fmt;
use std::sync::Arc;

use aws_sdk_s3::config::SharedHttpClient;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::failure::{Failure, Loss};

/// The longest answer to what is asked for: 16 MiB. The longest that AWS gives are pages of 1000 keys; a key of 1024 bytes, each
/// written as `&#x1f;`, makes 6 MiB of them, beside which dates, ETags and owners are little.
pub(crate) const ASKED_FOR: u64 = 16 << 20;

/// The longest answer to what is sent, and the longest refusal: 1 MiB. They are some hundred bytes; a proxy's page in their
/// place is some hundred kilobytes at most. Eight parts that are under way may hold eight of them.
const TOLD: u64 = 1 << 20;

/// An HTTP client that does not read on for ever: the SDK collects each answer but a streamed one in memory before anybody sees
/// it, however long it is.
#[derive(Debug)]
pub(crate) struct Bounded(pub(crate) SharedHttpClient);

impl HttpClient for Bounded {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector(self.0.http_connector(settings, components)))
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        settings: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.validate_base_client_config(components, settings)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, settings: &ConfigBag) -> Result<(), BoxError> {
        self.0.validate_final_config(components, settings)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

#[derive(Debug)]
struct Connector(SharedHttpConnector);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let asked = Asked::of(request.method(), request.uri());
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move { Ok::<_, ConnectorError>(bound(answer.await?, asked)) })
    }
}

/// What a request wants back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// An object, which is streamed: whoever reads it holds no more than they want to.
    Object,
    /// Something to be read whole: a page of a list, what became of 1000 deletes, a session, a role.
    Facts,
    /// That it was done.
    Word,
}

impl Asked {
    fn of(method: &str, uri: &str) -> Self {
        // The SDK names this one operation so, and writes a `=` within a value or a key as `%3D`.
        let query = uri.split_once('?').map_or("", |(_, query)| query);
        match method {
            "GET" if query.split('&').any(|pair| pair == "x-id=GetObject") => Self::Object,
            "GET" | "POST" => Self::Facts,
            _ => Self::Word,
        }
    }

    fn limit(self, is_success: bool) -> Option<u64> {
        match self {
            _ if !is_success => Some(TOLD),
            Self::Object => None,
            Self::Facts => Some(ASKED_FOR),
            Self::Word => Some(TOLD),
        }
    }
}

/// The longest object that is held in memory whole by name: a cut's manifest has some hundred bytes a partition and object. Far
/// above all of them, so that none is refused that was written, and still an end.
pub(crate) const HELD: u64 = 256 << 20;

/// A streamed object as a whole, of which no more than `limit` bytes are held.
pub(crate) async fn whole(body: ByteStream, limit: u64) -> Result<Bytes, Failure> {
    match limited(body.into_inner(), limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(Failure::Lost(Loss::Connection(Arc::from(error)))),
    }
}

fn limited(body: SdkBody, limit: u64) -> impl Body<Data = Bytes, Error = BoxError> + Send + Sync {
    Limited::new(body, limit as usize)
        .map_err(move |error| if error.is::<LengthLimitError>() { BoxError::from(TooLong(limit)) } else { error })
}

fn bound(answer: HttpResponse, asked: Asked) -> HttpResponse {
    let Some(limit) = asked.limit(answer.status().is_success()) else { return answer };
    answer.map(|body| SdkBody::from_body_1_x(limited(body, limit)))
}

/// An answer that goes on where none of AWS does.
#[derive(Debug)]
struct TooLong(u64);

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer is longer than {} MiB, as none of AWS is", self.0 >> 20)
    }
}

impl std::error::Error for TooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_that_is_had_may_be_of_any_length() {
        let limit = |method, uri, is_success| Asked::of(method, uri).limit(is_success);
        let object = "http://localhost/bucket/key?partNumber=1&x-id=GetObject";
        assert_eq!(limit("GET", object, true), None);
        assert_eq!(limit("GET", object, false), Some(TOLD));
        // A key, and the beginning of one, of that name.
        assert_eq!(limit("GET", "http://localhost/bucket/x-id%3DGetObject?tagging", true), Some(ASKED_FOR));
        let list = "http://localhost/bucket?list-type=2&prefix=x-id%3DGetObject";
        assert_eq!(limit("GET", list, true), Some(ASKED_FOR));
        assert_eq!(limit("POST", "http://localhost/bucket?delete", true), Some(ASKED_FOR));
        assert_eq!(limit("PUT", "http://localhost/bucket/key?x-id=PutObject", true), Some(TOLD));
        assert_eq!(limit("PUT", "http://localhost/bucket/key?x-id=GetObject", true), Some(TOLD));
        assert_eq!(limit("DELETE", "http://localhost/bucket/key", true), Some(TOLD));
    }

    #[tokio::test]
    async fn a_service_that_never_ends_its_answer_is_read_no_further() {
        use identity::{AccessKeyId, Signer, StaticKeys, StsEndpoint};
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 16 << 10];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\n\r\n<A>").await.unwrap();
            let (block, mut sent) = (vec![b'x'; 64 << 10], 0_u64);
            while stream.write_all(&block).await.is_ok() {
                sent += block.len() as u64;
            }
            sent
        });
        let clients = crate::Clients::new(world::Clock::system(), world::Environment::of::<String, String>([]));
        let (access_key_id, secret) =
            (AccessKeyId::new("AKIAIOSFODNN7EXAMPLE"), world::Secret::new("secret".to_owned()));
        let signer = Signer::Keys(Arc::new(StaticKeys { access_key_id, secret, token: None }));
        let error = clients.sts().caller(&StsEndpoint::new("eu-central-1").at(url), &signer).await.unwrap_err();
        let text = fault::Chain(&error).to_string();
        assert!(text.contains("the answer is longer than 16 MiB"), "{text}");
        // What was read, and what lay in the sockets.
        assert!(server.await.unwrap() < ASKED_FOR + (64 << 20));
    }
}
