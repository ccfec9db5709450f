use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use fault::Chain;

/// Why one attempt did not succeed, without the SDK's types.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// AWS answered and said no.
    Answered(Answer),
    /// No answer, or none that could be read: the request may have been applied or not.
    Lost(Loss),
    /// It was never sent: it could not be built or signed.
    Unsent(Arc<dyn StdError + Send + Sync>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(answer) => write!(f, "{} ({}) {}", answer.name(), answer.status, answer.message),
            Self::Lost(loss) => write!(f, "{}", Chain(loss)),
            Self::Unsent(source) => write!(f, "{}", Chain(&**source)),
        }
    }
}

/// A no.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Empty where the answer had no body to say it in (HEAD).
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) request_id: Option<String>,
    /// The region that the bucket is in, if the answer named one.
    pub(crate) region: Option<String>,
    /// The far side's hour.
    pub(crate) date: Option<SystemTime>,
}

/// What kept an answer away.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Loss {
    /// Name not found, connection refused, reset, closed, or an answer cut short.
    #[error("connection failed")]
    Connection(#[source] Arc<dyn StdError + Send + Sync>),
    /// The session ended between being asked for and being used: it is asked for again.
    #[error("no session to sign with")]
    Session(#[source] Arc<dyn StdError + Send + Sync>),
    /// No byte of the body was taken for this long.
    #[error("the far side took no bytes for {} s", .0.as_secs())]
    Stalled(Duration),
    /// Everything was sent and no answer came for this long.
    #[error("no answer came for {} s", .0.as_secs())]
    Silent(Duration),
}

impl Failure {
    /// For the counters.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Answered(answer) => answer.name(),
            Self::Lost(loss) => loss.name().to_owned(),
            Self::Unsent(_) => "unsent".to_owned(),
        }
    }
}

impl Loss {
    /// For the counters.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Connection(_) => "connection",
            Self::Session(_) => "session",
            Self::Stalled(_) => "stalled",
            Self::Silent(_) => "silent",
        }
    }
}

impl<E> From<SdkError<E, HttpResponse>> for Failure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        if caused_by_credentials(&error) {
            return Self::Lost(Loss::Session(Arc::new(error)));
        }
        match error {
            SdkError::ServiceError(context) => {
                let answer = Answer::of(context.raw(), context.err().code(), context.err().message());
                Self::Answered(answer)
            }
            // An error page that is not AWS's XML (a proxy, a load balancer) still has a status. A success that cannot
            // be read was cut short.
            SdkError::ResponseError(context) if !context.raw().status().is_success() => {
                Self::Answered(Answer::of(context.raw(), None, None))
            }
            SdkError::DispatchFailure(failure) if failure.is_user() => {
                Self::Unsent(Arc::new(SdkError::<E, HttpResponse>::DispatchFailure(failure)))
            }
            SdkError::ConstructionFailure(failure) => {
                Self::Unsent(Arc::new(SdkError::<E, HttpResponse>::ConstructionFailure(failure)))
            }
            error => Self::Lost(Loss::Connection(Arc::new(error))),
        }
    }
}

fn caused_by_credentials(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<CredentialsError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

impl Answer {
    fn of(raw: &HttpResponse, code: Option<&str>, message: Option<&str>) -> Self {
        let header = |name: &str| raw.headers().get(name).map(str::to_owned);
        let message = message.unwrap_or_default().to_owned();
        let region = header("x-amz-bucket-region").or_else(|| expected_region(&message));
        Self {
            status: raw.status().as_u16(),
            code: code.unwrap_or_default().to_owned(),
            region,
            message,
            // S3's own header first, then the one of the query services.
            request_id: header("x-amz-request-id").or_else(|| header("x-amzn-requestid")),
            date: header("date").as_deref().and_then(http_date),
        }
    }

    /// The code, or the status where there is none.
    pub(crate) fn name(&self) -> String {
        if self.code.is_empty() { self.status.to_string() } else { self.code.clone() }
    }
}

/// The time in `Sun, 30 Aug 2026 12:36:00 GMT`.
pub(crate) fn http_date(text: &str) -> Option<SystemTime> {
    DateTime::from_str(text, Format::HttpDate).ok().and_then(|date| SystemTime::try_from(date).ok())
}

/// The region in `The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'`.
fn expected_region(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("expecting '")?;
    let (region, _) = rest.split_once('\'')?;
    Some(region.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_session_that_ends_before_it_signs_is_no_reason_to_give_up() {
        use aws_credential_types::provider::future;
        use aws_sdk_s3::config::{BehaviorVersion, Config, ProvideCredentials, Region, retry::RetryConfig};

        #[derive(Debug)]
        struct NoMore;
        impl ProvideCredentials for NoMore {
            fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
            where
                Self: 'a,
            {
                future::ProvideCredentials::ready(Err(CredentialsError::provider_error("it was live a moment ago")))
            }
        }
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-central-1"))
            .retry_config(RetryConfig::disabled())
            .credentials_provider(NoMore)
            .build();
        let client = aws_sdk_s3::Client::from_conf(config);
        let error = client.head_object().bucket("b").key("k").send().await.unwrap_err();
        assert!(matches!(Failure::from(error), Failure::Lost(Loss::Session(_))));
    }

    #[test]
    fn the_expected_region_is_read_out_of_the_message() {
        let message =
            "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'";
        assert_eq!(expected_region(message).as_deref(), Some("eu-central-1"));
        assert_eq!(expected_region("expecting 'no end"), None);
    }
}
