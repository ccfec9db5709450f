use std::collections::BTreeMap;

use connectors::{ConnectorClass, KeyReport, KeyText, Validation};
use control::{ConnectorView, Doing, Explanation};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

/// `ConnectorInfo`.
#[derive(Debug, Serialize)]
pub(super) struct Info<'a> {
    name: &'a str,
    config: &'a BTreeMap<String, String>,
    tasks: Vec<TaskId<'a>>,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Debug, Serialize)]
struct TaskId<'a> {
    connector: &'a str,
    task: usize,
}

/// A connector with as many tasks as `tasks` says: just after a change, Connect still shows those of before.
pub(super) fn info(view: &ConnectorView, tasks: usize) -> Info<'_> {
    let tasks = (0..tasks).map(|task| TaskId { connector: &view.name, task }).collect();
    Info { name: &view.name, config: &view.config, tasks, kind: view.kind }
}

/// `ConnectorStateInfo`.
#[derive(Debug, Serialize)]
pub(super) struct Status<'a> {
    name: &'a str,
    connector: ConnectorState<'a>,
    tasks: Vec<TaskState<'a>>,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Debug, Serialize)]
struct ConnectorState<'a> {
    state: Doing,
    worker_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    version: Option<&'static str>,
}

/// `TaskState`.
#[derive(Debug, Serialize)]
pub(super) struct TaskState<'a> {
    id: usize,
    state: Doing,
    worker_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    version: Option<&'static str>,
}

fn class(view: &ConnectorView) -> Option<&'static ConnectorClass> {
    ConnectorClass::find(view.config.get("connector.class")?.trim())
}

pub(super) fn status(view: &ConnectorView) -> Status<'_> {
    let state = view.status.connector;
    Status {
        name: &view.name,
        connector: ConnectorState {
            state,
            worker_id: &view.status.worker_id,
            trace: trace(state, view),
            version: class(view).map(|class| class.version),
        },
        tasks: (0..view.status.tasks.len()).filter_map(|id| task(view, id)).collect(),
        kind: view.kind,
    }
}

pub(super) fn task(view: &ConnectorView, id: usize) -> Option<TaskState<'_>> {
    let state = *view.status.tasks.get(id)?;
    Some(TaskState {
        id,
        state,
        worker_id: &view.status.worker_id,
        trace: trace(state, view),
        version: class(view).map(|class| class.version),
    })
}

fn trace(state: Doing, view: &ConnectorView) -> Option<String> {
    let Explanation { text, hint, causes, .. } = view.status.explanation.as_ref().filter(|_| state == Doing::Failed)?;
    let mut trace = text.clone();
    for (what, line) in hint.iter().map(|hint| ("hint", hint)).chain(causes.iter().map(|cause| ("may be", cause))) {
        trace.push_str("\n\t");
        trace.push_str(what);
        trace.push_str(": ");
        trace.push_str(line);
    }
    Some(trace)
}

/// What `GET /connectors/c/tasks` tells of one task.
#[derive(Debug, Serialize)]
pub(super) struct TaskInfo<'a> {
    id: TaskId<'a>,
    config: BTreeMap<&'a str, &'a str>,
}

pub(super) fn tasks(view: &ConnectorView) -> Vec<TaskInfo<'_>> {
    let one = |task| {
        let mut config: BTreeMap<&str, &str> =
            view.config.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        if let Some(class) = class(view) {
            config.insert("task.class", class.task_class);
        }
        TaskInfo { id: TaskId { connector: &view.name, task }, config }
    };
    (0..view.status.tasks.len()).map(one).collect()
}

/// What `?expand=` asks for of one connector.
#[derive(Debug, Serialize)]
pub(super) struct Expanded<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) info: Option<Info<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Status<'a>>,
}

/// A key's definition (`ConfigKeyInfo`).
#[derive(Debug, Serialize)]
pub(super) struct Definition<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    required: bool,
    default_value: Option<&'a str>,
    importance: &'a str,
    documentation: &'a str,
    group: Option<&'a str>,
    width: &'a str,
    display_name: &'a str,
    dependents: &'a [String],
    order: i32,
}

pub(super) fn definition(text: &KeyText) -> Definition<'_> {
    Definition {
        name: &text.name,
        kind: text.kind,
        required: text.required,
        default_value: text.default.as_deref(),
        importance: text.importance,
        documentation: &text.documentation,
        group: text.group.as_deref(),
        width: text.width,
        display_name: &text.display_name,
        dependents: &text.dependents,
        order: text.order,
    }
}

/// `ConfigInfos`.
#[derive(Debug, Serialize)]
pub(super) struct Infos<'a> {
    name: &'a str,
    error_count: usize,
    groups: &'a [String],
    configs: Vec<ConfigInfo<'a>>,
}

#[derive(Debug, Serialize)]
struct ConfigInfo<'a> {
    definition: Option<Definition<'a>>,
    value: ConfigValue<'a>,
}

#[derive(Debug, Serialize)]
struct ConfigValue<'a> {
    name: &'a str,
    value: Option<&'a str>,
    recommended_values: &'a [String],
    errors: &'a [String],
    visible: bool,
}

pub(super) fn infos(validation: &Validation) -> Infos<'_> {
    Infos {
        name: &validation.class,
        error_count: validation.error_count,
        groups: &validation.groups,
        configs: validation.keys.iter().map(config_info).collect(),
    }
}

fn config_info(key: &KeyReport) -> ConfigInfo<'_> {
    ConfigInfo {
        definition: key.definition.as_ref().map(definition),
        value: ConfigValue {
            name: &key.name,
            value: key.value.as_deref(),
            recommended_values: &key.recommended,
            errors: &key.errors,
            visible: key.visible,
        },
    }
}

/// What stays as it is in a segment of a path (RFC 3986: pchar).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Where a connector is.
pub(super) fn place(base: &str, name: &str) -> String {
    format!("{base}/connectors/{}", utf8_percent_encode(name, SEGMENT))
}
