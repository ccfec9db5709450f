use aws::Clients;
use connectors::ConnectorPlan;
use fault::Fault;
use kafka::ClientConfig;
use kafka::group::GroupOptions;
use world::Environment;

use crate::{consumer, dead_letters, msk};

/// The Kafka clients of a plan as a [`crate::Connector`] would set them up, for who looks at them before it runs.
#[derive(Debug, Clone)]
pub struct KafkaClients {
    /// How records are reached.
    pub consumer: ClientConfig,
    /// How its member takes part in the group.
    pub group: GroupOptions,
    /// How dead letters are written; `None` if they go to no topic.
    pub producer: Option<ClientConfig>,
    /// How the topic of dead letters is made; `None` if they go to no topic.
    pub admin: Option<ClientConfig>,
}

impl KafkaClients {
    /// Reads the settings, and the files that they name. `clients` are where sessions for MSK come from; nobody is asked for
    /// one yet.
    pub fn of(clients: &Clients, environment: &Environment, plan: &ConnectorPlan) -> Result<Self, Fault> {
        let tokens = |properties| msk::tokens(clients, environment, plan, properties);
        let consumer = consumer::consumer_of(plan.consumer(), Some(plan.topics()), tokens(plan.consumer())?)?.0;
        let mut found = Self { consumer: consumer.client, group: consumer.group, producer: None, admin: None };
        if plan.errors().dead_letters.is_some() {
            found.producer = Some(dead_letters::producer(plan.producer(), tokens(plan.producer())?)?.0);
            found.admin = Some(consumer::client(plan.admin(), tokens(plan.admin())?)?.0);
        }
        Ok(found)
    }
}
