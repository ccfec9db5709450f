//! What stands beside a committed offset while a cut is between prepared and committed, and how it is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use data::Offset;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{IntentObject, ObjectName, TopicPartition};

/// What is written beside the unchanged offset before anything becomes visible: enough for a stranger to finish the cut.
///
/// Encoded as one line of JSON, so that an operator who looks at the group's offsets can read it. The objects are those of
/// the cut that hold records of the partition; `to` is each partition's own.
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

/// An object of a cut, and whose records it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldObject {
    /// The object.
    pub object: IntentObject,
    /// The partitions.
    pub partitions: Vec<TopicPartition>,
}

/// Those that hold records of `partition`.
pub fn objects_of(objects: &[HeldObject], partition: &TopicPartition) -> Vec<IntentObject> {
    objects.iter().filter(|held| held.partitions.contains(partition)).map(|held| held.object.clone()).collect()
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
    /// Which of `objects` hold records of other partitions too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shared: Vec<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manifest: Option<(String, String)>,
    /// Of a manifest: the cut's partitions, and for each object which of them it holds records of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    partitions: Vec<(String, i32)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holds: Vec<Vec<usize>>,
    /// (name, records)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipe: Option<(String, u64)>,
}

const VERSION: u32 = 1;

impl Intent {
    /// The metadata of this intent, and whether it is short enough to stand beside an offset.
    pub fn encode(&self) -> Arc<str> {
        to_json(&line(self.to, &self.objects, self.recipe.as_ref())).into()
    }

    /// The metadata that points to a manifest instead.
    pub fn encode_spilled(&self, manifest: &ObjectName, body: &[u8]) -> Arc<str> {
        let manifest = Some((manifest.to_string(), hash(body)));
        to_json(&Line { manifest, ..line(self.to, &[], self.recipe.as_ref()) }).into()
    }
}

/// The body of a manifest: the objects, and whose records they hold, without any partition's end.
pub fn encode_manifest(objects: &[HeldObject]) -> Bytes {
    let partitions: BTreeSet<&TopicPartition> = objects.iter().flat_map(|held| &held.partitions).collect();
    let places: BTreeMap<&TopicPartition, usize> = partitions.iter().zip(0..).map(|(it, place)| (*it, place)).collect();
    let holds = |held: &HeldObject| held.partitions.iter().map(|partition| places[partition]).collect();
    let all: Vec<IntentObject> = objects.iter().map(|held| held.object.clone()).collect();
    let line = Line {
        partitions: partitions.iter().map(|it| (it.topic.to_string(), it.partition)).collect(),
        holds: objects.iter().map(holds).collect(),
        ..line(Offset(0), &all, None)
    };
    to_json(&line).into_bytes().into()
}

/// Reads a manifest back, if it is the one that `hash` names.
pub fn decode_manifest(body: &[u8], expected: &str) -> Result<Vec<HeldObject>, UnreadableIntent> {
    let found = hash(body);
    if found != expected {
        return Err(UnreadableIntent { reason: format!("its manifest has the hash {found}, not {expected}") });
    }
    let text = std::str::from_utf8(body).map_err(|error| UnreadableIntent { reason: error.to_string() })?;
    let line = read(text)?;
    let (partitions, holds) = (line.partitions.clone(), line.holds.clone());
    let partition = |place: usize| partitions.get(place).map(|(topic, number)| TopicPartition::new(&**topic, *number));
    let objects = objects(line);
    let strange = || UnreadableIntent { reason: "its manifest is not a list of objects".to_owned() };
    if objects.len() != holds.len() {
        return Err(strange());
    }
    let held = |(object, holds): (IntentObject, Vec<usize>)| {
        let partitions = holds.into_iter().map(partition).collect::<Option<_>>().ok_or_else(strange)?;
        Ok(HeldObject { object, partitions })
    };
    objects.into_iter().zip(holds).map(held).collect()
}

/// Reads what stands beside a committed offset.
pub fn decode(metadata: &str) -> Result<Metadata, UnreadableIntent> {
    if !metadata.starts_with("{\"tidegate\":") {
        return Ok(Metadata::Foreign);
    }
    let mut line = read(metadata)?;
    let recipe = line.recipe.take().map(|(name, records)| Recipe { name: name.into(), records });
    if let Some((manifest, hash)) = line.manifest {
        return Ok(Metadata::Spilled { to: Offset(line.to), manifest: manifest.into(), hash, recipe });
    }
    Ok(Metadata::Intent(Intent { to: Offset(line.to), objects: objects(line), recipe }))
}

fn read(text: &str) -> Result<Line<'_>, UnreadableIntent> {
    let line: Line<'_> = serde_json::from_str(text).map_err(|error| UnreadableIntent { reason: error.to_string() })?;
    if line.tidegate != VERSION {
        return Err(UnreadableIntent {
            reason: format!("it has version {}, this program knows version {VERSION}", line.tidegate),
        });
    }
    Ok(line)
}

fn objects(line: Line<'_>) -> Vec<IntentObject> {
    let Line { by, objects, shared, .. } = line;
    let object = |(place, (rest, name, upload)): (usize, (String, String, String))| IntentObject {
        name: name.into(),
        upload: upload.into(),
        marker: format!("{by}{rest}").into(),
        shared: shared.contains(&place),
    };
    objects.into_iter().enumerate().map(object).collect()
}

fn line<'a>(to: Offset, objects: &'a [IntentObject], recipe: Option<&Recipe>) -> Line<'a> {
    let common = common_prefix(objects);
    let object = |object: &IntentObject| {
        (object.marker[common.len()..].to_owned(), object.name.to_string(), object.upload.to_string())
    };
    Line {
        tidegate: VERSION,
        to: to.0,
        by: common.into(),
        objects: objects.iter().map(object).collect(),
        shared: (0..objects.len()).filter(|place| objects[*place].shared).collect(),
        manifest: None,
        recipe: recipe.map(|recipe| (recipe.name.to_string(), recipe.records)),
        partitions: Vec::new(),
        holds: Vec::new(),
    }
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
        IntentObject { name: name.into(), upload: upload.into(), marker: marker.into(), shared: false }
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
    fn a_manifest_says_which_objects_are_whose() {
        let part = |number| TopicPartition::new("t", number);
        let held = |name: &str, numbers: &[i32]| HeldObject {
            object: IntentObject { shared: numbers.len() > 1, ..object(name, "u", "m") },
            partitions: numbers.iter().map(|number| part(*number)).collect(),
        };
        let objects = vec![held("a", &[4]), held("b", &[9, 4]), held("c", &[9])];
        let body = encode_manifest(&objects);
        let read = decode_manifest(&body, &hash(&body)).unwrap();
        assert_eq!(read, objects);
        let names = |number| objects_of(&read, &part(number)).iter().map(|it| it.name.to_string()).collect::<Vec<_>>();
        assert_eq!(
            (names(4), names(9), names(5)),
            (vec!["a".into(), "b".into()], vec!["b".into(), "c".into()], vec![])
        );
        let unequal = r#"{"tidegate":1,"to":0,"objects":[["","a","u"]],"partitions":[["t",4]],"holds":[[1]]}"#;
        assert!(decode_manifest(unequal.as_bytes(), &hash(unequal.as_bytes())).is_err());
    }

    #[test]
    fn a_manifest_of_somebody_else_is_not_followed() {
        let held = |object| HeldObject { object, partitions: vec![TopicPartition::new("t", 0)] };
        let objects = vec![held(object("a", "u", "m1")), held(object("b", "v", "m2"))];
        let body = encode_manifest(&objects);
        let recipe = Some(Recipe { name: "r".into(), records: 2 });
        let intent = Intent { to: Offset(9), objects: Vec::new(), recipe: recipe.clone() };
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
            objects in prop::collection::vec(("\\PC{0,20}", "\\PC{0,20}", "\\PC{0,20}", any::<bool>()), 0..5),
            recipe in prop::option::of(("\\PC{0,20}", 0..u64::MAX)),
        ) {
            let each = objects.iter().map(|(name, upload, marker, shared)| {
                IntentObject { shared: *shared, ..object(name, upload, marker) }
            });
            let objects = each.collect();
            let recipe = recipe.map(|(name, records)| Recipe { name: name.into(), records });
            let intent = Intent { to: Offset(to), objects, recipe };
            prop_assert_eq!(decode(&intent.encode()), Ok(Metadata::Intent(intent)));
        }
    }
}
