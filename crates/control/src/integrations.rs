use std::path::{Path, PathBuf};

use identity::AssumeRole;
use jiff::Timestamp;
use world::Clock;

use crate::integration::read_role;
use crate::store::{self, Store};
use crate::{Error, Integration, IntegrationId, NewIntegration, Proof, Prover};

/// All integrations, in their store. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Integrations {
    store: Store,
    clock: Clock,
}

impl Integrations {
    /// Opens the store at `path`, and makes it if there is none: a SQLite file that only its owner may read.
    pub async fn open(path: impl Into<PathBuf>, clock: Clock) -> Result<Self, Error> {
        Ok(Self { store: Store::open(path.into()).await?, clock })
    }

    /// Opens the store at `path` if there is one: looking is no reason to make it. One that may not be written to can
    /// still be read.
    pub async fn open_existing(path: impl Into<PathBuf>, clock: Clock) -> Result<Self, Error> {
        Ok(Self { store: Store::open_existing(path.into()).await?, clock })
    }

    /// A store that ends with its last handle.
    pub async fn in_memory(clock: Clock) -> Result<Self, Error> {
        Ok(Self { store: Store::in_memory().await?, clock })
    }

    /// Those of a store that is open already.
    pub(crate) fn over(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Where the store is.
    pub fn path(&self) -> &Path {
        self.store.path()
    }

    /// The time now, as the store writes it down.
    pub fn now(&self) -> Timestamp {
        store::now(&self.clock)
    }

    /// Makes an integration, with a name and an external ID that were never given out before.
    pub async fn create(&self, new: NewIntegration) -> Result<Integration, Error> {
        let now = self.now();
        let made = new.check(now)?;
        self.store.with(move |table| put_in(table, made, now)).await
    }

    /// All, of one environment if it is given, oldest first.
    pub async fn list(&self, environment: Option<&str>) -> Result<Vec<Integration>, Error> {
        let environment = environment.map(str::to_owned);
        self.store.read(move |table| store::all(table, environment.as_deref())).await
    }

    /// The one of that name.
    pub async fn get(&self, id: &IntegrationId) -> Result<Integration, Error> {
        let id = id.clone();
        self.store.read(move |table| store::one(table, &id)).await
    }

    /// Gives an integration its role. Another role than it had has to be proven anew.
    pub async fn set_role(&self, id: &IntegrationId, role: &str) -> Result<Integration, Error> {
        let role = read_role(role).map_err(|flaw| Error::Flawed { flaws: vec![flaw] })?;
        self.change(id, move |integration| integration.set_role(role)).await
    }

    /// Issues a new external ID beside the one that is used. The older one is retired a week after the newer one was
    /// proven, or once the role accepts it no more.
    pub async fn rotate(&self, id: &IntegrationId) -> Result<Integration, Error> {
        let now = self.now();
        self.change(id, move |integration| integration.begin_rotation(now)).await
    }

    /// Retires the older external ID now; the newer one must have been proven.
    pub async fn finish_rotation(&self, id: &IntegrationId) -> Result<Integration, Error> {
        let now = self.now();
        self.change(id, move |integration| integration.finish_rotation(now)).await
    }

    /// Tries the role, and writes down what was found.
    pub async fn verify(&self, id: &IntegrationId, prover: &Prover) -> Result<(Integration, Proof), Error> {
        let tried = self.get(id).await?;
        let proof = prover.prove(&tried).await?;
        let (found, revision) = (proof.clone(), tried.revision);
        let integration = self
            .change(id, move |integration| {
                // What was proven may not be what is there now.
                if integration.revision != revision {
                    return Err(Error::Changed { id: integration.id.clone() });
                }
                integration.learn(found);
                Ok(())
            })
            .await?;
        Ok((integration, proof))
    }

    /// Takes an integration away. Its name and its external IDs are never given out again.
    pub async fn delete(&self, id: &IntegrationId) -> Result<(), Error> {
        let (id, now) = (id.clone(), self.now());
        self.store.with(move |table| store::remove(table, &id, now)).await
    }

    /// The role to take on for a connector that names the integration: with the external ID that was proven last. An
    /// integration that is not proven is refused, with the reason.
    pub async fn connection(&self, id: &IntegrationId) -> Result<AssumeRole, Error> {
        self.get(id).await?.connection(self.now())
    }

    async fn change(
        &self,
        id: &IntegrationId,
        change: impl FnOnce(&mut Integration) -> Result<(), Error> + Send + 'static,
    ) -> Result<Integration, Error> {
        let id = id.clone();
        self.store.with(move |table| change_in(table, &id, change)).await
    }

    /// Those that connectors name.
    pub(crate) async fn used(&self) -> Result<Vec<IntegrationId>, Error> {
        let query = "SELECT DISTINCT u.name FROM connector_uses u JOIN integrations i ON i.id = u.name
                     WHERE u.kind = 'integration' AND i.deleted_at IS NULL";
        let read = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        let names = self.store.read(move |table| table.rows(query, [], read)).await?;
        names.iter().map(|name| name.parse()).collect()
    }
}

/// Puts a new integration into the store, with a name and an external ID that were never given out before.
pub(crate) fn put_in(table: &store::Table<'_>, mut made: Integration, now: Timestamp) -> Result<Integration, Error> {
    check_role(table, &made)?;
    while !store::insert(table, &made)? {
        made.id = IntegrationId::random();
        made.external_ids = vec![crate::IssuedId::new(now)];
    }
    store::one(table, &made.id)
}

/// Changes one in the store.
pub(crate) fn change_in(
    table: &store::Table<'_>,
    id: &IntegrationId,
    change: impl FnOnce(&mut Integration) -> Result<(), Error>,
) -> Result<Integration, Error> {
    let mut integration = store::one(table, id)?;
    change(&mut integration)?;
    check_role(table, &integration)?;
    store::save(table, &integration)?;
    store::one(table, id)
}

/// Two integrations of one environment do not share a role: each proves that the role lets in it alone.
fn check_role(table: &store::Table<'_>, integration: &Integration) -> Result<(), Error> {
    let Some(role) = &integration.role else { return Ok(()) };
    match store::role_holder(table, &integration.environment, role.as_str(), &integration.id)? {
        None => Ok(()),
        Some(by) => {
            Err(Error::RoleTaken { role: role.as_str().to_owned(), by, environment: integration.environment.clone() })
        }
    }
}
