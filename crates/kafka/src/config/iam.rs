use std::collections::BTreeMap;

use super::Properties;
use super::jaas;

/// Who signs tokens for MSK, by the options of its `IAMLoginModule`. All empty: whoever the place says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IamLogin {
    /// `awsProfileName`.
    pub profile: Option<String>,
    /// `awsRoleArn`: a role to take on.
    pub role_arn: Option<String>,
    /// `awsRoleExternalId`.
    pub external_id: Option<String>,
    /// `awsRoleSessionName`.
    pub session_name: Option<String>,
    /// `awsStsRegion`.
    pub sts_region: Option<String>,
}

const JAAS: &str = "sasl.jaas.config";

/// Options that change only what the Java module logs and how often it tries.
const WITHOUT_MEANING: [&str; 3] = ["awsDebugCreds", "awsMaxRetries", "awsMaxBackOffTimeMs"];

impl IamLogin {
    /// What a client's properties say; `None` if they do not ask for IAM. What is wrong with the login module's options is
    /// found by [`super::ClientConfig::read`].
    pub fn of(properties: &BTreeMap<String, String>) -> Option<Self> {
        let get = |key: &str| properties.get(key).map(|value| value.trim());
        let has_sasl =
            get("security.protocol").is_some_and(|protocol| protocol.to_ascii_uppercase().starts_with("SASL"));
        let by_handler = get("sasl.login.callback.handler.class")
            .is_some_and(|class| class.ends_with(".IAMOAuthBearerLoginCallbackHandler"));
        let asks = match get("sasl.mechanism") {
            Some("AWS_MSK_IAM") => true,
            Some("OAUTHBEARER") => by_handler,
            _ => false,
        };
        if !has_sasl || !asks {
            return None;
        }
        let Some(module) = get(JAAS).and_then(|text| jaas::parse(text).ok()) else { return Some(Self::default()) };
        let option =
            |name: &str| module.option(name).map(|value| value.expose().to_owned()).filter(|text| !text.is_empty());
        Some(Self {
            profile: option("awsProfileName"),
            role_arn: option("awsRoleArn"),
            external_id: option("awsRoleExternalId"),
            session_name: option("awsRoleSessionName"),
            sts_region: option("awsStsRegion"),
        })
    }
}

/// What is wrong with the login module's options.
pub(super) fn check(properties: &mut Properties<'_>) {
    const KNOWN: [&str; 5] =
        ["awsProfileName", "awsRoleArn", "awsRoleExternalId", "awsRoleSessionName", "awsStsRegion"];
    let Some(text) = properties.secret(JAAS) else { return };
    let module = match jaas::parse(text.expose()) {
        Ok(module) => module,
        Err(error) => {
            properties.problem(JAAS, error);
            return;
        }
    };
    if !["IAMLoginModule", "OAuthBearerLoginModule"].contains(&module.name()) {
        properties.problem_with(
            JAAS,
            format!("has the login module {}", module.class),
            Some("software.amazon.msk.auth.iam.IAMLoginModule required;".to_owned()),
        );
    }
    let names: Vec<String> = module.options_under("").map(|(name, _)| name.to_owned()).collect();
    for name in names {
        if ["awsRoleAccessKeyId", "awsRoleSecretAccessKey", "awsRoleSessionToken"].contains(&name.as_str()) {
            properties.problem(
                JAAS,
                format!("has {name}: keys are not taken from a login module; name a connection of kind keys"),
            );
        } else if !KNOWN.contains(&name.as_str()) && !WITHOUT_MEANING.contains(&name.as_str()) {
            properties.problem(JAAS, format!("has the option {name}, which is not known"));
        }
    }
    if module.option("awsRoleArn").is_none() {
        for name in ["awsRoleExternalId", "awsRoleSessionName"] {
            if module.option(name).is_some() {
                properties.problem(JAAS, format!("has {name} without awsRoleArn"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(more: &[(&str, &str)]) -> Option<IamLogin> {
        let mut properties = BTreeMap::from([("security.protocol".to_owned(), "SASL_SSL".to_owned())]);
        properties.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        IamLogin::of(&properties)
    }

    #[test]
    fn both_ways_of_asking_for_iam_are_known() {
        let module = "software.amazon.msk.auth.iam.IAMLoginModule required awsRoleArn=\"arn:aws:iam::111111111111:role/msk\" \
                      awsRoleExternalId=\"c-7f3\" awsStsRegion=\"eu-west-1\";";
        let found = login(&[("sasl.mechanism", "AWS_MSK_IAM"), (JAAS, module)]).unwrap();
        assert_eq!(found.role_arn.as_deref(), Some("arn:aws:iam::111111111111:role/msk"));
        assert_eq!((found.external_id.as_deref(), found.sts_region.as_deref()), (Some("c-7f3"), Some("eu-west-1")));
        let handler = "software.amazon.msk.auth.iam.IAMOAuthBearerLoginCallbackHandler";
        let oauth = login(&[("sasl.mechanism", "OAUTHBEARER"), ("sasl.login.callback.handler.class", handler)]);
        assert_eq!(oauth, Some(IamLogin::default()));
        assert_eq!(login(&[("sasl.mechanism", "OAUTHBEARER")]), None);
        assert_eq!(login(&[("sasl.mechanism", "PLAIN")]), None);
    }
}
