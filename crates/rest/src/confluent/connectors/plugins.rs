use connectors::{KeyReport, KeyText, Validation, classes};
use serde_json::{Value, json};

use super::cluster;
use crate::confluent::answer::{Answer, Outcome};
use crate::confluent::ask::Ask;
use crate::confluent::problem::{Problem, not_found, short};

/// The classes that there are.
pub(super) async fn list(ask: Ask) -> Outcome {
    cluster(&ask).await?;
    let plugin =
        |class: &connectors::ConnectorClass| json!({ "class": class.name, "type": "sink", "version": class.version });
    Ok(Answer::ok(classes().iter().map(plugin).collect()))
}

/// Tells of every key of a configuration what a form needs to know, and what is wrong.
pub(super) async fn validate(ask: Ask) -> Outcome {
    let cluster = cluster(&ask).await?;
    let mut config = ask.body()?.config(None)?;
    let class = ask.param("class");
    match config.get("connector.class") {
        Some(other) if !same(other, class) => {
            let text = format!("connector.class is {}, and the request is about {}", short(other), short(class));
            return Err(Problem::bad_request(text));
        }
        Some(_) => {}
        None => {
            config.insert("connector.class".to_owned(), class.to_owned());
        }
    }
    if connectors::ConnectorClass::find(class).is_none() {
        return Err(not_found("connector plugin", class));
    }
    let found = ask.plane.validate(&ask.caller, &cluster, config).await?;
    Ok(Answer::ok(shown(&found)))
}

/// Whether two texts name one class.
fn same(one: &str, other: &str) -> bool {
    let name = |text: &str| connectors::ConnectorClass::find(text.trim()).map(|class| class.name);
    one.trim() == other || (name(one).is_some() && name(one) == name(other))
}

fn shown(found: &Validation) -> Value {
    json!({
        "name": found.class,
        "groups": found.groups,
        "error_count": found.error_count,
        "configs": found.keys.iter().map(key).collect::<Vec<_>>(),
    })
}

fn key(key: &KeyReport) -> Value {
    json!({
        "definition": key.definition.as_ref().map(definition),
        "value": {
            "name": key.name,
            "value": key.value.as_deref().unwrap_or_default(),
            "recommended_values": key.recommended,
            "errors": key.errors,
            "visible": key.visible,
        },
        "metadata": {},
    })
}

fn definition(key: &KeyText) -> Value {
    json!({
        "name": key.name,
        // Confluent's list of types has no classes.
        "type": if key.kind == "CLASS" { "STRING" } else { key.kind },
        "required": key.required,
        "default_value": key.default.as_deref().unwrap_or_default(),
        "importance": key.importance,
        "documentation": key.documentation,
        "group": key.group.as_deref().unwrap_or_default(),
        "width": key.width,
        "display_name": key.display_name,
        "dependents": key.dependents,
        "order": key.order,
        "alias": "",
    })
}
