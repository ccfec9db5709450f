use std::time::Duration;

use ::identity::{AssumeRole, Base, Connection, Error, Lifetime, Signer};
use aws::SignedWith;

use super::refusal;
use crate::examination::{Examination, Watch};
use crate::{Check, CheckResult, Trial};

/// Below this much life a session is near its end: the AWS SDKs renew five minutes before.
const NEAR_THE_END: Duration = Duration::from_mins(5);

/// Who we are, hop by hop.
pub(crate) async fn run(x: &mut Examination<'_>) {
    let Some(connection) = x.target.connection.clone() else {
        for check in [Check::BASE, Check::ROLES, Check::TAGS, Check::CALLER, Check::LIFE] {
            x.skip(check, "there is no connection to go by");
        }
        return;
    };
    base(x, &connection).await;
    roles(x, &connection).await;
    tags(x, &connection).await;
    caller(x, &connection);
    life(x, &connection);
}

async fn base(x: &mut Examination<'_>, connection: &Connection) {
    if !x.wants(Check::BASE) {
        return;
    }
    let watch = Watch::start();
    if let (false, Base::Keys(keys)) = (x.target.asks_sts(), &connection.base) {
        let signed_with = if keys.token.is_some() { SignedWith::Token } else { SignedWith::Keys };
        x.facts.base_signed_with = Some(signed_with);
        x.put(
            watch
                .passed(Check::BASE, format!("{}: whose it is the store knows, and STS is not asked", connection.base)),
        );
        return;
    }
    let part = Connection { hops: Vec::new(), ..connection.clone() };
    look_around(x, &connection.base).await;
    let mut attempts = 1;
    let mut answer = x.around.clients.walk(&part).await.pop();
    // An agent on the node that is not ready yet hands out nothing for a while, and then does.
    for pause in AGAIN {
        if !matches!(&answer, Some(Err(error)) if may_come(x, &connection.base, error)) {
            break;
        }
        tokio::time::sleep(pause).await;
        attempts += 1;
        look_around(x, &connection.base).await;
        answer = x.around.clients.walk(&part).await.pop();
    }
    let result = match answer {
        Some(Ok(stop)) => {
            let who = stop.arn.clone().unwrap_or_else(|| "nobody: requests go unsigned".to_owned());
            x.facts.base_expires_at = stop.expires_at;
            let now = x.around.clients.clock().now();
            x.facts.base_life = stop.expires_at.map(|end| end.duration_since(now).unwrap_or_default());
            x.facts.expires_at = stop.expires_at;
            x.facts.base_arn.clone_from(&stop.arn);
            x.facts.base_signed_with = Some(stop.signed_with);
            x.facts.base_attempts = attempts;
            let by = x.facts.provider();
            let by = by.map_or_else(String::new, |(provider, what)| format!(" ({}: {what})", provider.name()));
            let times = if attempts > 1 { format!(", at attempt {attempts}") } else { String::new() };
            watch.passed(Check::BASE, format!("{}{by} is {who}{times}", stop.what)).identity(stop.arn)
        }
        Some(Err(error)) => {
            let result = CheckResult::of_identity(&watch, Check::BASE, &error);
            x.facts.base_error = Some(error);
            result
        }
        None => watch.unproven(Check::BASE, "the way has no beginning"),
    };
    x.put(result);
}

/// From how many percent of the room for policies and tags on it is warned of, and again.
const FULL: [(u32, &str); 2] = [(NEARLY_FULL, "80 %"), (95, "95 %")];

/// The first of them.
pub(crate) const NEARLY_FULL: u32 = 80;

/// Pauses before a base is asked again that may come: longer than the session cache's own after a failure.
const AGAIN: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(5)];

/// What the machine shows of who hands out credentials, where that is looked for.
async fn look_around(x: &mut Examination<'_>, base: &Base) {
    if !matches!(base, Base::Instance | Base::DefaultChain) {
        return;
    }
    let named =
        ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];
    x.facts.pod_identity = named.into_iter().find(|name| x.around.environment.get(name).is_some()).map(str::to_owned);
    let metadata = x.around.clients.instance_metadata().await;
    if *base == Base::DefaultChain {
        x.facts.chain = x.around.clients.default_chain(&metadata).await;
    }
    x.facts.metadata = Some(metadata);
}

/// Whether a base that has nothing now may have something soon: who hands it out is there, and does not say no.
fn may_come(x: &Examination<'_>, base: &Base, error: &Error) -> bool {
    use aws::MetadataState::{Broken, Odd, Role};
    let comes = |metadata: &aws::Metadata| match &metadata.state {
        Role(_) | Broken => true,
        Odd { status } => *status >= 500,
        _ => false,
    };
    match (base, error) {
        (Base::Container, Error::Base { passing, .. }) => *passing,
        (Base::Instance, Error::Base { passing: true, .. }) | (Base::DefaultChain, Error::NoCredentials { .. }) => {
            x.facts.metadata.as_ref().is_some_and(comes)
        }
        _ => false,
    }
}

async fn roles(x: &mut Examination<'_>, connection: &Connection) {
    if !x.wants(Check::ROLES) {
        return;
    }
    let watch = Watch::start();
    if connection.hops.is_empty() {
        x.put(watch.passed(Check::ROLES, "there is no role to take on"));
        return;
    }
    x.facts.asked_at = Some(x.around.clients.clock().now());
    let mut failed = walk(x, connection).await;
    if let Some((index, error)) = &failed
        && refusal::is_denial(error)
        && refusal::wait(x, connection, *index).await
    {
        failed = walk(x, connection).await;
    }
    let result = match failed {
        None => {
            let who = x.facts.hop_arns.last().cloned();
            let names: Vec<_> = connection.hops.iter().map(|hop| hop.role_arn.as_str()).collect();
            let after = x.facts.waited.map(|waited| format!(", after {} s of refusals", waited.as_secs()));
            let text = format!("took on {}{}", names.join(", then "), after.unwrap_or_default());
            match x.facts.packed_percent.filter(|percent| *percent >= NEARLY_FULL) {
                None => watch.passed(Check::ROLES, text),
                Some(percent) => {
                    let text = format!(
                        "{text}; policies and tags of the session take {percent} % of the room that STS has for them"
                    );
                    let crossed = FULL.iter().rev().find(|(from, _)| percent >= *from).map(|(_, name)| *name);
                    watch.warning(Check::ROLES, text).past(crossed)
                }
            }
            .identity(who)
        }
        Some((index, error)) => {
            let result = CheckResult::of_identity(&watch, Check::ROLES, &error);
            probe_duration(x, connection, index, &error).await;
            if refusal::is_denial(&error) {
                let caller = x.facts.hop_arns.last().or(x.facts.base_arn.as_ref()).cloned();
                refusal::look_closer(x, connection, index, caller.as_deref()).await;
            }
            x.facts.hop_error = Some((index, error));
            result
        }
    };
    x.put(result);
}

/// Goes the way; which hop was refused, and why.
async fn walk(x: &mut Examination<'_>, connection: &Connection) -> Option<(usize, Error)> {
    x.facts.hop_arns.clear();
    x.facts.packed_percent = None;
    for (index, stop) in x.around.clients.walk(connection).await.into_iter().skip(1).enumerate() {
        match stop {
            Ok(stop) => {
                x.facts.expires_at = stop.expires_at;
                x.facts.hop_arns.extend(stop.arn);
                x.facts.packed_percent = x.facts.packed_percent.max(stop.packed_percent);
            }
            Err(error) => return Some((index, error)),
        }
    }
    None
}

/// After a refused duration: which one the role would give.
async fn probe_duration(x: &mut Examination<'_>, connection: &Connection, index: usize, error: &Error) {
    let Error::Refused(refusal) = error else { return };
    let hop = &connection.hops[index];
    if refusal.code != "ValidationError" || hop.duration.asked().is_none() {
        return;
    }
    for seconds in [3600, 900] {
        let duration = Duration::from_secs(seconds);
        let role = AssumeRole { duration: Lifetime::Exactly(duration), ..hop.clone() };
        let answer = try_role(x, connection, index, &role).await;
        let done = answer.is_done();
        x.facts.shortest = Some(answer);
        if done {
            x.facts.longest = Some(duration);
            return;
        }
    }
}

/// Asks for a session of `role` as who we are before the hop of that `index`, and throws it away.
pub(crate) async fn try_role(x: &Examination<'_>, connection: &Connection, index: usize, role: &AssumeRole) -> Trial {
    match caller_before(x, connection, index).await {
        Ok((signer, arn)) => {
            let answer = x.around.clients.try_role(role, &connection.sts, &signer, &arn).await;
            Trial::of_sts(&answer)
        }
        Err(error) => Trial::of_sts::<()>(&Err(error)),
    }
}

/// Who asks for the hop of that `index`.
pub(crate) async fn caller_before(
    x: &Examination<'_>,
    connection: &Connection,
    index: usize,
) -> Result<(Signer, String), Error> {
    let part = Connection { hops: connection.hops[..index].to_vec(), ..connection.clone() };
    let signer = x.around.clients.sessions().open(&part)?.signer().await?;
    let arn = x.around.clients.caller_arn(&connection.sts, &signer).await?;
    Ok((signer, arn))
}

async fn tags(x: &mut Examination<'_>, connection: &Connection) {
    let Some((index, hop)) = connection.hops.iter().enumerate().next_back() else {
        x.skip(Check::TAGS, "there is no role to take on");
        return;
    };
    if hop.tags.is_empty() && hop.source_identity.is_none() {
        x.skip(Check::TAGS, "no session tags and no source identity are sent");
        return;
    }
    if !x.wants(Check::TAGS) {
        return;
    }
    let watch = Watch::start();
    let result = match &x.facts.hop_error {
        None => watch.passed(Check::TAGS, "the session was given with them"),
        Some((failed, _)) if *failed < index => {
            let mut result = watch.unproven(Check::TAGS, "a role before it was refused");
            result.because_of = Some(Check::ROLES.name);
            result
        }
        Some(_) => {
            let bare =
                AssumeRole { tags: Vec::new(), transitive_tag_keys: Vec::new(), source_identity: None, ..hop.clone() };
            let answer = try_role(x, connection, index, &bare).await;
            let result = match &answer {
                Trial::Done => watch.failed(Check::TAGS, "the role lets us in without them, and not with them"),
                Trial::Refused { .. } => watch.unproven(Check::TAGS, "the role does not let us in without them either"),
                Trial::Lost { text } | Trial::NotTried { text } => watch.unproven(Check::TAGS, text.clone()),
            };
            x.facts.without_tags = Some(answer);
            result
        }
    };
    x.put(result);
}

fn caller(x: &mut Examination<'_>, connection: &Connection) {
    if !x.wants(Check::CALLER) {
        return;
    }
    let watch = Watch::start();
    let who = x.facts.hop_arns.last().or(x.facts.base_arn.as_ref()).cloned();
    let result = match (connection.last_role(), &who) {
        (None, who) => {
            let who = who.clone().unwrap_or_else(|| connection.base.to_string());
            watch.passed(Check::CALLER, format!("no role is named; requests are made as {who}"))
        }
        (Some(role), None) => watch.failed(Check::CALLER, format!("{role} is named, and requests go unsigned")),
        (Some(role), Some(who)) => match who.parse::<iam::Arn>() {
            Ok(arn)
                if arn.account() == role.account() && arn.role_session().map(|(name, _)| name) == role.role_name() =>
            {
                watch.passed(Check::CALLER, format!("requests are made as {who}"))
            }
            _ => watch.failed(Check::CALLER, format!("{role} is named, and requests are made as {who}")),
        },
    };
    x.put(result.identity(who));
}

fn life(x: &mut Examination<'_>, connection: &Connection) {
    if !x.wants(Check::LIFE) {
        return;
    }
    let watch = Watch::start();
    let asked = connection.hops.last().and_then(|hop| hop.duration.asked());
    let now = x.around.clients.clock().now();
    let result = match x.facts.expires_at {
        None => watch.passed(Check::LIFE, "it has no end"),
        Some(end) => {
            let left = end.duration_since(now).unwrap_or_default();
            let text = format!("it ends in {} s", left.as_secs());
            // A session of the cache may have been had a while ago; a tenth less than asked is none of anybody's fault.
            if left < NEAR_THE_END {
                watch.warning(Check::LIFE, format!("{text}, which is near"))
            } else if asked.is_some_and(|asked| left < asked.mul_f64(0.9)) {
                let asked = asked.unwrap_or_default().as_secs();
                watch.warning(Check::LIFE, format!("{text}, and {asked} s were asked for"))
            } else {
                watch.passed(Check::LIFE, format!("{text}; another one is had after 70 to 80 % of it"))
            }
        }
    };
    x.put(result);
}
