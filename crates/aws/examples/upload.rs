//! What an upload costs the processor: 1 GiB in parts of 8 MiB to a store on the loopback that throws them away.
//!
//! `cargo run --release -p aws --example upload`; the store is a process of its own, so that the figures are the
//! client's alone. Prints CPU seconds per GB (10^9 bytes) and MB/s for unsigned and signed payloads.

#![expect(clippy::print_stdout, reason = "a figure is what it is for")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aws::Clients;
use aws::s3::{Payload, S3Options};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use identity::{AccessKeyId, Base, Connection, StaticKeys, StsEndpoint};
use tokio::time::Instant;
use transit::{ObjectName, Sink as _};
use world::{Clock, Environment, Secret};

const PART: usize = 8 << 20;
const PARTS: usize = 128;
const SIDE_BY_SIDE: usize = 4;

#[tokio::main]
async fn main() {
    if std::env::args().nth(1).as_deref() == Some("store") {
        return store().await;
    }
    let (mut child, address) = start_store();
    for payload in [Payload::Unsigned, Payload::Signed] {
        measure(&address, payload).await;
    }
    child.kill().expect("the store ends");
    child.wait().expect("the store has ended");
}

fn start_store() -> (Child, String) {
    let program = std::env::current_exe().expect("the path of this program");
    let mut child = Command::new(program).arg("store").stdout(Stdio::piped()).spawn().expect("a second process");
    let mut address = String::new();
    let out = child.stdout.take().expect("its output");
    BufReader::new(out).read_line(&mut address).expect("its address");
    (child, address.trim().to_owned())
}

async fn measure(address: &str, payload: Payload) {
    let clients = Clients::new(Clock::system(), Environment::process());
    let keys = StaticKeys { access_key_id: AccessKeyId::new("AKIA"), secret: Secret::new("s"), token: None };
    let sts = StsEndpoint::new("eu-central-1");
    let options =
        S3Options { endpoint: Some(format!("http://{address}")), payload, ..S3Options::new("lake", "eu-central-1") };
    let connection = Connection { base: Base::Keys(keys), hops: Vec::new(), sts };
    let sink = clients.s3(&connection, options).expect("a sink");
    let name: ObjectName = "object".into();
    let upload = sink.begin(&name, "cut").await.expect("an upload");
    // Pieces as an encoder leaves them: 256 KiB each.
    let body: Vec<Bytes> = vec![Bytes::from(vec![b'x'; 256 << 10]); PART / (256 << 10)];

    let (begun, cpu) = (Instant::now(), cpu_time());
    let parts =
        futures_util::stream::iter(1..=PARTS as i32).map(|number| sink.part(&name, &upload, number, body.clone()));
    let parts: Vec<_> = parts.buffer_unordered(SIDE_BY_SIDE).collect().await;
    let (took, cpu) = (begun.elapsed(), cpu_time().saturating_sub(cpu));
    assert!(parts.iter().all(Result::is_ok), "every part arrives");

    let gigabytes = (PART * PARTS) as f64 / 1e9;
    println!(
        "{payload:?}: {:.2} CPU-s/GB, {:.0} MB/s",
        cpu.as_secs_f64() / gigabytes,
        gigabytes * 1e3 / took.as_secs_f64()
    );
}

/// User and system time of this process so far: fields 14 and 15 of `/proc/self/stat`, in hundredths of a second.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a Linux /proc");
    let (_, after_name) = stat.rsplit_once(')').expect("a name in brackets");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

async fn store() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("its address"));
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        tokio::spawn(async move {
            let service = service_fn(throw_away);
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn throw_away(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Arc<hyper::Error>> {
    let begins = request.uri().query().is_some_and(|query| query.starts_with("uploads"));
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        drop(frame?);
    }
    let answer = "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>";
    let answer = Bytes::from_static(if begins { answer.as_bytes() } else { b"" });
    Ok(Response::builder().header("etag", "\"1\"").body(Full::new(answer)).expect("a response"))
}
