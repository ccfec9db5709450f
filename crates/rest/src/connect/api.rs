use std::collections::BTreeMap;

use axum::body::Body;
use control::{Caller, ClusterId, ConnectorView, ControlPlane, NewConnector, Refusal, Restart, Target};
use http::header::HOST;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::json;

use super::answer::{ApiError, Missing, at, empty, invalid, json as answer, options};
use super::body::{SentConfig, SentConnector};
use super::offsets::Unclear;
use super::query::Query;
use super::route::{Astray, Path, route};
use super::{VERSION, body, loggers, offsets, plugins, shapes};
use crate::LogLevels;
use crate::request::{Asker, RequestId, Secure, Unknown};
use crate::surface::Surface;

/// The endpoints over the control plane.
#[derive(Debug)]
pub(super) struct Api {
    plane: ControlPlane,
    log_levels: Option<LogLevels>,
}

type Answer = Result<Response<Body>, ApiError>;

/// What each call of the control plane is asked with.
struct Asked<'a> {
    caller: &'a Caller,
    cluster: ClusterId,
}

fn refused(missing: Missing) -> impl FnOnce(Refusal) -> ApiError {
    move |refusal| ApiError::of(refusal, missing)
}

impl Api {
    pub(super) fn new(plane: ControlPlane, log_levels: Option<LogLevels>) -> Self {
        Self { plane, log_levels }
    }

    /// The answer to a request.
    pub(super) async fn answer(&self, parts: &Parts, body: &[u8]) -> Answer {
        let (path, method) = match route(parts, !body.is_empty()) {
            Ok(found) => found,
            Err(Astray::Options(allow)) => return Ok(options(&allow)),
            Err(astray) => return Err(ApiError::astray(&astray)),
        };
        match path {
            Path::Root => return Ok(self.root()),
            Path::Health => return Ok(self.health().await),
            _ => {}
        }
        let who = parts.extensions.get::<Asker>().cloned().unwrap_or_else(Asker::unasked);
        let caller = match who.caller() {
            Ok(caller) => caller,
            Err(refusal) => {
                let id = parts.extensions.get().map_or_else(|| "".into(), |RequestId(id)| std::sync::Arc::clone(id));
                return Ok(axum::response::IntoResponse::into_response(Unknown::of(Surface::Connect, refusal, &id)));
            }
        };
        let query = Query::of(parts.uri.query());
        match path {
            Path::Plugins => return Ok(plugins::list(query.flag("connectorsOnly", true))),
            Path::PluginConfig(plugin) => return plugins::keys(&plugin),
            Path::Loggers | Path::Logger(_) => return self.logger(caller, &path, &method, body, &query).await,
            _ => {}
        }
        let cluster = self.plane.default_cluster(caller).await.map_err(refused(Missing::NotFound))?;
        let asked = Asked { caller, cluster };
        match (path, method) {
            (Path::Connectors, Method::POST) => self.create(&asked, &base(parts), body).await,
            (Path::Connectors, _) => self.list(&asked, &query).await,
            (Path::Connector(name), Method::DELETE) => self.delete(&asked, &name).await,
            (Path::Connector(name), _) => {
                let view = self.view(&asked, &name, Missing::NotFound).await?;
                Ok(answer(StatusCode::OK, &shapes::info(&view, view.status.tasks.len())))
            }
            (Path::Config(name), Method::PUT) => self.put(&asked, &base(parts), &name, body).await,
            (Path::Config(name), Method::PATCH) => self.patch(&asked, &name, body).await,
            (Path::Config(name), _) => {
                Ok(answer(StatusCode::OK, &self.view(&asked, &name, Missing::NotFound).await?.config))
            }
            (Path::Status(name), _) => {
                Ok(answer(StatusCode::OK, &shapes::status(&self.view(&asked, &name, Missing::NoStatus).await?)))
            }
            (Path::Pause(name), _) => self.target(&asked, &name, Target::Paused, StatusCode::ACCEPTED).await,
            (Path::Resume(name), _) => self.target(&asked, &name, Target::Running, StatusCode::ACCEPTED).await,
            (Path::Stop(name), _) => self.target(&asked, &name, Target::Stopped, StatusCode::NO_CONTENT).await,
            (Path::Restart(name), _) => self.restart(&asked, &name, &query).await,
            (Path::Tasks(name), _) => {
                Ok(answer(StatusCode::OK, &shapes::tasks(&self.view(&asked, &name, Missing::NotFound).await?)))
            }
            (Path::TaskStatus(name, task), _) => self.task_status(&asked, &name, task).await,
            (Path::TaskRestart(name, task), _) => {
                let restarted = self.plane.restart_task(caller, &asked.cluster, &name, task).await;
                restarted.map_err(|refusal| match refusal {
                    Refusal::NotFound { kind: "task", .. } => {
                        ApiError::not_found(format!("Unknown task: {name}-{task}"))
                    }
                    other => ApiError::of(other, Missing::UnknownColon),
                })?;
                Ok(empty(StatusCode::NO_CONTENT))
            }
            (Path::Topics(name), _) => self.topics(&asked, &name).await,
            (Path::TopicsReset(name), _) => self.reset_topics(&asked, &name).await,
            (Path::Offsets(name), Method::PATCH) => self.alter_offsets(&asked, &name, body).await,
            (Path::Offsets(name), Method::DELETE) => {
                let reset = self.plane.reset_offsets(caller, &asked.cluster, &name).await;
                reset.map_err(refused(Missing::NotFound))?;
                let message = "The offsets for this connector have been reset successfully";
                Ok(answer(StatusCode::OK, &json!({ "message": message })))
            }
            (Path::Offsets(name), _) => {
                let found = self.plane.offsets(caller, &asked.cluster, &name).await;
                Ok(answer(StatusCode::OK, &offsets::offsets(&found.map_err(refused(Missing::NotFound))?)))
            }
            (Path::PluginValidate(plugin), _) => self.validate(&asked, &plugin, body).await,
            (
                Path::Root | Path::Health | Path::Plugins | Path::PluginConfig(_) | Path::Loggers | Path::Logger(_),
                _,
            ) => {
                unreachable!("answered above")
            }
        }
    }

    fn root(&self) -> Response<Body> {
        let commit = concat!("tidegate-", env!("CARGO_PKG_VERSION"));
        let cluster = self.plane.kafka_cluster_id();
        answer(StatusCode::OK, &json!({ "version": VERSION, "commit": commit, "kafka_cluster_id": cluster }))
    }

    async fn health(&self) -> Response<Body> {
        let (status, text, message) = if self.plane.readiness().await.store {
            (StatusCode::OK, "healthy", "Worker has completed startup and is ready to handle requests.")
        } else {
            let message = "Worker was unable to handle this request and may be unable to handle other requests.";
            (StatusCode::INTERNAL_SERVER_ERROR, "unhealthy", message)
        };
        answer(status, &json!({ "status": text, "message": message }))
    }

    async fn view(&self, asked: &Asked<'_>, name: &str, missing: Missing) -> Result<ConnectorView, ApiError> {
        self.plane.connector(asked.caller, &asked.cluster, name).await.map_err(refused(missing))
    }

    async fn list(&self, asked: &Asked<'_>, query: &Query<'_>) -> Answer {
        let views = self.plane.connectors(asked.caller, &asked.cluster).await.map_err(refused(Missing::NotFound))?;
        if query.first("expand").is_none() {
            return Ok(answer(StatusCode::OK, &views.iter().map(|view| &view.name).collect::<Vec<_>>()));
        }
        let wants = |what: &str| query.all("expand").any(|expand| expand == what);
        let (info, status) = (wants("info"), wants("status"));
        let all: BTreeMap<&str, shapes::Expanded<'_>> = views
            .iter()
            .map(|view| {
                let expanded = shapes::Expanded {
                    info: info.then(|| shapes::info(view, view.status.tasks.len())),
                    status: status.then(|| shapes::status(view)),
                };
                (view.name.as_str(), expanded)
            })
            .collect();
        Ok(answer(StatusCode::OK, &all))
    }

    async fn create(&self, asked: &Asked<'_>, base: &str, body: &[u8]) -> Answer {
        let SentConnector { name, config, target } = body::connector(body)?;
        let config = self.without_nulls(asked, &name, config).await?;
        let new = NewConnector { name, config, target, offsets: Vec::new() };
        let keys = SentConfig { texts: new.config.clone(), nulls: Vec::new() };
        let name = new.name.clone();
        let view = match self.plane.create_connector(asked.caller, &asked.cluster, new).await {
            Ok(view) => view,
            Err(refusal) => return Err(self.refused_change(asked, &name, &keys, refusal).await),
        };
        Ok(at(answer(StatusCode::CREATED, &shapes::info(&view, 0)), &shapes::place(base, &view.name)))
    }

    async fn put(&self, asked: &Asked<'_>, base: &str, name: &str, body: &[u8]) -> Answer {
        let config = body::config(body::object(body)?)?;
        let config = self.without_nulls(asked, name, config).await?;
        let before = self.tasks_before(asked, name).await;
        let keys = SentConfig { texts: config.clone(), nulls: Vec::new() };
        let (view, created) = match self.plane.put_config(asked.caller, &asked.cluster, name, config, None).await {
            Ok(put) => put,
            Err(refusal) => return Err(self.refused_change(asked, name, &keys, refusal).await),
        };
        if created {
            return Ok(at(answer(StatusCode::CREATED, &shapes::info(&view, 0)), &shapes::place(base, &view.name)));
        }
        Ok(answer(StatusCode::OK, &shapes::info(&view, before)))
    }

    async fn patch(&self, asked: &Asked<'_>, name: &str, body: &[u8]) -> Answer {
        let SentConfig { texts, nulls } = body::config(body::object(body)?)?;
        let before = self.tasks_before(asked, name).await;
        let keys = SentConfig { texts: texts.clone(), nulls: nulls.clone() };
        let mut patch: BTreeMap<String, Option<String>> =
            texts.into_iter().map(|(key, value)| (key, Some(value))).collect();
        patch.extend(nulls.into_iter().map(|key| (key, None)));
        let patched = self.plane.patch_config(asked.caller, &asked.cluster, name, patch, None).await;
        let view = patched.map_err(|refusal| refused_config(refusal, &keys))?;
        Ok(answer(StatusCode::OK, &shapes::info(&view, before)))
    }

    /// How many tasks Connect would show in the answer to a change: those that there were before it.
    async fn tasks_before(&self, asked: &Asked<'_>, name: &str) -> usize {
        let before = self.plane.connector(asked.caller, &asked.cluster, name).await;
        before.map_or(0, |view| view.status.tasks.len())
    }

    /// A configuration without null values; one that has some is refused, together with what else is wrong with it.
    async fn without_nulls(
        &self,
        asked: &Asked<'_>,
        name: &str,
        config: SentConfig,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        if config.nulls.is_empty() {
            return Ok(config.texts);
        }
        let keys = config.keys();
        let mut texts = config.texts;
        texts.entry("name".to_owned()).or_insert_with(|| name.to_owned());
        let validated = self.plane.validate(asked.caller, &asked.cluster, texts).await;
        let mut validation = validated.map_err(refused(Missing::NotFound))?;
        plugins::add_nulls(&mut validation, &config.nulls);
        let texts = validation.keys.iter().flat_map(|key| key.errors.iter().map(String::as_str));
        Err(ApiError::bad(invalid(texts, || keys)))
    }

    /// Why a configuration is not taken. A name that nothing can be called by is told as a fault of its key, together with
    /// the others.
    async fn refused_change(&self, asked: &Asked<'_>, name: &str, sent: &SentConfig, refusal: Refusal) -> ApiError {
        if !matches!(&refusal, Refusal::Flawed { field, .. } if field == "name") {
            return refused_config(refusal, sent);
        }
        let mut texts = sent.texts.clone();
        if texts.get("name").is_some_and(|config| config != name) {
            let config = texts.remove("name").unwrap_or_default();
            return ApiError::of(Refusal::NameMismatch { config, asked: name.to_owned() }, Missing::NotFound);
        }
        texts.insert("name".to_owned(), name.to_owned());
        let Ok(validation) = self.plane.validate(asked.caller, &asked.cluster, texts).await else {
            return refused_config(refusal, sent);
        };
        let texts = validation.keys.iter().flat_map(|key| key.errors.iter().map(String::as_str));
        if texts.clone().next().is_none() {
            return refused_config(refusal, sent);
        }
        ApiError::bad(invalid(texts, || sent.keys()))
    }

    async fn delete(&self, asked: &Asked<'_>, name: &str) -> Answer {
        let deleted = self.plane.delete_connector(asked.caller, &asked.cluster, name, None).await;
        deleted.map_err(refused(Missing::NotFound))?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    async fn target(&self, asked: &Asked<'_>, name: &str, target: Target, status: StatusCode) -> Answer {
        let set = self.plane.set_target(asked.caller, &asked.cluster, name, target).await;
        set.map_err(refused(Missing::Unknown))?;
        Ok(empty(status))
    }

    async fn restart(&self, asked: &Asked<'_>, name: &str, query: &Query<'_>) -> Answer {
        let what =
            Restart { include_tasks: query.flag("includeTasks", false), only_failed: query.flag("onlyFailed", false) };
        let restarted = self.plane.restart(asked.caller, &asked.cluster, name, what).await;
        let view = restarted.map_err(refused(Missing::UnknownColon))?;
        if what == Restart::default() {
            return Ok(empty(StatusCode::NO_CONTENT));
        }
        Ok(answer(StatusCode::ACCEPTED, &shapes::status(&view)))
    }

    async fn task_status(&self, asked: &Asked<'_>, name: &str, task: u32) -> Answer {
        let none = || ApiError::not_found(format!("No status found for task {name}-{task}"));
        let view = match self.plane.connector(asked.caller, &asked.cluster, name).await {
            Ok(view) => view,
            Err(Refusal::NotFound { kind: "connector", .. }) => return Err(none()),
            Err(other) => return Err(ApiError::of(other, Missing::NoStatus)),
        };
        let found = usize::try_from(task).ok().and_then(|task| shapes::task(&view, task)).ok_or_else(none)?;
        Ok(answer(StatusCode::OK, &found))
    }

    /// Whether a worker key about topics says no.
    fn forbids(&self, key: &str) -> bool {
        let worker = self.plane.settings().worker.config();
        worker.get(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("false"))
    }

    async fn topics(&self, asked: &Asked<'_>, name: &str) -> Answer {
        if self.forbids("topic.tracking.enable") {
            return Err(ApiError::new(StatusCode::FORBIDDEN, "Topic tracking is disabled."));
        }
        let topics = match self.plane.active_topics(asked.caller, &asked.cluster, name).await {
            // Connect knows topics of connectors that it does not have.
            Err(Refusal::NotFound { kind: "connector", .. }) => Vec::new(),
            found => found.map_err(refused(Missing::NotFound))?,
        };
        Ok(answer(StatusCode::OK, &json!({ name: { "topics": topics } })))
    }

    async fn reset_topics(&self, asked: &Asked<'_>, name: &str) -> Answer {
        if self.forbids("topic.tracking.enable") {
            return Err(ApiError::new(StatusCode::FORBIDDEN, "Topic tracking is disabled."));
        }
        if self.forbids("topic.tracking.allow.reset") {
            return Err(ApiError::new(StatusCode::FORBIDDEN, "Topic tracking reset is disabled."));
        }
        match self.plane.reset_active_topics(asked.caller, &asked.cluster, name).await {
            Ok(()) | Err(Refusal::NotFound { kind: "connector", .. }) => Ok(empty(StatusCode::ACCEPTED)),
            Err(other) => Err(ApiError::of(other, Missing::NotFound)),
        }
    }

    async fn alter_offsets(&self, asked: &Asked<'_>, name: &str, body: &[u8]) -> Answer {
        let offsets = match offsets::asked(body) {
            Ok(offsets) => offsets,
            Err(Unclear::Body(error)) => return Err(error),
            Err(Unclear::Offsets(error)) => {
                let view = self.view(asked, name, Missing::NotFound).await?;
                if view.target == Target::Stopped {
                    return Err(error);
                }
                return Err(ApiError::of(Refusal::NotStopped { name: view.name }, Missing::NotFound));
            }
        };
        let altered = self.plane.alter_offsets(asked.caller, &asked.cluster, name, offsets).await;
        altered.map_err(refused(Missing::NotFound))?;
        let message = "The offsets for this connector have been altered successfully";
        Ok(answer(StatusCode::OK, &json!({ "message": message })))
    }

    async fn validate(&self, asked: &Asked<'_>, plugin: &str, body: &[u8]) -> Answer {
        let sent = body::config(body::object(body)?)?;
        plugins::check_class(plugin, &sent)?;
        let validated = self.plane.validate(asked.caller, &asked.cluster, sent.texts).await;
        let mut validation = validated.map_err(refused(Missing::NotFound))?;
        plugins::add_nulls(&mut validation, &sent.nulls);
        plugins::validated(&validation)
    }

    async fn logger(&self, caller: &Caller, path: &Path, method: &Method, body: &[u8], query: &Query<'_>) -> Answer {
        let (action, levels) = (if method == Method::PUT { "change" } else { "read" }, self.log_levels.as_ref());
        let allowed = self.plane.require_admin(caller, action, "the levels of the log").await;
        allowed.map_err(refused(Missing::NotFound))?;
        match path {
            Path::Logger(name) if method == Method::PUT => {
                let cluster = query.first("scope").is_some_and(|scope| scope.eq_ignore_ascii_case("cluster"));
                loggers::set(levels, name, body, cluster)
            }
            Path::Logger(name) => loggers::one(levels, name),
            _ => Ok(loggers::list(levels)),
        }
    }
}

/// A refused change, where what is said of a configuration without a class names the keys that were sent.
fn refused_config(refusal: Refusal, sent: &SentConfig) -> ApiError {
    match refusal {
        Refusal::Config(faults) => {
            ApiError::bad(invalid(faults.faults().iter().map(|fault| fault.text.as_str()), || sent.keys()))
        }
        other => ApiError::of(other, Missing::NotFound),
    }
}

/// What comes before the path in the address that the client used.
fn base(parts: &Parts) -> String {
    let scheme = if parts.extensions.get::<Secure>().is_some_and(|secure| secure.0) { "https" } else { "http" };
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    match host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str)) {
        Some(host) => format!("{scheme}://{host}"),
        None => String::new(),
    }
}
