//! The kinds of connections, and what each is made of.

use iam::Arn;
use world::Secret;

use super::reader::Reader;
use crate::roles_anywhere::RolesAnywhere;
use crate::template::Template;
use crate::{AccessKeyId, Base, Flaw, KeyRule, Lifetime, Profile, StaticKeys, WebIdentity};

/// A kind, its word and the keys that it has beside the common ones.
#[derive(Debug)]
pub(super) struct KindOf {
    pub(super) name: &'static str,
    pub(super) keys: &'static [&'static str],
}

pub(super) const KINDS: &[KindOf] = &[
    KindOf { name: "instance-role", keys: &[] },
    KindOf { name: "container", keys: &[] },
    KindOf { name: "web-identity", keys: &["role_arn", "token_file", "session_name", "duration"] },
    KindOf {
        name: "roles-anywhere",
        keys: &[
            "trust_anchor_arn",
            "profile_arn",
            "role_arn",
            "certificate",
            "private_key",
            "intermediates",
            "passphrase",
            "session_name",
            "duration",
        ],
    },
    KindOf { name: "profile", keys: &["profile", "config_file", "credentials_file"] },
    KindOf { name: "keys", keys: &["access_key_id", "secret_access_key", "session_token"] },
    KindOf { name: "default-chain", keys: &[] },
    KindOf { name: "anonymous", keys: &[] },
];

/// Where a key belongs that the kind does not have.
pub(super) fn belongs(key: &str, kind: &KindOf) -> Option<String> {
    let owners: Vec<&str> = KINDS.iter().filter(|other| other.keys.contains(&key)).map(|other| other.name).collect();
    if owners.is_empty() {
        return None;
    }
    let roles = if ["session_name", "duration"].contains(&key) {
        ", or write it beside the arn of one of the roles"
    } else {
        ""
    };
    Some(format!("it belongs to kind {}, and this one is {}{roles}", owners.join(" or "), kind.name))
}

/// What a kind's keys make.
pub(super) struct Made {
    pub(super) base: Base,
    /// The session's name, where the base itself takes a role on.
    pub(super) session_name: Option<Template>,
    /// The region that follows from it.
    pub(super) region: Option<String>,
}

pub(super) fn read(reader: &mut Reader<'_>, kind: &KindOf, region: Option<&str>, keys: KeyRule) -> Option<Made> {
    let plain = |base| Some(Made { base, session_name: None, region: None });
    match kind.name {
        "instance-role" => plain(Base::Instance),
        "container" => plain(Base::Container),
        "default-chain" => plain(Base::DefaultChain),
        "anonymous" => plain(Base::Anonymous),
        "web-identity" => web_identity(reader),
        "roles-anywhere" => roles_anywhere(reader, region),
        "profile" => {
            let (name, config_file, credentials_file) =
                (reader.text("profile"), reader.file("config_file"), reader.file("credentials_file"));
            plain(Base::Profile(Profile { name, config_file, credentials_file }))
        }
        _ => read_keys(reader, keys),
    }
}

/// Without any key of its own it is what the environment says, which is how EKS tells its pods.
fn web_identity(reader: &mut Reader<'_>) -> Option<Made> {
    let session_name = reader.template("session_name");
    let duration = reader.lifetime("duration");
    if !reader.has("role_arn") && !reader.has("token_file") {
        for key in ["session_name", "duration"].into_iter().filter(|key| reader.has(key)).collect::<Vec<_>>() {
            reader.fault(key, "needs role_arn and token_file beside it: without them the environment says it all");
        }
        return Some(Made { base: Base::AmbientWebIdentity, session_name: None, region: None });
    }
    let (role_arn, token_file) = (reader.required("role_arn"), reader.required("token_file"));
    let token_file = token_file.and(reader.file("token_file"));
    let web = WebIdentity { duration, ..WebIdentity::new(role_arn?, token_file?, "") };
    Some(Made { base: Base::WebIdentity(web), session_name, region: None })
}

fn roles_anywhere(reader: &mut Reader<'_>, region: Option<&str>) -> Option<Made> {
    let trust_anchor_arn = reader.required("trust_anchor_arn");
    let profile_arn = reader.required("profile_arn");
    let role_arn = reader.required("role_arn");
    let certificate = reader.required("certificate").and(reader.file("certificate"));
    let (private_key, intermediates) = (reader.file("private_key"), reader.file("intermediates"));
    let passphrase: Option<Secret> = reader.secret("passphrase");
    let session_name = reader.template("session_name");
    let duration = match reader.lifetime("duration") {
        Lifetime::Exactly(duration) => Some(duration),
        // The profile's own duration is its longest.
        Lifetime::Usual | Lifetime::Longest => None,
    };
    let trust_anchor_arn = trust_anchor_arn?;
    let own_region =
        trust_anchor_arn.parse::<Arn>().ok().map(|arn| arn.region().to_owned()).filter(|region| !region.is_empty());
    let anywhere = RolesAnywhere {
        trust_anchor_arn,
        profile_arn: profile_arn?,
        role_arn: role_arn?,
        certificate: certificate?,
        private_key,
        intermediates,
        passphrase,
        region: own_region.clone().or(region.map(str::to_owned)).unwrap_or_default(),
        endpoint: None,
        session_name: session_name.as_ref().map(ToString::to_string),
        duration,
        fips: false,
        dual_stack: false,
    };
    Some(Made { base: Base::RolesAnywhere(anywhere), session_name, region: own_region })
}

fn read_keys(reader: &mut Reader<'_>, rule: KeyRule) -> Option<Made> {
    let id = reader.has("access_key_id").then(|| reader.secret("access_key_id"));
    let secret = reader.has("secret_access_key").then(|| reader.secret("secret_access_key"));
    for (key, is_there) in [("access_key_id", id.is_some()), ("secret_access_key", secret.is_some())] {
        if !is_there {
            reader.fault(key, "is missing");
        }
    }
    let token = reader.secret("session_token");
    if token.is_none() && !rule.allows() {
        reader.fault("kind", "is keys, which never end and are switched off here").hint =
            Some("use a role: instance-role, container, web-identity or roles-anywhere".to_owned());
    } else {
        reader.warn(
            "kind",
            "keys last until somebody revokes them, and whoever reads them has them: use a role if you can",
        );
    }
    // A blank breaks the header that the key is written into, and AWS's words do not say so.
    let blank = |secret: &Option<Option<Secret>>| {
        secret.as_ref().and_then(Option::as_ref).is_some_and(|text| text.expose().contains(char::is_whitespace))
    };
    for (key, is_blank) in [("access_key_id", blank(&id)), ("secret_access_key", blank(&secret))] {
        if is_blank {
            reader.fault(key, "must not hold blanks or line breaks");
        }
    }
    let access_key_id = id??;
    // A session's key without its token is refused by AWS with words that do not say so.
    if access_key_id.expose().starts_with("ASIA") && token.is_none() {
        reader.fault("session_token", "is missing: an access key that begins with ASIA is a session's");
    }
    let access_key_id = AccessKeyId::new(access_key_id.expose());
    let keys = StaticKeys { access_key_id, secret: secret??, token };
    Some(Made { base: Base::Keys(keys), session_name: None, region: None })
}

/// The key that a base's flaw is about.
pub(super) fn key_of(flaw: &Flaw) -> &'static str {
    match flaw.field {
        "trust anchor ARN" => "trust_anchor_arn",
        "profile ARN" => "profile_arn",
        "region" => "region",
        "session name" => "session_name",
        "session duration" => "duration",
        "session policy of" => "bucket",
        _ => "role_arn",
    }
}
