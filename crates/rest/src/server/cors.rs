use axum::body::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

/// Whose pages may ask from a browser: the worker's `access.control.allow.origin` and `access.control.allow.methods`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    origins: Vec<String>,
    methods: Vec<String>,
}

/// What Kafka Connect's server allows if nothing is said.
const METHODS: &str = "GET,POST,HEAD";
/// Beside those that are always allowed.
const HEADERS: &str = "Accept,Authorization,Content-Type,Origin,X-Requested-With";

impl Cors {
    /// From the texts of the two keys, lists separated by commas. `None` if no origin is allowed.
    pub fn new(origins: &str, methods: Option<&str>) -> Option<Self> {
        let list = |text: &str| -> Vec<String> {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
        };
        let origins = list(origins);
        let methods = list(methods.filter(|text| !text.trim().is_empty()).unwrap_or(METHODS));
        (!origins.is_empty()).then_some(Self { origins, methods })
    }

    fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == "*" || allowed == origin)
    }

    /// The answer to a browser's question whether it may ask. Credentials of the browser's own (cookies) are never allowed:
    /// there are none here.
    pub(super) fn preflight<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        if request.method() != Method::OPTIONS || !request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if self.allows(origin(request.headers())?) {
            let headers = response.headers_mut();
            if let Ok(methods) = HeaderValue::from_str(&self.methods.join(",")) {
                headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            }
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("1800"));
        }
        Some(response)
    }

    /// Tells the browser whether its page may see an answer.
    pub(super) fn mark(&self, asked_from: Option<&HeaderValue>, headers: &mut HeaderMap) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = asked_from.filter(|origin| origin.to_str().is_ok_and(|origin| self.allows(origin))) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
    }
}

fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(ORIGIN)?.to_str().ok()
}

/// Why a request without credentials is not taken for the operator's although it comes from this machine: a page in the
/// operator's browser may have made it.
pub(super) fn foreign_page(headers: &HeaderMap, cors: Option<&Cors>, loopback: bool) -> Option<&'static str> {
    let host = headers.get(HOST).map(|host| host.to_str().unwrap_or_default());
    // A name that leads here, but is not ours, is how a page gets around the browser's rule of one origin.
    if loopback && host.is_some_and(|host| !is_local(host)) {
        return Some("requests without credentials must name this server by localhost or its address");
    }
    let origin = origin(headers)?;
    let same = host.is_some_and(|host| {
        origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
    });
    if same || cors.is_some_and(|cors| cors.allows(origin)) {
        return None;
    }
    Some("requests without credentials are not taken from pages of other origins")
}

fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_page_of_another_origin_is_not_the_operator() {
        let refused = |pairs: &[_], cors: Option<&Cors>| foreign_page(&headers(pairs), cors, true).is_some();
        assert!(!refused(&[("host", "localhost:8083")], None));
        assert!(!refused(&[("host", "127.0.0.1:8083"), ("origin", "http://127.0.0.1:8083")], None));
        assert!(!refused(&[("host", "[::1]:8083")], None));
        assert!(refused(&[("host", "evil.example:8083")], None), "a name that was made to lead here");
        assert!(refused(&[("host", "localhost:8083"), ("origin", "http://evil.example")], None));
        assert!(refused(&[("host", "localhost:8083"), ("origin", "null")], None));
        let cors = Cors::new("http://ui.example, http://b", None);
        assert!(!refused(&[("host", "localhost:8083"), ("origin", "http://ui.example")], cors.as_ref()));
        assert_eq!(foreign_page(&headers(&[("host", "tidegate:8083")]), None, false), None);
        assert_eq!(Cors::new(" , ", None), None);
    }
}
