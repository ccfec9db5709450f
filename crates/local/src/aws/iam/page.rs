use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::call::Call;
use crate::aws::api_error::ApiError;
use crate::aws::xml::Xml;

/// How many entries a page has that asks for no number.
const PAGE: usize = 100;

/// The most entries of a page.
const LARGEST: usize = 1000;

/// One page of a listing.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) entries: Vec<T>,
    /// The name that the page ends with, if there is more behind it.
    next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts the page that the call asks for out of `all`, which are in order of their names.
    pub(super) fn cut<'n>(call: &Call<'_>, all: impl Iterator<Item = (&'n str, T)>) -> Result<Self, ApiError> {
        let max = match call.form.get("MaxItems") {
            None => PAGE,
            Some(text) => text.parse().ok().filter(|max| (1..=LARGEST).contains(max)).ok_or_else(|| {
                ApiError::of("ValidationError").saying(format!(
                    "1 validation error detected: Value '{text}' at 'maxItems' failed to satisfy constraint: Member must have value between 1 and 1000"
                ))
            })?,
        };
        let after = match call.form.get("Marker") {
            None => String::new(),
            Some(marker) => {
                let decoded = URL_SAFE_NO_PAD.decode(marker).ok().and_then(|name| String::from_utf8(name).ok());
                decoded.ok_or_else(|| ApiError::of("ValidationError").saying("Invalid Marker."))?
            }
        };
        let mut page = Self { entries: Vec::new(), next: None };
        let mut last = "";
        for (name, entry) in all.filter(|(name, _)| **name > *after) {
            if page.entries.len() == max {
                page.next = Some(last.to_owned());
                break;
            }
            page.entries.push(entry);
            last = name;
        }
        Ok(page)
    }

    /// Writes `<name><member>..</member>..</name>` and where to go on.
    pub(super) fn write(&self, xml: &mut Xml, name: &str, member: impl Fn(&mut Xml, &T)) {
        xml.within(name, |xml| {
            for entry in &self.entries {
                xml.within("member", |xml| member(xml, entry));
            }
        });
        xml.field("IsTruncated", self.next.is_some());
        xml.maybe("Marker", self.next.as_ref().map(|name| URL_SAFE_NO_PAD.encode(name)));
    }
}
