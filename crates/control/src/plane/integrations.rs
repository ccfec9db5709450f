use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::crn::{Resource, crn};
use super::gate::{At, Deed};
use super::kept_connector::KeptConnector;
use super::rights::Action;
use super::{ControlPlane, Page, Refusal, time};
use crate::integration::{NewIntegration, is_older, read_role};
use crate::integrations::{change_in, put_in};
use crate::{Caller, EnvironmentId, Error, Integration, IntegrationId, Patience, Proof, Verdict, store};

/// The environment that `tidegate integration` puts its own in, which has no id: it is the operator's.
pub(crate) const BEFORE_SERVE: &str = "default";

/// How long a refused role is tried for a client that will ask again.
const SHORT: Duration = Duration::from_secs(5);

/// An integration, and the connectors that use it.
#[derive(Debug, Clone)]
pub struct IntegrationUse {
    /// The integration.
    pub integration: Integration,
    /// The resource names (CRN) of its users, of those that the caller may see.
    pub usages: Vec<String>,
}

/// An integration to be made.
#[derive(Debug, Clone)]
pub struct NewTrust {
    /// Whose it is.
    pub environment: EnvironmentId,
    /// What people call it.
    pub display_name: String,
    /// The customer's role, if there is one already.
    pub role: Option<String>,
}

fn may_create(at: &At<'_>, environment: &EnvironmentId) -> Result<(), Refusal> {
    // It has no id yet that rights could name: who may make one may make any.
    if at.may(Action::Create, &Resource::Integration(environment, "any")) {
        return Ok(());
    }
    Err(at.forbidden("create", format!("integrations of {environment}")))
}

fn no_integration(id: &IntegrationId) -> Refusal {
    Refusal::NotFound { kind: "integration", id: id.to_string() }
}

/// As the audit log keeps it: what the last proof has found is long, and kept elsewhere.
fn told(integration: &Integration) -> Value {
    let ids: Vec<&str> = integration.external_ids.iter().map(|issued| issued.value.as_str()).collect();
    json!({
        "id": integration.id,
        "display_name": integration.display_name,
        "role": integration.role.as_ref().map(iam::Arn::as_str),
        "state": integration.state,
        "external_ids": ids,
    })
}

impl At<'_> {
    /// One that the caller may know of.
    fn integration(
        &self,
        plane: &ControlPlane,
        environment: &EnvironmentId,
        id: &IntegrationId,
    ) -> Result<Integration, Refusal> {
        self.environment(environment)?;
        let found = match store::one(self.table, id) {
            Ok(found) => found,
            Err(Error::Unknown { .. }) => return Err(no_integration(id)),
            Err(error) => return Err(error.into()),
        };
        let is_here = plane.environment_of(&found) == environment.as_str();
        if is_here && self.sees(&Resource::Integration(environment, id.as_str())) {
            return Ok(found);
        }
        Err(no_integration(id))
    }

    /// With its users, of those that the caller may see.
    fn used(&self, environment: &EnvironmentId, integration: Integration) -> Result<IntegrationUse, Refusal> {
        let users = KeptConnector::that_use(self.table, environment, "integration", integration.id.as_str())?;
        let seen = users.iter().filter(|user| self.sees(&user.resource()));
        let usages = seen.map(|user| crn(self.organization, &user.resource())).collect();
        Ok(IntegrationUse { integration, usages })
    }
}

impl ControlPlane {
    /// The environment of an integration: those that were made before there was one are the operator's.
    fn environment_of<'a>(&'a self, integration: &'a Integration) -> &'a str {
        match integration.environment.as_str() {
            BEFORE_SERVE => self.0.own.as_str(),
            environment => environment,
        }
    }

    /// Who Tidegate is to customers.
    async fn principal(&self) -> Result<String, Refusal> {
        if let Some(principal) = &self.0.settings.principal {
            return Ok(principal.clone());
        }
        let asked = self.0.principal.get_or_try_init(|| async {
            let what = || "could not ask AWS who Tidegate is".to_owned();
            let caller =
                self.prover()?.caller().await.map_err(|cause| Refusal::Remote { what: what(), cause: cause.into() })?;
            let principal = crate::principal_of(&caller.arn).ok_or_else(|| Refusal::Flawed {
                field: "principal".to_owned(),
                value: caller.arn.clone(),
                rule:
                    "is neither a role nor a user, and AWS says that Tidegate is that: start serve with --principal ARN"
                        .to_owned(),
            })?;
            Ok::<_, Refusal>(principal.as_str().to_owned())
        });
        asked.await.cloned()
    }

    /// Changes one, and tells who uses it.
    async fn change_integration(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        id: &IntegrationId,
        action: &'static str,
        change: impl FnOnce(&mut Integration, Timestamp) -> Result<(), Error> + Send + 'static,
    ) -> Result<IntegrationUse, Refusal> {
        let (plane, environment, id) = (self.clone(), environment.clone(), id.clone());
        let deed = Deed::new(action, format!("integration {id}")).within(&environment);
        self.change(caller, deed, move |at, deed| {
            let before = at.integration(&plane, &environment, &id)?;
            at.require(Action::Configure, "change", &Resource::Integration(&environment, id.as_str()))?;
            deed.before = Some(told(&before));
            let now = time(at.now);
            let changed = change_in(at.table, &id, |integration| change(integration, now))?;
            if before.role != changed.role {
                // Connectors go over to the new role once it is proven.
                let query = "UPDATE connectors SET config_revision = config_revision + 1
                             WHERE id IN (SELECT connector FROM connector_uses WHERE kind = 'integration' AND name = ?1)";
                at.table.write(query, [id.as_str()])?;
            }
            deed.after = Some(told(&changed));
            at.used(&environment, changed)
        })
        .await
    }

    /// Plans those connectors anew that could not be planned while an integration could not be used, or had another role.
    async fn replan_users(&self, environment: &EnvironmentId, id: &IntegrationId) -> Result<(), Refusal> {
        let (environment, id) = (environment.clone(), id.clone());
        let users = self.0.store.read(move |table| {
            Ok::<_, Refusal>(KeptConnector::that_use(table, &environment, "integration", id.as_str())?)
        });
        for user in users.await? {
            self.replan(&user.id).await?;
        }
        Ok(())
    }

    /// Those of an environment that the caller may see, oldest first; `page` as the last answer gave it.
    pub async fn integrations(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        page: Option<&str>,
        size: usize,
    ) -> Result<Page<IntegrationUse>, Refusal> {
        let (plane, environment) = (self.clone(), environment.clone());
        let page = page.map(str::to_owned);
        self.look(caller, move |at| {
            at.environment(&environment)?;
            let mut all = store::all(at.table, Some(environment.as_str()))?;
            if environment == plane.0.own {
                all.extend(store::all(at.table, Some(BEFORE_SERVE))?);
                all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
            }
            all.retain(|one| at.sees(&Resource::Integration(&environment, one.id.as_str())));
            let Page { items, next, total } = Page::cut(all, page.as_deref(), size, |one| one.id.to_string())?;
            let items = items.into_iter().map(|one| at.used(&environment, one)).collect::<Result<_, _>>()?;
            Ok(Page { items, next, total })
        })
        .await
    }

    /// One.
    pub async fn integration(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        id: &IntegrationId,
    ) -> Result<IntegrationUse, Refusal> {
        let (plane, environment, id) = (self.clone(), environment.clone(), id.clone());
        self.look(caller, move |at| {
            let found = at.integration(&plane, &environment, &id)?;
            at.used(&environment, found)
        })
        .await
    }

    /// Makes one, up to the quota.
    pub async fn create_integration(&self, caller: &Caller, new: NewTrust) -> Result<IntegrationUse, Refusal> {
        let deed =
            Deed::new("integration.create", format!("integration {}", new.display_name)).within(&new.environment);
        let home = new.environment.clone();
        let allowed = self.look(caller, move |at| {
            at.environment(&home)?;
            may_create(at, &home)
        });
        // AWS is asked only for who may make one.
        let principal = match allowed.await {
            Ok(()) => self.principal().await,
            Err(refusal) => Err(refusal),
        };
        let plane = self.clone();
        self.change(caller, deed, move |at, deed| {
            let principal = principal?;
            at.environment(&new.environment)?;
            may_create(at, &new.environment)?;
            let asked = NewIntegration {
                display_name: new.display_name,
                environment: new.environment.to_string(),
                principal,
                role: new.role,
            };
            let made = asked.check(time(at.now))?;
            let limit = plane.0.settings.integrations_per_organization;
            let count = "SELECT count(*) FROM integrations WHERE deleted_at IS NULL";
            if at.table.first(count, [], |row| row.get::<_, u64>(0))?.unwrap_or_default() >= limit as u64 {
                return Err(Refusal::Quota { kind: "Provider integrations", limit, per: "organization" });
            }
            let made = put_in(at.table, made, time(at.now))?;
            at.table.write("INSERT OR IGNORE INTO given_ids (id) VALUES (?1)", [made.id.as_str()])?;
            deed.after = Some(told(&made));
            at.used(&new.environment, made)
        })
        .await
    }

    /// Gives it its role.
    pub async fn set_integration_role(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        id: &IntegrationId,
        role: &str,
    ) -> Result<IntegrationUse, Refusal> {
        let role = read_role(role).map_err(|flaw| Refusal::Store(Error::Flawed { flaws: vec![flaw] }));
        let set = move |integration: &mut Integration, _| match role {
            Ok(role) => integration.set_role(role),
            Err(Refusal::Store(error)) => Err(error),
            Err(_) => Err(Error::Abandoned),
        };
        self.change_integration(caller, environment, id, "integration.set-role", set).await
    }

    /// Proves it now; with `at_most` (clients that ask at every turn) a good proof of that age will do, and what is refused
    /// is not tried for long.
    pub async fn verify_integration(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        id: &IntegrationId,
        at_most: Option<std::time::Duration>,
    ) -> Result<(IntegrationUse, Option<Proof>), Refusal> {
        let (plane, caller) = (self.clone(), caller.clone());
        let (environment, id) = (environment.clone(), id.clone());
        self.detached(async move {
            let before = plane.integration(&caller, &environment, &id).await?;
            let last = before.integration.last_proof.as_ref();
            let now = store::now(&plane.0.settings.clock);
            if let (Some(age), Some(last)) = (at_most, last)
                // What was wrong may have been mended since.
                && last.verdict == Verdict::Proven
                && !is_older(Some(last.ended_at), now, age)
            {
                let last = last.clone();
                return Ok((before, Some(last)));
            }
            let mut deed = Deed::new("integration.verify", format!("integration {id}")).within(&environment);
            deed.before = Some(told(&before.integration));
            let proven = match (plane.prover(), plane.0.proofs.try_acquire()) {
                (Err(refusal), _) => Err(refusal),
                (Ok(_), Err(_)) => {
                    let doing = "too many integrations are being proven";
                    Err(Refusal::Busy { kind: "integration", id: id.to_string(), doing })
                }
                (Ok(prover), Ok(_permit)) => {
                    // Who asks at every turn comes back by itself, and is not kept waiting for a policy to spread.
                    let prover = match at_most {
                        Some(_) => prover.with_patience(Patience { propagation: SHORT, ..Patience::default() }),
                        None => prover,
                    };
                    Ok(plane.0.integrations.verify(&id, &prover).await?)
                }
            };
            if let Ok((integration, _)) = &proven {
                deed.after = Some(told(integration));
            }
            plane.note(&caller, deed, proven.as_ref().map_or_else(fault::Diagnose::code, |_| "done")).await?;
            let (integration, proof) = proven?;
            if integration.state != before.integration.state || integration.state == crate::State::Proven {
                plane.replan_users(&environment, &id).await?;
            }
            Ok((IntegrationUse { integration, usages: before.usages }, Some(proof)))
        })
        .await
    }

    /// Issues another external ID beside the one in use, or (`finish`) retires the older one.
    pub async fn rotate_integration(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        id: &IntegrationId,
        finish: bool,
    ) -> Result<IntegrationUse, Refusal> {
        let action = if finish { "integration.rotate-finish" } else { "integration.rotate" };
        let rotate = move |integration: &mut Integration, now| {
            if finish { integration.finish_rotation(now) } else { integration.begin_rotation(now) }
        };
        self.change_integration(caller, environment, id, action, rotate).await
    }

    /// Takes away one that no connector uses.
    pub async fn delete_integration(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        id: &IntegrationId,
    ) -> Result<(), Refusal> {
        let (plane, environment, id) = (self.clone(), environment.clone(), id.clone());
        let deed = Deed::new("integration.delete", format!("integration {id}")).within(&environment);
        self.change(caller, deed, move |at, deed| {
            let before = at.integration(&plane, &environment, &id)?;
            at.require(Action::Delete, "delete", &Resource::Integration(&environment, id.as_str()))?;
            let users = KeptConnector::that_use(at.table, &environment, "integration", id.as_str())?;
            if !users.is_empty() {
                let users = at.told_users(&users);
                return Err(Refusal::InUse { kind: "integration", id: id.to_string(), users });
            }
            deed.before = Some(told(&before));
            Ok(store::remove(at.table, &id, time(at.now))?)
        })
        .await
    }
}
