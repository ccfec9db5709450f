//! Whom a policy names.

use crate::lint::Severity;
use crate::lint::rule::{Rule, spot, unmended};
use crate::lint::scene::{Scene, Spot, Whose, demands_one_of, takes_in};
use crate::{DraftCondition, DraftStatement, Operator, Principal};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "wildcard-principal",
        why: "\"*\" is everybody with an AWS account, and for a bucket everybody on the internet",
        find: wildcard,
    },
    Rule {
        name: "account-root",
        why: "every user and role of that account may come in that its administrators permit to",
        find: account_root,
    },
    Rule {
        name: "deleted-principal",
        why: "AWS shows a unique ID where the user or role has been deleted; whoever is made anew under its name has another one",
        find: deleted,
    },
    Rule {
        name: "roles-anywhere-incomplete",
        why: "IAM Roles Anywhere asks for sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity in every session, and is refused without one",
        find: roles_anywhere,
    },
    Rule {
        name: "service-for-anybody",
        why: "the service acts for whoever asks it, with whatever trust anchor or account, unless a condition says for whom",
        find: service,
    },
    Rule {
        name: "web-identity-open",
        why: "every subject that the identity provider vouches for may come in, other people's projects and clusters too",
        find: web_identity,
    },
    Rule {
        name: "wrong-assume-action",
        why: "the statement never matches: identity providers come by AssumeRoleWithWebIdentity or AssumeRoleWithSAML, all others by AssumeRole",
        find: wrong_action,
    },
];

/// Keys by which AWS itself tells a public policy from one that is not (S3 user guide, "The meaning of public"), and the
/// like.
const NARROWING: [&str; 19] = [
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:PrincipalTag/",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:VpceAccount",
    "aws:VpceOrgID",
    "aws:SourceIp",
    "aws:userid",
    "aws:username",
    "kms:CallerAccount",
    "s3:DataAccessPointAccount",
    "s3:DataAccessPointArn",
];

fn wildcard(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.grants() {
        if !scene.named(index).contains(&Principal::Anyone) || demands_one_of(statement, &NARROWING) {
            continue;
        }
        let account = scene.own_account();
        let what = "everybody is let in";
        spots.push(spot(index, Severity::Error, what, move |slots| {
            slots.each(index, |statement| {
                for (_, text) in statement.principals.iter_mut().flat_map(|principals| &mut principals.list) {
                    if text == "*" {
                        text.clone_from(&account);
                    }
                }
            });
        }));
    }
    spots
}

fn account_root(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.allows().filter(|_| scene.is_trust()) {
        if demands_one_of(statement, &["aws:PrincipalArn", "aws:PrincipalTag/", "aws:PrincipalOrgID"]) {
            continue;
        }
        let third_party = statement.conditions.iter().any(|condition| condition.is_about("sts:ExternalId"));
        for principal in scene.named(index) {
            let Principal::Account(account) = principal else { continue };
            let whose = scene.whose(*account);
            if whose == Whose::Foreign || (whose == Whose::Unknown && third_party) {
                let what = format!("the whole of account {account} is named, not the one role that comes");
                spots.push(unmended(index, Severity::Note, what));
            }
        }
    }
    spots
}

fn deleted(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, _) in scene.all() {
        for principal in scene.named(index) {
            let Principal::UniqueId(id) = principal else { continue };
            let id = id.to_string();
            spots.push(spot(index, Severity::Warning, format!("{id} is no ARN any more"), move |slots| {
                let Some(principals) = slots.slots[index].first_mut().and_then(|one| one.principals.as_mut()) else {
                    return;
                };
                principals.list.retain(|(_, text)| *text != id);
                if principals.list.is_empty() {
                    slots.remove(index);
                }
            }));
        }
    }
    spots
}

const ANYWHERE: &str = "rolesanywhere.amazonaws.com";

fn is_service(scene: &Scene<'_>, index: usize, name: &str) -> bool {
    scene.named(index).iter().any(|principal| *principal == Principal::Service(name.into()))
}

fn roles_anywhere(scene: &Scene<'_>) -> Vec<Spot> {
    const NEEDED: [&str; 3] = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"];
    let of: Vec<usize> = scene.allows().map(|(index, _)| index).filter(|&i| is_service(scene, i, ANYWHERE)).collect();
    let (Some(&first), true) = (of.first(), scene.is_trust()) else { return Vec::new() };
    let allowed = |action: &&str| of.iter().any(|&index| takes_in(&scene.draft.statements[index].actions, action));
    let missing: Vec<&str> = NEEDED.into_iter().filter(|action| !allowed(action)).collect();
    if missing.is_empty() || scene.draft.statements[first].actions.except {
        return Vec::new();
    }
    let what = format!("{} is not allowed to {ANYWHERE}", missing.join(" and "));
    vec![spot(first, Severity::Error, what, move |slots| {
        slots.each(first, |statement| statement.actions.list.extend(missing.iter().map(|&action| action.to_owned())));
    })]
}

fn service(scene: &Scene<'_>) -> Vec<Spot> {
    const FOR_OTHERS: [&str; 3] = [ANYWHERE, "scheduler.amazonaws.com", "pipes.amazonaws.com"];
    let mut spots = Vec::new();
    for (index, statement) in scene.allows().filter(|_| scene.is_trust()) {
        for name in FOR_OTHERS.into_iter().filter(|name| is_service(scene, index, name)) {
            let anchored = demands_one_of(statement, &["aws:SourceArn"]);
            if anchored || (name != ANYWHERE && demands_one_of(statement, &["aws:SourceAccount"])) {
                continue;
            }
            let account = scene.own_account();
            let condition = if name == ANYWHERE {
                let anchor = format!("arn:aws:rolesanywhere:*:{account}:trust-anchor/REPLACE-WITH-THE-TRUST-ANCHOR");
                DraftCondition {
                    operator: "ArnLike".parse().expect("an operator"),
                    key: "aws:SourceArn".to_owned(),
                    values: vec![anchor],
                }
            } else {
                let key = "aws:SourceAccount".to_owned();
                DraftCondition { operator: Operator::STRING_EQUALS, key, values: vec![account] }
            };
            let what = if name == ANYWHERE {
                "any trust anchor of the account can make sessions of this role".to_owned()
            } else {
                format!("{name} may come on anybody's behalf")
            };
            spots.push(spot(index, Severity::Warning, what, move |slots| {
                slots.each(index, |statement| put(statement, condition.clone()));
            }));
        }
    }
    spots
}

/// Puts a condition in the place of any other one about its key.
fn put(statement: &mut DraftStatement, condition: DraftCondition) {
    statement.conditions.retain(|other| !other.is_about(&condition.key));
    statement.conditions.push(condition);
}

/// Providers that vouch for everybody's projects alike.
const SHARED: [&str; 6] = [
    "token.actions.githubusercontent.com",
    "gitlab.com",
    "app.terraform.io",
    "agent.buildkite.com",
    "api.bitbucket.org",
    "oidc.circleci.com",
];

fn web_identity(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.allows().filter(|_| scene.is_trust()) {
        if !takes_in(&statement.actions, "sts:AssumeRoleWithWebIdentity") {
            continue;
        }
        for principal in scene.named(index) {
            let Principal::Federated(name) = principal else { continue };
            let Some((_, issuer)) = name.split_once(":oidc-provider/") else { continue };
            let key = format!("{issuer}:sub");
            if demands_one_of(statement, &[&key]) {
                continue;
            }
            let host = issuer.split('/').next().unwrap_or_default();
            let severity = if SHARED.contains(&host) { Severity::Error } else { Severity::Warning };
            let what = format!("no condition says which subject of {issuer} may come in");
            let condition = DraftCondition {
                operator: Operator::STRING_EQUALS,
                key,
                values: vec!["REPLACE-WITH-THE-SUBJECT".to_owned()],
            };
            spots.push(spot(index, severity, what, move |slots| {
                slots.each(index, |statement| put(statement, condition.clone()));
            }));
        }
    }
    spots
}

fn wrong_action(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.allows().filter(|_| scene.is_trust()) {
        let named = scene.named(index);
        if named.is_empty() || statement.actions.except {
            continue;
        }
        let federated = named.iter().all(|principal| matches!(principal, Principal::Federated(_)));
        let plain = !named.iter().any(|principal| matches!(principal, Principal::Federated(_)));
        let saml = named
            .iter()
            .any(|principal| matches!(principal, Principal::Federated(name) if name.contains(":saml-provider/") ));
        let by_token = if saml { "sts:AssumeRoleWithSAML" } else { "sts:AssumeRoleWithWebIdentity" };
        let tokens = ["sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"];
        let has = |action: &str| takes_in(&statement.actions, action);
        let (wrong, right) = if federated && has("sts:AssumeRole") && !tokens.into_iter().any(has) {
            (vec!["sts:AssumeRole"], by_token)
        } else if plain && !has("sts:AssumeRole") && tokens.into_iter().any(has) {
            (tokens.to_vec(), "sts:AssumeRole")
        } else {
            continue;
        };
        let what = format!("{right} is what these principals come by");
        spots.push(spot(index, Severity::Error, what, move |slots| {
            slots.each(index, |statement| {
                for action in &mut statement.actions.list {
                    if wrong.iter().any(|wrong| wrong.eq_ignore_ascii_case(action)) {
                        right.clone_into(action);
                    }
                }
            });
        }));
    }
    spots
}
