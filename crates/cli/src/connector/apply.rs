use serde_json::{Value, json};

use super::diff::Difference;
use super::files::{self, Wanted};
use super::{ApplyArguments, At, wait};
use crate::args::Exit;
use crate::remote::{Failure, Form, confirmed, one, say};
use crate::screen::Screen;

/// What became, or would become, of one connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Made,
    Changed,
    Unchanged,
    Deleted,
}

impl Outcome {
    fn name(self, dry: bool) -> &'static str {
        match (self, dry) {
            (Self::Made, false) => "made",
            (Self::Made, true) => "would be made",
            (Self::Changed, false) => "changed",
            (Self::Changed, true) => "would be changed",
            (Self::Unchanged, _) => "unchanged",
            (Self::Deleted, false) => "deleted",
            (Self::Deleted, true) => "would be deleted",
        }
    }
}

/// Has the server's connectors be what the files say. All are tried: one that is refused does not keep back the others.
pub(super) async fn apply(at: &At, arguments: &ApplyArguments, screen: &Screen) -> Result<Exit, Failure> {
    let wanted = files::read(&arguments.files)?;
    let there = at.api.all(&at.with_cluster("/v1/connectors")).await?;
    let dry = arguments.dry_run;
    let names = there.iter().filter_map(|view| view["name"].as_str());
    let extra: Vec<&str> = match &arguments.prune {
        None => Vec::new(),
        Some(pattern) => {
            names.filter(|name| fits(pattern, name) && !wanted.iter().any(|one| one.name == *name)).collect()
        }
    };
    // Asked before anything is done: where nobody can answer, nothing is done by half.
    let question = format!("delete {}, which no file has", extra.join(", "));
    let prunes = !extra.is_empty() && (dry || confirmed(&question, arguments.yes, screen)?);
    let mut exit = Exit::Done;
    let (mut done, mut secrets) = (Vec::new(), Vec::new());
    for one in &wanted {
        let view = there.iter().find(|view| view["name"] == one.name.as_str());
        match apply_one(at, one, view, arguments).await {
            Ok(outcome) => {
                let difference = Difference::between(view, one);
                tell(at, &one.name, outcome, dry, &difference)?;
                if outcome == Outcome::Unchanged && difference.has_secrets {
                    secrets.push(one.name.as_str());
                }
                done.push((one, outcome));
            }
            Err(failure) => {
                screen.print(format!("error: {} ({}): {}\n", one.name, one.origin, failure.text).as_bytes());
                exit = if exit == Exit::Done { failure.exit } else { exit };
            }
        }
    }
    if !secrets.is_empty() {
        let names = secrets.join(", ");
        let text =
            format!("secrets of {names} cannot be compared and were left as they are; --resend sends them again\n");
        screen.print(text.as_bytes());
    }
    if !extra.is_empty() && !prunes {
        screen.print(b"nothing was deleted\n");
    } else if !extra.is_empty() && exit != Exit::Done {
        screen.print(b"nothing was pruned, because not everything could be applied\n");
    } else {
        prune(at, &extra, dry).await?;
    }
    if !dry {
        for (one, became) in done {
            let target = one.target.unwrap_or("RUNNING");
            if became != Outcome::Unchanged {
                let ended = wait::wait(at, &one.name, target, arguments.wait.wait, screen).await?;
                exit = if exit == Exit::Done { ended } else { exit };
            }
        }
    }
    Ok(exit)
}

async fn apply_one(
    at: &At,
    wanted: &Wanted,
    view: Option<&Value>,
    arguments: &ApplyArguments,
) -> Result<Outcome, Failure> {
    let difference = Difference::between(view, wanted);
    let would = match view {
        None => Outcome::Made,
        Some(_) if difference.is_empty() && !arguments.resend => Outcome::Unchanged,
        Some(_) => Outcome::Changed,
    };
    if arguments.dry_run {
        let mut config = wanted.config.clone();
        config.insert("name".to_owned(), wanted.name.clone());
        let found = at.api.post(&at.with_cluster("/v1/connectors:validate"), Some(&json!(config))).await?.body;
        // A mask that stands for what the server has is no fault of the file.
        if found["error_count"].as_u64().unwrap_or_default() > 0 {
            let told = json!({ "title": "it would be refused", "faults": found["faults"] });
            return Err(Failure::of_answer(422, &told, at.api.url()));
        }
        return Ok(would);
    }
    let Some(view) = view else {
        let mut body = json!({ "name": wanted.name, "config": wanted.config });
        if let Some(target) = wanted.target {
            body["target"] = json!(target);
        }
        if let Some(cluster) = &at.cluster {
            body["cluster"] = json!(cluster);
        }
        at.api.create("/v1/connectors", &body).await?;
        return Ok(Outcome::Made);
    };
    // A configuration that is put is started anew, be it the same.
    if would == Outcome::Unchanged {
        return Ok(Outcome::Unchanged);
    }
    // Not over somebody else's change since the list was read.
    let tag = format!("\"{}\"", view["revision"]);
    let path = at.path(&wanted.name, "/config");
    at.api.ask("PUT", &path, Some(&json!(wanted.config)), &[("if-match", &tag)]).await?;
    if let Some(target) = wanted.target
        && view["target"] != target
    {
        let verb = match target {
            "PAUSED" => ":pause",
            "STOPPED" => ":stop",
            _ => ":resume",
        };
        at.api.post(&at.path(&wanted.name, verb), None).await?;
    }
    Ok(Outcome::Changed)
}

async fn prune(at: &At, extra: &[&str], dry: bool) -> Result<(), Failure> {
    for name in extra {
        if !dry {
            at.api.delete(&at.path(name, "")).await?;
        }
        tell(at, name, Outcome::Deleted, dry, &Difference::default())?;
    }
    Ok(())
}

fn tell(at: &At, name: &str, outcome: Outcome, dry: bool, difference: &Difference) -> Result<(), Failure> {
    let what = outcome.name(dry);
    match at.form {
        Form::Table if outcome == Outcome::Unchanged => say(&format!("{name}: {what}\n")),
        Form::Table => say(&format!("{name}: {what}\n{}", difference.text())),
        form => one(&json!({ "name": name, "outcome": what }), form),
    }
}

/// Whether a name fits a pattern in which `*` is any run of characters.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name) in
            [("*", ""), ("shop-*", "shop-orders"), ("*-s3", "a-s3"), ("a*b*c", "axxbyyc"), ("a", "a")]
        {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("shop-*", "shop"), ("a", "ab"), ("a*a", "a"), ("", "a"), ("a*b*c", "acb")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
