use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use bytes::Bytes;
use control::{Caller, Credentials, Origin, Principal, Refusal};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::*;
use crate::request::{Asker, RequestId};

/// Says what it was asked, in the ways that the paths name.
#[derive(Debug)]
struct Echo {
    answered: AtomicUsize,
    gate: Arc<Semaphore>,
}

impl Application for Echo {
    fn authenticate(&self, credentials: Credentials, origin: Origin) -> BoxFuture<'_, Result<Caller, Refusal>> {
        let found = match credentials {
            Credentials::Basic { user, .. } if user == "guesser" => {
                Err(Refusal::Busy { kind: "login", id: "of this account".to_owned(), doing: "it has failed too often" })
            }
            Credentials::Basic { .. } => Err(Refusal::Unauthenticated),
            Credentials::None | Credentials::Bearer(_) => {
                Ok(Caller { principal: Principal::Operator, only_cluster: None, origin })
            }
        };
        async { found }.boxed()
    }

    fn is_public(&self, path: &str) -> bool {
        path == "/public"
    }

    fn answer(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        async move {
            match request.uri().path() {
                "/panic" => panic!("of a bug"),
                "/slow" => drop(self.gate.acquire().await),
                _ => {}
            }
            let known = request.extensions().get::<Asker>().is_some_and(Asker::is_known);
            let id = request.extensions().get::<RequestId>().map(|id| id.0.to_string()).unwrap_or_default();
            let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            self.answered.fetch_add(1, Ordering::SeqCst);
            if body == Bytes::from_static(b"much") {
                return Response::new(Body::from(vec![b'x'; 64 << 20]));
            }
            Response::new(Body::from(format!("{known} {} {id}", body.len())))
        }
        .boxed()
    }
}

fn options() -> ServerOptions {
    ServerOptions::new((Ipv4Addr::LOCALHOST, 0).into())
}

async fn start(options: ServerOptions) -> (Server, Arc<Echo>) {
    let echo = Arc::new(Echo { answered: AtomicUsize::new(0), gate: Arc::new(Semaphore::new(0)) });
    let application: Arc<dyn Application> = Arc::<Echo>::clone(&echo);
    (Server::start_with(options, application).await.unwrap(), echo)
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address()).await.unwrap()
}

/// All that comes until the other end closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset after the answer is an end, too.
    drop(timeout(Duration::from_secs(20), stream.read_to_end(&mut text)).await.expect("the connection is closed"));
    String::from_utf8_lossy(&text).into_owned()
}

/// One answer of a connection that stays open: its head, with what has come of its body.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains("\r\n\r\n") {
        let read = timeout(Duration::from_secs(20), stream.read(&mut buffer)).await.unwrap().unwrap();
        assert_ne!(read, 0, "the connection ended: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    text
}

async fn ask(server: &Server, request: &str) -> String {
    let mut stream = connect(server).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

async fn eventually(mut state: impl FnMut() -> bool) {
    let wait = async {
        while !state() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), wait).await.expect("the state comes");
}

#[tokio::test]
async fn whoever_has_failed_too_often_is_told_to_wait_in_the_words_of_each_surface() {
    let (server, echo) = start(options()).await;
    for (path, word) in [("/connectors", "error_code"), ("/iam/v2/api-keys", "errors"), ("/v1/connectors", "detail")] {
        // guesser:x
        let login = "authorization: Basic Z3Vlc3Nlcjp4\r\nconnection: close";
        let text = ask(&server, &get(path).replace("connection: close", login)).await;
        assert!(text.starts_with("HTTP/1.1 429") && text.contains("retry-after: 2") && text.contains(word), "{text}");
    }
    assert_eq!(echo.answered.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn every_answer_has_an_id_and_the_headers_that_keep_browsers_out() {
    let (server, _) = start(options()).await;
    let text = ask(&server, &get("/x")).await;
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    let id = text.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().trim();
    assert_eq!(id.len(), 32);
    assert!(text.ends_with(&format!("true 0 {id}")), "the handler knows the id: {text}");
    for header in ["x-content-type-options: nosniff", "x-frame-options: DENY", "cache-control: no-store"] {
        assert!(text.contains(header), "{text}");
    }
    assert!(!text.contains("access-control-allow-origin"), "{text}");
    let text = ask(&server, "GET / HTTP/1.1\r\nhost: localhost\r\nx-y: \u{1}\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
}

#[tokio::test]
async fn a_panic_is_an_answer_in_the_words_of_its_surface() {
    let (server, _) = start(options()).await;
    let text = ask(&server, &get("/panic")).await;
    assert!(text.starts_with("HTTP/1.1 500"), "{text}");
    assert!(text.contains("{\"error_code\":500,\"message\":\"internal error; the log has it under request "), "{text}");
    assert!(ask(&server, &get("/x")).await.starts_with("HTTP/1.1 200"), "the next one is answered");
}

#[tokio::test]
async fn a_body_has_a_size_and_a_time() {
    let options = ServerOptions { body_limit: 70_000, body_timeout: Duration::from_millis(200), ..options() };
    let (server, echo) = start(options).await;
    let post = |length: usize, rest: &str| {
        format!("POST /x HTTP/1.1\r\nhost: localhost\r\n{rest}connection: close\r\ncontent-length: {length}\r\n\r\n")
    };
    let send = |length: usize, rest: &str| post(length, rest) + &"x".repeat(length);
    assert!(ask(&server, &send(70_000, "")).await.contains("true 70000 "));
    let text = ask(&server, &send(70_001, "")).await;
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");
    assert!(text.contains("\"message\":\"the body of a request may have 70000 bytes at most\""), "{text}");
    let basic = "authorization: Basic YTpi\r\n";
    assert!(ask(&server, &send(66_000, basic)).await.starts_with("HTTP/1.1 413"), "strangers get less");
    assert!(ask(&server, &send(6, basic)).await.contains("false 6 "), "and are told so by their surface");
    let chunked = "POST /v1/x HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunks = format!("{chunked}{}0\r\n\r\n", format!("1000\r\n{}\r\n", "x".repeat(4096)).repeat(18));
    let text = ask(&server, &chunks).await;
    assert!(text.starts_with("HTTP/1.1 413") && text.contains("application/problem+json"), "{text}");
    let answered = echo.answered.load(Ordering::SeqCst);
    let text = ask(&server, &post(10, "")).await;
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert_eq!(echo.answered.load(Ordering::SeqCst), answered, "half a body asks for nothing");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up_in_connects_words() {
    let (server, _) = start(ServerOptions { request_timeout: Duration::from_millis(50), ..options() }).await;
    let text = ask(&server, &get("/slow")).await;
    assert!(text.starts_with("HTTP/1.1 500"), "{text}");
    assert!(text.ends_with("{\"error_code\":500,\"message\":\"Request timed out\"}"), "{text}");
}

#[tokio::test]
async fn slow_heads_and_idle_connections_end() {
    let options = ServerOptions {
        head_timeout: Duration::from_millis(100),
        idle_timeout: Duration::from_millis(300),
        ..options()
    };
    let (server, _) = start(options).await;
    let text = ask(&server, "GET /x HT").await;
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert_eq!(ask(&server, "").await, "", "one that says nothing is closed without a word");
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    tokio::time::sleep(Duration::from_millis(150)).await;
    stream.write_all(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"), "between requests there is more time");
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let (server, echo) = start(ServerOptions { write_timeout: Duration::from_millis(200), ..options() }).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"POST /x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\nmuch").await.unwrap();
    eventually(|| echo.answered.load(Ordering::SeqCst) == 1).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(rest(&mut stream).await.len() < 64 << 20);
}

#[tokio::test]
async fn the_connection_that_was_idle_for_longest_makes_room() {
    let (server, echo) = start(ServerOptions { max_connections: 2, ..options() }).await;
    let (mut oldest, mut busy) = (connect(&server).await, connect(&server).await);
    for stream in [&mut oldest, &mut busy] {
        stream.write_all(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        assert!(answer(stream).await.starts_with("HTTP/1.1 200"));
    }
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(ask(&server, &get("/x")).await.starts_with("HTTP/1.1 200"), "there is room");
    assert_eq!(rest(&mut oldest).await, "");
    // Both are busy now: who comes waits, and is answered at last.
    let mut other = connect(&server).await;
    other.write_all(get("/slow").as_bytes()).await.unwrap();
    let mut waiting = connect(&server).await;
    waiting.write_all(get("/x").as_bytes()).await.unwrap();
    let early = timeout(Duration::from_millis(200), waiting.read_u8()).await;
    assert!(early.is_err(), "nobody who is being answered is cut");
    echo.gate.add_permits(2);
    assert!(rest(&mut waiting).await.starts_with("HTTP/1.1 200"));
    assert!(rest(&mut busy).await.starts_with("HTTP/1.1 200"));
    assert!(rest(&mut other).await.starts_with("HTTP/1.1 200"));
}

/// Memory of this process that is there, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

#[tokio::test]
#[ignore = "opens 18,000 sockets: cargo test -p rest --lib idle_connections_are_cheap -- --ignored --nocapture"]
async fn thousands_of_idle_connections_are_cheap() {
    const COUNT: usize = 9_000;
    affordable(2 * COUNT);
    let (server, _) = start(options()).await;
    for (asks, most) in [(false, 6 << 10), (true, 24 << 10)] {
        let before = resident();
        let mut streams = Vec::with_capacity(COUNT);
        for _ in 0..COUNT {
            let mut stream = connect(&server).await;
            if asks {
                stream.write_all(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
                answer(&mut stream).await;
            }
            streams.push(stream);
        }
        let began = Instant::now();
        assert!(ask(&server, &get("/x")).await.starts_with("HTTP/1.1 200"));
        let each = resident().saturating_sub(before) / COUNT as u64;
        #[expect(clippy::print_stdout, reason = "a measurement")]
        {
            println!("{each} bytes each (both ends), asked: {asks}; one more was answered in {:?}", began.elapsed());
        }
        assert!(each < most, "{each} bytes each");
    }
}

#[tokio::test]
async fn closing_finishes_what_is_being_answered_and_takes_nothing_new() {
    let (server, echo) = start(options()).await;
    let address = server.address();
    let mut idle = connect(&server).await;
    idle.write_all(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    answer(&mut idle).await;
    let mut busy = connect(&server).await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    // It is being answered when it holds the gate's queue.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let closing = tokio::spawn(server.close());
    assert_eq!(rest(&mut idle).await, "");
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!closing.is_finished());
    echo.gate.add_permits(1);
    assert!(rest(&mut busy).await.starts_with("HTTP/1.1 200"));
    closing.await.unwrap();
}

#[tokio::test]
async fn closing_cuts_what_takes_longer() {
    let (server, _) = start(ServerOptions { close_patience: Duration::from_millis(50), ..options() }).await;
    let mut busy = connect(&server).await;
    busy.write_all(get("/slow").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    timeout(Duration::from_secs(5), server.close()).await.expect("it ends");
    assert_eq!(rest(&mut busy).await, "");
}

#[tokio::test]
async fn pages_of_other_origins_are_not_the_operator_and_see_nothing_unless_allowed() {
    let from = |path: &str, origin: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\norigin: {origin}\r\nconnection: close\r\n\r\n")
    };
    let (server, _) = start(options()).await;
    assert!(ask(&server, &from("/x", "http://evil.example")).await.starts_with("HTTP/1.1 403"));
    let rebound = "GET /x HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert!(ask(&server, rebound).await.starts_with("HTTP/1.1 403"));
    assert!(ask(&server, &from("/public", "http://evil.example")).await.starts_with("HTTP/1.1 200"));
    let cors = Cors::new("http://ui.example", Some("GET,PUT"));
    let (server, _) = start(ServerOptions { cors, ..options() }).await;
    let text = ask(&server, &from("/x", "http://ui.example")).await;
    assert!(
        text.starts_with("HTTP/1.1 200") && text.contains("access-control-allow-origin: http://ui.example"),
        "{text}"
    );
    let text = ask(&server, &from("/public", "http://evil.example")).await;
    assert!(!text.contains("access-control-allow-origin"), "{text}");
    let preflight = "OPTIONS /x HTTP/1.1\r\nhost: localhost\r\norigin: http://ui.example\r\n\
                     access-control-request-method: PUT\r\nconnection: close\r\n\r\n";
    let text = ask(&server, preflight).await;
    assert!(text.starts_with("HTTP/1.1 204") && text.contains("access-control-allow-methods: GET,PUT"), "{text}");
}

mod tls {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::crypto::aws_lc_rs;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    use super::*;

    struct Authority(CertifiedIssuer<'static, KeyPair>);

    impl Authority {
        fn new() -> Self {
            let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
        }

        fn issue(&self) -> (rcgen::Certificate, KeyPair) {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
            (params.signed_by(&key, &self.0).unwrap(), key)
        }

        fn client(&self, shows: Option<&Authority>) -> TlsConnector {
            let mut roots = RootCertStore::empty();
            roots.add(self.0.der().clone()).unwrap();
            let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots);
            let config = match shows {
                None => builder.with_no_client_auth(),
                Some(authority) => {
                    let (certificate, key) = authority.issue();
                    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
                    builder.with_client_auth_cert(chain, key).unwrap()
                }
            };
            TlsConnector::from(Arc::new(config))
        }
    }

    async fn ask(server: &Server, connector: &TlsConnector) -> Option<String> {
        let stream = connect(server).await;
        let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.ok()?;
        stream.write_all(get("/x").as_bytes()).await.ok()?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await.ok()?;
        Some(String::from_utf8(text).unwrap())
    }

    #[tokio::test]
    async fn certificates_are_renewed_while_it_runs_and_clients_show_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            certificate: dir.path().join("tls.pem"),
            key: dir.path().join("tls.key"),
            client_ca: Some(dir.path().join("ca.pem")),
        };
        let write = |authority: &Authority| {
            let (certificate, key) = authority.issue();
            std::fs::write(&files.certificate, certificate.pem()).unwrap();
            std::fs::write(&files.key, key.serialize_pem()).unwrap();
        };
        let (first, second, clients) = (Authority::new(), Authority::new(), Authority::new());
        write(&first);
        std::fs::write(dir.path().join("ca.pem"), clients.0.pem()).unwrap();
        let tls_check_interval = Duration::from_millis(20);
        let options = ServerOptions { tls: Some(files.clone()), tls_check_interval, ..options() };
        let (server, _) = start(options).await;
        let text = ask(&server, &first.client(Some(&clients))).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        assert_eq!(ask(&server, &first.client(None)).await, None, "who shows no certificate gets nothing");
        assert_eq!(ask(&server, &first.client(Some(&first))).await, None, "nor who shows a wrong one");
        // Half of a renewal: what was there goes on.
        std::fs::write(&files.key, "half").unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(ask(&server, &first.client(Some(&clients))).await.is_some());
        write(&second);
        let renewed = async {
            while ask(&server, &second.client(Some(&clients))).await.is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(20), renewed).await.expect("the new certificate is served");
    }

    #[tokio::test]
    async fn files_that_cannot_be_used_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let files =
            TlsFiles { certificate: dir.path().join("no.pem"), key: dir.path().join("no.key"), client_ca: None };
        let options = ServerOptions { tls: Some(files), ..options() };
        let echo: Arc<dyn Application> =
            Arc::new(Echo { answered: AtomicUsize::new(0), gate: Arc::new(Semaphore::new(0)) });
        let error = Server::start_with(options, echo).await.unwrap_err();
        assert!(
            fault::Chain(&error).to_string().contains("no.pem holds no PEM certificates"),
            "{}",
            fault::Chain(&error)
        );
    }
}
