//! Targets made of what there is: connections, integrations, connectors, and of what could not be read.

use std::sync::Arc;

use connectors::{ConfigFaults, ConnectorPlan};
use control::{Integration, trust_policy};
use identity::{ConnectionFaults, ConnectionSpec, Purpose, SpecFault};
use jiff::Timestamp;

use crate::{InputFault, IntegrationFacts, Place, Target, TargetKind};

impl Target {
    /// A connection. `place` is the part of a bucket that is tried; where it is not given, the first of its fence is.
    pub fn connection(spec: &Arc<ConnectionSpec>, place: Option<Place>) -> Self {
        let mut target = Self::new(TargetKind::Connection, &spec.name);
        let bound = spec.bind("tidegate-doctor", Purpose::S3);
        target.faults.extend(bound.flaws().into_iter().map(|flaw| InputFault {
            key: flaw.field.to_owned(),
            value: Some(flaw.value.clone()),
            text: flaw.to_string(),
            hint: None,
        }));
        target.warnings.extend(spec.warnings().iter().map(|warning| InputFault {
            key: warning.key.clone(),
            value: None,
            text: warning.text.clone(),
            hint: None,
        }));
        target.place =
            place.or_else(|| spec.fence.places.first().map(|place| Place::of(spec, &place.bucket, &place.prefix)));
        target.connection = Some(bound);
        target.spec = Some(Arc::clone(spec));
        target
    }

    /// A connector that runs as it is written down.
    pub fn connector(plan: &Arc<ConnectorPlan>) -> Self {
        let mut target = Self::new(TargetKind::Connector, plan.name());
        let s3 = plan.s3();
        target.warnings.extend(plan.warnings().iter().map(|warning| InputFault {
            key: warning.key.clone(),
            value: None,
            text: warning.text.clone(),
            hint: None,
        }));
        target.place = Some(Place {
            bucket: s3.bucket.clone(),
            prefix: plan.names().prefix().to_owned(),
            region: s3.region.clone(),
            endpoint: s3.endpoint.clone(),
            path_style: s3.path_style,
            fips: s3.fips,
            dual_stack: s3.dual_stack,
            owner: s3.owner,
            server_side_encryption: s3.server_side_encryption.clone(),
            no_checksums: !s3.checksums,
            writes: true,
            ..Place::default()
        });
        target.connection = Some(plan.connection().clone());
        target.spec = plan.connection_spec().cloned();
        target.connector = Some(Arc::clone(plan));
        target
    }

    /// An integration, tried as `ours` takes its role on.
    pub fn integration(integration: &Integration, ours: &ConnectionSpec, now: Timestamp) -> Self {
        let id = integration.id.to_string();
        let mut target = Self::new(TargetKind::Integration, &id);
        let live: Vec<_> = integration.live_ids(now).map(|issued| issued.value.clone()).collect();
        let newest = live.first().map(|id| id.as_str().to_owned()).unwrap_or_default();
        match &integration.role {
            None => target.faults.push(InputFault {
                key: "role".to_owned(),
                value: None,
                text: format!("integration {id} has no role yet"),
                hint: Some(format!("give it one: tidegate integration set-role {id} ARN")),
            }),
            Some(role) => {
                let spec = Arc::new(ours.then_role(&id, role.as_str(), &newest));
                target.connection = Some(spec.bind("tidegate-doctor", Purpose::S3));
                target.spec = Some(spec);
            }
        }
        target.integration = Some(IntegrationFacts {
            id,
            principal: integration.principal.as_str().to_owned(),
            trust_policy: format!("{:#}", trust_policy(&integration.principal, &live)),
            external_ids: live.iter().map(|id| id.as_str().to_owned()).collect(),
            issued_at: integration.external_ids.first().map(|issued| issued.issued_at.to_string()).unwrap_or_default(),
            proven_at: integration.proven_at.map(|at| at.to_string()),
            state: integration.state.name(),
        });
        target
    }

    /// A connection that cannot be read.
    pub fn unreadable_connection(kind: TargetKind, name: &str, faults: &ConnectionFaults) -> Self {
        let mut target = Self::new(kind, name);
        let fault = |fault: &SpecFault| InputFault {
            key: fault.key.clone(),
            value: None,
            text: fault.text.clone(),
            hint: fault.hint.clone(),
        };
        target.faults = faults.faults.iter().map(fault).collect();
        target.warnings = faults
            .warnings
            .iter()
            .map(|warning| InputFault { key: warning.key.clone(), value: None, text: warning.text.clone(), hint: None })
            .collect();
        target
    }

    /// A connector that is refused.
    pub fn refused_connector(kind: TargetKind, faults: &ConfigFaults) -> Self {
        let mut target = Self::new(kind, faults.name());
        target.faults = faults
            .faults()
            .iter()
            .map(|fault| InputFault {
                key: fault.key.clone(),
                value: fault.value.clone(),
                text: fault.text.clone(),
                hint: fault.hint.clone(),
            })
            .collect();
        target
    }
}

impl Place {
    /// A part of a bucket as a connection sees it: for reading and for writing.
    pub fn of(spec: &ConnectionSpec, bucket: &str, prefix: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            region: spec.region.clone(),
            endpoint: spec.endpoints.s3.clone(),
            path_style: spec.endpoints.s3.is_some(),
            fips: spec.fips,
            dual_stack: spec.dual_stack,
            owner: spec.bucket_owner,
            writes: true,
            reads: true,
            ..Self::default()
        }
    }
}
