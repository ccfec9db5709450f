use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::{Body as HttpBody, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};

/// The body of any answer.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An answer before the gate adds what all answers have.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// The length of the body; of what it would be, for HEAD.
    pub(super) length: u64,
}

impl Reply {
    pub(super) fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let length = body.len() as u64;
        Self { status, headers: HeaderMap::new(), body: whole(body), length }
    }

    /// 200 without a body.
    pub(super) fn ok() -> Self {
        Self::new(StatusCode::OK, Bytes::new())
    }

    /// 204.
    pub(super) fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT, Bytes::new())
    }

    /// 200 with a document.
    pub(super) fn xml(text: String) -> Self {
        Self::new(StatusCode::OK, text).with("content-type", "application/xml")
    }

    pub(super) fn with(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        self.set(name, value.as_ref());
        self
    }

    /// Sets a header. Values that cannot stand in one (they come from clients' headers, so they can) are left out.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            self.headers.insert(name, value);
        }
    }
}

pub(super) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// Half of a body, then the connection breaks.
pub(super) fn truncated(body: Body, length: u64) -> Body {
    Truncated { body, left: length / 2 }.boxed_unsync()
}

struct Truncated {
    body: Body,
    left: u64,
}

impl HttpBody for Truncated {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(Some(Err(io::Error::other("truncated on purpose"))));
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            let Ok(mut data) = frame?.into_data() else { return Err(io::Error::other("truncated on purpose")) };
            data.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= data.len() as u64;
            Ok(Frame::data(data))
        }))
    }
}
