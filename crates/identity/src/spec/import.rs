//! Connections of other products, read by the names that their forms and exports give to the fields.
//!
//! Names are compared by their letters and digits alone: `IAM Role ARN`, `iamRoleArn` and `iam_role_arn` are one. A field
//! that is known and has no meaning here is named with the reason; one that is not known is named too. Secrets never pass:
//! in their place stands where Tidegate is to look for them.

use std::collections::BTreeMap;

use quick_xml::Reader as Xml;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

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

/// Fields by their letters and digits: the name as it was written, and the value.
type Fields = BTreeMap<String, (String, String)>;

/// Reads an export (JSON or XML); `source` if it is known whose, and `name` if the connection shall be called so.
///
/// # Errors
/// What is wrong with it, as one clause. Quotes no value.
pub fn import(text: &str, source: Option<ImportSource>, name: Option<&str>) -> Result<Imported, String> {
    let text = text.trim_start_matches('\u{feff}');
    let fields = if text.trim_start().starts_with('<') { from_xml(text)? } else { from_json(text)? };
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

struct Form {
    fields: Fields,
    warnings: Vec<String>,
}

impl Form {
    /// The first of these fields that is filled in.
    fn take(&mut self, keys: &[&str]) -> Option<String> {
        let mut found = None;
        for key in keys {
            if let Some((_, value)) = self.fields.remove(*key) {
                let value = value.trim().to_owned();
                found = found.or(Some(value).filter(|value| !value.is_empty()));
            }
        }
        found
    }

    /// The DNS name of a service's VPC endpoint: forms and exports differ in the words around the two.
    fn take_dns_name(&mut self, service: &str) -> Option<String> {
        let is_it = |key: &&String| key.contains("dnsname") && (key.starts_with(service) || key.ends_with(service));
        let key = self.fields.keys().find(is_it)?.clone();
        self.take(&[&key])
    }

    fn is_on(&mut self, keys: &[&str]) -> bool {
        self.take(keys).is_some_and(|value| ["true", "yes", "1", "on"].contains(&value.to_ascii_lowercase().as_str()))
    }

    fn drop(&mut self, keys: &[&str], why: &str) {
        for key in keys {
            if let Some((written, value)) = self.fields.remove(*key)
                && !value.trim().is_empty()
            {
                self.warnings.push(format!("{written}: {why}"));
            }
        }
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }
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

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn from_json(text: &str) -> Result<Fields, String> {
    // The parser's words quote no value.
    let value: Value = serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?;
    let Some(object) = value.as_object().or_else(|| value.as_array()?.first()?.as_object()) else {
        return Err("is no object of fields".to_owned());
    };
    let mut fields = Fields::new();
    gather(object, &mut fields);
    Ok(fields)
}

/// Fields of all depths: exports wrap them (`connParams`, `fields`), each product and release in its own way.
fn gather(object: &Map<String, Value>, fields: &mut Fields) {
    // A list of { "name": .., "value": .. } is a list of fields too.
    let label = ["label", "name", "id"].iter().find_map(|key| object.get(*key)?.as_str());
    if let (Some(label), Some(value)) = (label, object.get("value"))
        && let Some(text) = scalar(value)
    {
        fields.insert(plain(label), (label.to_owned(), text));
        return;
    }
    for (key, value) in object {
        match value {
            Value::Object(inner) => gather(inner, fields),
            Value::Array(items) => items.iter().filter_map(Value::as_object).for_each(|inner| gather(inner, fields)),
            value => {
                if let Some(text) = scalar(value).filter(|_| !key.starts_with('@')) {
                    fields.insert(plain(key), (key.clone(), text));
                }
            }
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A component's XML: `<field id=".." value=".."/>`, in whatever it is wrapped; or `<Field>value</Field>`.
fn from_xml(text: &str) -> Result<Fields, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("is no XML: {error}");
    let mut reader = Xml::from_str(text);
    let mut fields = Fields::new();
    let mut open: Option<String> = None;
    loop {
        match reader.read_event().map_err(|error| wrong(&error))? {
            Event::Start(start) => {
                put_attributes(&start, &mut fields).map_err(|error| wrong(&error))?;
                open = Some(start.local_name().as_ref().to_owned());
            }
            Event::Empty(start) => put_attributes(&start, &mut fields).map_err(|error| wrong(&error))?,
            Event::Text(content) => {
                let content = content.xml10_content().into_owned();
                if let Some(name) = open.as_ref().filter(|_| !content.trim().is_empty()) {
                    fields.entry(plain(name)).or_insert_with(|| (name.clone(), content));
                }
            }
            Event::End(_) => open = None,
            Event::Eof => return Ok(fields),
            _ => {}
        }
    }
}

fn put_attributes(start: &BytesStart<'_>, fields: &mut Fields) -> Result<(), quick_xml::Error> {
    let (mut label, mut value, mut component) = (None, None, None);
    for attribute in start.attributes() {
        let attribute = attribute?;
        let text = unescape(&attribute.value)?.into_owned();
        match attribute.key.local_name().as_ref() {
            "id" => label = label.or(Some(text)),
            "label" => label = Some(text),
            "value" => value = Some(text),
            "name" => component = Some(text),
            _ => {}
        }
    }
    if let (Some(label), Some(value)) = (label.or(component.clone()), value) {
        fields.insert(plain(&label), (label, value));
    } else if let Some(name) = component.filter(|_| start.local_name().as_ref() == "Component") {
        fields.insert("componentname".to_owned(), ("name".to_owned(), name));
    }
    Ok(())
}
