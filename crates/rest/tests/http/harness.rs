//! A control plane that is served, and a client that asks it.
#![allow(dead_code, reason = "each surface's tests use a part of it")]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use connectors::{Config, WorkerConfig};
use control::{ControlPlane, Openness, Refusal, Settings, Supervisor};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use local::aws::{Aws, AwsOptions, NewUser};
use local::broker::{Broker, BrokerOptions};
use rest::{Server, ServerOptions};
use runtime::{Metrics, Process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use world::{Clock, Environment};

/// A waiting test is patient: machines that test are slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is served, on loopback, with everything that it needs. Ends when dropped.
pub(crate) struct Harness {
    pub(crate) server: Server,
    pub(crate) plane: ControlPlane,
    pub(crate) broker: Broker,
    pub(crate) aws: Aws,
    /// A user of the account of the bucket `lake`, who may do everything there.
    pub(crate) user: NewUser,
    /// What is there if it is opened once more.
    pub(crate) data_dir: TempDir,
}

impl Harness {
    /// One that asks for no credentials, as on a developer's machine.
    pub(crate) async fn open() -> Self {
        Self::start(|settings, _| settings.open = Openness::WhileEmpty).await
    }

    /// One with other settings than a closed door and the defaults.
    pub(crate) async fn start(change: impl FnOnce(&mut Settings, &mut ServerOptions)) -> Self {
        Self::start_with(|settings, options, _, _| change(settings, options)).await
    }

    /// The same, where the embedded AWS and its user are needed for them.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings, &mut ServerOptions, &Aws, &NewUser)) -> Self {
        let broker = Broker::start(BrokerOptions::default()).await.expect("a free port");
        let aws = Aws::start(AwsOptions::default()).await.expect("a free port");
        let account = aws.account("111111111111".parse().expect("twelve digits"));
        let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        let user = account.user("app").policy(all).create().await.expect("a user");
        account.bucket("lake").region("eu-west-1").create().await.expect("a bucket");
        let data_dir = tempfile::tempdir().expect("a directory");
        let (clock, environment) = (Clock::system(), Environment::of([] as [(String, String); 0]));
        let worker: Config = [
            ("bootstrap.servers", broker.bootstrap().as_str()),
            ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
            ("value.converter", "org.apache.kafka.connect.storage.StringConverter"),
            ("offset.flush.interval.ms", "200"),
        ]
        .into_iter()
        .collect();
        let worker = WorkerConfig::from_config(worker, &environment).expect("a worker");
        let (here, at) = (data_dir.path(), "127.0.0.1:8083");
        let mut settings = Settings::new(here, worker, at, clock, environment);
        settings.open = Openness::Closed;
        let mut options = ServerOptions::new(([127, 0, 0, 1], 0).into());
        change(&mut settings, &mut options, &aws, &user);
        let plane = opened(settings).await.expect("a store");
        let server = Server::start(options, plane.clone()).await.expect("a free port");
        Self { server, plane, broker, aws, user, data_dir }
    }

    /// The same after a restart: another listener, the same store.
    pub(crate) async fn reopen(self) -> Self {
        let Self { server, plane, broker, aws, user, data_dir } = self;
        let (settings, address) = (plane.settings().clone(), server.address());
        server.close().await;
        plane.close().await;
        drop(plane);
        let begun = tokio::time::Instant::now();
        // Tasks that were cut hold it for a moment yet.
        let plane = loop {
            match opened(settings.clone()).await {
                Ok(opened) => break opened,
                Err(refusal) if begun.elapsed() > PATIENCE => panic!("the store is not given back: {refusal}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let server = Server::start(ServerOptions::new(address), plane.clone()).await.expect("its port");
        Self { server, plane, broker, aws, user, data_dir }
    }

    /// A request to be sent.
    pub(crate) fn ask(&self, method: Method, path: &str) -> Ask<'_> {
        Ask { harness: self, method, path: path.to_owned(), headers: Vec::new(), body: Bytes::new() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path).json(body).send().await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::PUT, path).json(body).send().await
    }

    /// Asks until the answer is as wanted.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let asking = async {
            loop {
                let answer = self.get(path).await;
                if wanted(&answer) {
                    return Ok(answer);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found: Result<Answer, ()> = tokio::time::timeout(PATIENCE, asking).await.unwrap_or(Err(()));
        match found {
            Ok(answer) => answer,
            Err(()) => panic!("{path} never was as wanted; at last it was {:?}", self.get(path).await),
        }
    }

    /// A configuration of Aiven's sink for the embedded AWS, with some keys changed.
    pub(crate) fn aiven(&self, changes: &[(&str, &str)]) -> BTreeMap<String, String> {
        let endpoint = self.aws.endpoint();
        let mut config: BTreeMap<String, String> = [
            ("connector.class", "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector"),
            ("topics", "orders"),
            ("aws.s3.bucket.name", "lake"),
            ("aws.s3.endpoint", endpoint.as_str()),
            ("aws.s3.region", "eu-west-1"),
            ("aws.access.key.id", self.user.access_key_id.as_str()),
            ("aws.secret.access.key", self.user.secret_access_key.expose()),
            ("format.output.type", "jsonl"),
            ("file.compression.type", "none"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        config.extend(changes.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())));
        config
    }
}

async fn opened(settings: Settings) -> Result<ControlPlane, Refusal> {
    let (clock, environment) = (settings.clock.clone(), Environment::of([] as [(String, String); 0]));
    let process = Process::start(64 << 20, 1, clock, environment).expect("threads");
    let metrics = Metrics::new(process.clone());
    let worker_id = settings.worker_id.clone();
    ControlPlane::open(settings, Supervisor::new(process, &metrics, worker_id)).await
}

/// A request that is being put together.
pub(crate) struct Ask<'a> {
    harness: &'a Harness,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a user and a password, or a key and its secret.
    pub(crate) fn basic(self, user: &str, password: &str) -> Self {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        self.header("authorization", &format!("Basic {text}"))
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into();
        self.header("content-type", "application/json")
    }

    /// A body as it is, without a content type.
    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) async fn send(self) -> Answer {
        let address = self.harness.server.address();
        let mut request = Request::builder().method(&self.method).uri(&self.path).header("host", address.to_string());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(self.body)).expect("a request");
        let asking = async {
            let stream = TcpStream::connect(address).await.expect("it listens");
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
            let connection = tokio::spawn(connection);
            let (parts, body) = sender.send_request(request).await.expect("an answer").into_parts();
            let body = body.collect().await.expect("a whole answer").to_bytes();
            connection.abort();
            Answer { status: parts.status, headers: parts.headers, body }
        };
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(answer) => answer,
            Err(tokio::time::error::Elapsed { .. }) => panic!("{} {} was not answered", self.method, self.path),
        }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Its body; null if there is none.
    pub(crate) fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// A header as text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}
