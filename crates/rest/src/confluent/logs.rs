//! `/logs/v1/search`: the last log lines of a connector.

use axum::routing::MethodFilter;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use control::LogLine;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::answer::{Answer, Outcome};
use super::ask::Ask;
use super::body::Body;
use super::names;
use super::paging::size;
use super::problem::{Problem, not_found};
use super::routes::Routes;

/// The CLI asks for 200 lines.
const USUAL: usize = 200;
const MOST: usize = 1000;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.on(MethodFilter::POST, "/logs/v1/search", search)
}

async fn search(ask: Ask) -> Outcome {
    let body = ask.body()?;
    let crn = body.needed("/crn")?;
    let place = Place::read(crn).ok_or_else(|| {
        let form = "crn://confluent.cloud/organization=../environment=../cloud-cluster=../connector=..";
        Problem::field("/crn", &format!("must be {form}"))
    })?;
    if !same_organization(place.organization, &names::organization(&ask).await?) {
        return Err(not_found("connector", place.connector));
    }
    let wanted = Wanted::read(&body)?;
    let size = size(&ask.target, USUAL, MOST)?;
    let from = ask.target.query("page_token").map(read_token).transpose()?;
    let cluster = names::cluster(place.cluster)?;
    if ask.plane.cluster(&ask.caller, &cluster).await?.environment.as_str() != place.environment {
        return Err(not_found("cluster", place.cluster));
    }
    let lines = ask.plane.connector_logs(&ask.caller, &cluster, &place.name()).await?;
    let id = ask.plane.connector(&ask.caller, &cluster, &place.name()).await?.id;
    let of_it = wanted.id.is_none_or(|wanted| wanted == id.as_str());
    let lines = if of_it { lines } else { Vec::new() };
    let (page, next) = wanted.page(lines, from, size);
    let mut metadata = json!({});
    if let Some(next) = next {
        metadata["next"] = json!(ask.target.link(Some(&URL_SAFE_NO_PAD.encode(next.to_string()))));
    }
    let data: Vec<Value> = page.iter().map(|line| shown(line, id.as_str())).collect();
    Ok(Answer::ok(json!({ "api_version": "logs/v1", "kind": "LogSearchResponse", "metadata": metadata, "data": data })))
}

fn shown(line: &LogLine, id: &str) -> Value {
    json!({ "timestamp": line.at, "level": line.level, "message": line.text, "id": id })
}

fn read_token(token: &str) -> Result<u64, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let number = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).and_then(|text| text.parse().ok());
    number.ok_or_else(|| Problem::parameter("page_token", "is none that was given out here"))
}

fn same_organization(id: &str, ours: &str) -> bool {
    ours.rsplit_once('=').is_some_and(|(_, ours)| ours.eq_ignore_ascii_case(id))
}

/// A connector's resource name.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    organization: &'a str,
    environment: &'a str,
    cluster: &'a str,
    connector: &'a str,
}

impl<'a> Place<'a> {
    fn read(crn: &'a str) -> Option<Self> {
        let rest = crn.strip_prefix("crn://")?.split_once('/')?.1;
        let (organization, rest) = rest.strip_prefix("organization=")?.split_once('/')?;
        let (environment, rest) = rest.strip_prefix("environment=")?.split_once('/')?;
        let (cluster, rest) = rest.strip_prefix("cloud-cluster=")?.split_once('/')?;
        // A name may hold slashes.
        Some(Self { organization, environment, cluster, connector: rest.strip_prefix("connector=")? })
    }

    /// The CLI writes the name as it is, others as in a URL.
    fn name(&self) -> String {
        percent_decode_str(self.connector).decode_utf8_lossy().into_owned()
    }
}

/// Which lines are wanted, and in which order.
#[derive(Debug, Default)]
struct Wanted<'a> {
    levels: Vec<String>,
    text: Option<String>,
    id: Option<&'a str>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    oldest_first: bool,
}

impl<'a> Wanted<'a> {
    fn read(body: &'a Body) -> Result<Self, Problem> {
        let time = |pointer| {
            let parse = |text: &str| {
                text.parse().map_err(|_| Problem::field(pointer, "must be a time as 2026-01-31T12:00:00Z"))
            };
            body.text(pointer)?.map(parse).transpose()
        };
        let levels = match body.at("/search/level") {
            None => Vec::new(),
            Some(Value::String(one)) => vec![one.to_ascii_uppercase()],
            Some(Value::Array(all)) => {
                let level = |level: &Value| level.as_str().map(str::to_ascii_uppercase);
                let levels: Option<Vec<String>> = all.iter().map(level).collect();
                levels.ok_or_else(|| Problem::field("/search/level", "must be a list of texts"))?
            }
            Some(_) => return Err(Problem::field("/search/level", "must be a list of texts")),
        };
        let oldest_first = match body.text("/sort")? {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(_) => return Err(Problem::field("/sort", "must be asc or desc")),
        };
        Ok(Self {
            levels,
            text: body.text("/search/search_text")?.map(str::to_lowercase),
            id: body.text("/search/id")?,
            since: time("/start_time")?,
            until: time("/end_time")?,
            oldest_first,
        })
    }

    fn fits(&self, line: &LogLine) -> bool {
        (self.levels.is_empty() || self.levels.iter().any(|level| level == line.level))
            && self.text.as_ref().is_none_or(|text| line.text.to_lowercase().contains(text))
            && self.since.is_none_or(|since| line.at >= since)
            && self.until.is_none_or(|until| line.at <= until)
    }

    /// The lines after number `from` in the wanted order, and the number of the last one if there are more.
    fn page(&self, mut lines: Vec<LogLine>, from: Option<u64>, size: usize) -> (Vec<LogLine>, Option<u64>) {
        lines.retain(|line| {
            let is_after = |from| if self.oldest_first { line.number > from } else { line.number < from };
            from.is_none_or(is_after) && self.fits(line)
        });
        if !self.oldest_first {
            lines.reverse();
        }
        let has_more = lines.len() > size;
        lines.truncate(size);
        let next = lines.last().filter(|_| has_more).map(|line| line.number);
        (lines, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<LogLine> {
        let line = |(number, level, text): (u64, &'static str, &str)| {
            let at = Timestamp::from_second(i64::try_from(number).unwrap()).unwrap();
            LogLine { number, at, level, text: text.to_owned() }
        };
        [(1, "INFO", "began"), (2, "ERROR", "Refused"), (4, "ERROR", "gone"), (7, "WARN", "refused again")]
            .map(line)
            .into()
    }

    fn numbers(body: &str, from: Option<u64>, size: usize) -> (Vec<u64>, Option<u64>) {
        let body = Body::read(body.as_bytes()).unwrap();
        let (page, next) = Wanted::read(&body).unwrap().page(lines(), from, size);
        (page.iter().map(|line| line.number).collect(), next)
    }

    #[test]
    fn lines_are_found_by_level_text_and_time_the_newest_first() {
        assert_eq!(numbers("{}", None, 9), (vec![7, 4, 2, 1], None));
        assert_eq!(numbers(r#"{"search":{"level":["ERROR"]},"sort":"asc"}"#, None, 9), (vec![2, 4], None));
        assert_eq!(numbers(r#"{"search":{"search_text":"REFUSED"}}"#, None, 9), (vec![7, 2], None));
        let times = r#"{"start_time":"1970-01-01T00:00:02Z","end_time":"1970-01-01T00:00:04Z"}"#;
        assert_eq!(numbers(times, None, 9), (vec![4, 2], None));
    }

    #[test]
    fn pages_follow_one_another_in_either_order() {
        assert_eq!(numbers("{}", None, 2), (vec![7, 4], Some(4)));
        assert_eq!(numbers("{}", Some(4), 2), (vec![2, 1], None));
        assert_eq!(numbers(r#"{"sort":"asc"}"#, Some(2), 1), (vec![4], Some(4)));
    }

    #[test]
    fn a_name_in_a_resource_name_may_hold_anything() {
        let place =
            Place::read("crn://confluent.cloud/organization=o/environment=env-a/cloud-cluster=lkc-a/connector=a/b%20c")
                .unwrap();
        assert_eq!((place.organization, place.environment, place.cluster), ("o", "env-a", "lkc-a"));
        assert_eq!(place.name(), "a/b c");
        for text in ["", "crn://", "crn://confluent.cloud/organization=o/environment=env-a", "organization=o"] {
            assert_eq!(Place::read(text), None, "{text}");
        }
    }
}
