use std::collections::BTreeMap;

use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::OidRegistry;
use x509_parser::prelude::X509Certificate;
use x509_parser::x509::X509Name;

/// The longest value of a session tag, in characters.
const MAX_VALUE: usize = 256;

/// What of a certificate becomes session tags (Roles Anywhere user guide, "attribute mapping", its defaults): attributes of
/// subject and issuer, and the first alternative name of each kind. `Err` names those whose value no tag can have.
pub(super) fn tags(certificate: &X509Certificate<'_>) -> Result<BTreeMap<String, String>, String> {
    let mut tags = BTreeMap::new();
    let mut unfit: [Vec<String>; 3] = Default::default();
    for (index, field, name) in [(0, "x509Issuer", certificate.issuer()), (1, "x509Subject", certificate.subject())] {
        for (specifier, value) in attributes(name) {
            put(&mut tags, &mut unfit[index], field, specifier, value);
        }
    }
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    for name in alternatives.iter().flat_map(|names| &names.value.general_names) {
        let (specifier, value) = match name {
            GeneralName::DNSName(name) => ("DNS", name),
            GeneralName::URI(uri) => ("URI", uri),
            // Further kinds are mapped only by a mapping of one's own.
            _ => continue,
        };
        put(&mut tags, &mut unfit[2], "x509SAN", specifier.to_owned(), (*value).to_owned());
    }
    if unfit.iter().all(Vec::is_empty) {
        return Ok(tags);
    }
    let [issuer, subject, san] = unfit.map(|names| names.join(" "));
    Err(format!(
        "Some attributes failed to be mapped into session tags. Issuer: [ {issuer} ]; Subject: [ {subject} ]; SAN: [ {san} ]"
    ))
}

fn put(tags: &mut BTreeMap<String, String>, unfit: &mut Vec<String>, field: &str, specifier: String, value: String) {
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
    if value.chars().count() > MAX_VALUE || !value.chars().all(allowed) {
        unfit.push(specifier);
    } else {
        // The first of a kind counts.
        tags.entry(format!("{field}/{specifier}")).or_insert(value);
    }
}

fn attributes(name: &X509Name<'_>) -> Vec<(String, String)> {
    let registry = OidRegistry::default().with_x509();
    let attributes = name.iter_attributes().filter_map(|attribute| {
        let value = attribute.as_str().ok()?.to_owned();
        let specifier = x509_parser::objects::oid2abbrev(attribute.attr_type(), &registry)
            .map_or_else(|_| attribute.attr_type().to_id_string(), str::to_owned);
        Some((specifier, value))
    });
    attributes.collect()
}
