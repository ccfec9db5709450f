//! IAM Roles Anywhere: a certificate for a session.

use std::sync::Arc;

use iam::generate::{Trust, Trusted};
use iam::{Arn, Caller, Context, Document, Policies, PolicyKind, Request, ResourcePolicy, evaluate};
use identity::roles_anywhere::{CertificateError, OPERATION, RolesAnywhere};
use identity::{Base, Error, Refusal};

use super::Case;
use super::shell::word;
use crate::{Cause, CertificateFacts, Check, Diagnosis, Paste, Remedy};

/// Who asks for a role on behalf of a certificate.
const SERVICE: &str = "rolesanywhere.amazonaws.com";

/// What it must be allowed to do.
const ACTIONS: [&str; 3] = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];

static TRUST: Cause = Cause {
    row: "F88",
    code: "anywhere.trust-lacks-an-action",
    title: "the role's trust policy does not let Roles Anywhere do all three of what it does",
    symptom: "AccessDeniedException from CreateSession, though the certificate is right",
    why: "rolesanywhere.amazonaws.com needs sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity, and conditions on aws:SourceArn or aws:PrincipalTag must fit the trust anchor and the certificate",
    apart: "the certificate is trusted, anchor and profile are enabled, and the role is the profile's",
    cure: "allow all three actions to rolesanywhere.amazonaws.com",
    texts: &["unable to assume role for arn:aws", "insufficient permissions to assume role"],
};

static CHAIN: Cause = Cause {
    row: "F89",
    code: "anywhere.chain-does-not-reach-anchor",
    title: "the certificate does not lead to the authority that the trust anchor holds",
    symptom: "AccessDeniedException: Untrusted signing certificate",
    why: "an intermediate is not sent along, or another authority has issued it than the one that is registered",
    apart: "openssl verify -CAfile ANCHOR.pem -untrusted INTERMEDIATES.pem CERTIFICATE.pem",
    cure: "send the intermediates, or name the trust anchor of the authority that issued it",
    texts: &["untrusted signing certificate"],
};

static STALE_ANCHOR: Cause = Cause {
    row: "F90",
    code: "anywhere.anchor-is-stale",
    title: "the trust anchor has an older certificate of the authority than there is now",
    symptom: "AccessDeniedException: Untrusted signing certificate, after the authority was renewed",
    why: "an anchor keeps the validity that the authority's certificate had when the anchor was last created or updated",
    apart: "openssl verify succeeds with the authority's certificate of today",
    cure: "update the trust anchor",
    texts: &["untrusted signing certificate"],
};

static REGIONS: Cause = Cause {
    row: "F91",
    code: "anywhere.regions-differ",
    title: "the trust anchor and the profile are of two regions",
    symptom: "refused before anything is asked: regions do not match",
    why: "both are asked for in one request, to one region's endpoint",
    apart: "it shows in the two ARNs",
    cure: "name an anchor and a profile of the same region",
    texts: &["trust anchor and profile regions don't match", "where the trust anchor is"],
};

static KEY_FILE: Cause = Cause {
    row: "F92",
    code: "anywhere.key-unreadable",
    title: "the certificate's or the key's file cannot be read as what it should be",
    symptom: "unable to parse PEM data, or no PRIVATE KEY block found",
    why: "it is another kind of file, is cut off, or is encrypted and the password is missing or wrong",
    apart: "the first line of the file says what it is: BEGIN CERTIFICATE, BEGIN PRIVATE KEY, BEGIN ENCRYPTED PRIVATE KEY",
    cure: "name the right file, or set the password",
    texts: &[
        "unable to parse pem data",
        "no private key block found",
        "encrypted private key",
        "pkcs8: incorrect password",
    ],
};

static OTHER_KEY: Cause = Cause {
    row: "F93",
    code: "anywhere.other-key",
    title: "the private key is not the certificate's",
    symptom: "a signature that AWS does not accept",
    why: "one of the two files was renewed without the other",
    apart: "the public halves of the two are not the same",
    cure: "give the key that the certificate was issued for",
    texts: &["the request signature we calculated does not match", "private key does not match"],
};

static MANY: Cause = Cause {
    row: "F94",
    code: "anywhere.several-identities",
    title: "a selector fits several certificates",
    symptom: "multiple matching identities",
    why: "a store of the operating system holds the renewed certificate beside the old one, and aws_signing_helper takes none of several",
    apart: "the store lists more than one certificate with the subject or issuer that is selected",
    cure: "select by serial number, or take the older certificate out; Tidegate reads files, where the key decides which certificate it is",
    texts: &["multiple matching identities", "multiple certificates matched"],
};

static SESSION_NAME: Cause = Cause {
    row: "F95",
    code: "anywhere.session-name-not-accepted",
    title: "the profile does not accept a name for the session",
    symptom: "Not authorized to set roleSessionName, or a condition on sts:RoleSessionName that never holds",
    why: "unless the profile accepts names, a session is called by the certificate's serial number",
    apart: "AWS names roleSessionName",
    cure: "let the profile accept session names, or leave the name out",
    texts: &["not authorized to set rolesessionname"],
};

static UNFIT: Cause = Cause {
    row: "F96",
    code: "anywhere.certificate-unfit",
    title: "the certificate is over, or is none that Roles Anywhere takes",
    symptom: "refused, or about to be",
    why: "it must be within its dates, an end entity's (CA:false), with keyUsage digitalSignature, signed with SHA-256 or stronger",
    apart: "openssl x509 -noout -text -in CERTIFICATE shows all of it",
    cure: "have a certificate issued as Roles Anywhere takes it",
    texts: &[
        "certificate has expired or is not yet valid",
        "lacks keyusage digitalsignature",
        "basic constraints: ca:true",
    ],
};

static SWITCHED_OFF: Cause = Cause {
    row: "F97",
    code: "anywhere.switched-off",
    title: "somebody has switched it off: a revocation, a disabled anchor or profile, or a role taken out of the profile",
    symptom: "AccessDeniedException from CreateSession where it worked before",
    why: "after a security event certificates are revoked and anchors and profiles disabled",
    apart: "the account's administrator sees it in the Roles Anywhere console, and CloudTrail says who did it",
    cure: "ask why it was done, before it is undone",
    texts: &[
        "certificate has been revoked",
        "trust anchor is disabled",
        "profile is disabled",
        "role is not in the profile",
    ],
};

static DURATION: Cause = Cause {
    row: "F98",
    code: "anywhere.duration",
    title: "the profile or the role gives shorter sessions than the connection asks for",
    symptom: "an error about durationSeconds, or sessions that end sooner than was asked",
    why: "CreateSession gives the least of what is asked, the profile's duration and the role's maximum",
    apart: "the session's end beside what was asked for",
    cure: "ask for what the profile gives, or raise the profile's and the role's",
    texts: &["durationseconds", "maxsessionduration"],
};

pub(super) static CAUSES: &[&Cause] = &[
    &TRUST,
    &CHAIN,
    &STALE_ANCHOR,
    &REGIONS,
    &KEY_FILE,
    &OTHER_KEY,
    &MANY,
    &SESSION_NAME,
    &UNFIT,
    &SWITCHED_OFF,
    &DURATION,
];

pub(super) fn explain(case: &mut Case<'_>) {
    regions(case);
    let Some(connection) = &case.target.connection else { return };
    let Base::RolesAnywhere(declared) = &connection.base else { return };
    if let Some(facts) = &case.facts.certificate {
        of_certificate(case, declared, facts);
    }
    if let Some(Error::Refused(refusal)) = &case.facts.base_error
        && refusal.operation == OPERATION
    {
        for diagnosis in of_refusal(case, declared, refusal) {
            case.explain(Check::BASE, diagnosis);
        }
    }
    duration(case, declared);
}

fn regions(case: &mut Case<'_>) {
    let differs = |text: &str| text.contains("must be") && text.contains("where the trust anchor is");
    let fault = case.target.faults.iter().find(|fault| differs(&fault.text));
    if let Some(fault) = fault {
        let because = format!("{}: {}", fault.key, fault.text);
        let remedy = Remedy::to(format!("correct {}, or name a trust anchor of its region", fault.key));
        case.explain(Check::INPUT, Diagnosis::decided(&REGIONS, because).cure(remedy));
    }
}

/// The last part of an anchor's or a profile's ARN, as a shell takes it.
fn id(arn: &str) -> String {
    word(arn.rsplit_once('/').map_or(arn, |(_, id)| id))
}

fn command(action: impl Into<String>, declared: &RolesAnywhere, verb: &str) -> Remedy {
    let text = format!("aws rolesanywhere {verb} --region {}", word(&declared.region));
    Remedy::paste(action, Paste::Command(text))
}

fn of_certificate(case: &mut Case<'_>, declared: &RolesAnywhere, facts: &CertificateFacts) {
    let certificate = declared.certificate.display();
    let Some(error) = &facts.error else {
        if case.is_unwell(Check::CERTIFICATE) {
            let because = format!("certificate {} ends in {} days", facts.subject, facts.left.as_secs() / 86_400);
            let remedy =
                Remedy::to(format!("have a new one issued and put it into {certificate}; nothing is restarted for it"));
            case.explain(Check::CERTIFICATE, Diagnosis::decided(&UNFIT, because).cure(remedy));
        }
        return;
    };
    let said = fault::Chain(error).to_string();
    let diagnosis = match error {
        CertificateError::Mismatch { certificate, key } => {
            let bare = |place: &str| word(place.rsplit_once(' ').map_or(place, |(_, path)| path));
            let text = format!(
                "openssl x509 -noout -pubkey -in {}\nopenssl pkey -pubout -in {}",
                bare(certificate),
                bare(key)
            );
            let look =
                Remedy::paste("compare the two public keys, and give files that belong together", Paste::Command(text));
            Diagnosis::decided(&OTHER_KEY, said).cure(look)
        }
        CertificateError::Unfit { .. } => {
            let look = Paste::Command(format!("openssl x509 -noout -text -in {}", word(&certificate.to_string())));
            let issue = "have one issued with CA:false, keyUsage digitalSignature and SHA-256 or stronger";
            Diagnosis::decided(&UNFIT, said).cure(Remedy::to(issue)).cure(Remedy::paste("look at it", look))
        }
        CertificateError::LongChain { .. } => {
            let remedy = Remedy::to("leave the root out, and what does not lead from the certificate to it");
            Diagnosis::decided(&CHAIN, said).cure(remedy)
        }
        CertificateError::Sealed { .. } => {
            let setting = "passphrase = { env = \"THE_KEYS_PASSWORD\" }";
            let remedy = Remedy::paste("say what the key is encrypted with", Paste::Setting(setting.to_owned()));
            Diagnosis::decided(&KEY_FILE, said).cure(remedy)
        }
        CertificateError::Unreadable { .. } | CertificateError::Damaged { .. } => {
            let remedy = Remedy::to("name a PEM, DER or PKCS#12 file that holds it whole and that Tidegate may read");
            Diagnosis::decided(&KEY_FILE, said).cure(remedy)
        }
        _ => return,
    };
    // Without it there is nobody to begin with either.
    if case.is_unwell(Check::BASE) {
        case.explain(Check::BASE, diagnosis.clone());
    }
    case.explain(Check::CERTIFICATE, diagnosis);
}

/// What AWS may mean. Its codes do not tell one reason from another, so its words are looked at; what they leave open is told
/// in the order of how often it is met.
fn of_refusal(case: &Case<'_>, declared: &RolesAnywhere, refusal: &Arc<Refusal>) -> Vec<Diagnosis> {
    let says = |words: &str| refusal.message.to_ascii_lowercase().contains(words);
    let said = format!("AWS says {:?}", refusal.message);
    if says("untrusted") && says("certificate") {
        return untrusted(case, declared, &said);
    }
    if says("rolesessionname") {
        let profile = id(&declared.profile_arn);
        let verb = format!("update-profile --profile-id {profile} --accept-role-session-name");
        let accept = command("let the profile accept session names", declared, &verb);
        let leave = Remedy::to("or leave the session's name out: it is the certificate's serial number then");
        return vec![Diagnosis::decided(&SESSION_NAME, said).cure(accept).cure(leave)];
    }
    if says("revoked") || says("disabled") || says("not in the profile") {
        return vec![switched_off(declared, Diagnosis::decided(&SWITCHED_OFF, said))];
    }
    if says("durationseconds") || says("session duration") {
        return vec![Diagnosis::decided(&DURATION, said).cure(longer(declared))];
    }
    if says("expired") || says("not yet") {
        let remedy = Remedy::to("set this machine's clock, and compare the certificate's dates with it");
        return vec![Diagnosis::likely(&UNFIT, said).cure(remedy)];
    }
    if says("signature") {
        return vec![Diagnosis::likely(&OTHER_KEY, said).cure(Remedy::to(OTHER_KEY.cure))];
    }
    if refusal.code.contains("ResourceNotFound") {
        let gone =
            Diagnosis::possible(&SWITCHED_OFF, format!("{said}: the ARN may be wrong, or what it names deleted"));
        return vec![switched_off(declared, gone)];
    }
    if !refusal.code.contains("AccessDenied") {
        return Vec::new();
    }
    let unable = says("unable to assume role") || says("insufficient permissions");
    let off = Diagnosis::possible(
        &SWITCHED_OFF,
        format!("look whether profile {} lists the role", id(&declared.profile_arn)),
    );
    let given = case.target.trust_policy.as_deref().and_then(|policy| unnamed(policy, declared));
    let trust = match given {
        Some(missing) if !missing.is_empty() => {
            let because = format!("the trust policy that was given does not allow {} to {SERVICE}", missing.join(", "));
            Diagnosis::decided(&TRUST, because)
        }
        Some(_) => Diagnosis::likely(
            &TRUST,
            format!(
                "{said}, and the trust policy that was given allows all three actions: its conditions are left, or a Deny"
            ),
        ),
        None if unable => Diagnosis::likely(&TRUST, said),
        None => Diagnosis::possible(&TRUST, format!("look which actions the role's trust policy allows to {SERVICE}")),
    };
    let name = Diagnosis::possible(
        &SESSION_NAME,
        "look whether the trust policy has a condition on sts:RoleSessionName: the name is the serial number, if none is accepted",
    );
    let name =
        name.cure(Remedy::to("take sts:RoleSessionName out of the trust policy, or let the profile accept names"));
    let diagnosis = trust.cure(trust_policy(case, declared));
    vec![diagnosis, switched_off(declared, off), name]
}

/// The actions that a trust policy does not allow to Roles Anywhere whatever its conditions say; `None` if it cannot be read.
/// Its conditions are AWS's to judge: what the certificate's attributes become is the profile's mapping.
fn unnamed(policy: &str, declared: &RolesAnywhere) -> Option<Vec<&'static str>> {
    let mut policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    let statements = policy.get_mut("Statement")?;
    let statements = match statements {
        serde_json::Value::Array(statements) => statements.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    for statement in statements {
        let statement = statement.as_object_mut()?;
        // A Deny under a condition need not hold.
        if statement.get("Effect").is_none_or(|effect| effect == "Allow") || !statement.contains_key("Condition") {
            statement.remove("Condition");
        } else {
            statement.insert("Action".to_owned(), "sts:GetCallerIdentity".into());
        }
    }
    let document = Document::parse_as(PolicyKind::Trust, &policy.to_string()).ok()?;
    let role: Arn = declared.role_arn.parse().ok()?;
    let (caller, context) = (Caller::parse(SERVICE).ok()?, Context::new());
    let allowed = |action: &str| {
        let resource_account = role.account()?;
        let request = Request { caller: &caller, action, resource: role.as_str(), resource_account, context: &context };
        let policies = Policies { resource: Some(ResourcePolicy::Trust(&document)), ..Policies::default() };
        Some(evaluate(&request, &policies).is_allowed())
    };
    Some(ACTIONS.into_iter().filter(|action| allowed(action) == Some(false)).collect())
}

fn untrusted(case: &Case<'_>, declared: &RolesAnywhere, said: &str) -> Vec<Diagnosis> {
    let facts = case.facts.certificate.clone().unwrap_or_default();
    let chain = if !facts.astray.is_empty() {
        let because = format!("{said}, and {} does not lead from the certificate to anywhere", facts.astray.join("; "));
        Diagnosis::likely(&CHAIN, because)
    } else if facts.intermediates == 0 {
        let because = format!("{said}, no intermediate is sent, and {} has issued the certificate", facts.issuer);
        Diagnosis::likely(&CHAIN, because)
    } else {
        Diagnosis::possible(&CHAIN, format!("look whether the trust anchor holds {}", facts.last_issuer))
    };
    let setting = "intermediates = \"/path/to/intermediates.pem\"".to_owned();
    let send = Remedy::paste(
        format!("send what is between {} and the trust anchor's authority", facts.issuer),
        Paste::Setting(setting),
    );
    let anchor = id(&declared.trust_anchor_arn);
    let look = command(
        "see which authority the trust anchor holds",
        declared,
        &format!("get-trust-anchor --trust-anchor-id {anchor}"),
    );
    let update = format!(
        "update-trust-anchor --trust-anchor-id {anchor} --source 'sourceType=CERTIFICATE_BUNDLE,sourceData={{x509CertificateData=\"PEM\"}}'"
    );
    let update = command("give the trust anchor the authority's certificate of today", declared, &update);
    let apart = "look whether the authority's certificate was renewed after the trust anchor was made";
    vec![chain.cure(send).cure(look), Diagnosis::possible(&STALE_ANCHOR, apart).cure(update)]
}

fn switched_off(declared: &RolesAnywhere, diagnosis: Diagnosis) -> Diagnosis {
    let (anchor, profile) = (id(&declared.trust_anchor_arn), id(&declared.profile_arn));
    let text = format!(
        "aws rolesanywhere get-trust-anchor --trust-anchor-id {anchor} --region {region}\naws rolesanywhere get-profile --profile-id {profile} --region {region}\naws rolesanywhere list-crls --region {region}",
        region = word(&declared.region)
    );
    let look =
        Remedy::paste("see what is enabled, which roles the profile lists, and what is revoked", Paste::Command(text));
    diagnosis.cure(look).cure(Remedy::to("have a new certificate issued if this one was revoked"))
}

fn longer(declared: &RolesAnywhere) -> Remedy {
    let seconds = declared.duration.map_or(3600, |asked| asked.as_secs());
    let verb = format!("update-profile --profile-id {} --duration-seconds {seconds}", id(&declared.profile_arn));
    command("let the profile give as much, and the role's MaxSessionDuration too", declared, &verb)
}

/// A session that is shorter than was asked for: CreateSession cuts down what it does not refuse.
fn duration(case: &mut Case<'_>, declared: &RolesAnywhere) {
    let (Some(asked), Some(given)) = (declared.duration, case.facts.base_life) else { return };
    // A session of the cache may have been had a while ago; a tenth less than asked is nobody's fault.
    if given < asked.mul_f64(0.9) {
        let because = format!("{} s were asked for, and the session has {} s", asked.as_secs(), given.as_secs());
        case.explain(Check::LIFE, Diagnosis::decided(&DURATION, because).cure(longer(declared)));
    }
}

/// The trust policy that lets this certificate in, and nobody else.
fn trust_policy(case: &Case<'_>, declared: &RolesAnywhere) -> Remedy {
    let action = "replace the role's trust policy by this, which allows all three actions";
    let common_name = case.facts.certificate.as_ref().and_then(|facts| facts.common_name.clone());
    let Ok(trust_anchor) = declared.trust_anchor_arn.parse() else { return Remedy::to(TRUST.cure) };
    let trusted = vec![Trusted::RolesAnywhere { trust_anchor, common_name }];
    match (Trust { trusted, ..Trust::default() }).policy() {
        Ok(policy) => Remedy::paste(action, Paste::TrustPolicy(format!("{policy:#}"))),
        Err(error) => Remedy::to(format!("{} ({error})", TRUST.cure)),
    }
}
