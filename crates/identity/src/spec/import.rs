//! Connections of other products, read by the names that their forms and exports give to the fields.
//!
//! Names are compared by their letters and digits alone: `IAM Role ARN`, `iamRoleArn` and `iam_role_arn` are one. A field
//! that is known and has no meaning here is named with the reason; one that is not known is named too. Secrets never pass:
//! in their place stands where Tidegate is to look for them.

use super::fields::{self, Form};
use super::print::{Table, key};

/// Whose export it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportSource {
    /// Informatica's Amazon S3 V2 connection.
    Informatica,
    /// Boomi's Amazon S3 REST connection.
    Boomi,
}

/// A connection of ours, and what to know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Whose export it was.
    pub source: ImportSource,
    /// The connection, to be put into a file of connections.
    pub toml: String,
    /// What was left out or has to be done. No secret is in it.
    pub warnings: Vec<String>,
}

/// Reads an export (JSON or XML); `source` if it is known whose, and `name` if the connection shall be called so.
///
/// # Errors
/// What is wrong with it, as one clause. Quotes no value.
pub fn import(text: &str, source: Option<ImportSource>, name: Option<&str>) -> Result<Imported, String> {
    let text = text.trim_start_matches('\u{feff}');
    let fields = fields::read(text)?;
    let source = match source {
        Some(source) => source,
        // Names that the other one does not have.
        None if ["trustanchorarn", "amazonawsaccesskey", "customregion"]
            .iter()
            .any(|key| fields.contains_key(*key)) =>
        {
            ImportSource::Boomi
        }
        None if ["folderpath", "regionname", "useec2roletoassumerole", "secretkey"]
            .iter()
            .any(|key| fields.contains_key(*key)) =>
        {
            ImportSource::Informatica
        }
        None => return Err("it is not told whose export it is: say --from informatica or --from boomi".to_owned()),
    };
    let mut form = Form { fields, warnings: Vec::new() };
    let name = match name {
        Some(name) => name.to_owned(),
        None => {
            fitted(&form.take(&["connectionname", "name", "componentname"]).unwrap_or_else(|| "imported".to_owned()))
        }
    };
    let toml = match source {
        ImportSource::Informatica => informatica(&mut form, &name)?,
        ImportSource::Boomi => boomi(&mut form, &name)?,
    };
    for (written, _) in form.fields.values() {
        form.warnings.push(format!("{written}: has no meaning here, or none that is known; left out"));
    }
    Ok(Imported { source, toml, warnings: form.warnings })
}

/// Whether a choice is the one of nothing.
fn is_none(choice: &str) -> bool {
    choice.eq_ignore_ascii_case("none")
}

/// Which kind it is, Informatica says by which boxes are empty; here it is said once.
fn informatica(form: &mut Form, name: &str) -> Result<String, String> {
    let access_key = form.take(&["accesskey", "accesskeyid"]);
    let secret_key = form.take(&["secretkey", "secretaccesskey"]);
    let role = form.take(&["iamrolearn", "rolearn", "iamrole"]);
    let external_id = form.take(&["externalid"]);
    let by_instance = form.is_on(&["useec2roletoassumerole", "useec2role"]);
    let profile_file = form.take(&["credentialprofilefilepath", "profilefilepath"]);
    let profile = form.take(&["profilename"]);
    let authentication = form.take(&["otherauthenticationtype", "authenticationtype"]).filter(|kind| !is_none(kind));
    let idp = form.take(&["federatedssoidp", "ssoidp"]).filter(|idp| !is_none(idp));
    form.drop(
        &["federatedusername", "federateduserpassword", "idpssourl", "samlidentityproviderarn"],
        "belongs to single sign-on",
    );
    if idp.is_some() {
        return Err(
            "it signs on by ADFS (SAML), which Tidegate has not: use a role over instance-role, web-identity or \
                    roles-anywhere"
                .to_owned(),
        );
    }
    let mut table = Table::default();
    table.header(&format!("[connections.{}]", key(name)));
    let has_keys = access_key.is_some() || secret_key.is_some();
    if profile_file.is_some() || profile.is_some() || authentication.is_some() {
        table.text("kind", "profile");
        table.text("profile", profile.as_deref().unwrap_or("default"));
        if let Some(path) = profile_file {
            table.text("credentials_file", &path);
        }
        if has_keys {
            form.warn("Access Key, Secret Key: left out, because the profile's count");
        }
    } else if has_keys && !by_instance {
        keys(&mut table, form, name, access_key.is_some());
    } else {
        if has_keys {
            form.warn("Access Key, Secret Key: left out, because the role is taken on by the instance's role");
        }
        table.text("kind", "instance-role");
        form.warn(
            "kind: Informatica's IAM mode is the SDK's default chain, which a forgotten environment variable steers; this \
             asks the instance alone. In a container write kind = \"container\"",
        );
    }
    place(&mut table, form, &["regionname", "region"], &["folderpath", "bucketname"]);
    if let Some(key) = form.take(&["customermasterkeyid", "customermasterkey"]) {
        if key.starts_with("arn:") {
            table.text("kms_key", &key);
        } else {
            form.warn("Customer Master Key ID: is no key's ARN; set kms_key to that, and encryption at the connector");
        }
    }
    let endpoints: Vec<(&str, Option<String>)> = vec![
        ("s3", form.take(&["restendpoint", "s3vpcendpoint"]).or(form.take_dns_name("s3"))),
        ("sts", form.take(&["stsvpcendpoint"]).or(form.take_dns_name("sts"))),
        ("kms", form.take(&["kmsvpcendpoint"]).or(form.take_dns_name("kms"))),
    ];
    let urls: Vec<String> = endpoints
        .into_iter()
        .filter_map(|(service, url)| Some((service, url?)))
        .map(|(service, url)| {
            let url = if url.contains("://") { url } else { format!("https://{url}") };
            format!("{service} = {}", super::print::quoted(&url))
        })
        .collect();
    if !urls.is_empty() {
        table.raw("endpoints", &format!("{{ {} }}", urls.join(", ")));
    }
    let duration = form.take(&["temporarycredentialduration", "temporarycredentialsduration"]);
    if let Some(role) = role {
        hop(&mut table, name, &role, external_id.as_deref());
        if duration.is_some() {
            form.warn("Temporary Credential Duration: left out; sessions are renewed while they are in use, whatever their length");
        }
    } else if external_id.is_some() {
        form.warn("External Id: left out, because no role is named");
    }
    form.drop(&["mastersymmetrickey"], "encryption by the client is not done here; use kms_key");
    form.drop(&["runtimeenvironment", "runtimeenvironmentid", "agentid", "secureagent"], "belongs to the Secure Agent");
    form.drop(
        &["s3accounttype", "s3vpcendpointtype", "stsvpcendpointtype", "kmsvpcendpointtype", "type", "instancename"],
        "follows from the other fields",
    );
    form.drop(&["description"], "left out");
    Ok(table.finish())
}

fn boomi(form: &mut Form, name: &str) -> Result<String, String> {
    let access_key = form.take(&["amazonawsaccesskey", "awsaccesskey", "accesskey"]);
    let secret_key = form.take(&["amazonawssecretkey", "awssecretkey", "secretkey"]);
    let trust_anchor = form.take(&["trustanchorarn", "trustanchor"]);
    let profile = form.take(&["profilearn"]);
    let role = form.take(&["rolearn"]);
    let region = form.take(&["region"]);
    let region = form.take(&["customregion"]).or(region);
    let session_name = form.take(&["sessionname"]);
    let duration = form.take(&["duration", "durationseconds"]);
    let kind = form.take(&["authenticationtype"]).unwrap_or_default().to_ascii_lowercase();
    let mut table = Table::default();
    table.header(&format!("[connections.{}]", key(name)));
    if trust_anchor.is_some() || kind.contains("anywhere") {
        let missing = [("Trust Anchor ARN", &trust_anchor), ("Profile ARN", &profile), ("Role ARN", &role)];
        let missing: Vec<_> =
            missing.into_iter().filter(|(_, value)| value.is_none()).map(|(label, _)| label).collect();
        if !missing.is_empty() {
            return Err(format!("{} is missing, which Roles Anywhere needs", missing.join(" and ")));
        }
        table.text("kind", "roles-anywhere");
        for (key, value) in [("trust_anchor_arn", trust_anchor), ("profile_arn", profile), ("role_arn", role)] {
            table.text(key, &value.unwrap_or_default());
        }
        table.text("certificate", &format!("/etc/tidegate/{name}.pem"));
        table.text("private_key", &format!("/etc/tidegate/{name}.key"));
        form.warn(format!(
            "Public certificate, Private key: write them to /etc/tidegate/{name}.pem and /etc/tidegate/{name}.key, or say \
             where they are; the key is not taken over from the export"
        ));
        form.take(&["publiccertificate", "certificate"]);
        form.take(&["privatekey"]);
        if let Some(session_name) = session_name {
            table.text("session_name", &session_name);
        }
        match duration.as_deref().map(str::parse::<u32>) {
            Some(Ok(seconds)) => table.raw("duration", &seconds.to_string()),
            Some(Err(_)) => form.warn("Duration: is no number of seconds; left out"),
            None => {}
        }
        if let Some(region) = region {
            table.text("region", &region);
        }
    } else {
        if access_key.is_none() && secret_key.is_none() {
            return Err("it has neither a trust anchor nor access keys".to_owned());
        }
        keys(&mut table, form, name, access_key.is_some());
        form.drop(&["publiccertificate", "privatekey"], "belongs to Roles Anywhere");
        if let Some(region) = region {
            table.text("region", &region);
        }
    }
    form.warn("bucket: a Boomi connection names none; set bucket and prefix, so that a session can reach no other");
    Ok(table.finish())
}

/// Keys are not taken over: what stands in an export has been seen by too many already.
fn keys(table: &mut Table, form: &mut Form, name: &str, has_id: bool) {
    let variable = |what: &str| {
        let name: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        format!("{name}_{what}")
    };
    let (id, secret) = (variable("ACCESS_KEY_ID"), variable("SECRET_ACCESS_KEY"));
    table.text("kind", "keys");
    table.raw("access_key_id", &format!("{{ env = \"{id}\" }}"));
    table.raw("secret_access_key", &format!("{{ env = \"{secret}\" }}"));
    let what = if has_id { "are not taken over" } else { "were not in the export" };
    form.warn(format!(
        "keys: {what}; set the environment variables {id} and {secret}, or write {{ file = \"/path\" }}. Better make new ones: \
         these have been in an export. Best use a role"
    ));
}

fn hop(table: &mut Table, name: &str, role: &str, external_id: Option<&str>) {
    table.header(&format!("[[connections.{}.roles]]", key(name)));
    table.text("arn", role);
    if let Some(id) = external_id {
        table.text("external_id", id);
    }
    table.text("duration", "auto");
}

/// Region, bucket and prefix.
fn place(table: &mut Table, form: &mut Form, regions: &[&str], folders: &[&str]) {
    match form.take(regions) {
        Some(region) => table.text("region", &region_of(&region)),
        None => form.warn("region: is not in the export; set it"),
    }
    if let Some(folder) = form.take(folders) {
        let folder = folder.trim_start_matches("s3://").trim_matches('/').to_owned();
        let (bucket, prefix) = folder.split_once('/').unwrap_or((&folder, ""));
        table.text("bucket", bucket);
        if !prefix.is_empty() {
            table.text("prefix", &format!("{prefix}/"));
        }
    }
}

/// Informatica's list shows regions by their places: `EU (Frankfurt)`.
fn region_of(shown: &str) -> String {
    const PLACES: &[(&str, &str)] = &[
        ("frankfurt", "eu-central-1"),
        ("zurich", "eu-central-2"),
        ("ireland", "eu-west-1"),
        ("london", "eu-west-2"),
        ("paris", "eu-west-3"),
        ("stockholm", "eu-north-1"),
        ("milan", "eu-south-1"),
        ("virginia", "us-east-1"),
        ("ohio", "us-east-2"),
        ("california", "us-west-1"),
        ("oregon", "us-west-2"),
        ("canada (central)", "ca-central-1"),
        ("mumbai", "ap-south-1"),
        ("seoul", "ap-northeast-2"),
        ("osaka", "ap-northeast-3"),
        ("singapore", "ap-southeast-1"),
        ("sydney", "ap-southeast-2"),
        ("jakarta", "ap-southeast-3"),
        ("tokyo", "ap-northeast-1"),
        ("hong kong", "ap-east-1"),
        ("beijing", "cn-north-1"),
        ("ningxia", "cn-northwest-1"),
        ("paulo", "sa-east-1"),
        ("bahrain", "me-south-1"),
        ("cape town", "af-south-1"),
    ];
    let plain = shown.to_ascii_lowercase();
    if plain.contains("gov") && !plain.contains("us-gov-") {
        return if plain.contains("east") { "us-gov-east-1" } else { "us-gov-west-1" }.to_owned();
    }
    PLACES.iter().find(|(place, _)| plain.contains(place)).map_or(plain.clone(), |(_, region)| (*region).to_owned())
}

/// A name that a connection can have.
fn fitted(name: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let mut fitted: String = name.trim().chars().map(fit).collect();
    fitted.truncate(64);
    if fitted.is_empty() { "imported".to_owned() } else { fitted }
}
