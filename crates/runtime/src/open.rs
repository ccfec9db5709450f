//! A plan's source and sink, opened.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use aws::s3::{ExistingObject, Payload, S3Options, S3Sink, Sweep};
use connectors::{ConnectorPlan, PayloadSignature, TopicSelection};
use fault::Fault;
use format::Encode;
use format::text::Format;
use kafka::Cluster;
use kafka::source::{KafkaSource, SourceStats};
use transit::intent::{self, Metadata, Recipe};
use transit::{Encoders, Offset, Sink, TaskOptions, TaskParts, TaskStats, Tolerance, TopicPartition};

use crate::dead_letters::ConnectDeadLetters;
use crate::process::Process;
use crate::{consumer, drain};

/// A connector that is ready to run.
pub(crate) struct Opened {
    pub(crate) source: KafkaSource,
    pub(crate) parts: TaskParts<S3Sink, ConnectDeadLetters>,
    pub(crate) live: Live,
}

/// What can be seen of a run while it goes on.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    source: SourceStats,
    _sweeping: Arc<Background>,
}

/// A task that ends with its last handle.
#[derive(Debug)]
struct Background(tokio::task::JoinHandle<()>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Live {
    /// The end of a partition as its leader last said.
    pub(crate) fn end_offset(&self, partition: &TopicPartition) -> Option<Offset> {
        self.source.end_offset(partition)
    }
}

/// Opens source and sink of `plan`. What is wrong with AWS shows at the first object, or here if orphans can be listed.
pub(crate) async fn open(
    process: &Process,
    plan: &Arc<ConnectorPlan>,
    stats: Arc<TaskStats>,
    drain_to: HashMap<TopicPartition, Offset>,
) -> Result<Opened, Fault> {
    let settings = consumer::consumer(process, plan)?;
    let sink = Arc::new(process.clients().s3(plan.connection(), s3_options(plan))?);
    let cluster = Cluster::connect(settings.client).await?;
    let letters = ConnectDeadLetters::open(process, plan).await?;
    // In the background: a store that does not answer now must not keep records from being read.
    let sweeping = tokio::spawn({
        let (plan, cluster, sink) = (Arc::clone(plan), cluster.clone(), Arc::clone(&sink));
        async move {
            look_for_topics(&plan, &cluster).await;
            sweep(&plan, &cluster, &sink).await;
        }
    });
    let patience = consumer::patience(plan, &settings.group);
    let source = KafkaSource::join(cluster, settings.group, settings.fetch, process.budget());
    let live = Live { source: source.stats(), _sweeping: Arc::new(Background(sweeping)) };
    let errors = plan.errors();
    let rotation = plan.rotation();
    let parts = TaskParts {
        connector: plan.name().into(),
        nonce: Process::new_nonce(),
        options: TaskOptions {
            mode: plan.write_mode(),
            tolerance: Tolerance { tolerate: errors.tolerate, report: errors.log || errors.dead_letters.is_some() },
            rotate_interval: rotation.interval,
            rotate_bytes: rotation.bytes,
            rotate_records: rotation.records,
            part_size: usize::try_from(plan.s3().part_size).unwrap_or(usize::MAX).max(sink.min_part()),
            manifest_prefix: plan.manifest_prefix(),
            recipe: plan.recipe().as_deref().map(Recipe::name_of),
            patience,
            drain_to,
        },
        sink,
        letters: Arc::new(letters),
        router: Arc::new(plan.router()),
        encoders: Arc::new(TextEncoders(Format::new(
            plan.layout().clone(),
            plan.converters().clone(),
            plan.compression(),
        ))),
        budget: process.budget().clone(),
        compute: process.compute().clone(),
        clock: process.clock().clone(),
        stats,
    };
    Ok(Opened { source, parts, live })
}

/// A mistyped topic looks like one without records: it is named, once a start.
async fn look_for_topics(plan: &ConnectorPlan, cluster: &Cluster) {
    let TopicSelection::Named(names) = plan.topics() else { return };
    match cluster.topics(names.iter().map(|name| Arc::from(name.as_str()))).await {
        Ok(known) => drain::missing(names, &known).into_iter().for_each(|topic| drain::warn_of_missing(plan, topic)),
        Err(error) => tracing::debug!(error = %fault::Chain(&error), "could not look whether all topics are there"),
    }
}

struct TextEncoders(Arc<Format>);

impl Encoders for TextEncoders {
    fn open(&self) -> Box<dyn Encode> {
        Box::new(self.0.encoder())
    }
}

pub(crate) fn s3_options(plan: &ConnectorPlan) -> S3Options {
    let s3 = plan.s3();
    S3Options {
        endpoint: s3.endpoint.clone(),
        path_style: s3.path_style,
        fips: s3.fips,
        dual_stack: s3.dual_stack,
        owner: s3.owner,
        server_side_encryption: s3.server_side_encryption.clone(),
        backoff: aws::Backoff { base: s3.retry.delay, cap: s3.retry.max_delay },
        existing: match s3.existing {
            connectors::ExistingObject::Overwrite => ExistingObject::Overwrite,
            connectors::ExistingObject::Fail => ExistingObject::Fail,
        },
        payload: match s3.payload_signature {
            PayloadSignature::Auto => Payload::Auto,
            PayloadSignature::Always => Payload::Signed,
            PayloadSignature::Never => Payload::Unsigned,
        },
        checksums: s3.checksums,
        ..S3Options::new(&s3.bucket, &s3.region)
    }
}

/// Aborts orphans of earlier lives of this connector. They cost storage, not records: nothing here keeps it from running.
async fn sweep(plan: &ConnectorPlan, cluster: &Cluster, sink: &S3Sink) {
    // Uploads that an intent of any partition of the group names are still wanted, however old.
    let mut keep = HashSet::new();
    match cluster.committed(plan.group()).await {
        Ok(committed) => {
            for one in committed.values() {
                match intent::decode(&one.metadata) {
                    Ok(Metadata::Intent(intent)) => keep.extend(intent.objects.into_iter().map(|object| object.upload)),
                    Ok(Metadata::Foreign) => {}
                    Ok(Metadata::Spilled { manifest, hash, .. }) => match sink.get_manifest(&manifest).await {
                        Ok(Some(body)) => match intent::decode_manifest(&body, &hash) {
                            Ok(objects) => keep.extend(objects.into_iter().map(|held| held.object.upload)),
                            Err(_) => return,
                        },
                        Ok(None) | Err(_) => return,
                    },
                    Err(_) => return,
                }
            }
        }
        Err(error) => {
            tracing::debug!(error = %fault::Chain(&error), "orphan uploads are not looked for: no committed offsets");
            return;
        }
    }
    let names = plan.names();
    let sweep = Sweep {
        prefix: names.prefix(),
        is_ours: &|name: &str| names.matches(name),
        keep: &keep,
        // A live sibling's is open for as long as records are gathered, and then for as long as the store takes.
        older_than: Sweep::A_DAY.max(plan.rotation().interval.saturating_mul(2)),
    };
    match sink.sweep(&sweep).await {
        Ok(swept) if swept.aborted > 0 => {
            tracing::info!(
                connector = plan.name(),
                aborted = swept.aborted,
                left = swept.left,
                "aborted orphan uploads"
            );
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(connector = plan.name(), error = %fault::Chain(&error), "orphan uploads were not looked for");
        }
    }
}
