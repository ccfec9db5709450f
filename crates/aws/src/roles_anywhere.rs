use std::convert::Infallible;
use std::sync::Arc;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, SensitiveOutput};
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::timeout::TimeoutConfig;
use identity::roles_anywhere::{OPERATION, Request, RolesAnywhere};
use identity::{Error, Session};

use crate::bridge::ClockBridge;
use crate::failure::http_date;
use crate::sts::{CALL_LIMIT, Sts};

/// An answer, whatever it says.
#[derive(Debug)]
struct Answer {
    status: u16,
    error_type: Option<String>,
    request_id: Option<String>,
    date: Option<String>,
    /// It may hold a session's keys: not to be shown.
    body: Body,
}

struct Body(Vec<u8>);

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

impl Sts {
    /// Exchanges a certificate for a session. The request is signed by `identity`: the SDK has no client of this service
    /// that could, and only its connections are used.
    pub(crate) async fn roles_anywhere(&self, declared: &RolesAnywhere) -> Result<Session, Error> {
        let now = self.clock.now();
        let pair = self.pairs.pair(declared, now).await.map_err(Error::Certificate)?;
        let request = declared.request(&pair, now).map_err(Error::Certificate)?;
        let answer = self.send(request).await.map_err(|error| Error::Unreachable {
            operation: OPERATION,
            target: declared.to_string(),
            endpoint: declared.endpoint(),
            source: Arc::new(error),
        })?;
        let Answer { status, error_type, request_id, date, body } = answer;
        let read = declared.read(&pair, status, error_type.as_deref(), request_id.as_deref(), &body.0);
        if let Err(Error::Refused(refusal)) = &read
            && refusal.blames_clock()
            && let Some(date) = date.as_deref().and_then(http_date)
        {
            self.clock.learn(date);
        }
        read
    }

    async fn send(
        &self,
        request: Request,
    ) -> Result<Answer, aws_smithy_runtime_api::client::result::SdkError<Infallible, HttpResponse>> {
        // One attempt: the session cache decides about the next one, for all who wait.
        Operation::builder()
            .service_name("rolesanywhere")
            .operation_name("CreateSession")
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.http.clone())
            .endpoint_url(request.url.trim_end_matches("/sessions"))
            .no_auth()
            .no_retry()
            .timeout_config(TimeoutConfig::builder().operation_timeout(CALL_LIMIT).build())
            .sleep_impl(TokioSleep::new())
            .time_source(ClockBridge(self.clock.clone()))
            .runtime_plugin(unlogged())
            .serializer(|request: Request| {
                let mut built = http::Request::post("/sessions");
                for (name, value) in &request.headers {
                    built = built.header(*name, value);
                }
                Ok(HttpRequest::try_from(built.body(SdkBody::from(request.body))?)?)
            })
            .deserializer(|response: &HttpResponse| {
                let header = |name: &str| response.headers().get(name).map(str::to_owned);
                Ok::<_, aws_smithy_runtime_api::client::orchestrator::OrchestratorError<Infallible>>(Answer {
                    status: response.status().as_u16(),
                    error_type: header("x-amzn-errortype"),
                    request_id: header("x-amzn-requestid"),
                    date: header("date"),
                    body: Body(response.body().bytes().unwrap_or_default().to_vec()),
                })
            })
            .build()
            .invoke(request)
            .await
    }
}

/// The SDK logs answers at its finest level, and this one holds a session's keys.
fn unlogged() -> StaticRuntimePlugin {
    let mut layer = Layer::new("tidegate");
    layer.store_put(SensitiveOutput);
    StaticRuntimePlugin::new().with_config(layer.freeze())
}
