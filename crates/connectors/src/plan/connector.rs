use std::sync::Arc;
use std::time::Duration;

use format::Compression;
use format::text::{Converters, Layout};
use identity::{Connection, ConnectionSpec};
use transit::WriteMode;

use crate::clients::{ClientProperties, Clients};
use crate::faults::{ConfigFault, ConfigWarning};
use crate::naming::{NamePattern, ObjectNaming, ObjectRouter};
use crate::plan::{ErrorPolicy, S3Target, TopicSelection};

/// A connector's configuration, proven consistent: everything that is needed to run it, as plain data.
#[derive(Debug, Clone)]
pub struct ConnectorPlan(Arc<PlanParts>);

/// What a plan is made of.
#[derive(Debug)]
pub(crate) struct PlanParts {
    pub(crate) name: String,
    pub(crate) class: &'static str,
    pub(crate) topics: TopicSelection,
    pub(crate) tasks_max: u32,
    pub(crate) clients: Clients,
    pub(crate) converters: Converters,
    pub(crate) errors: ErrorPolicy,
    pub(crate) rotation: Rotation,
    pub(crate) write_mode: WriteMode,
    pub(crate) manifest_prefix: Option<String>,
    pub(crate) patience: Duration,
    pub(crate) kafka_connection: Option<Arc<ConnectionSpec>>,
    pub(crate) sink: SinkPlan,
    pub(crate) warnings: Vec<ConfigWarning>,
}

/// The part of a plan that its class makes.
#[derive(Debug)]
pub(crate) struct SinkPlan {
    pub(crate) layout: Layout,
    pub(crate) compression: Compression,
    pub(crate) naming: ObjectNaming,
    pub(crate) s3: S3Target,
    pub(crate) connection: Connection,
    /// What the connection is made from, if it has a name.
    pub(crate) spec: Option<Arc<ConnectionSpec>>,
}

/// When objects are published. Whatever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// This long after the last time.
    pub interval: Duration,
    /// When a lane's open objects hold this many bytes together, before compression.
    pub bytes: Option<u64>,
    /// When a lane's open objects hold this many records together.
    pub records: Option<u64>,
}

impl ConnectorPlan {
    pub(crate) fn new(parts: PlanParts) -> Self {
        Self(Arc::new(parts))
    }

    /// The connector's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The full name of its class.
    pub fn class(&self) -> &'static str {
        self.0.class
    }

    /// Which topics it reads.
    pub fn topics(&self) -> &TopicSelection {
        &self.0.topics
    }

    /// How many tasks share its partitions, at most.
    pub fn tasks_max(&self) -> u32 {
        self.0.tasks_max
    }

    /// Settings of its consumer. `client.id` is the same for all tasks: put a dash and the task's number behind it.
    pub fn consumer(&self) -> &ClientProperties {
        &self.0.clients.consumer
    }

    /// Settings of its producer of dead letters.
    pub fn producer(&self) -> &ClientProperties {
        &self.0.clients.producer
    }

    /// Settings of the client that creates the dead letters' topic.
    pub fn admin(&self) -> &ClientProperties {
        &self.0.clients.admin
    }

    /// Its consumer group.
    pub fn group(&self) -> &str {
        self.consumer().get("group.id").unwrap_or_default()
    }

    /// What reads keys, values and headers.
    pub fn converters(&self) -> &Converters {
        &self.0.converters
    }

    /// What its objects look like.
    pub fn layout(&self) -> &Layout {
        &self.0.sink.layout
    }

    /// How they are compressed.
    pub fn compression(&self) -> Compression {
        self.0.sink.compression
    }

    /// How they are named, and what is gathered in one.
    pub fn naming(&self) -> &ObjectNaming {
        &self.0.sink.naming
    }

    /// Which names its objects can have.
    pub fn names(&self) -> NamePattern {
        self.naming().names(self.topics())
    }

    /// What names of manifests begin with: intents that are too large for the offset's metadata. In the folder of the
    /// objects, because a role may be allowed to write there alone.
    pub fn manifest_prefix(&self) -> String {
        let default = || format!("{}.tidegate/", self.naming().folder());
        self.0.manifest_prefix.clone().unwrap_or_else(default)
    }

    /// What is wrong with its names in the eyes of its connection's fence.
    pub(crate) fn fence_faults(&self) -> Vec<ConfigFault> {
        self.0.sink.spec.as_ref().map_or_else(Vec::new, |spec| crate::access::fence_faults(self, spec))
    }

    /// What sends each record to its object.
    pub fn router(&self) -> ObjectRouter {
        self.naming().router(self.converters().key.clone())
    }

    /// All that decides, besides the records of a partition, which object each of them goes to; `None` where the time of
    /// day or other partitions decide too. Holds no secret.
    pub fn recipe(&self) -> Option<String> {
        let PlanParts { converters, errors, sink, .. } = &*self.0;
        // By `Debug`, which shows every field: one that is added later is not forgotten here. What another version makes
        // of the same fields nobody knows, so that its number belongs to them.
        let version = env!("CARGO_PKG_VERSION");
        let isolation = self.consumer().get("isolation.level");
        let SinkPlan { layout, compression, naming, .. } = sink;
        let tolerate = errors.tolerate;
        naming
            .is_repeatable()
            .then(|| format!("{version} {isolation:?} {converters:?} {tolerate} {layout:?} {compression:?} {naming:?}"))
    }

    /// When they are published.
    pub fn rotation(&self) -> Rotation {
        self.0.rotation
    }

    /// How they become visible.
    pub fn write_mode(&self) -> WriteMode {
        self.0.write_mode
    }

    /// What happens to records that cannot be used.
    pub fn errors(&self) -> &ErrorPolicy {
        &self.0.errors
    }

    /// Where objects go.
    pub fn s3(&self) -> &S3Target {
        &self.0.sink.s3
    }

    /// Who Tidegate is to AWS.
    pub fn connection(&self) -> &Connection {
        &self.0.sink.connection
    }

    /// The connection that signs for its Kafka cluster, if that is Amazon MSK and one is named.
    pub fn kafka_connection(&self) -> Option<&Arc<ConnectionSpec>> {
        self.0.kafka_connection.as_ref()
    }

    /// The connection that it names, if it names one.
    pub fn connection_spec(&self) -> Option<&Arc<ConnectionSpec>> {
        self.0.sink.spec.as_ref()
    }

    /// How long a stop, or giving a partition up, may wait for what is being published.
    pub fn patience(&self) -> Duration {
        self.0.patience
    }

    /// What works, but probably not as meant.
    pub fn warnings(&self) -> &[ConfigWarning] {
        &self.0.warnings
    }
}
