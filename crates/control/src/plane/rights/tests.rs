use proptest::prelude::*;

use super::super::crn::{Pattern, Resource};
use super::*;

const ORGANIZATION: &str = "9bb441c4-edef-46ac-8a41-c49e44a3fd9a";

fn pattern(tail: &str) -> Pattern {
    Pattern::read(&format!("crn://confluent.cloud/organization={ORGANIZATION}{tail}"), ORGANIZATION).unwrap()
}

fn rights(bindings: &[(RoleName, &str)]) -> Rights {
    Rights::of(bindings.iter().map(|(role, tail)| (*role, pattern(tail))).collect())
}

/// Everything that there is: two environments with two clusters each, and so on.
struct World {
    environments: Vec<EnvironmentId>,
    clusters: Vec<ClusterId>,
    names: Vec<&'static str>,
}

impl World {
    fn new() -> Self {
        Self {
            environments: ["env-a", "env-b"].iter().map(|id| id.parse().unwrap()).collect(),
            clusters: ["lkc-a", "lkc-b"].iter().map(|id| id.parse().unwrap()).collect(),
            names: vec!["orders", "orders-eu", "stock"],
        }
    }

    fn resources(&self) -> Vec<Resource<'_>> {
        let mut all = vec![Resource::Organization];
        for environment in &self.environments {
            all.push(Resource::Environment(environment));
            for name in &self.names {
                all.push(Resource::Integration(environment, name));
                all.push(Resource::Connection(environment, name));
            }
            for cluster in &self.clusters {
                all.push(Resource::Cluster(environment, cluster));
                all.extend(self.names.iter().map(|name| Resource::Connector(environment, cluster, name)));
            }
        }
        all
    }
}

fn environment_of<'a>(resource: &Resource<'a>) -> Option<&'a EnvironmentId> {
    match resource {
        Resource::Organization => None,
        Resource::Environment(environment)
        | Resource::Cluster(environment, _)
        | Resource::Connector(environment, ..)
        | Resource::Integration(environment, _)
        | Resource::Connection(environment, _) => Some(environment),
    }
}

/// The table of docs/security.md, said once more in another form.
#[test]
fn each_role_allows_what_its_row_says_and_nothing_else() {
    let (env, lkc): (EnvironmentId, ClusterId) = ("env-a".parse().unwrap(), "lkc-a".parse().unwrap());
    let at = |role: RoleName| match role.levels()[0] {
        Level::Organization => "",
        Level::Environment => "/environment=env-a",
        Level::Cluster => "/environment=env-a/cloud-cluster=lkc-a",
        Level::Connector => "/environment=env-a/cloud-cluster=lkc-a/connector=orders",
        Level::Integration => "/environment=env-a/provider-integration=cspi-1",
        Level::Connection => "/environment=env-a/connection=lake",
    };
    let connector = Resource::Connector(&env, &lkc, "orders");
    let integration = Resource::Integration(&env, "cspi-1");
    // read, status, create, configure, lifecycle, delete, logs of a connector; assign, configure, delete of an integration.
    for (role, of_connector, of_integration) in [
        (RoleName::OrganizationAdmin, "rsclmdg", "acd"),
        (RoleName::EnvironmentAdmin, "rsclmdg", "acd"),
        (RoleName::CloudClusterAdmin, "rsclmdg", ""),
        (RoleName::ResourceOwner, "rsclmdg", ""),
        (RoleName::ConnectManager, "rsmg", ""),
        (RoleName::DeveloperWrite, "rsl", ""),
        (RoleName::DeveloperRead, "rs", ""),
        (RoleName::Operator, "s", ""),
        (RoleName::Assigner, "", "a"),
    ] {
        let rights = rights(&[(role, at(role))]);
        let word = |may: &[(Action, char)], on: &Resource<'_>| -> String {
            may.iter().filter(|(action, _)| rights.may(*action, on)).map(|(_, letter)| letter).collect()
        };
        let connectors =
            [(Read, 'r'), (Status, 's'), (Create, 'c'), (Configure, 'l'), (Lifecycle, 'm'), (Delete, 'd'), (Logs, 'g')];
        assert_eq!(word(&connectors, &connector), of_connector, "{role:?}");
        assert_eq!(word(&[(Assign, 'a'), (Configure, 'c'), (Delete, 'd')], &integration), of_integration, "{role:?}");
    }
    let owner = rights(&[(RoleName::ResourceOwner, "/environment=env-a/provider-integration=cspi-1")]);
    assert!(owner.may(Assign, &integration) && owner.may(Delete, &integration) && !owner.may(Read, &connector));
    let assigner = rights(&[(RoleName::Assigner, "/environment=env-a/provider-integration=cspi-1")]);
    assert!(!assigner.sees(&Resource::Integration(&env, "cspi-2")), "an assigner cannot read others");
}

#[test]
fn places_on_the_way_to_a_right_are_seen_and_nothing_beside_them() {
    let (env, other): (EnvironmentId, EnvironmentId) = ("env-a".parse().unwrap(), "env-b".parse().unwrap());
    let (lkc, there): (ClusterId, ClusterId) = ("lkc-a".parse().unwrap(), "lkc-b".parse().unwrap());
    let reader = rights(&[(RoleName::DeveloperRead, "/environment=env-a/cloud-cluster=lkc-a/connector=orders*")]);
    assert!(reader.sees(&Resource::Environment(&env)) && reader.sees(&Resource::Cluster(&env, &lkc)));
    assert!(!reader.sees(&Resource::Environment(&other)) && !reader.sees(&Resource::Cluster(&env, &there)));
    assert!(reader.sees(&Resource::Connector(&env, &lkc, "orders-eu")));
    assert!(
        !reader.sees(&Resource::Connector(&env, &lkc, "stock")) && !reader.may(Read, &Resource::Cluster(&env, &lkc))
    );
    assert!(!rights(&[]).sees(&Resource::Environment(&env)));
}

#[test]
fn a_key_of_a_cluster_reaches_nothing_else_whoever_owns_it() {
    let world = World::new();
    let (env, lkc) = (&world.environments[0], &world.clusters[0]);
    for rights in [Rights::operator(), rights(&[(RoleName::OrganizationAdmin, "")])] {
        let key = rights.only(env.clone(), lkc.clone());
        for resource in world.resources() {
            for action in ALL {
                let within = match resource {
                    Resource::Connector(e, c, _) => (e, c) == (env, lkc) && *action != Grant,
                    Resource::Cluster(e, c) => (e, c) == (env, lkc) && matches!(action, Read | Status),
                    Resource::Integration(e, _) | Resource::Connection(e, _) => e == env && *action == Assign,
                    Resource::Organization | Resource::Environment(_) => false,
                };
                assert_eq!(key.may(*action, &resource), within, "{action:?} {resource:?}");
            }
        }
        assert!(!key.may_give(RoleName::DeveloperRead, &pattern("/environment=env-a/cloud-cluster=lkc-a/connector=x")));
        assert!(!key.is_admin() && !key.is_some_admin());
    }
}

#[test]
fn nobody_gives_what_they_may_not_give() {
    let owner = rights(&[(RoleName::ResourceOwner, "/environment=env-a/cloud-cluster=lkc-a/connector=orders*")]);
    let below = pattern("/environment=env-a/cloud-cluster=lkc-a/connector=orders-eu");
    assert!(owner.may_give(RoleName::DeveloperRead, &below) && owner.may_give(RoleName::ResourceOwner, &below));
    assert!(!owner.may_give(RoleName::Assigner, &pattern("/environment=env-a/provider-integration=*")));
    assert!(!owner.may_give(RoleName::DeveloperRead, &pattern("/environment=env-a/cloud-cluster=lkc-a/connector=*")));
    let admin = rights(&[(RoleName::EnvironmentAdmin, "/environment=env-a")]);
    assert!(admin.may_give(RoleName::EnvironmentAdmin, &pattern("/environment=env-a")));
    assert!(!admin.may_give(RoleName::EnvironmentAdmin, &pattern("/environment=*")));
    assert!(!admin.may_give(RoleName::OrganizationAdmin, &pattern("")));
    let cluster = rights(&[(RoleName::CloudClusterAdmin, "/environment=env-a/cloud-cluster=lkc-a")]);
    assert!(!cluster.may_give(RoleName::DeveloperRead, &below));
}

fn part(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(names.to_vec()).prop_map(str::to_owned)
}

/// A binding as `create_role_binding` lets them in.
fn binding() -> impl Strategy<Value = (RoleName, String)> {
    let (env, lkc) = (part(&["env-a", "env-b", "*"]), part(&["lkc-a", "lkc-b", "*"]));
    let name = part(&["orders", "orders*", "stock", "*"]);
    (prop::sample::select(RoleName::ALL.to_vec()), env, lkc, name, any::<prop::sample::Index>()).prop_map(
        |(role, env, lkc, name, at)| {
            let tail = match at.get(role.levels()) {
                Level::Organization => String::new(),
                Level::Environment => format!("/environment={env}"),
                Level::Cluster => format!("/environment={env}/cloud-cluster={lkc}"),
                Level::Connector => format!("/environment={env}/cloud-cluster={lkc}/connector={name}"),
                Level::Integration => format!("/environment={env}/provider-integration={name}"),
                Level::Connection => format!("/environment={env}/connection={name}"),
            };
            (role, tail)
        },
    )
}

fn of(bindings: &[(RoleName, String)]) -> Rights {
    Rights::of(bindings.iter().map(|(role, tail)| (*role, pattern(tail))).collect())
}

proptest! {
    #[test]
    fn a_binding_in_one_environment_allows_nothing_in_another(bound in binding()) {
        let world = World::new();
        prop_assume!(bound.1.contains("env-a"));
        let rights = of(&[bound]);
        for resource in world.resources() {
            if environment_of(&resource) != Some(&world.environments[0]) {
                for action in ALL {
                    prop_assert!(!rights.may(*action, &resource), "{action:?} {resource:?}");
                }
                prop_assert!(!rights.sees(&resource) || resource == Resource::Organization, "{resource:?}");
            }
        }
    }

    #[test]
    fn taking_a_binding_away_never_widens(bound in prop::collection::vec(binding(), 1..5), at in any::<prop::sample::Index>()) {
        let world = World::new();
        let mut fewer = bound.clone();
        fewer.remove(at.index(bound.len()));
        let (before, after) = (of(&bound), of(&fewer));
        for resource in world.resources() {
            for action in ALL {
                prop_assert!(before.may(*action, &resource) || !after.may(*action, &resource));
            }
            prop_assert!(before.sees(&resource) || !after.sees(&resource));
        }
    }

    #[test]
    fn what_may_be_done_may_be_seen(bound in prop::collection::vec(binding(), 0..4)) {
        let rights = of(&bound);
        for resource in World::new().resources() {
            let may = ALL.iter().any(|action| rights.may(*action, &resource));
            prop_assert!(!may || rights.sees(&resource), "{resource:?}");
        }
    }

    #[test]
    fn what_is_given_reaches_no_further_than_its_giver(own in prop::collection::vec(binding(), 0..4), given in binding()) {
        let giver = of(&own);
        if giver.may_give(given.0, &pattern(&given.1)) {
            let receiver = of(&[given]);
            for resource in World::new().resources() {
                for action in ALL {
                    prop_assert!(giver.may(*action, &resource) || !receiver.may(*action, &resource), "{action:?} {resource:?}");
                }
            }
        }
    }
}
