//! `/v1/openapi.json`, made from the table.

use serde_json::{Map, Value, json};

use super::ask::{Ask, Reply};
use super::shape::{Kind, Shape};
use super::shapes::PROBLEM;
use super::table::{ROUTES, Route};
use super::trouble::Trouble;

#[expect(clippy::unnecessary_wraps, reason = "a handler's shape")]
pub(super) fn show(_: &Ask) -> Result<Reply, Trouble> {
    Ok(Reply::shown(document()))
}

/// The document (OpenAPI 3.1).
pub(super) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let (mut open, mut closed): (Vec<&Shape>, Vec<&Shape>) = (vec![], vec![]);
    Kind::Object(&PROBLEM).shapes(&mut open);
    for route in ROUTES {
        route.answer.shapes(&mut open);
        route.body.shapes(&mut closed);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation(route);
    }
    let mut schemas = Map::new();
    for shape in open {
        schemas.insert(shape.name.to_owned(), shape.schema(false));
    }
    for shape in closed {
        schemas.insert(shape.name.to_owned(), shape.schema(true));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tidegate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Connectors, connections, integrations and who may do what with them. Errors are problems (RFC 9457) with a code, a hint and every fault at once.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "/" }],
        "security": [{ "basic": [] }, { "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "basic": { "type": "http", "scheme": "basic", "description": "An API key and its secret, or an address and its password." },
                "bearer": { "type": "http", "scheme": "bearer", "description": "The token of a login." }
            },
            "responses": {
                "Problem": {
                    "description": "It was not done.",
                    "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } }
                }
            }
        }
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = names(route.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }))
        .collect();
    for param in route.query {
        parameters.push(json!({
            "name": param.name, "in": "query", "required": false, "description": param.doc, "schema": param.kind.schema(),
        }));
    }
    if route.conditional {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "required": false,
            "description": "The ETag that the change is made for: another one now is 412.",
            "schema": { "type": "string", "pattern": "^(\\*|\"[0-9]{1,19}\")$" },
        }));
    }
    if route.creates {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "A text of the client's: the same request with it again is answered as the first one, for an hour.",
            "schema": { "type": "string", "pattern": "^[!-~]{1,255}$" },
        }));
    }
    let mut answers = Map::new();
    answers.insert(route.status.to_string(), answer(route));
    if route.name.starts_with("put") {
        answers.insert("201".to_owned(), answer(route));
    }
    for status in ["400", "401", "403", "404"] {
        answers.insert(status.to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    }
    if route.method != "GET" {
        answers.insert("409".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
        answers.insert("422".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    }
    if route.conditional {
        answers.insert("412".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    }
    answers.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.summary,
        "tags": [tag(route.path)],
        "parameters": parameters,
        "responses": answers,
    });
    if !matches!(route.body, Kind::Nothing) {
        operation["requestBody"] = json!({
            "required": !route.or_nothing,
            "content": { "application/json": { "schema": route.body.schema() } },
        });
    }
    operation
}

fn answer(route: &Route) -> Value {
    let description = route.summary;
    match route.answer {
        Kind::Nothing => json!({ "description": description }),
        Kind::Plain(kind) => {
            let kind = kind.split(';').next().unwrap_or(kind);
            let mut content = json!({ kind: { "schema": { "type": "string" } } });
            if route.name == "getIntegrationPolicy" {
                content["application/json"] = json!({ "schema": { "type": "object" } });
            }
            json!({ "description": description, "content": content })
        }
        answer => {
            let mut shown = json!({
                "description": description, "content": { "application/json": { "schema": answer.schema() } },
            });
            if let Kind::Object(shape) = answer
                && shape.members.iter().any(|member| member.name == "revision")
            {
                shown["headers"] = json!({
                    "ETag": { "description": "Its revision.", "schema": { "type": "string" } },
                });
            }
            shown
        }
    }
}

/// The names in braces.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

fn tag(path: &str) -> &str {
    path.trim_start_matches("/v1/").split(['/', ':']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_answer_with_a_secret_is_never_kept_for_those_who_ask_twice() {
        for route in ROUTES.iter().filter(|route| route.creates) {
            let Kind::Object(shape) = route.answer else { continue };
            let holds = shape.members.iter().any(|member| member.name.contains("secret"));
            assert_eq!(route.shows_secret, holds, "{}", route.name);
        }
    }

    #[test]
    fn what_is_documented_is_routed_and_the_other_way_round() {
        let document = document();
        let mut documented = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                documented.insert((
                    method.to_uppercase(),
                    path.clone(),
                    operation["operationId"].as_str().map(str::to_owned),
                ));
            }
        }
        let routed: BTreeSet<_> = ROUTES
            .iter()
            .map(|route| (route.method.to_owned(), route.path.to_owned(), Some(route.name.to_owned())))
            .collect();
        assert_eq!(documented, routed);
        assert_eq!(routed.len(), ROUTES.len(), "no route is there twice");
        let ids: BTreeSet<_> = ROUTES.iter().map(|route| route.name).collect();
        assert_eq!(ids.len(), ROUTES.len(), "no two have one name");
    }

    #[test]
    fn every_schema_that_is_named_is_there_and_no_name_has_two_meanings() {
        let document = document();
        let text = document.to_string();
        let named = text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
        for name in named {
            assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
        }
        let (mut open, mut closed) = (vec![], vec![]);
        for route in ROUTES {
            route.answer.shapes(&mut open);
            route.body.shapes(&mut closed);
        }
        let both: Vec<_> = closed
            .iter()
            .filter(|shape| open.iter().any(|other| other.name == shape.name))
            .map(|shape| shape.name)
            .collect();
        // What a client may send back as it got it.
        assert_eq!(both, ["Offset", "Offsets"]);
    }

    #[test]
    fn what_creates_takes_an_idempotency_key_and_what_has_a_revision_takes_if_match() {
        for route in ROUTES {
            assert_eq!(route.creates, route.status == 201, "{}", route.name);
            assert!(!route.conditional || matches!(route.method, "PUT" | "PATCH" | "DELETE"), "{}", route.name);
        }
    }
}
