//! What stands beside a committed offset while a cut is between prepared and committed, and how it is written down.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use data::Offset;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{IntentObject, ObjectName};

/// What is written beside the unchanged offset before anything becomes visible: enough for a stranger to finish the cut.
///
/// Encoded as one line of JSON, so that an operator who looks at the group's offsets can read it. Objects are the same in
/// the intents of all partitions of a cut; `to` is each partition's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Where the partition goes on once the objects are visible.
    pub to: Offset,
    /// The objects.
    pub objects: Vec<IntentObject>,
    /// By what the records of the partition became these objects; `None` where that cannot be done again.
    pub recipe: Option<Recipe>,
}

/// By what records became objects: enough to see whether, read again, they become the same ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Of all that decides which object a record goes to, besides the records (see [`Recipe::name_of`]).
    pub name: Arc<str>,
    /// How many records the objects hold.
    pub records: u64,
}

impl Recipe {
    /// The name of a recipe that `text` spells out: 16 hex digits, so that it is short enough for every intent. Not a
    /// secret's keeper: the text must hold none.
    pub fn name_of(text: &str) -> Arc<str> {
        hash(text.as_bytes())[..16].into()
    }
}

/// The most bytes of metadata that we commit. Brokers refuse at `offset.metadata.max.bytes`, 4096 unless lowered.
pub const METADATA_LIMIT: usize = 3_500;

/// What the metadata of a commit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metadata {
    /// Nothing, or something that is not ours (Connect writes none; other consumers may write anything).
    Foreign,
    /// An intent.
    Intent(Intent),
    /// An intent whose objects are in a manifest object.
    Spilled {
        /// Where the partition goes on.
        to: Offset,
        /// The manifest's name.
        manifest: ObjectName,
        /// The SHA-256 of the manifest, in hex: a manifest that was written by somebody else is not followed.
        hash: String,
        /// As in [`Intent::recipe`].
        recipe: Option<Recipe>,
    },
}

/// Metadata that claims to be ours and cannot be read: a newer version's, or damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the intent beside the committed offset cannot be read: {reason}")]
pub struct UnreadableIntent {
    /// What is wrong.
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    /// The version of this encoding.
    tidegate: u32,
    to: i64,
    /// The part that the markers of all objects have in common.
    #[serde(default, skip_serializing_if = "str::is_empty", borrow)]
    by: std::borrow::Cow<'a, str>,
    /// (rest of the marker, name, upload)
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    objects: Vec<(String, String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manifest: Option<(String, String)>,
    /// (name, records)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipe: Option<(String, u64)>,
}

const VERSION: u32 = 1;

impl Intent {
    /// The metadata of this intent, and whether it is short enough to stand beside an offset.
    pub fn encode(&self) -> Arc<str> {
        encode(self.to, &self.objects, self.recipe.as_ref()).into()
    }

    /// The metadata that points to a manifest instead.
    pub fn encode_spilled(&self, manifest: &ObjectName, body: &[u8]) -> Arc<str> {
        let line = Line {
            tidegate: VERSION,
            to: self.to.0,
            by: "".into(),
            objects: Vec::new(),
            manifest: Some((manifest.to_string(), hash(body))),
            recipe: pair(self.recipe.as_ref()),
        };
        to_json(&line).into()
    }
}

/// The body of a manifest: the objects, without any partition's end.
pub fn encode_manifest(objects: &[IntentObject]) -> Bytes {
    encode(Offset(0), objects, None).into_bytes().into()
}

/// Reads a manifest back, if it is the one that `hash` names.
pub fn decode_manifest(body: &[u8], expected: &str) -> Result<Vec<IntentObject>, UnreadableIntent> {
    let found = hash(body);
    if found != expected {
        return Err(UnreadableIntent { reason: format!("its manifest has the hash {found}, not {expected}") });
    }
    let text = std::str::from_utf8(body).map_err(|error| UnreadableIntent { reason: error.to_string() })?;
    match decode(text)? {
        Metadata::Intent(intent) => Ok(intent.objects),
        Metadata::Foreign | Metadata::Spilled { .. } => {
            Err(UnreadableIntent { reason: "its manifest is not a list of objects".to_owned() })
        }
    }
}

/// Reads what stands beside a committed offset.
pub fn decode(metadata: &str) -> Result<Metadata, UnreadableIntent> {
    if !metadata.starts_with("{\"tidegate\":") {
        return Ok(Metadata::Foreign);
    }
    let line: Line<'_> =
        serde_json::from_str(metadata).map_err(|error| UnreadableIntent { reason: error.to_string() })?;
    if line.tidegate != VERSION {
        return Err(UnreadableIntent {
            reason: format!("it has version {}, this program knows version {VERSION}", line.tidegate),
        });
    }
    let recipe = line.recipe.map(|(name, records)| Recipe { name: name.into(), records });
    if let Some((manifest, hash)) = line.manifest {
        return Ok(Metadata::Spilled { to: Offset(line.to), manifest: manifest.into(), hash, recipe });
    }
    let objects = line
        .objects
        .into_iter()
        .map(|(rest, name, upload)| IntentObject {
            name: name.into(),
            upload: upload.into(),
            marker: format!("{}{rest}", line.by).into(),
        })
        .collect();
    Ok(Metadata::Intent(Intent { to: Offset(line.to), objects, recipe }))
}

fn encode(to: Offset, objects: &[IntentObject], recipe: Option<&Recipe>) -> String {
    let common = common_prefix(objects);
    let objects = objects
        .iter()
        .map(|object| (object.marker[common.len()..].to_owned(), object.name.to_string(), object.upload.to_string()))
        .collect();
    to_json(&Line { tidegate: VERSION, to: to.0, by: common.into(), objects, manifest: None, recipe: pair(recipe) })
}

fn pair(recipe: Option<&Recipe>) -> Option<(String, u64)> {
    recipe.map(|recipe| (recipe.name.to_string(), recipe.records))
}

fn to_json(line: &Line<'_>) -> String {
    serde_json::to_string(line).expect("a struct of strings and numbers is always JSON")
}

fn common_prefix(objects: &[IntentObject]) -> &str {
    let Some(first) = objects.first() else { return "" };
    let mut len = first.marker.len();
    for object in objects {
        len = first.marker.bytes().zip(object.marker.bytes()).take(len).take_while(|(a, b)| a == b).count();
    }
    while !first.marker.is_char_boundary(len) {
        len -= 1;
    }
    &first.marker[..len]
}

fn hash(body: &[u8]) -> String {
    Sha256::digest(body).iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a string does not fail");
        hex
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(name: &str, upload: &str, marker: &str) -> IntentObject {
        IntentObject { name: name.into(), upload: upload.into(), marker: marker.into() }
    }

    #[test]
    fn an_intent_is_a_line_that_an_operator_can_read() {
        let intent = Intent { to: Offset(12), objects: vec![object("t-0-5.gz", "up1", "shop x-1")], recipe: None };
        assert_eq!(&*intent.encode(), r#"{"tidegate":1,"to":12,"by":"shop x-1","objects":[["","t-0-5.gz","up1"]]}"#);
        assert_eq!(decode(&intent.encode()), Ok(Metadata::Intent(intent.clone())));
        let intent = Intent { recipe: Some(Recipe { name: Recipe::name_of("csv"), records: 7 }), ..intent };
        assert!(intent.encode().ends_with(r#","recipe":["53bb9b0b38ac8125",7]}"#), "{}", intent.encode());
    }

    #[test]
    fn what_others_write_beside_an_offset_is_left_alone() {
        for metadata in ["", "NO_METADATA", "{}", "{\"to\":3}"] {
            assert_eq!(decode(metadata), Ok(Metadata::Foreign));
        }
    }

    #[test]
    fn an_intent_of_a_newer_version_is_refused_and_not_ignored() {
        let error = decode(r#"{"tidegate":2,"to":12}"#).unwrap_err();
        assert!(error.reason.contains("version 2"), "{error}");
        assert!(decode(r#"{"tidegate":1,"to":"#).is_err());
    }

    #[test]
    fn a_manifest_of_somebody_else_is_not_followed() {
        let objects = vec![object("a", "u", "m1"), object("b", "v", "m2")];
        let body = encode_manifest(&objects);
        let recipe = Some(Recipe { name: "r".into(), records: 2 });
        let intent = Intent { to: Offset(9), objects: objects.clone(), recipe: recipe.clone() };
        let metadata = intent.encode_spilled(&"manifests/1".into(), &body);
        let Ok(Metadata::Spilled { to, manifest, hash, recipe: read }) = decode(&metadata) else {
            panic!("{metadata}")
        };
        assert_eq!((to, &*manifest, read), (Offset(9), "manifests/1", recipe));
        assert_eq!(decode_manifest(&body, &hash), Ok(objects));
        assert!(decode_manifest(&encode_manifest(&[]), &hash).is_err());
    }

    proptest! {
        #[test]
        fn an_intent_comes_back_as_it_was_written(
            to in 0..i64::MAX,
            objects in prop::collection::vec(("\\PC{0,20}", "\\PC{0,20}", "\\PC{0,20}"), 0..5),
            recipe in prop::option::of(("\\PC{0,20}", 0..u64::MAX)),
        ) {
            let objects = objects.iter().map(|(name, upload, marker)| object(name, upload, marker)).collect();
            let recipe = recipe.map(|(name, records)| Recipe { name: name.into(), records });
            let intent = Intent { to: Offset(to), objects, recipe };
            prop_assert_eq!(decode(&intent.encode()), Ok(Metadata::Intent(intent)));
        }
    }
}
