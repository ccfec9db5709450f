use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::issuer::bare;
use super::keys::{Algorithm, Keys};
use crate::aws::api_error::ApiError;

/// The claim in which a token brings session tags (IAM user guide, "passing session tags using AssumeRoleWithWebIdentity").
const TAGS: &str = "https://aws.amazon.com/tags";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::aws) struct Claims {
    /// The issuer's URL, whole and without its scheme.
    pub(in crate::aws) issuer: String,
    pub(in crate::aws) provider: String,
    pub(in crate::aws) subject: String,
    pub(in crate::aws) audience: String,
    /// How the subject was known, if the token says so.
    pub(in crate::aws) methods: Vec<String>,
    pub(in crate::aws) tags: BTreeMap<String, String>,
    pub(in crate::aws) transitive: Vec<String>,
    pub(in crate::aws) source_identity: Option<String>,
}

/// Checks a token for `sts:AssumeRoleWithWebIdentity`, or says in AWS's words what is wrong with it. `provider` gives the
/// audiences that the role's account takes of an issuer (by its URL without scheme), `keys` an issuer's keys.
pub(in crate::aws) fn verify(
    token: &str,
    provider: impl Fn(&str) -> Option<Vec<String>>,
    keys: impl Fn(&str) -> Option<Arc<Keys>>,
    now: SystemTime,
) -> Result<Claims, ApiError> {
    let invalid = |what: &str| ApiError::of("InvalidIdentityToken").saying(what.to_owned());
    let no_token =
        || invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)");
    let mut parts = token.split('.');
    let (Some(header), Some(body), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(no_token());
    };
    let signed = &token[..header.len() + 1 + body.len()];
    let object =
        |part: &str| -> Option<Map<String, Value>> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    let (header, claims) = (object(header).ok_or_else(no_token)?, object(body).ok_or_else(no_token)?);
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| no_token())?;
    let text = |object: &Map<String, Value>, name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let need = |name: &str| text(&claims, name).ok_or_else(|| invalid(&format!("Missing a required claim: {name}")));

    // The provider first: whose keys are to be asked is said by it alone.
    let issuer = need("iss")?;
    let no_provider = || invalid(&format!("No OpenIDConnect provider found in your account for {issuer}"));
    let url = bare(&issuer).ok_or_else(no_provider)?;
    let audiences = provider(url).ok_or_else(no_provider)?;
    // A name that we know, and never what the token would like to be verified with: `none` and HS256 are no names of keys.
    let algorithm = match text(&header, "alg").as_deref() {
        Some("RS256") => Algorithm::Rs256,
        Some("ES256") => Algorithm::Es256,
        _ => return Err(invalid("The signature algorithm of the ID Token is not supported")),
    };
    let no_key = || {
        invalid(
            "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
        )
    };
    let keys = keys(url).ok_or_else(no_key)?;
    if text(&header, "kid").is_none_or(|kid| kid != keys.id(algorithm)) {
        return Err(no_key());
    }
    if !keys.verify(algorithm, signed.as_bytes(), &signature) {
        return Err(invalid("The signature of the ID Token is not valid"));
    }

    let audience = match claims.get("aud") {
        Some(Value::String(one)) => audiences.contains(one).then(|| one.clone()),
        Some(Value::Array(several)) => several
            .iter()
            .filter_map(Value::as_str)
            .find(|one| audiences.iter().any(|known| known == one))
            .map(str::to_owned),
        _ => return Err(invalid("Missing a required claim: aud")),
    };
    let audience = audience.ok_or_else(|| invalid("Incorrect token audience"))?;
    let seconds = |name: &str| match claims.get(name) {
        None => Err(invalid(&format!("Missing a required claim: {name}"))),
        // A number with a fraction is refused, as AWS does.
        Some(value) => value.as_u64().ok_or_else(|| invalid(&format!("The claim {name} is not an integer"))),
    };
    let (expires, made) = (seconds("exp")?, seconds("iat")?);
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if now >= expires {
        return Err(ApiError::of("ExpiredTokenException").saying(format!(
            "Token expired: current date/time {now} must be before the expiration date/time {expires}"
        )));
    }
    let not_before = if claims.contains_key("nbf") { seconds("nbf")? } else { made };
    // Five minutes for clocks that do not agree.
    if not_before > now + 300 || made > now + 300 {
        return Err(invalid("The ID Token is not yet valid"));
    }
    let subject = need("sub")?;
    if !(1..=255).contains(&subject.chars().count()) {
        return Err(invalid("The claim sub has more than 255 characters"));
    }
    let (tags, transitive) =
        tags(claims.get(TAGS)).ok_or_else(|| invalid(&format!("The claim {TAGS} is malformed")))?;
    let methods = claims.get("amr").and_then(Value::as_array).into_iter().flatten();
    Ok(Claims {
        provider: url.to_owned(),
        subject,
        audience,
        methods: methods.filter_map(Value::as_str).map(str::to_owned).collect(),
        tags,
        transitive,
        source_identity: text(&claims, SOURCE_IDENTITY),
        issuer,
    })
}

/// Tags and the keys of those that go on; `None` if the claim has another form.
fn tags(claim: Option<&Value>) -> Option<(BTreeMap<String, String>, Vec<String>)> {
    let Some(claim) = claim else { return Some(Default::default()) };
    let mut tags = BTreeMap::new();
    if let Some(given) = claim.get("principal_tags") {
        for (key, values) in given.as_object()? {
            // Each value stands in a list of one.
            let [value] = values.as_array()?.as_slice() else { return None };
            tags.insert(key.clone(), value.as_str()?.to_owned());
        }
    }
    let mut transitive = Vec::new();
    if let Some(keys) = claim.get("transitive_tag_keys") {
        for key in keys.as_array()? {
            transitive.push(key.as_str().filter(|key| tags.contains_key(*key))?.to_owned());
        }
    }
    Some((tags, transitive))
}
