//! Why a role refused us: what its trust policy and our own policies say, weighed by the evaluator, where they were given or
//! are ours to read; and what may be the reason where they are not.

use iam::{Arn, Caller, Context, Document, Effect, Request, Standing, standings};
use identity::{AssumeRole, Base, Refusal};

use super::remedy::{assume_statement, assume_statement_for, before, trust_policy, update_command};
use super::{Case, condition, external_id, principal};
use crate::{Certainty, Diagnosis, Remedy};

/// The request that was refused, as policies see it.
pub(super) struct Asked<'a> {
    pub(super) hop: &'a AssumeRole,
    pub(super) index: usize,
    pub(super) role: Arn,
    pub(super) caller: Caller,
    pub(super) caller_arn: &'a str,
    context: Context,
    /// Whether who asks may have signed in with a second factor.
    may_have_mfa: bool,
}

/// Keys of which it is known what they are, or that they are not there: the request is ours. Of all others AWS alone knows:
/// where it comes from, whose organisation we are of, what the role and who asks are tagged with.
const KNOWN: [&str; 19] = [
    "sts:ExternalId",
    "sts:RoleSessionName",
    "sts:TransitiveTagKeys",
    "aws:TagKeys",
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:PrincipalType",
    "aws:PrincipalIsAWSService",
    "aws:username",
    "aws:MultiFactorAuthPresent",
    "aws:MultiFactorAuthAge",
    "aws:SecureTransport",
    "aws:ViaAWSService",
    "aws:RequestedRegion",
    "aws:SourceArn",
    "aws:SourceAccount",
    "aws:CalledVia",
];

impl<'a> Asked<'a> {
    pub(super) fn of(case: &Case<'a>, index: usize) -> Option<Self> {
        let target = case.target;
        let hop = target.connection.as_ref()?.hops.get(index)?;
        let caller_arn = before(case, index)?;
        let arn: Arn = caller_arn.parse().ok()?;
        let mut caller = Caller::parse(caller_arn).ok()?;
        let unique_id = case.facts.ours.grants.as_ref().map(|grants| grants.unique_id.as_str());
        if let Some(id) = unique_id.filter(|id| !id.is_empty()) {
            caller = caller.with_unique_id(id);
        }
        let mut context = Context::new();
        if let Some(id) = &hop.external_id {
            context.set("sts:ExternalId", id);
        }
        context.set("sts:RoleSessionName", &hop.session_name);
        if let Some(identity) = &hop.source_identity {
            context.set("sts:SourceIdentity", identity);
        }
        if !hop.tags.is_empty() {
            context.set_many("aws:TagKeys", hop.tags.iter().map(|(key, _)| key.clone()));
        }
        for (key, value) in &hop.tags {
            context.set(&format!("aws:RequestTag/{key}"), value);
        }
        if !hop.transitive_tag_keys.is_empty() {
            context.set_many("sts:TransitiveTagKeys", hop.transitive_tag_keys.iter().cloned());
        }
        if let Some(now) = case.facts.asked_at.and_then(|at| jiff::Timestamp::try_from(at).ok()) {
            context.set("aws:CurrentTime", now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
            context.set("aws:EpochTime", now.as_second().to_string());
        }
        let mut may_have_mfa = false;
        let is_session = arn.role_session().is_some();
        context.set("aws:PrincipalType", if is_session { "AssumedRole" } else { "User" });
        if let Some(account) = arn.account() {
            context.set("aws:PrincipalAccount", account.to_string());
        }
        if let Some(principal) = control::principal_of(caller_arn) {
            context.set("aws:PrincipalArn", principal.as_str());
        }
        match arn.user_name() {
            Some(name) => {
                context.set("aws:username", name);
                // Keys that never end have no second factor; a session of a user may have had one.
                may_have_mfa = target.connection.as_ref().is_some_and(|connection| match &connection.base {
                    Base::Keys(keys) => keys.token.is_some(),
                    _ => true,
                });
            }
            None => context.set("aws:MultiFactorAuthPresent", "false"),
        }
        context.set("aws:SecureTransport", "true");
        context.set("aws:ViaAWSService", "false");
        context.set("aws:PrincipalIsAWSService", "false");
        if let Some(connection) = &target.connection {
            context.set("aws:RequestedRegion", &connection.sts.region);
        }
        let role = hop.role_arn.parse().ok()?;
        Some(Self { hop, index, role, caller, caller_arn, context, may_have_mfa })
    }

    fn request(&'a self, action: &'a str) -> Option<Request<'a>> {
        let (caller, context) = (&self.caller, &self.context);
        let resource_account = self.role.account()?;
        Some(Request { caller, action, resource: self.role.as_str(), resource_account, context })
    }

    /// Whether it is not known here what a condition on this key comes to.
    fn is_unknown(&self, key: &str) -> bool {
        let is = |name: &str| name.eq_ignore_ascii_case(key);
        let below = |prefix: &str| key.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        match key {
            // A session's ARN has lost its role's path.
            _ if is("aws:PrincipalArn") => self.caller_arn.contains(":assumed-role/"),
            _ if is("sts:SourceIdentity") => self.hop.source_identity.is_none(),
            _ if is("aws:MultiFactorAuthPresent") || is("aws:MultiFactorAuthAge") => self.may_have_mfa,
            _ => !KNOWN.into_iter().any(is) && !below("aws:RequestTag/"),
        }
    }

    /// The keys of a statement's conditions that do not hold, and those of which it is not known.
    fn keys<'s>(&self, standing: &Standing<'s>) -> (Vec<&'s str>, Vec<&'s str>) {
        let unmet =
            standing.unmet.iter().map(|condition| condition.key()).filter(|key| !self.is_unknown(key)).collect();
        let conditions = standing.statement.conditions().iter();
        let open = conditions.map(iam::Condition::key).filter(|key| self.is_unknown(key)).collect();
        (unmet, open)
    }
}

/// What a policy comes to.
pub(super) enum Word {
    /// It allows the request.
    Allows,
    /// It may allow it: what we do not know decides.
    Open(Vec<Diagnosis>),
    /// It does not, and this is why.
    Refuses(Vec<Diagnosis>),
}

/// A statement, for people: `statement 2 (Vendor) of the trust policy`.
fn place(standing: &Standing<'_>, whose: &str) -> String {
    let sid = standing.statement.sid().map(|sid| format!(" ({sid})")).unwrap_or_default();
    format!("statement {}{sid} of {whose}", standing.index + 1)
}

/// What the trust policy says of the request. `whose` says which one: `the trust policy of role orders`.
pub(super) fn trust(case: &Case<'_>, asked: &Asked<'_>, document: &Document, whose: &str) -> Word {
    let Some(request) = asked.request("sts:AssumeRole") else { return Word::Open(Vec::new()) };
    let standings = standings(&request, document);
    let speaks = |standing: &&Standing<'_>| standing.names_caller && standing.covers_action;
    let of = |effect| standings.iter().filter(move |standing| standing.statement.effect() == effect).filter(speaks);
    // A Deny whose known conditions hold denies, for certain if there are no others.
    let mut open = Vec::new();
    for standing in of(Effect::Deny) {
        let (unmet, unknown) = asked.keys(standing);
        if !unmet.is_empty() {
            continue;
        }
        let place = place(standing, whose);
        let keys: Vec<&str> = standing.statement.conditions().iter().map(iam::Condition::key).collect();
        let diagnoses = if keys.is_empty() {
            let because = format!("{place} denies sts:AssumeRole, whatever else allows it");
            vec![denied(case, asked, because)]
        } else {
            let because = |key: &str| format!("{place} denies sts:AssumeRole by its condition on {key}");
            keys.iter().map(|key| by_key(case, asked, standing, key, because(key), whose)).collect()
        };
        if unknown.is_empty() {
            return Word::Refuses(diagnoses);
        }
        open.extend(diagnoses);
    }
    let mut nearest: Option<(usize, Vec<Diagnosis>)> = None;
    let mut may_allow = false;
    for standing in of(Effect::Allow) {
        let (unmet, unknown) = asked.keys(standing);
        if unmet.is_empty() && unknown.is_empty() {
            return if open.is_empty() { Word::Allows } else { Word::Open(open) };
        }
        let place = place(standing, whose);
        let because = |key: &str| format!("{place} asks for {}", wanted(standing, key));
        if unmet.is_empty() {
            may_allow = true;
            open.extend(unknown.iter().map(|key| by_key(case, asked, standing, key, because(key), whose)));
        } else if nearest.as_ref().is_none_or(|(fewest, _)| unmet.len() < *fewest) {
            let diagnoses = unmet.iter().map(|key| by_key(case, asked, standing, key, because(key), whose)).collect();
            nearest = Some((unmet.len(), diagnoses));
        }
    }
    if may_allow {
        return Word::Open(open);
    }
    Word::Refuses(match nearest {
        Some((_, diagnoses)) => diagnoses,
        None => vec![principal::not_named(case, asked.index, asked.caller_arn, document, whose)],
    })
}

/// A plain Deny.
fn denied(case: &Case<'_>, asked: &Asked<'_>, because: String) -> Diagnosis {
    Diagnosis::decided(&condition::DENY, because)
        .cure(trust_policy(case, Some(asked.index)))
        .cure(update_command(case, asked.index))
}

/// What a condition says, with its values.
fn wanted(standing: &Standing<'_>, key: &str) -> String {
    let conditions = standing.statement.conditions().iter().filter(|condition| condition.key() == key);
    let each = conditions.map(|condition| {
        let values: Vec<_> = condition.values().collect();
        format!("{} {key} {}", condition.operator(), values.join(" or "))
    });
    each.collect::<Vec<_>>().join(" and ")
}

/// The cause behind one condition.
fn by_key(
    case: &Case<'_>,
    asked: &Asked<'_>,
    standing: &Standing<'_>,
    key: &str,
    because: String,
    whose: &str,
) -> Diagnosis {
    if key.eq_ignore_ascii_case("sts:ExternalId") {
        let conditions = standing.statement.conditions().iter().filter(|condition| condition.key() == key);
        let values: Vec<String> = conditions.flat_map(iam::Condition::values).map(str::to_owned).collect();
        return external_id::differs(case, asked.index, asked.hop.external_id.as_deref(), &values, whose);
    }
    if ["aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalOrgID", "aws:username", "aws:PrincipalType"]
        .into_iter()
        .any(|name| name.eq_ignore_ascii_case(key))
    {
        let because = format!("{because}; {} asks", asked.caller_arn);
        return Diagnosis::decided(&principal::OTHER, because)
            .cure(trust_policy(case, Some(asked.index)))
            .cure(update_command(case, asked.index));
    }
    condition::cured(case, asked.index, Diagnosis::decided(condition::cause_of(key), because))
}

/// What our own policies say of the request, as far as they could be read. `trust` is the role's own policy, if it is known:
/// in one account it is enough to be named there.
pub(super) fn own(case: &Case<'_>, asked: &Asked<'_>, trust: Option<&Document>) -> Option<Word> {
    let grants = case.facts.ours.grants.as_ref()?;
    let request = asked.request("sts:AssumeRole")?;
    let whose = &grants.whose;
    let read = |policy: &'_ aws::ReadPolicy| Document::parse(&policy.text).ok();
    let identity: Vec<(&str, Document)> =
        grants.policies.iter().filter_map(|policy| Some((policy.name.as_str(), read(policy)?))).collect();
    let boundary = grants.boundary.as_ref().and_then(|policy| Some((policy.name.as_str(), read(policy)?)));
    let is_whole = grants.unread.is_empty() && identity.len() == grants.policies.len();

    let speaks = |standing: &Standing<'_>| standing.covers_action && standing.covers_resource;
    for (name, document) in identity.iter().chain(&boundary) {
        let deny = standings(&request, document).into_iter().find(|standing| {
            let (unmet, unknown) = asked.keys(standing);
            let is_sure = unmet.is_empty() && unknown.is_empty();
            standing.statement.effect() == Effect::Deny && speaks(standing) && is_sure
        });
        if let Some(deny) = deny {
            let place = place(&deny, &format!("policy {name} of {whose}"));
            let because = format!("{place} denies sts:AssumeRole on {}", asked.role);
            let remedy = Remedy::to(format!("take {place} back, or spare {} in it", asked.role));
            return Some(Word::Refuses(vec![Diagnosis::decided(&principal::NOT_ALLOWED, because).cure(remedy)]));
        }
    }
    let allows = |document: &Document| {
        standings(&request, document).into_iter().any(|standing| {
            let (unmet, _) = asked.keys(&standing);
            standing.statement.effect() == Effect::Allow && speaks(&standing) && unmet.is_empty()
        })
    };
    let missing = |because: String| {
        Diagnosis::decided(&principal::NOT_ALLOWED, because).cure(assume_statement(case, asked.index))
    };
    let in_account = asked.caller.account() == asked.role.account();
    let is_enough_to_be_named = in_account && trust.is_none_or(|document| is_named(&request, document));
    if !is_enough_to_be_named && !identity.iter().any(|(_, document)| allows(document)) {
        let because = format!("no policy of {whose} allows sts:AssumeRole on {}", asked.role);
        return Some(if is_whole {
            Word::Refuses(vec![missing(because)])
        } else {
            Word::Open(vec![missing(format!("{because} (not read: {})", grants.unread.join(", ")))])
        });
    }
    if let Some((name, _)) = boundary.as_ref().filter(|(_, document)| !allows(document)) {
        let because =
            format!("the permissions boundary of {whose} ({name}) does not allow sts:AssumeRole on {}", asked.role);
        let action = format!("add this statement to the boundary {name}, which only narrows what other policies allow");
        let remedy = assume_statement_for(case, asked.index, action);
        return Some(Word::Refuses(vec![Diagnosis::decided(&principal::NOT_ALLOWED, because).cure(remedy)]));
    }
    Some(if is_whole { Word::Allows } else { Word::Open(Vec::new()) })
}

/// Whether a trust policy names who asks, and not just the account.
fn is_named(request: &Request<'_>, document: &Document) -> bool {
    standings(request, document).iter().filter(|standing| standing.matches()).any(|standing| {
        let principals = standing.statement.principals().map_or(&[][..], iam::Principals::list);
        principals.iter().any(|principal| !matches!(principal, iam::Principal::Account(_)))
    })
}

/// What AWS's own words say, where they say more than that it is refused: they do within an account or organisation.
pub(super) fn text(case: &Case<'_>, asked: &Asked<'_>, refusal: &Refusal) -> Option<Diagnosis> {
    let message = refusal.message.to_lowercase();
    let says = |part: &str| message.contains(part);
    let because = || format!("AWS says: {}", refusal.message);
    if says("because no identity-based policy allows") || says("explicit deny in an identity-based policy") {
        return Some(Diagnosis::decided(&principal::NOT_ALLOWED, because()).cure(assume_statement(case, asked.index)));
    }
    let of_trust = ["role trust policy", "resource-based policy", "trust policy"];
    if of_trust.into_iter().any(|policy| says(&format!("explicit deny in a {policy}"))) {
        return Some(denied(case, asked, because()));
    }
    // Neither the role nor who asks: somebody above them.
    if ["service control policy", "resource control policy"].into_iter().any(says) {
        let above = Remedy::to("have whoever administers the organisation except it");
        return super::by_row("F53").map(|row| Diagnosis::decided(row, because()).cure(above));
    }
    None
}

/// The same diagnoses as less sure.
pub(super) fn lessened(diagnoses: Vec<Diagnosis>, certainty: Certainty) -> impl Iterator<Item = Diagnosis> {
    diagnoses.into_iter().map(move |diagnosis| Diagnosis { certainty: diagnosis.certainty.max(certainty), ..diagnosis })
}
