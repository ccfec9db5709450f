//! Who the machine says we are.

use std::fmt::Write as _;

use ::identity::{Base, Error};
use aws::{MetadataState, Offered, Provider, Providing};

use super::Case;
use crate::{Cause, Check, Diagnosis, Paste, Remedy};

static ROLE_IGNORED: Cause = Cause {
    row: "F22",
    code: "ambient.role-ignored",
    title: "a role is named and not taken on",
    symptom: "no error, and requests are made as somebody else",
    why: "a setting beside the role is missing (a session's name) or stands against it, and the role is passed over in silence",
    apart: "the caller's account and role beside those that are named",
    cure: "set what the role needs beside it, or name a connection that says all of it",
    texts: &["role is not taken on", "has no effect without aws.sts.role"],
};

static OTHER_PROVIDER: Cause = Cause {
    row: "F23",
    code: "ambient.other-credentials-first",
    title: "keys that lie about come before the machine's role",
    symptom: "no error, or AccessDenied, as somebody who was not meant",
    why: "the default chain takes the first it finds: the environment, then a profile, and the machine's role last",
    apart: "which place of the chain answered",
    cure: "name the kind that is meant, or take the keys away",
    texts: &["found credentials in environment variables", "found credentials in shared credentials file"],
};

static HOP_LIMIT: Cause = Cause {
    row: "F77",
    code: "ambient.metadata-hop-limit",
    title: "the answer with instance metadata's token dies on its way: its hop limit is too low",
    symptom: "no credentials, and only in a container",
    why: "the answer to the request for a token may go one hop if nothing else is set, and a container's bridge is one more",
    apart: "the connection comes about, other requests are answered, and this answer does not come",
    cure: "set HttpPutResponseHopLimit to 2, or give the container a role of its own",
    texts: &[
        "no valid providers in chain",
        "no providers in chain provided credentials",
        "failed to load instance metadata",
        "context deadline exceeded",
    ],
};

static VERSION_ONE: Cause = Cause {
    row: "F78",
    code: "ambient.metadata-version",
    title: "one side of instance metadata speaks version 1 and the other version 2 alone",
    symptom: "unable to locate credentials; 401 on GET without a token, or no tokens to be had",
    why: "version 2 is required and the program knows version 1, or what answers in its place knows no tokens",
    apart: "PUT /latest/api/token is answered 404 or 405, or GET without a token 401",
    cure: "use a program that speaks version 2 (Tidegate speaks nothing else), and what answers it",
    texts: &["unable to locate credentials", "401 - unauthorized", "imdsv2", "ec2metadata: failed"],
};

static NO_MACHINE: Cause = Cause {
    row: "F79",
    code: "ambient.no-provider",
    title: "nothing hands out credentials here",
    symptom: "connection timed out at 169.254.169.254, on a laptop or beside an object store",
    why: "no credentials are set, and the search ends at instance metadata, which there is none of",
    apart: "no place of the chain has anything: 169.254.169.254 does not answer, is switched off, or has no role",
    cure: "say who we are: keys, a profile, a certificate, or run where there is a role",
    texts: &[
        "169.254.169.254",
        "could not load credentials from any providers",
        "unable to load credentials from any",
        "no credentials",
    ],
};

static FLAPPING: Cause = Cause {
    row: "F80",
    code: "ambient.agent-not-ready",
    title: "what hands out credentials was not ready, and came later",
    symptom: "could not load credentials from any providers, now and then, as a pod starts",
    why: "an agent on the node (kube2iam, kiam, Pod Identity) begins later than the pods that ask it",
    apart: "asked again, it answers",
    cure: "wait for it: Tidegate asks again; let the pod start after the agent",
    texts: &["could not load credentials from any providers", "credentialsprovidererror"],
};

static NODE_ROLE: Cause = Cause {
    row: "F81",
    code: "ambient.node-role-or-pod-role",
    title: "the node has one identity and the pod another, and the one that is used was not meant",
    symptom: "it works on the host and not in the pod",
    why: "a pod with a service account's role is that role, and not the node's; without one it is the node's",
    apart: "which place of the chain answered, and its ARN",
    cure: "trust the role that is used, or name the other kind",
    texts: &["assumerolewithwebidentity", "eks.amazonaws.com/role-arn"],
};

static THROUGH_PROXY: Cause = Cause {
    row: "F85",
    code: "ambient.metadata-through-proxy",
    title: "requests for instance metadata go to a proxy",
    symptom: "a proxy's page, 403, 400 or 404 where a token should be",
    why: "NO_PROXY does not hold 169.254.169.254, or a proxy takes everything",
    apart: "what answers calls itself a proxy, writes a page for people, or adds Via",
    cure: "put 169.254.169.254, 169.254.170.2 and fd00:ec2::254 into NO_PROXY, or past the proxy",
    texts: &["proxyconnect", "x-forwarded-for", "generated by squid", "via proxy"],
};

pub(super) static CAUSES: &[&Cause] =
    &[&ROLE_IGNORED, &OTHER_PROVIDER, &HOP_LIMIT, &VERSION_ONE, &NO_MACHINE, &FLAPPING, &NODE_ROLE, &THROUGH_PROXY];

pub(super) fn explain(case: &mut Case<'_>) {
    ignored(case);
    found_first(case);
    pods(case);
    metadata(case);
    if case.facts.base_attempts > 1 {
        let because = format!("it had nothing at first and answered at attempt {}", case.facts.base_attempts);
        let remedy =
            Remedy::to("let the pod start after the agent that hands out credentials (an init container that waits)");
        case.explain(Check::BASE, Diagnosis::decided(&FLAPPING, because).cure(remedy));
    }
}

/// A role that is passed over.
fn ignored(case: &mut Case<'_>) {
    let passed_over = case.target.warnings.iter().find(|warning| warning.text.contains("the role is NOT taken on"));
    if let Some(warning) = passed_over {
        let because = format!("{}: {}", warning.key, warning.text);
        let remedy = Remedy::paste(
            "name the session, so that the role is taken on",
            Paste::Setting("aws.sts.role.session.name=tidegate".to_owned()),
        );
        let whole = Remedy::to("or name a connection (tidegate.connection), in which a role cannot be passed over");
        case.explain(Check::INPUT, Diagnosis::decided(&ROLE_IGNORED, because).cure(remedy).cure(whole));
    } else if let Some(result) = case.result(Check::CALLER).filter(|result| result.status == crate::Status::Failed) {
        let because = result.reason.clone();
        let remedy = Remedy::to("look which setting beside the role keeps it from being taken on");
        case.explain(Check::CALLER, Diagnosis::decided(&ROLE_IGNORED, because).cure(remedy));
    }
}

fn has(chain: &[Offered], provider: Provider) -> Option<&str> {
    chain.iter().find(|one| one.provider == provider).and_then(|one| match &one.providing {
        Providing::Something(what) => Some(what.as_str()),
        Providing::Nothing(_) => None,
    })
}

/// Keys of the environment or of a profile, before a role that the machine has.
fn found_first(case: &mut Case<'_>) {
    let chain = &case.facts.chain;
    let Some(first) = [Provider::Environment, Provider::Profile].into_iter().find(|one| has(chain, *one).is_some())
    else {
        return;
    };
    let hidden = [
        (Provider::WebIdentity, "web-identity"),
        (Provider::Container, "container"),
        (Provider::Instance, "instance-role"),
    ];
    let Some((behind, kind)) = hidden.into_iter().find(|(one, _)| has(chain, *one).is_some()) else { return };
    let (what, other) = (has(chain, first).unwrap_or_default(), has(chain, behind).unwrap_or_default());
    let who = case.facts.base_arn.clone().map_or_else(String::new, |arn| format!(", which is {arn}"));
    let because = format!("{} ({what}){who} comes before {} ({other})", first.name(), behind.name());
    let name = Remedy::paste("name the kind that is meant", Paste::Setting(format!("kind = \"{kind}\"")));
    let away = match first {
        Provider::Environment => Remedy::paste(
            "or take the keys out of the environment",
            Paste::Command("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN".to_owned()),
        ),
        _ => Remedy::to("or take the profile out of the shared files (AWS_PROFILE, ~/.aws)"),
    };
    case.explain(Check::BASE, Diagnosis::decided(&OTHER_PROVIDER, because).cure(name).cure(away));
}

/// The node's role where the pod has one, or the pod's where the node's is trusted.
fn pods(case: &mut Case<'_>) {
    let Some(connection) = &case.target.connection else { return };
    let own = &case.facts.pod_identity;
    if let (Base::Instance, Some(own), Some(arn)) = (&connection.base, own, &case.facts.base_arn) {
        let because = format!("requests are made as the node's {arn}, and this pod has an identity of its own ({own})");
        let kind = if own.contains("TOKEN_FILE") { "web-identity" } else { "container" };
        let remedy = Remedy::paste("be who the pod is", Paste::Setting(format!("kind = \"{kind}\"")));
        case.explain(Check::BASE, Diagnosis::decided(&NODE_ROLE, because).cure(remedy));
        return;
    }
    // The pod's own, and the node's behind it, where whoever is used is not let in.
    let denied = matches!(&case.facts.hop_error, Some((0, Error::Refused(refusal))) if refusal.code == "AccessDenied");
    let chain = &case.facts.chain;
    let pod = [Provider::WebIdentity, Provider::Container].into_iter().find(|one| has(chain, *one).is_some());
    let is_first = has(chain, Provider::Environment).is_none() && has(chain, Provider::Profile).is_none();
    if let (true, true, Some(pod), Some(node)) = (denied, is_first, pod, has(chain, Provider::Instance)) {
        let arn = case.facts.base_arn.clone().unwrap_or_default();
        let because =
            format!("{} answered ({arn}), which the role refuses, and the node has another one ({node})", pod.name());
        let principal = control::principal_of(&arn).map(|principal| principal.as_str().to_owned()).unwrap_or(arn);
        let trust = Remedy::to(format!("let the role trust {principal}"));
        let name = Remedy::paste("or be who the node is", Paste::Setting("kind = \"instance-role\"".to_owned()));
        case.explain(Check::ROLES, Diagnosis::possible(&NODE_ROLE, because).cure(trust).cure(name));
    }
}

/// What instance metadata showed, where the base has nothing.
fn metadata(case: &mut Case<'_>) {
    let (Some(metadata), Some(error)) = (&case.facts.metadata, &case.facts.base_error) else { return };
    // A place before it failed, and the search ended there.
    if !matches!(error, Error::NoCredentials { .. } | Error::Base { .. }) {
        return;
    }
    let at = &metadata.authority;
    let modify = |options: &str| {
        Paste::Command(format!("aws ec2 modify-instance-metadata-options --instance-id i-.. {options}"))
    };
    let proxies = &case.facts.proxies;
    let through = proxies.metadata_through_proxy();
    let is_proxy = metadata.is_page
        || metadata.state == MetadataState::Proxied
        || metadata.signs.iter().any(|sign| sign.starts_with("via:"));
    let own_kind = Remedy::to("or give the container a role of its own (kind container or web-identity)");
    let diagnosis = match &metadata.state {
        _ if is_proxy => {
            let signs =
                if metadata.signs.is_empty() { String::new() } else { format!(" ({})", metadata.signs.join(", ")) };
            let mut because = format!("what answers at {at}{signs} is a proxy: {}", metadata.state);
            if let Some((variable, proxy)) = proxies.proxies.first().filter(|_| !through.is_empty()) {
                write!(because, "; {variable} names {proxy}, and NO_PROXY does not hold {}", through.join(", "))
                    .expect("writing to a String does not fail");
            }
            let setting = "NO_PROXY=169.254.169.254,169.254.170.2,fd00:ec2::254";
            let remedy = Remedy::paste(
                "let metadata go past the proxy (Tidegate itself asks no proxy: let the network do so too)",
                Paste::Command(format!("export {setting}")),
            );
            Diagnosis::decided(&THROUGH_PROXY, because).cure(remedy)
        }
        MetadataState::TokenLost { get } => {
            let remedy = Remedy::paste(
                "let the answer go one hop more",
                modify("--http-put-response-hop-limit 2 --http-tokens required"),
            );
            let because = format!("{at}: {}", metadata.state);
            let make = if get.is_some() { Diagnosis::decided } else { Diagnosis::likely };
            make(&HOP_LIMIT, because).cure(remedy).cure(own_kind)
        }
        MetadataState::NoTokens { v1, .. } => {
            let remedy =
                Remedy::paste("have version 2 there", modify("--http-tokens required --http-endpoint enabled"));
            let make = if *v1 { Diagnosis::decided } else { Diagnosis::likely };
            make(&VERSION_ONE, format!("{at}: {}", metadata.state)).cure(remedy)
        }
        MetadataState::Refused | MetadataState::NoConnection | MetadataState::Disabled | MetadataState::BadUrl => {
            let because = match error {
                Error::NoCredentials { tried, .. } => format!("no place has anything: {tried}"),
                _ => format!("{at}: {}", metadata.state),
            };
            let remedy = Remedy::paste(
                "say who we are",
                Paste::Setting(
                    "kind = \"profile\"\nprofile = \"NAME\"   # or keys, roles-anywhere, web-identity".to_owned(),
                ),
            );
            Diagnosis::decided(&NO_MACHINE, because).cure(remedy)
        }
        MetadataState::SwitchedOff => {
            let remedy = Remedy::paste("switch metadata on", modify("--http-endpoint enabled --http-tokens required"));
            Diagnosis::decided(&NO_MACHINE, format!("{at}: {}", metadata.state)).cure(remedy)
        }
        MetadataState::NoRole => {
            let command = "aws ec2 associate-iam-instance-profile --instance-id i-.. --iam-instance-profile Name=..";
            let remedy = Remedy::paste("attach a role to the instance", Paste::Command(command.to_owned()));
            Diagnosis::decided(&NO_MACHINE, format!("{at}: {}", metadata.state)).cure(remedy)
        }
        MetadataState::Proxied | MetadataState::Role(_) | MetadataState::Broken | MetadataState::Odd { .. } => return,
    };
    case.explain(Check::BASE, diagnosis);
}
