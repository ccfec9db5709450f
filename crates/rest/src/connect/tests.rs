use control::{PartitionOffset, Refusal};
use http::{Method, Request};

use super::answer::{ApiError, Missing};
use super::offsets::Unclear;
use super::query::Query;
use super::route::{Astray, Path, route};
use super::{answer, body, offsets};

fn routed(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<(Path, Method), Astray> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    route(&request.body(()).unwrap().into_parts().0, true)
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn names_are_decoded_and_slashes_at_the_end_are_nothing() {
    let name = |path: &str| match routed("GET", path, &[]) {
        Ok((Path::Connector(name), _)) => name,
        other => panic!("{path}: {other:?}"),
    };
    assert_eq!(name("/connectors/a%20b"), "a b");
    assert_eq!(name("/connectors/gr%C3%BCn/"), "grün");
    assert_eq!(name("/connectors/100%25"), "100%");
    assert_eq!(name("/connectors/a%2Fb"), "a/b");
    assert_eq!(name("/connectors/%2e%2e"), "..");
    assert_eq!(name("/connectors/a+b"), "a+b");
    assert_eq!(routed("GET", "/connectors/", &[]), Ok((Path::Connectors, Method::GET)));
    assert_eq!(routed("HEAD", "/", &[]), Ok((Path::Root, Method::GET)));
}

#[test]
fn paths_that_mean_different_things_to_different_servers_are_refused() {
    for path in ["//connectors", "/connectors//a", "/connectors/../admin", "/connectors/./a", "/connectors/%ff", "//"] {
        assert!(matches!(routed("GET", path, &[]), Err(Astray::Ambiguous(_))), "{path}");
    }
    for path in ["/nope", "/nope/deeper/still", "/admin"] {
        assert_eq!(routed("GET", path, &[]), Err(Astray::NotFound), "{path}");
    }
    for path in ["/connectors/a/tasks/x/status", "/connectors/a/tasks/-1/status"] {
        assert_eq!(routed("GET", path, &[]), Err(Astray::NoTask), "{path}");
    }
}

#[test]
fn methods_and_media_types_are_answered_as_jax_rs_does() {
    assert_eq!(routed("DELETE", "/connectors", &[]), Err(Astray::Method));
    assert_eq!(routed("OPTIONS", "/", &[]), Err(Astray::Options("GET,HEAD,OPTIONS".to_owned())));
    assert_eq!(routed("POST", "/connectors", &[JSON]), Ok((Path::Connectors, Method::POST)));
    let charset = ("content-type", "application/json; charset=utf-8");
    assert_eq!(routed("POST", "/connectors", &[charset]), Ok((Path::Connectors, Method::POST)));
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/vnd.x+json"] {
        assert_eq!(routed("POST", "/connectors", &[("content-type", kind)]), Err(Astray::MediaType), "{kind}");
        assert_eq!(routed("PUT", "/connectors/a/pause", &[("content-type", kind)]), Err(Astray::MediaType), "{kind}");
    }
    assert_eq!(routed("POST", "/connectors", &[]), Err(Astray::MediaType));
    assert!(routed("PUT", "/connectors/a/pause", &[]).is_ok(), "a body that nobody reads needs no type");
    for (accept, taken) in [
        ("*/*", true),
        ("text/html, application/json;q=0.9, */*;q=0.1", true),
        ("Application/JSON", true),
        ("text/html", false),
        ("application/xml", false),
        ("application/json;q=0", false),
    ] {
        assert_eq!(routed("GET", "/", &[("accept", accept)]).is_ok(), taken, "{accept}");
    }
    let error = ApiError::astray(&Astray::Method);
    assert_eq!(error.message, "HTTP 405 Method Not Allowed");
    let response = error.into_response();
    assert!(!response.headers().contains_key("allow"), "nor does Connect say");
    assert!(!response.headers().contains_key("content-type"));
}

#[test]
fn queries_may_say_a_thing_twice() {
    let query = Query::of(Some("expand=info&expand=sta%74us&includeTasks=TRUE&x=a+b&onlyFailed=&y"));
    assert_eq!(query.all("expand").collect::<Vec<_>>(), ["info", "status"]);
    assert!(query.flag("includeTasks", false) && query.flag("onlyFailed", true) && !query.flag("x", true));
    assert_eq!(query.first("x"), Some("a b"));
    assert_eq!(query.first("y"), Some(""));
    assert_eq!(Query::of(None).first("y"), None);
}

#[test]
fn scalars_become_texts_as_they_were_written() {
    let sent = body::connector(
        br#"{"name": " c\n", "config": {"tasks.max": 2, "a": true, "b": 1.50, "c": "x", "d": null},
        "initial_state": "stopped"}"#,
    )
    .unwrap();
    assert_eq!(sent.name, "c");
    assert_eq!(sent.target, control::Target::Stopped);
    let texts: Vec<_> = sent.config.texts.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(texts, [("a", "true"), ("b", "1.50"), ("c", "x"), ("tasks.max", "2")]);
    assert_eq!(sent.config.nulls, ["d"]);
    assert_eq!(sent.config.keys(), "{a, b, c, tasks.max, d}");
}

#[test]
fn bodies_that_are_no_connector_are_told_why() {
    let text = |json: &str| body::connector(json.as_bytes()).unwrap_err().message;
    assert_eq!(text(""), "the body is empty");
    assert_eq!(text(r#"{"name": "c"}"#), "a connector needs a \"config\"");
    assert_eq!(text(r#"{"name": "c", "config": []}"#), "\"config\" must be an object of keys and texts");
    assert_eq!(
        text(r#"{"name": "c", "config": {"a": {"secret": "hunter2"}}}"#),
        "the value of a must be a text, a number, true, false or null"
    );
    assert_eq!(
        text(r#"{"config": {}, "initial_state": "GONE"}"#),
        "initial_state must be one of RUNNING, PAUSED, STOPPED"
    );
    assert!(text(r#"{"config": {}, "colour": 1}"#).starts_with("unrecognized field \"colour\""));
    assert!(text(r#"{"config": {"a": "1", "a": "2"}}"#).contains("member \"a\" is there twice"));
    assert!(text("[]").starts_with("the body is not what is asked for"), "{}", text("[]"));
}

#[test]
fn offsets_are_read_as_connect_reads_those_of_sinks() {
    let one = |partition: &str, offset: &str| {
        offsets::asked(format!(r#"{{"offsets": [{{"partition": {partition}, "offset": {offset}}}]}}"#).as_bytes())
    };
    let at = |offset| vec![PartitionOffset { topic: "t".to_owned(), partition: 10, offset }];
    let place = r#"{"kafka_topic": "t", "kafka_partition": 10}"#;
    assert_eq!(one(place, r#"{"kafka_offset": 3}"#), Ok(at(Some(3))));
    assert_eq!(one(r#"{"kafka_topic": "t", "kafka_partition": "10"}"#, r#"{"kafka_offset": "3"}"#), Ok(at(Some(3))));
    assert_eq!(one(place, "null"), Ok(at(None)));
    let text = |found: Result<_, Unclear>| match found {
        Err(Unclear::Offsets(error) | Unclear::Body(error)) => error.message,
        Ok(found) => panic!("{found:?}"),
    };
    let keys = "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'";
    assert_eq!(text(one(r#"{"topic": "x"}"#, r#"{"kafka_offset": 1}"#)), keys);
    assert_eq!(text(one("null", "null")), "The partition for a sink connector offset cannot be null or missing");
    assert_eq!(
        text(one(place, r#"{"offset": 1}"#)),
        "The offset for a sink connector should either be null or contain the key 'kafka_offset'"
    );
    let parsed = text(one(place, r#"{"kafka_offset": 99999999999999999999}"#));
    assert!(
        parsed.contains("'99999999999999999999'. Offset values for sink connectors need to be integers."),
        "{parsed}"
    );
    for empty in [r#"{"offsets": []}"#, "{}", r#"{"offsets": null}"#] {
        assert_eq!(
            text(offsets::asked(empty.as_bytes())),
            "Partitions / offsets need to be provided for an alter offsets request"
        );
    }
}

#[test]
fn refusals_are_in_connects_words() {
    let of = |refusal, missing| ApiError::of(refusal, missing);
    let none = || Refusal::NotFound { kind: "connector", id: "c".to_owned() };
    for (missing, text) in [
        (Missing::NotFound, "Connector c not found"),
        (Missing::Unknown, "Unknown connector c"),
        (Missing::UnknownColon, "Unknown connector: c"),
        (Missing::NoStatus, "No status found for connector c"),
    ] {
        assert_eq!(of(none(), missing), ApiError::not_found(text));
    }
    let exists = of(Refusal::Exists { kind: "connector", id: "c".to_owned() }, Missing::NotFound);
    assert_eq!((exists.status.as_u16(), exists.message.as_str()), (409, "Connector c already exists"));
    let mismatch = Refusal::NameMismatch { config: "other".to_owned(), asked: "c".to_owned() };
    assert_eq!(
        of(mismatch, Missing::NotFound).message,
        "Connector name configuration (other) doesn't match connector name in the URL (c)"
    );
}

#[test]
fn a_refused_configuration_is_told_line_by_line() {
    let texts = ["first", "second"];
    assert_eq!(
        answer::invalid(texts.into_iter(), String::new),
        "Connector configuration is invalid and contains the following 2 error(s):\nfirst\nsecond\nYou can also find the \
         above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"
    );
    let class =
        "Failed to find any class that implements Connector and which name matches Nope, available connectors are: A";
    assert_eq!(answer::invalid(["x", class].into_iter(), String::new), class);
    let missing = "Missing required configuration \"connector.class\" which has no default value.";
    assert_eq!(
        answer::invalid(["x", missing].into_iter(), || "{name}".to_owned()),
        "Connector config {name} contains no connector type"
    );
}
