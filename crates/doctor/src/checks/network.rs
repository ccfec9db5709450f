use std::fmt::Write as _;
use std::time::Duration;

use aws::reach::{Obstacle, Reached, Step};

use super::bucket::options;
use crate::examination::Examination;
use crate::{Check, CheckResult, Status};

/// How far STS, S3 and KMS are away: asked side by side, because each that is silent takes seconds.
pub(crate) async fn run(x: &mut Examination<'_>) {
    x.facts.proxies = aws::reach::ProxyVariables::read(&x.around.environment);
    let clients = x.around.clients.clone();
    let clock = &x.around.clock.clone();
    let target = x.target;
    let connection = target.connection.as_ref();
    let sts = match connection {
        None => Err("there is no connection to go by"),
        Some(_) if !target.asks_sts() => Err("STS is not asked: requests go unsigned, or with keys of a store's own"),
        Some(connection) => Ok(connection.sts.clone()),
    };
    let s3 = match (connection, &target.place) {
        (_, None) => Err("no bucket is named"),
        (None, _) => Err("there is no connection to go by"),
        (Some(_), Some(place)) => Ok(options(place)),
    };
    let named = target.spec.as_ref().and_then(|spec| spec.endpoints.kms.clone());
    let with_key = target.place.as_ref().is_some_and(|place| place.kms_key.is_some());
    let kms = match connection {
        Some(connection) if named.is_some() || with_key => Ok((connection.sts.region.clone(), connection.sts.fips)),
        _ => Err("nothing here names a key or an endpoint of KMS"),
    };
    let sts = wanted(x, Check::STS_REACHED, sts);
    let s3 = wanted(x, Check::S3_REACHED, s3);
    let kms = wanted(x, Check::KMS_REACHED, kms);
    let (sts, s3, kms) = tokio::join!(
        async { Some(clients.reach_sts(sts.as_ref()?, clock).await) },
        async { Some(clients.reach_s3(s3.as_ref()?, clock).await) },
        async {
            let (region, fips) = kms.as_ref()?;
            Some(clients.reach_kms(region, named.as_deref(), *fips, clock).await)
        },
    );
    for (check, reached) in [(Check::STS_REACHED, &sts), (Check::S3_REACHED, &s3), (Check::KMS_REACHED, &kms)] {
        if let Some(reached) = reached {
            let result = judged(x, check, reached);
            x.put(result);
        }
    }
    (x.facts.sts, x.facts.s3, x.facts.kms) = (sts, s3, kms);
}

fn wanted<T>(x: &mut Examination<'_>, check: &'static Check, what: Result<T, &'static str>) -> Option<T> {
    match what {
        Err(why) => {
            x.skip(check, why);
            None
        }
        Ok(what) => x.wants(check).then_some(what),
    }
}

fn judged(x: &Examination<'_>, check: &'static Check, reached: &Reached) -> CheckResult {
    let (mut status, mut text) = told(reached);
    // S3 asks KMS by itself, from where it is: that we do not reach it stands in nobody's way.
    if check == Check::KMS_REACHED && status != Status::Passed {
        status = Status::Warning;
        text.push_str("; only other programs of this machine ask KMS by themselves");
    }
    if check == Check::STS_REACHED || status != Status::Passed {
        text.push_str(&of_proxies(x, &reached.host));
    }
    let mut result = CheckResult::new(check, status, reached.took(), text).host(reached.url.clone());
    if let Ok(answer) = &reached.outcome {
        result = result.request(answer.request_id.clone());
    }
    result
}

fn told(reached: &Reached) -> (Status, String) {
    let Reached { service, host, .. } = reached;
    let service = service.name();
    let issuer = reached.certificates.first().map(|certificate| format!(", certificate by {}", certificate.issuer));
    let issuer = issuer.unwrap_or_default();
    match &reached.outcome {
        Err(stopped) => {
            let status = match stopped.obstacle {
                // Whether it passes, nobody knows.
                Obstacle::Silent | Obstacle::Broken | Obstacle::NoRoute | Obstacle::NoNameService => Status::Unproven,
                Obstacle::NoHost
                | Obstacle::UnknownName
                | Obstacle::Refused
                | Obstacle::Untrusted(_)
                | Obstacle::OtherProtocol => Status::Failed,
            };
            (status, format!("{service} is not reached: {}{issuer}", stopped.text))
        }
        Ok(answer) => {
            let HttpSeen { status, who } = HttpSeen::of(answer);
            if answer.is_service() && status < 500 {
                let took = steps(reached);
                return (Status::Passed, format!("{host} answers ({took}{issuer})"));
            }
            if status >= 500 {
                return (
                    Status::Unproven,
                    format!("{host} answers {status}{who}: {service} is unwell, or what stands before it"),
                );
            }
            // A store that numbers no requests may speak S3 all the same.
            if service == "S3" && !answer.is_page() {
                return (Status::Passed, format!("{host} answers ({status}{who}{issuer})"));
            }
            (Status::Failed, format!("{host} answers {status}{who}, and is not {service}"))
        }
    }
}

struct HttpSeen {
    status: u16,
    who: String,
}

impl HttpSeen {
    fn of(answer: &aws::reach::Answered) -> Self {
        let signs = [
            answer.server.as_ref().map(|server| format!("as {server}")),
            answer.via.as_ref().map(|via| format!("via {via}")),
        ];
        let page = answer.is_page().then(|| "with a page for people".to_owned());
        let signs: Vec<_> = signs.into_iter().chain([page]).flatten().collect();
        let who = if signs.is_empty() { String::new() } else { format!(" {}", signs.join(", ")) };
        Self { status: answer.status, who }
    }
}

/// `name 1 ms, connection 12 ms, TLS 30 ms, answer 25 ms`.
fn steps(reached: &Reached) -> String {
    let all = reached.steps.iter().filter(|(step, took)| *step != Step::Name || *took > Duration::from_millis(1));
    all.map(|(step, took)| format!("{} {} ms", step.name(), took.as_millis())).collect::<Vec<_>>().join(", ")
}

/// What there is to say of proxies: nothing here goes by them.
fn of_proxies(x: &Examination<'_>, host: &str) -> String {
    let proxies = &x.facts.proxies;
    let Some((variable, proxy)) = proxies.proxies.first() else { return String::new() };
    let mut text = format!("; {variable} names {proxy}, which Tidegate does not use");
    let through = proxies.metadata_through_proxy();
    if !through.is_empty() {
        write!(text, " (programs that do would ask {} through it: NO_PROXY does not hold them)", through.join(", "))
            .expect("writing to a String does not fail");
    } else if !proxies.is_excepted(host) {
        write!(text, " (programs that do reach {host} through it)").expect("writing to a String does not fail");
    }
    text
}
