//! Connections and integrations that a connector refers to by name.

use std::sync::Arc;

use iam::Partition;
use identity::{Connection, ConnectionSpec, Purpose, Within};

use crate::define::Values;
use crate::faults::{ConfigFault, Findings};
use crate::plan::{ConnectorPlan, TopicSelection};
use crate::worker::{Reach, WorkerConfig};

const CONNECTION: &str = "tidegate.connection";
const INTEGRATION: &str = "provider.integration.id";

/// What `tidegate.connection` or `provider.integration.id` stands for. `None` if neither is set, or it is at fault.
pub(crate) fn named(values: &Values, name: &str, reach: &Reach, found: &mut Findings) -> Option<Arc<ConnectionSpec>> {
    let spec = match (values.text(CONNECTION), values.text(INTEGRATION)) {
        (None, None) => return None,
        (Some(_), Some(id)) => {
            let text = format!("stands beside {CONNECTION}, and each says by itself who Tidegate is to AWS");
            found.fault(ConfigFault::new(INTEGRATION, Some(id.to_owned()), text).hint("leave one of them out"));
            return None;
        }
        (Some(connection), None) => by_name(connection, reach, found)?,
        (None, Some(id)) => by_integration(id, reach, found)?,
    };
    for warning in spec.warnings() {
        found.warn(CONNECTION, warning.to_string());
    }
    // Names are filled in with the connector's, so that only now it can be seen whether AWS takes them.
    for flaw in spec.bind(name, Purpose::S3).flaws() {
        let key = if values.is_set(CONNECTION) { CONNECTION } else { INTEGRATION };
        found.fault(ConfigFault::new(key, Some(spec.name.clone()), format!("connection {}: {flaw}", spec.name)));
    }
    Some(spec)
}

fn by_name(name: &str, reach: &Reach, found: &mut Findings) -> Option<Arc<ConnectionSpec>> {
    let shown = || Some(name.to_owned());
    let Some(connections) = &reach.connections else {
        let text = format!("connection {name} is not known: no file of connections is given");
        found.fault(ConfigFault::new(CONNECTION, shown(), text).hint("give it with --connections FILE"));
        return None;
    };
    if let Some(spec) = connections.get(name) {
        return Some(Arc::clone(spec));
    }
    let fault = ConfigFault::new(CONNECTION, shown(), format!("connection {name} is not in the file of connections"));
    let fault = fault.allowed(connections.names());
    found.fault(match connections.suggest(name) {
        Some(close) => fault.hint(format!("did you mean {close}?")),
        None => fault.hint(format!("write a table [connections.{name}] into it")),
    });
    None
}

fn by_integration(id: &str, reach: &Reach, found: &mut Findings) -> Option<Arc<ConnectionSpec>> {
    let Some(integrations) = &reach.integrations else {
        let text = format!("integration {id} cannot be looked up: no store of integrations is open");
        let hint = "give the store that tidegate integration made, or name a connection (tidegate.connection)";
        found.fault(ConfigFault::new(INTEGRATION, Some(id.to_owned()), text).hint(hint));
        return None;
    };
    let text = match integrations.connection(id) {
        Ok(Some(spec)) => return Some(spec),
        Ok(None) => format!("integration {id} is not in the store"),
        Err(why) => why,
    };
    let hint = format!("look at it: tidegate integration show {id}");
    found.fault(ConfigFault::new(INTEGRATION, Some(id.to_owned()), text).hint(hint));
    None
}

/// The connection for the connector called `name`, whose bucket is in `region`.
pub(crate) fn bind(spec: &ConnectionSpec, name: &str, region: &str, found: &mut Findings) -> Connection {
    let (home, there) = (Partition::of_region(&spec.region), Partition::of_region(region));
    if home != there {
        let text = format!(
            "region {region} is in partition {}, and connection {} in {}: accounts of one do not know those of the other",
            there.name(),
            spec.name,
            home.name()
        );
        found.fault(ConfigFault::new("aws.s3.region", Some(region.to_owned()), text));
    }
    spec.bind(name, Purpose::S3)
}

/// The connection that signs for MSK.
pub(crate) fn for_kafka(worker: &WorkerConfig, name: &str, found: &mut Findings) -> Option<Arc<ConnectionSpec>> {
    const KEY: &str = "tidegate.kafka.connection";
    let connection = worker.config().get(KEY).map(str::trim).filter(|name| !name.is_empty())?;
    let before = found.faults.len();
    let spec = by_name(connection, worker.reach(), found);
    for fault in &mut found.faults[before..] {
        KEY.clone_into(&mut fault.key);
    }
    let spec = spec?;
    for flaw in spec.bind(name, Purpose::Kafka).flaws() {
        found.fault(ConfigFault::new(KEY, Some(spec.name.clone()), format!("connection {}: {flaw}", spec.name)));
    }
    Some(spec)
}

/// What of a plan lies outside the fence of its connection. AWS would refuse each such object, in the middle of the night.
pub(crate) fn fence_faults(plan: &ConnectorPlan, spec: &ConnectionSpec) -> Vec<ConfigFault> {
    let (fence, bucket, name) = (&spec.fence, &plan.s3().bucket, &spec.name);
    let places: Vec<_> = fence.places.iter().map(ToString::to_string).collect();
    let fence_of = format!("the fence of connection {name}: {}", places.join(", "));
    let Some(place) = fence.places.iter().find(|place| place.bucket == *bucket).filter(|_| fence.is_up()) else {
        if fence.has_bucket(bucket) {
            return Vec::new();
        }
        let text = format!("bucket {bucket} is outside {fence_of}");
        let hint = format!("write to one of these, or widen bucket or buckets of connection {name}");
        return vec![ConfigFault::new("aws.s3.bucket.name", Some(bucket.clone()), text).hint(hint)];
    };
    // Topic by topic: with several, the template's own start ends where the topic begins.
    let starts: Vec<String> = match plan.topics() {
        TopicSelection::Named(topics) => {
            let one = |topic: &String| TopicSelection::Named(vec![topic.clone()]);
            topics.iter().map(|topic| plan.naming().names(&one(topic)).prefix().to_owned()).collect()
        }
        TopicSelection::Matching(_) => vec![plan.names().prefix().to_owned()],
    };
    for start in &starts {
        let text = match fence.holds(bucket, start) {
            Within::Yes => continue,
            Within::No => format!("names of objects begin with {start}, which is outside {fence_of}"),
            Within::Unknown if start.is_empty() => {
                format!("names of objects begin with a variable, so that some may lie outside {fence_of}")
            }
            Within::Unknown => {
                format!("names of objects go on with a variable after {start}, so that some may lie outside {fence_of}")
            }
        };
        let hint = format!("let them begin with {}", place.prefix);
        return vec![ConfigFault::new("file.name.template", None, text).hint(hint)];
    }
    let manifest = plan.manifest_prefix();
    if fence.holds(bucket, &manifest) == Within::Yes {
        return Vec::new();
    }
    let text = format!("names of manifests begin with {manifest}, which is outside {fence_of}");
    let hint = format!("set tidegate.manifest.prefix to {}.tidegate/", place.prefix);
    vec![ConfigFault::new("tidegate.manifest.prefix", Some(manifest), text).hint(hint)]
}

#[cfg(test)]
mod tests;
