//! How integrations and proofs look.

use std::fmt::Write as _;

use control::{Integration, IssuedId, Outcome, Probe, Proof, Verdict};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::args::Output;

/// What a proof has found, and what would mend it.
pub(super) fn verdict(integration: &Integration, proof: &Proof, now: Timestamp, output: Output) -> String {
    let policy = integration.trust_policy(now);
    let mend = matches!(proof.verdict, Verdict::Open | Verdict::Denied);
    match output {
        Output::Text => {
            let mut text = probes(proof);
            writeln!(text, "{}: {}", integration.state, proof.reason).expect("writing to a string does not fail");
            if mend {
                write!(text, "the role's trust policy must be:\n{policy:#}\n")
                    .expect("writing to a string does not fail");
            }
            if proof.verdict == Verdict::Open {
                text.push_str("if it has just been changed to that, try again in a minute: IAM takes that long\n");
            }
            text
        }
        Output::Json => {
            let trust = if mend { json!(policy) } else { Value::Null };
            format!(
                "{:#}\n",
                json!({ "integration": as_json(integration, now), "proof": proof, "trust_policy": trust })
            )
        }
    }
}

/// What was tried, a line each.
pub(crate) fn probes(proof: &Proof) -> String {
    let mut text = String::new();
    for Probe { kind, outcome, attempts, request_ids, .. } in &proof.probes {
        let came = match outcome {
            Outcome::LetIn if kind.is_forbidden() => "LET IN",
            Outcome::LetIn => "let in",
            Outcome::Refused { .. } => "refused",
            Outcome::Unclear { .. } => "unclear",
        };
        write!(text, "  with {:<64} {came}", kind.sent()).expect("writing to a string does not fail");
        if *attempts > 1 {
            write!(text, ", attempt {attempts}").expect("writing to a string does not fail");
        }
        if let Some(request) = request_ids.last() {
            write!(text, " (request {request})").expect("writing to a string does not fail");
        }
        text.push('\n');
    }
    text
}

fn as_json(integration: &Integration, now: Timestamp) -> Value {
    let mut value = json!(integration);
    // What to hand on, without having to know how rotation works.
    value["external_id"] = json!(integration.live_ids(now).next().map(|issued| &issued.value));
    value
}

/// A line each.
pub(super) fn list(integrations: &[Integration], output: Output) -> String {
    match output {
        Output::Text if integrations.is_empty() => "there are no integrations\n".to_owned(),
        Output::Text => {
            let mut text = format!("{:<12} {:<9} {:<12} {:<24} role\n", "id", "state", "environment", "name");
            for Integration { id, state, environment, display_name, role, .. } in integrations {
                let role = role.as_ref().map_or("-", |role| role.as_str());
                let (id, state) = (id.as_str(), state.name());
                writeln!(text, "{id:<12} {state:<9} {environment:<12} {display_name:<24} {role}")
                    .expect("writing to a string does not fail");
            }
            text
        }
        Output::Json => format!("{:#}\n", json!({ "integrations": integrations })),
    }
}

/// All that is known of one.
pub(super) fn show(integration: &Integration, now: Timestamp, output: Output) -> String {
    match output {
        Output::Text => describe(integration, now),
        Output::Json => format!("{:#}\n", as_json(integration, now)),
    }
}

fn describe(integration: &Integration, now: Timestamp) -> String {
    let mut rows = vec![
        ("id", integration.id.to_string()),
        ("name", integration.display_name.clone()),
        ("environment", integration.environment.clone()),
        ("our principal", integration.principal.as_str().to_owned()),
    ];
    for issued in integration.live_ids(now) {
        rows.push(("external ID", format!("{}{}", issued.value, note(integration, issued, now))));
    }
    rows.push(("role", integration.role.as_ref().map_or("none yet".to_owned(), |role| role.as_str().to_owned())));
    rows.push(("state", integration.state.to_string()));
    rows.push(("proven", integration.proven_at.map_or("never".to_owned(), |at| at.to_string())));
    let mut text = String::new();
    for (name, value) in rows {
        writeln!(text, "{name:<14} {value}").expect("writing to a string does not fail");
    }
    if let Some(proof) = &integration.last_proof {
        let Proof { verdict, ended_at, reason, .. } = proof;
        write!(text, "last proof     {} at {ended_at}: {reason}\n{}", verdict.name(), probes(proof))
            .expect("writing to a string does not fail");
    }
    text
}

/// What to know about an external ID while there are two.
fn note(integration: &Integration, issued: &IssuedId, now: Timestamp) -> String {
    if integration.live_ids(now).count() < 2 {
        return String::new();
    }
    let used = if integration.used_id(now) == Some(&issued.value) { "in use" } else { "not in use" };
    match issued.retire_at {
        Some(end) => format!(" ({used}, retired at {end})"),
        None if issued.proven_at.is_none() => format!(" ({used}, not proven yet)"),
        None => format!(" ({used})"),
    }
}

/// What to do with an integration that is new or has a new role.
pub(super) fn next_steps(integration: &Integration) -> String {
    let id = &integration.id;
    let trust = format!("tidegate integration policy {id} > trust.json");
    match &integration.role {
        None => format!(
            "next: make a role with this trust policy: {trust}\n\
             then: tidegate integration set-role {id} ROLE_ARN\n"
        ),
        Some(role) => format!(
            "next: set the trust policy of {} to this: {trust}\n\
             then: tidegate integration verify {id}\n",
            role.as_str()
        ),
    }
}
