//! An S3 and STS in memory that refuse what AWS refuses of a sink, and fail as they are told to.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use world::Clock;

/// What goes wrong with one request.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// It is answered with this status and code, and not applied.
    Says(u16, &'static str),
    /// It is answered with a page that is not S3's, and not applied.
    Page(u16),
    /// It is answered with 200 and an error in the body, and not applied.
    SaysIn200(&'static str),
    /// The connection ends before it is applied.
    Lost,
    /// It is applied, and the connection ends before the answer.
    AnswerLost,
    /// It is applied, and the answer's last bytes are missing, which no header shows.
    CutShort(usize),
    /// It is never answered, and not applied.
    Silence,
    /// Completed, and not shown before this many looks.
    ShownLate(u32),
}

#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) etag: String,
    pub(crate) crc32c: Option<String>,
    pub(crate) bytes: Bytes,
}

#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) key: String,
    pub(crate) marker: Option<String>,
    pub(crate) with_crc32c: bool,
    pub(crate) parts: BTreeMap<i32, Part>,
    pub(crate) begun: SystemTime,
    pub(crate) initiator: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) marker: Option<String>,
    pub(crate) content_type: String,
    pub(crate) bytes: Bytes,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) uploads: BTreeMap<String, Upload>,
    pub(crate) objects: BTreeMap<String, Object>,
    /// How often an object became visible or was written over.
    pub(crate) published: u32,
    pub(crate) troubles: HashMap<&'static str, VecDeque<Trouble>>,
    /// Requests answered or not, by operation.
    pub(crate) requests: Vec<&'static str>,
    /// The `x-amz-content-sha256` of bodies.
    pub(crate) body_hashes: Vec<String>,
    pub(crate) page_size: usize,
    /// A page of parts says that there are more and not where they begin.
    pub(crate) next_page_is_lost: bool,
    /// Key ids that are over.
    pub(crate) expired: BTreeSet<String>,
    /// Operations that are denied.
    pub(crate) denied: BTreeSet<&'static str>,
    /// Whether AccessDenied says which action was missing.
    pub(crate) explains_denials: bool,
    pub(crate) drops_metadata: bool,
    pub(crate) exchanges: u32,
    pub(crate) session_life: Duration,
    pub(crate) external_id: Option<String>,
    pub(crate) begin_headers: Vec<String>,
    hidden: Option<(u32, String, Object)>,
    next_upload: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
    state: Arc<Mutex<State>>,
}

/// Who the sessions of the fake STS are.
pub(crate) const PRINCIPAL: &str = "arn:aws:sts::111111111111:assumed-role/orders/tidegate";

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Answer {
    fn ok(body: impl Into<Bytes>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into() }
    }

    fn error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
             <RequestId>r-42</RequestId></Error>"
        );
        Self { status, headers: Vec::new(), body: body.into() }
    }

    fn sts_error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error><RequestId>r-7</RequestId></ErrorResponse>"
        );
        Self { status, headers: vec![("x-amzn-requestid", "r-7".into())], body: body.into() }
    }
}

impl Fake {
    pub(crate) async fn start() -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn serve(listener: TcpListener) -> Self {
        let state = State {
            uploads: BTreeMap::new(),
            objects: BTreeMap::new(),
            published: 0,
            troubles: HashMap::new(),
            requests: Vec::new(),
            body_hashes: Vec::new(),
            page_size: 1000,
            next_page_is_lost: false,
            expired: BTreeSet::new(),
            denied: BTreeSet::new(),
            explains_denials: false,
            drops_metadata: false,
            exchanges: 0,
            session_life: Duration::from_hours(1),
            external_id: None,
            begin_headers: Vec::new(),
            hidden: None,
            next_upload: 0,
        };
        // AWS's hour: whole seconds, and not the machine's.
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(490_000));
        let fake = Self { address: listener.local_addr().unwrap(), clock, state: Arc::new(Mutex::new(state)) };
        tokio::spawn(fake.clone().accept(listener));
        fake
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Changes what is there, behind everyone's back.
    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
    }

    /// The next requests of `operation` fail so, one each.
    pub(crate) fn trouble(&self, operation: &'static str, troubles: impl IntoIterator<Item = Trouble>) {
        self.state().troubles.entry(operation).or_default().extend(troubles);
    }

    pub(crate) fn count(&self, operation: &str) -> usize {
        self.state().requests.iter().filter(|request| **request == operation).count()
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(self.clone().connection(stream));
        }
    }

    async fn connection(self, stream: TcpStream) {
        let service = service_fn(|request| self.clone().answer(request));
        // A connection that is ended on purpose ends with an error here.
        drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        let call = Call::of(&head, body);
        let operation = call.operation();
        let trouble = {
            let mut state = self.state();
            state.requests.push(operation);
            state.troubles.get_mut(operation).and_then(VecDeque::pop_front)
        };
        let answer = match trouble {
            Some(Trouble::Says(status, code)) => Answer::error(status, code, "as told"),
            Some(Trouble::Page(status)) => Answer { status, headers: Vec::new(), body: "<html>not S3".into() },
            Some(Trouble::SaysIn200(code)) => Answer { status: 200, ..Answer::error(200, code, "as told") },
            Some(Trouble::Lost) => return Err(std::io::Error::other("as told")),
            Some(Trouble::AnswerLost) => {
                self.apply(operation, &call, None);
                return Err(std::io::Error::other("as told"));
            }
            Some(Trouble::CutShort(by)) => {
                let mut answer = self.apply(operation, &call, None);
                answer.body.truncate(answer.body.len() - by);
                answer
            }
            Some(Trouble::Silence) => std::future::pending().await,
            Some(Trouble::ShownLate(looks)) => self.apply(operation, &call, Some(looks)),
            None => self.apply(operation, &call, None),
        };
        let date = DateTime::from(self.clock.now()).fmt(Format::HttpDate).unwrap();
        let mut response =
            Response::builder().status(StatusCode::from_u16(answer.status).unwrap()).header("date", date);
        // S3's header; STS has another one.
        if answer.headers.iter().all(|(name, _)| *name != "x-amzn-requestid") {
            response = response.header("x-amz-request-id", "r-42");
        }
        for (name, value) in answer.headers {
            response = response.header(name, value);
        }
        let body = if head.method == Method::HEAD { Bytes::new() } else { answer.body };
        Ok(response.body(Full::new(body)).unwrap())
    }

    fn apply(&self, operation: &'static str, call: &Call, shown_after: Option<u32>) -> Answer {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(refusal) = state.refuse_caller(operation, call, now) {
            return refusal;
        }
        match operation {
            "AssumeRole" => state.assume_role(call, now),
            "AssumeRoleWithWebIdentity" => state.web_identity(call, now),
            "IMDS token" => {
                Answer { headers: vec![("x-aws-ec2-metadata-token-ttl-seconds", "21600".into())], ..Answer::ok("imds") }
            }
            "IMDS credentials" => state.instance(call, now),
            "GetCallerIdentity" => Answer::ok(format!(
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                 <Arn>arn:aws:iam::222222222222:user/{}</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>",
                call.key_id.to_lowercase()
            )),
            "CreateMultipartUpload" => state.create(call, now),
            "UploadPart" => state.part(call),
            "CompleteMultipartUpload" => state.complete(call, shown_after),
            "AbortMultipartUpload" => match state.uploads.remove(&call.query["uploadId"]) {
                Some(_) => Answer { status: 204, ..Answer::ok("") },
                None => no_such_upload(),
            },
            "ListParts" => state.list_parts(call),
            "ListMultipartUploads" => state.list_uploads(call),
            "ListObjectsV2" => state.list_objects(call),
            "PutObject" => state.put(call),
            "HeadObject" | "GetObject" => state.get(call),
            "DeleteObject" => {
                state.objects.remove(&call.key);
                Answer { status: 204, ..Answer::ok("") }
            }
            other => Answer::error(501, "NotImplemented", other),
        }
    }
}

fn no_such_upload() -> Answer {
    Answer::error(404, "NoSuchUpload", "The specified upload does not exist.")
}

impl State {
    fn refuse_caller(&mut self, operation: &'static str, call: &Call, now: SystemTime) -> Option<Answer> {
        if matches!(operation, "AssumeRoleWithWebIdentity" | "IMDS token" | "IMDS credentials") {
            return None;
        }
        let is_sts = matches!(operation, "AssumeRole" | "GetCallerIdentity");
        let signed_at = DateTime::from_str(&call.amz_date, Format::DateTime).ok();
        let signed_at = signed_at.and_then(|date| SystemTime::try_from(date).ok()).unwrap_or(UNIX_EPOCH);
        let off = now.duration_since(signed_at).unwrap_or_else(|error| error.duration());
        if off > Duration::from_mins(15) {
            return Some(if is_sts {
                Answer::sts_error(403, "SignatureDoesNotMatch", "Signature expired: 1 is now earlier than 2")
            } else {
                Answer::error(
                    403,
                    "RequestTimeTooSkewed",
                    "The difference between the request time and the current time is too large.",
                )
            });
        }
        if self.expired.contains(&call.key_id) {
            return Some(if is_sts {
                Answer::sts_error(403, "ExpiredToken", "The security token included in the request is expired")
            } else {
                Answer::error(400, "ExpiredToken", "The provided token has expired.")
            });
        }
        if call.key_id.starts_with("ASIA") && !call.has_token {
            return Some(Answer::error(403, "InvalidAccessKeyId", "no token"));
        }
        if self.denied.contains(operation) || (operation == "HeadObject" && self.denied.contains("GetObject")) {
            return Some(Answer::error(403, "AccessDenied", &self.denial("s3:GetObject")));
        }
        None
    }

    fn denial(&self, action: &str) -> String {
        if self.explains_denials {
            format!(
                "User: {PRINCIPAL} is not authorized to perform: {action} because no identity-based policy allows it"
            )
        } else {
            "Access Denied".into()
        }
    }

    fn assume_role(&mut self, call: &Call, now: SystemTime) -> Answer {
        self.exchanges += 1;
        if self.external_id.as_ref() != call.form.get("ExternalId") {
            let text = "User: vendor is not authorized to perform: sts:AssumeRole on resource: orders";
            return Answer::sts_error(403, "AccessDenied", text);
        }
        let end = DateTime::from(now + self.session_life).fmt(Format::DateTime).unwrap();
        Answer::ok(format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
             <AccessKeyId>ASIA{}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>\
             <Expiration>{end}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROA:tidegate</AssumedRoleId>\
             <Arn>{PRINCIPAL}</Arn></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>",
            self.exchanges
        ))
    }

    fn web_identity(&mut self, call: &Call, now: SystemTime) -> Answer {
        let token = call.form.get("WebIdentityToken").map(String::as_str).unwrap_or_default();
        if token != "header.claims.signature" {
            return Answer::sts_error(
                400,
                "InvalidIdentityToken",
                &format!("The ID Token {token} is not a valid JWT."),
            );
        }
        self.exchanges += 1;
        let end = DateTime::from(now + self.session_life).fmt(Format::DateTime).unwrap();
        Answer::ok(format!(
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAWEB{}</AccessKeyId>\
             <SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>{end}</Expiration>\
             </Credentials><AssumedRoleUser><AssumedRoleId>AROA:web</AssumedRoleId><Arn>{PRINCIPAL}</Arn></AssumedRoleUser>\
             </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
            self.exchanges
        ))
    }

    fn instance(&mut self, call: &Call, now: SystemTime) -> Answer {
        if call.header("x-aws-ec2-metadata-token").as_deref() != Some("imds") {
            return Answer { status: 401, ..Answer::ok("") };
        }
        if call.path.ends_with('/') {
            return Answer::ok("instance-role");
        }
        self.exchanges += 1;
        let end = DateTime::from(now + self.session_life).fmt(Format::DateTime).unwrap();
        Answer::ok(format!(
            "{{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"ASIAEC2{}\",\"SecretAccessKey\":\"secret\",\
             \"Token\":\"token\",\"Expiration\":\"{end}\",\"LastUpdated\":\"{end}\"}}",
            self.exchanges
        ))
    }

    fn create(&mut self, call: &Call, now: SystemTime) -> Answer {
        self.next_upload += 1;
        let id = format!("upload-{}", self.next_upload);
        self.begin_headers = call.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let upload = Upload {
            key: call.key.clone(),
            marker: call.header("x-amz-meta-tidegate-cut").filter(|_| !self.drops_metadata),
            with_crc32c: call.header("x-amz-checksum-algorithm").as_deref() == Some("CRC32C"),
            parts: BTreeMap::new(),
            begun: now,
            initiator: PRINCIPAL.into(),
        };
        self.uploads.insert(id.clone(), upload);
        Answer::ok(format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"))
    }

    fn part(&mut self, call: &Call) -> Answer {
        self.body_hashes.push(call.header("x-amz-content-sha256").unwrap_or_default());
        let Some(upload) = self.uploads.get_mut(&call.query["uploadId"]) else { return no_such_upload() };
        let crc32c = call.header("x-amz-checksum-crc32c");
        if let Some(answer) = wrong_sum(call) {
            return answer;
        }
        if crc32c.is_some() && !upload.with_crc32c {
            let text = "Checksum Type mismatch occurred, expected checksum Type: null, actual checksum Type: crc32c";
            return Answer::error(400, "InvalidRequest", text);
        }
        let etag = format!("\"{:08x}-{}\"", crc32c::crc32c(&call.body), call.body.len());
        let part = Part { etag: etag.clone(), crc32c, bytes: call.body.clone() };
        upload.parts.insert(call.query["partNumber"].parse().unwrap(), part);
        Answer { headers: vec![("etag", etag)], ..Answer::ok("") }
    }

    fn complete(&mut self, call: &Call, shown_after: Option<u32>) -> Answer {
        let id = call.query["uploadId"].clone();
        let Some(upload) = self.uploads.get(&id) else { return no_such_upload() };
        let text = String::from_utf8_lossy(&call.body).into_owned();
        let mut bytes = Vec::new();
        let listed: Vec<&str> = text.split("<Part>").skip(1).collect();
        if listed.is_empty() {
            return Answer::error(400, "MalformedXML", "no parts");
        }
        for (place, xml) in listed.iter().enumerate() {
            let number: i32 = element(xml, "PartNumber").unwrap().parse().unwrap();
            let Some(part) = upload.parts.get(&number) else {
                return Answer::error(400, "InvalidPart", "no such part");
            };
            if element(xml, "ETag").unwrap().replace("&quot;", "\"") != part.etag {
                return Answer::error(400, "InvalidPart", "another ETag");
            }
            if upload.with_crc32c && element(xml, "ChecksumCRC32C") != part.crc32c {
                return Answer::error(
                    400,
                    "InvalidRequest",
                    "The complete request must include the checksum for each part.",
                );
            }
            if place + 1 < listed.len() && part.bytes.len() < 5 << 20 {
                return Answer::error(
                    400,
                    "EntityTooSmall",
                    "Your proposed upload is smaller than the minimum allowed size",
                );
            }
            bytes.extend_from_slice(&part.bytes);
        }
        if call.header("if-none-match").is_some() && self.objects.contains_key(&upload.key) {
            return Answer::error(
                412,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
            );
        }
        let upload = self.uploads.remove(&id).unwrap();
        let object =
            Object { marker: upload.marker, content_type: "application/octet-stream".into(), bytes: bytes.into() };
        self.published += 1;
        if let Some(looks) = shown_after {
            // Late: the answer says NoSuchUpload, as to a twin of a request that is still at work.
            self.hidden = Some((looks, upload.key, object));
            return no_such_upload();
        }
        self.objects.insert(upload.key, object);
        Answer::ok("<CompleteMultipartUploadResult><ETag>&quot;x-1&quot;</ETag></CompleteMultipartUploadResult>")
    }

    fn list_parts(&self, call: &Call) -> Answer {
        let Some(upload) = self.uploads.get(&call.query["uploadId"]) else { return no_such_upload() };
        let after: i32 = call.query.get("part-number-marker").map_or(0, |marker| marker.parse().unwrap());
        let mut xml = String::from("<ListPartsResult>");
        let mut last = after;
        for (number, part) in upload.parts.range(after + 1..).take(self.page_size) {
            let crc32c = part.crc32c.as_ref().map(|sum| format!("<ChecksumCRC32C>{sum}</ChecksumCRC32C>"));
            write!(
                xml,
                "<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag>{}</Part>",
                part.etag.replace('"', "&quot;"),
                crc32c.unwrap_or_default()
            )
            .unwrap();
            last = *number;
        }
        let truncated = upload.parts.range(last + 1..).next().is_some();
        let next = if self.next_page_is_lost {
            String::new()
        } else {
            format!("<NextPartNumberMarker>{last}</NextPartNumberMarker>")
        };
        write!(xml, "<IsTruncated>{truncated}</IsTruncated>{next}</ListPartsResult>").unwrap();
        Answer::ok(xml)
    }

    fn list_uploads(&self, call: &Call) -> Answer {
        let prefix = call.query.get("prefix").map_or("", String::as_str);
        let after = call.query.get("upload-id-marker").cloned().unwrap_or_default();
        let under: Vec<_> = self.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix)).collect();
        let page: Vec<_> = under.iter().filter(|(id, _)| **id > after).take(self.page_size).collect();
        let mut xml = String::from("<ListMultipartUploadsResult>");
        for (id, upload) in &page {
            let begun = DateTime::from(upload.begun).fmt(Format::DateTime).unwrap();
            write!(
                xml,
                "<Upload><Key>{}</Key><UploadId>{id}</UploadId><Initiator><ID>{}</ID></Initiator><Initiated>{begun}</Initiated></Upload>",
                upload.key, upload.initiator
            )
            .unwrap();
        }
        let last = page.last().map(|(id, upload)| ((*id).clone(), upload.key.clone())).unwrap_or_default();
        let truncated = under.iter().any(|(id, _)| !page.is_empty() && **id > last.0);
        write!(
            xml,
            "<IsTruncated>{truncated}</IsTruncated><NextKeyMarker>{}</NextKeyMarker><NextUploadIdMarker>{}</NextUploadIdMarker>\
             </ListMultipartUploadsResult>",
            last.1, last.0
        )
        .unwrap();
        Answer::ok(xml)
    }

    fn list_objects(&self, call: &Call) -> Answer {
        let prefix = call.query.get("prefix").map_or("", String::as_str);
        let mut xml = String::from("<ListBucketResult>");
        for key in self.objects.keys().filter(|key| key.starts_with(prefix)).take(1) {
            write!(xml, "<Contents><Key>{key}</Key></Contents>").unwrap();
        }
        xml.push_str("</ListBucketResult>");
        Answer::ok(xml)
    }

    fn put(&mut self, call: &Call) -> Answer {
        self.body_hashes.push(call.header("x-amz-content-sha256").unwrap_or_default());
        if let Some(answer) = wrong_sum(call) {
            return answer;
        }
        if call.header("if-none-match").is_some() && self.objects.contains_key(&call.key) {
            return Answer::error(412, "PreconditionFailed", "it is there");
        }
        let object = Object {
            marker: call.header("x-amz-meta-tidegate-cut"),
            content_type: call.header("content-type").unwrap_or_default(),
            bytes: call.body.clone(),
        };
        self.published += 1;
        self.objects.insert(call.key.clone(), object);
        Answer { headers: vec![("etag", "\"x\"".into())], ..Answer::ok("") }
    }

    fn get(&mut self, call: &Call) -> Answer {
        if let Some((looks, key, object)) = self.hidden.take() {
            if looks > 1 {
                self.hidden = Some((looks - 1, key, object));
            } else {
                self.objects.insert(key, object);
            }
        }
        match self.objects.get(&call.key) {
            Some(object) => {
                let marker = object.marker.iter().map(|marker| ("x-amz-meta-tidegate-cut", marker.clone()));
                Answer { headers: marker.collect(), ..Answer::ok(object.bytes.clone()) }
            }
            // Without the right to list, S3 does not tell what is missing from what is forbidden.
            None if self.denied.contains("ListObjectsV2") => {
                Answer::error(403, "AccessDenied", &self.denial("s3:ListBucket"))
            }
            None => Answer::error(404, "NoSuchKey", "The specified key does not exist."),
        }
    }
}

fn wrong_sum(call: &Call) -> Option<Answer> {
    let expected = STANDARD.encode(crc32c::crc32c(&call.body).to_be_bytes());
    match call.header("x-amz-checksum-crc32c") {
        Some(sum) if sum != expected => Some(Answer::error(400, "BadDigest", "The CRC32C you specified did not match")),
        _ => None,
    }
}

fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0.to_owned())
}

/// A request, taken apart.
struct Call {
    method: Method,
    path: String,
    key: String,
    query: BTreeMap<String, String>,
    form: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Bytes,
    key_id: String,
    has_token: bool,
    amz_date: String,
}

impl Call {
    fn of(head: &hyper::http::request::Parts, body: Bytes) -> Self {
        let headers: BTreeMap<String, String> =
            head.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        let credential = headers.get("authorization").and_then(|value| value.split_once("Credential="));
        let key_id = credential.and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default().to_owned();
        let path = head.uri.path().trim_start_matches('/');
        let stamp = headers.get("x-amz-date").cloned().unwrap_or_default();
        Self {
            method: head.method.clone(),
            path: path.to_owned(),
            key: path.split_once('/').map(|(_, key)| key.to_owned()).unwrap_or_default(),
            query: pairs(head.uri.query().unwrap_or_default()),
            form: if path.is_empty() { pairs(std::str::from_utf8(&body).unwrap_or_default()) } else { BTreeMap::new() },
            has_token: headers.contains_key("x-amz-security-token"),
            amz_date: if stamp.len() == 16 { iso(&stamp) } else { stamp },
            headers,
            body,
            key_id,
        }
    }

    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).cloned()
    }

    fn operation(&self) -> &'static str {
        let has = |name: &str| self.query.contains_key(name);
        if let Some(action) = self.form.get("Action") {
            return match action.as_str() {
                "AssumeRole" => "AssumeRole",
                "AssumeRoleWithWebIdentity" => "AssumeRoleWithWebIdentity",
                _ => "GetCallerIdentity",
            };
        }
        match self.method.as_str() {
            "PUT" if self.path == "latest/api/token" => "IMDS token",
            "GET" if self.path.starts_with("latest/meta-data/iam/security-credentials") => "IMDS credentials",
            "POST" if has("uploads") => "CreateMultipartUpload",
            "POST" => "CompleteMultipartUpload",
            "PUT" if has("uploadId") => "UploadPart",
            "PUT" => "PutObject",
            "DELETE" if has("uploadId") => "AbortMultipartUpload",
            "DELETE" => "DeleteObject",
            "HEAD" => "HeadObject",
            "GET" if has("uploadId") => "ListParts",
            "GET" if has("uploads") => "ListMultipartUploads",
            "GET" if has("list-type") => "ListObjectsV2",
            "GET" => "GetObject",
            _ => "unknown",
        }
    }
}

/// `20260102T030405Z` as `2026-01-02T03:04:05Z`.
fn iso(stamp: &str) -> String {
    let [y, mo, d, h, mi, s] =
        [&stamp[0..4], &stamp[4..6], &stamp[6..8], &stamp[9..11], &stamp[11..13], &stamp[13..15]];
    format!("{y}-{mo}-{d}T{h}:{mi}:{s}Z")
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    text.split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.replace("%2F", "/").replace("%3A", ":")))
        .collect()
}
