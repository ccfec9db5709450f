//! What roles allow. Pure: bindings in, answers out.

use super::RoleName;
use super::crn::{Level, Pattern, Resource};
use crate::{ClusterId, EnvironmentId};

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Its settings are read.
    Read,
    /// Its state is read.
    Status,
    /// It is made.
    Create,
    /// Its settings, or a connector's offsets, are changed.
    Configure,
    /// It is paused, resumed, stopped or restarted.
    Lifecycle,
    /// It is taken away.
    Delete,
    /// Its log is read.
    Logs,
    /// A connector is made to use it.
    Assign,
    /// Roles on it are given and taken.
    Grant,
    /// What was done in it is read.
    Audit,
}

use Action::{Assign, Audit, Configure, Create, Delete, Grant, Lifecycle, Logs, Read, Status};

const ALL: &[Action] = &[Read, Status, Create, Configure, Lifecycle, Delete, Logs, Assign, Grant, Audit];

impl RoleName {
    /// Every role.
    pub const ALL: [Self; 9] = [
        Self::OrganizationAdmin,
        Self::EnvironmentAdmin,
        Self::CloudClusterAdmin,
        Self::ResourceOwner,
        Self::Assigner,
        Self::ConnectManager,
        Self::DeveloperRead,
        Self::DeveloperWrite,
        Self::Operator,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::OrganizationAdmin => "OrganizationAdmin",
            Self::EnvironmentAdmin => "EnvironmentAdmin",
            Self::CloudClusterAdmin => "CloudClusterAdmin",
            Self::ResourceOwner => "ResourceOwner",
            Self::Assigner => "Assigner",
            Self::ConnectManager => "ConnectManager",
            Self::DeveloperRead => "DeveloperRead",
            Self::DeveloperWrite => "DeveloperWrite",
            Self::Operator => "Operator",
        }
    }

    pub(crate) fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// What it can be given on.
    pub(crate) fn levels(self) -> &'static [Level] {
        match self {
            Self::OrganizationAdmin => &[Level::Organization],
            Self::EnvironmentAdmin => &[Level::Environment],
            Self::CloudClusterAdmin => &[Level::Cluster],
            Self::ResourceOwner => &[Level::Connector, Level::Integration, Level::Connection],
            Self::Assigner => &[Level::Integration, Level::Connection],
            Self::ConnectManager | Self::DeveloperRead | Self::DeveloperWrite => &[Level::Connector],
            Self::Operator => &[Level::Organization, Level::Environment, Level::Cluster, Level::Connector],
        }
    }

    /// What it allows to do to a resource of that level, where it is given on that or above (confluent.md 4).
    fn actions(self, on: Level) -> &'static [Action] {
        match (self, on) {
            (Self::OrganizationAdmin, _)
            | (Self::EnvironmentAdmin, Level::Cluster | Level::Connector | Level::Integration | Level::Connection) => {
                ALL
            }
            (Self::EnvironmentAdmin, Level::Environment) => &[Read, Configure, Grant, Audit],
            (Self::CloudClusterAdmin, Level::Cluster) => &[Read],
            (Self::CloudClusterAdmin, Level::Connector) => &[Read, Status, Create, Configure, Lifecycle, Delete, Logs],
            (Self::ResourceOwner, Level::Connector) => {
                &[Read, Status, Create, Configure, Lifecycle, Delete, Logs, Grant]
            }
            (Self::ResourceOwner, Level::Integration | Level::Connection) => &[Read, Configure, Delete, Assign, Grant],
            (Self::Assigner, Level::Integration | Level::Connection) => &[Read, Assign],
            (Self::ConnectManager, Level::Connector) => &[Read, Status, Lifecycle, Logs],
            (Self::DeveloperWrite, Level::Connector) => &[Read, Status, Configure],
            (Self::DeveloperRead, Level::Connector) => &[Read, Status],
            (Self::Operator, Level::Connector) => &[Status],
            // A new role, or a new kind of resource, allows nothing until it is given a row.
            _ => &[],
        }
    }
}

impl Resource<'_> {
    fn level(&self) -> Level {
        match self {
            Self::Organization => Level::Organization,
            Self::Environment(_) => Level::Environment,
            Self::Cluster(..) => Level::Cluster,
            Self::Connector(..) => Level::Connector,
            Self::Integration(..) => Level::Integration,
            Self::Connection(..) => Level::Connection,
        }
    }
}

/// What a caller may do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rights {
    /// The operator: everything.
    all: bool,
    bindings: Vec<(RoleName, Pattern)>,
    only: Option<(EnvironmentId, ClusterId)>,
}

impl Rights {
    /// Those of the operator.
    pub(crate) fn operator() -> Self {
        Self { all: true, ..Self::default() }
    }

    pub(crate) fn of(bindings: Vec<(RoleName, Pattern)>) -> Self {
        Self { bindings, ..Self::default() }
    }

    /// What is left of them for a key of one cluster.
    #[must_use]
    pub(crate) fn only(mut self, environment: EnvironmentId, cluster: ClusterId) -> Self {
        self.only = Some((environment, cluster));
        self
    }

    /// Whether a key of one cluster reaches there. An integration of its environment may be used, and not looked at.
    fn is_in_reach(&self, action: Action, on: &Resource<'_>) -> bool {
        let Some((home, cluster)) = &self.only else { return true };
        match on {
            Resource::Organization | Resource::Environment(_) => false,
            Resource::Cluster(environment, there) => {
                (*environment, *there) == (home, cluster) && matches!(action, Read | Status)
            }
            Resource::Connector(environment, there, _) => (*environment, *there) == (home, cluster) && action != Grant,
            Resource::Integration(environment, _) | Resource::Connection(environment, _) => {
                *environment == home && action == Assign
            }
        }
    }

    /// Whether they allow `action` on `on`.
    pub(crate) fn may(&self, action: Action, on: &Resource<'_>) -> bool {
        let given =
            |(role, pattern): &(RoleName, Pattern)| pattern.covers(on) && role.actions(on.level()).contains(&action);
        self.is_in_reach(action, on) && (self.all || self.bindings.iter().any(given))
    }

    /// Whether the caller may know that there is such a thing.
    pub(crate) fn sees(&self, on: &Resource<'_>) -> bool {
        match on {
            Resource::Organization => true,
            // Who has a right to anything in it has to find it.
            Resource::Environment(environment) => match &self.only {
                Some((home, _)) => *environment == home,
                None => self.reaches_into(on),
            },
            Resource::Cluster(environment, cluster) => match &self.only {
                Some((home, only)) => (*environment, *cluster) == (home, only),
                None => self.may(Read, on) || self.reaches_into(on),
            },
            Resource::Connector(..) => self.may(Read, on) || self.may(Status, on),
            Resource::Integration(..) | Resource::Connection(..) => self.may(Read, on),
        }
    }

    fn reaches_into(&self, place: &Resource<'_>) -> bool {
        self.all || self.bindings.iter().any(|(_, pattern)| pattern.reaches_into(place))
    }

    /// Whether there is a connector in the cluster that they allow `action` on, or could be.
    pub(crate) fn may_somewhere(&self, action: Action, environment: &EnvironmentId, cluster: &ClusterId) -> bool {
        let place = Resource::Cluster(environment, cluster);
        let given = |(role, pattern): &(RoleName, Pattern)| {
            pattern.reaches_into(&place) && role.actions(Level::Connector).contains(&action)
        };
        self.is_in_reach(action, &Resource::Connector(environment, cluster, ""))
            && (self.all || self.bindings.iter().any(given))
    }

    /// Whether `role` on `pattern` may be given and taken by whoever has these rights. What is given never reaches further
    /// than what the giver has.
    pub(crate) fn may_give(&self, role: RoleName, pattern: &Pattern) -> bool {
        if self.only.is_some() {
            return false;
        }
        let lets = |(own, reach): &(RoleName, Pattern)| match own {
            RoleName::OrganizationAdmin => true,
            RoleName::EnvironmentAdmin => reach.contains(pattern) && role != RoleName::OrganizationAdmin,
            // What contains a pattern at the level of a resource is at that level: no admin's role fits there.
            RoleName::ResourceOwner => reach.contains(pattern),
            RoleName::CloudClusterAdmin
            | RoleName::Assigner
            | RoleName::ConnectManager
            | RoleName::DeveloperRead
            | RoleName::DeveloperWrite
            | RoleName::Operator => false,
        };
        role.levels().contains(&pattern.level()) && (self.all || self.bindings.iter().any(lets))
    }

    /// Whether they are those of who administrates the organization.
    pub(crate) fn is_admin(&self) -> bool {
        self.may(Configure, &Resource::Organization)
    }

    /// Whether they administrate an environment at least.
    pub(crate) fn is_some_admin(&self) -> bool {
        let admin = |role: RoleName| matches!(role, RoleName::OrganizationAdmin | RoleName::EnvironmentAdmin);
        self.only.is_none() && (self.all || self.bindings.iter().any(|(role, _)| admin(*role)))
    }
}

#[cfg(test)]
mod tests;
