//! The ways in `tidegate local` to be somebody without a key: what a machine is, has or knows.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use fault::Chain;
use local::aws::Algorithm;
use serde_json::json;

use crate::place::{ISSUER, OURS, Place, REGION, SUBJECT};

/// The token's file in the directory.
const TOKEN: &str = "web-identity-token";

/// The audience of tokens that are for STS.
const AUDIENCE: &str = "sts.amazonaws.com";

/// How long the token is good for. A cluster writes a new one every day; here it is written at each start.
const TOKEN_LIFE: Duration = Duration::from_hours(7 * 24);

/// Opens the ways to the host's role, and says what to set for each, as comments of a shell.
pub(crate) async fn open(place: &Place, dir: Option<&Path>, trust_anchor: Option<&Path>) -> Result<String, String> {
    let (aws, role, endpoint) = (&place.aws, &place.host_role, place.aws.endpoint());
    let ours = aws.account(OURS.parse().map_err(|_| "a constant account number is wrong".to_owned())?);
    let mut text = format!("\n# without a key: role {role} may take on the one above, in place of the user\n");
    let mut say = |what: &str, lines: &[String]| {
        writeln!(text, "# {what}").expect("writing to a string does not fail");
        for line in lines {
            writeln!(text, "#   {line}").expect("writing to a string does not fail");
        }
    };

    aws.instance().attach(role);
    aws.instance().set_region(REGION);
    say("as an instance (IMDSv2)", &[format!("export AWS_EC2_METADATA_SERVICE_ENDPOINT={endpoint}")]);

    let task = aws.task(role);
    say(
        "as a container (ECS)",
        &[
            format!("export AWS_CONTAINER_CREDENTIALS_FULL_URI={}", task.full_uri),
            format!("export AWS_CONTAINER_AUTHORIZATION_TOKEN={}", task.token.expose()),
        ],
    );

    if let Some(dir) = dir {
        let issuer = aws.issuer(ISSUER).ok_or("an issuer's keys could not be made")?;
        ours.oidc_provider(&issuer, &[AUDIENCE]).await.map_err(|error| Chain(&error).to_string())?;
        let token = issuer.token(Algorithm::Rs256, SUBJECT, AUDIENCE, TOKEN_LIFE, &json!({}));
        let path = dir.join(TOKEN);
        write_secret(&path, token.expose()).map_err(|error| format!("could not write {}: {error}", path.display()))?;
        say(
            "as a service account (web identity)",
            &[
                format!("export AWS_WEB_IDENTITY_TOKEN_FILE={} AWS_ROLE_ARN={role}", path.display()),
                format!("export AWS_ENDPOINT_URL_STS={endpoint}"),
            ],
        );
    }
    if let Some(file) = trust_anchor {
        let pem =
            std::fs::read_to_string(file).map_err(|error| format!("could not read {}: {error}", file.display()))?;
        let anchor = ours.trust_anchor(&pem).region(REGION).create();
        let anchor = anchor.map_err(|error| format!("{}: {}", file.display(), Chain(&error)))?;
        let profile = ours.anywhere_profile(&[role]).region(REGION).accept_session_name().create();
        let profile = profile.map_err(|error| Chain(&error).to_string())?;
        say(
            "by a certificate that its authority has issued (Roles Anywhere)",
            &[
                format!("trust anchor {anchor}"),
                format!("profile      {profile}"),
                format!("role         {role}"),
                format!("endpoint     {endpoint}"),
            ],
        );
    }
    Ok(text)
}

/// Writes a file that only its owner may read.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
