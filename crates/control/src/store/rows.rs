use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use super::Table;
use crate::{Error, ExternalId, Integration, IntegrationId, IssuedId, Proof, State};

/// The proofs that are kept of each integration: three months of daily ones.
const PROOFS: i64 = 100;

/// All integrations, of one environment if it is given, oldest first.
pub(crate) fn all(table: &Table<'_>, environment: Option<&str>) -> Result<Vec<Integration>, Error> {
    let query = "SELECT id, environment, display_name, principal, role, state, created_at, proven_at, revision
                 FROM integrations WHERE deleted_at IS NULL AND (?1 IS NULL OR environment = ?1) ORDER BY created_at, id";
    let mut statement = table.transaction.prepare(query).map_err(table.failed())?;
    let rows = statement.query_map([environment], Raw::read).map_err(table.failed())?;
    let read = rows.collect::<Result<Vec<_>, _>>().map_err(table.failed())?;
    read.into_iter().map(|raw| raw.complete(table)).collect()
}

/// The integration of that name.
pub(crate) fn one(table: &Table<'_>, id: &IntegrationId) -> Result<Integration, Error> {
    let query = "SELECT id, environment, display_name, principal, role, state, created_at, proven_at, revision
                 FROM integrations WHERE deleted_at IS NULL AND id = ?1";
    let raw = table.transaction.query_row(query, [id.as_str()], Raw::read).optional().map_err(table.failed())?;
    raw.ok_or_else(|| Error::Unknown { id: id.clone() })?.complete(table)
}

/// Who has `role` in `environment`, if it is not `but`.
pub(crate) fn role_holder(
    table: &Table<'_>,
    environment: &str,
    role: &str,
    but: &IntegrationId,
) -> Result<Option<IntegrationId>, Error> {
    let query = "SELECT id FROM integrations
                 WHERE deleted_at IS NULL AND environment = ?1 AND role = ?2 AND id <> ?3";
    let holder: Option<String> = table
        .transaction
        .query_row(query, params![environment, role, but.as_str()], |row| row.get(0))
        .optional()
        .map_err(table.failed())?;
    holder.map(|id| id.parse()).transpose()
}

/// Puts in a new integration. `false`: its name, or its external ID, was handed out before, and nothing was written.
pub(crate) fn insert(table: &Table<'_>, new: &Integration) -> Result<bool, Error> {
    let taken = "SELECT EXISTS (SELECT 1 FROM integrations WHERE id = ?1)
                     OR EXISTS (SELECT 1 FROM external_ids WHERE value = ?2)";
    let external_id = new.external_ids.first().map(|issued| issued.value.as_str());
    let taken = table.transaction.query_row(taken, params![new.id.as_str(), external_id], |row| row.get(0));
    if taken.map_err(table.failed())? {
        return Ok(false);
    }
    let query = "INSERT INTO integrations
                 (id, environment, display_name, principal, role, state, created_at, proven_at, revision)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1)";
    let values = params![
        new.id.as_str(),
        new.environment,
        new.display_name,
        new.principal.as_str(),
        new.role.as_ref().map(iam::Arn::as_str),
        new.state.name(),
        new.created_at.as_millisecond(),
        new.proven_at.map(Timestamp::as_millisecond),
    ];
    table.transaction.execute(query, values).map_err(table.failed())?;
    save_ids(table, new)?;
    changed(table)?;
    Ok(true)
}

/// Writes a changed integration down, as the next revision of the one that was read.
pub(crate) fn save(table: &Table<'_>, changed: &Integration) -> Result<(), Error> {
    let query = "UPDATE integrations
                 SET display_name = ?3, role = ?4, state = ?5, proven_at = ?6, revision = revision + 1
                 WHERE id = ?1 AND revision = ?2 AND deleted_at IS NULL";
    let values = params![
        changed.id.as_str(),
        changed.revision,
        changed.display_name,
        changed.role.as_ref().map(iam::Arn::as_str),
        changed.state.name(),
        changed.proven_at.map(Timestamp::as_millisecond),
    ];
    if table.transaction.execute(query, values).map_err(table.failed())? != 1 {
        return Err(Error::Changed { id: changed.id.clone() });
    }
    save_ids(table, changed)?;
    self::changed(table)?;
    save_proof(table, changed)
}

/// Takes an integration away. Its name and its external IDs stay taken.
pub(crate) fn remove(table: &Table<'_>, id: &IntegrationId, now: Timestamp) -> Result<(), Error> {
    let users = "SELECT count(*) FROM connector_uses WHERE kind = 'integration' AND name = ?1";
    match table.first(users, [id.as_str()], |row| row.get::<_, i64>(0))?.unwrap_or_default() {
        0 => {}
        count => return Err(Error::InUse { id: id.clone(), count: count as usize }),
    }
    let query = "UPDATE integrations SET deleted_at = ?2, revision = revision + 1 WHERE id = ?1 AND deleted_at IS NULL";
    match table.transaction.execute(query, params![id.as_str(), now.as_millisecond()]).map_err(table.failed())? {
        0 => Err(Error::Unknown { id: id.clone() }),
        _ => changed(table),
    }
}

/// Counts changes of what connectors may name, by whichever process: a plan that was made before one is made again.
pub(crate) fn changed(table: &Table<'_>) -> Result<(), Error> {
    let query = "INSERT INTO settings (name, value) VALUES ('epoch', '1')
                 ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + 1";
    table.write(query, []).map(drop)
}

/// How many of them there were.
pub(crate) fn epoch(table: &Table<'_>) -> Result<u64, Error> {
    let query = "SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'epoch'";
    Ok(table.first(query, [], |row| row.get(0))?.unwrap_or_default())
}

fn save_ids(table: &Table<'_>, integration: &Integration) -> Result<(), Error> {
    // The store's order is that of issue, the integration's the other way round.
    for (at, issued) in integration.external_ids.iter().rev().enumerate() {
        let values = params![
            integration.id.as_str(),
            at as i64 + 1,
            issued.value.as_str(),
            issued.issued_at.as_millisecond(),
            issued.proven_at.map(Timestamp::as_millisecond),
            issued.retire_at.map(Timestamp::as_millisecond),
            issued.retired_at.map(Timestamp::as_millisecond),
        ];
        let update = "UPDATE external_ids SET issued_at = ?4, proven_at = ?5, retire_at = ?6, retired_at = ?7
                      WHERE integration = ?1 AND number = ?2 AND value = ?3";
        if table.transaction.execute(update, values).map_err(table.failed())? == 0 {
            // One that was handed out before is refused by the table's key; 128 drawn bits never meet it.
            let insert = "INSERT INTO external_ids
                          (integration, number, value, issued_at, proven_at, retire_at, retired_at)
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            table.transaction.execute(insert, values).map_err(table.failed())?;
        }
    }
    Ok(())
}

fn save_proof(table: &Table<'_>, integration: &Integration) -> Result<(), Error> {
    let Some(proof) = &integration.last_proof else {
        // Of another role: what was found of it says nothing of this one.
        let query = "DELETE FROM proofs WHERE integration = ?1";
        return table.transaction.execute(query, [integration.id.as_str()]).map(drop).map_err(table.failed());
    };
    let text = serde_json::to_string(proof).expect("a proof is plain data");
    let query = "INSERT INTO proofs (integration, ended_at, proof) SELECT ?1, ?2, ?3
                 WHERE ?3 IS NOT (SELECT proof FROM proofs WHERE integration = ?1 ORDER BY number DESC LIMIT 1)";
    let values = params![integration.id.as_str(), proof.ended_at.as_millisecond(), text];
    table.transaction.execute(query, values).map_err(table.failed())?;
    let query = "DELETE FROM proofs WHERE integration = ?1 AND number <= (
                    SELECT number FROM proofs WHERE integration = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)";
    table.transaction.execute(query, params![integration.id.as_str(), PROOFS]).map(drop).map_err(table.failed())
}

/// A row of integrations.
struct Raw {
    id: String,
    environment: String,
    display_name: String,
    principal: String,
    role: Option<String>,
    state: String,
    created_at: i64,
    proven_at: Option<i64>,
    revision: i64,
}

impl Raw {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            environment: row.get(1)?,
            display_name: row.get(2)?,
            principal: row.get(3)?,
            role: row.get(4)?,
            state: row.get(5)?,
            created_at: row.get(6)?,
            proven_at: row.get(7)?,
            revision: row.get(8)?,
        })
    }

    fn complete(self, table: &Table<'_>) -> Result<Integration, Error> {
        let id = self.id.clone();
        let damaged = |what: &str, reason: String| Error::Damaged {
            path: table.path.to_owned(),
            what: format!("{what} of {id}"),
            reason,
        };
        let arn =
            |what: &'static str, text: &str| text.parse::<iam::Arn>().map_err(|error| damaged(what, error.to_string()));
        let last_proof = last_proof(table, &self.id)?
            .map(|text| serde_json::from_str::<Proof>(&text).map_err(|error| damaged("a proof", error.to_string())))
            .transpose()?;
        let unknown = || damaged("the state", format!("{:?} is none", self.state));
        Ok(Integration {
            id: self.id.parse()?,
            display_name: self.display_name,
            environment: self.environment,
            principal: arn("the principal", &self.principal)?,
            role: self.role.as_deref().map(|role| arn("the role", role)).transpose()?,
            state: State::read(&self.state).ok_or_else(unknown)?,
            external_ids: external_ids(table, &self.id)?,
            created_at: time(self.created_at),
            proven_at: self.proven_at.map(time),
            last_proof,
            revision: self.revision,
        })
    }
}

fn external_ids(table: &Table<'_>, id: &str) -> Result<Vec<IssuedId>, Error> {
    let query = "SELECT value, issued_at, proven_at, retire_at, retired_at FROM external_ids
                 WHERE integration = ?1 ORDER BY number DESC";
    let mut statement = table.transaction.prepare(query).map_err(table.failed())?;
    let read = |row: &Row<'_>| {
        let maybe = |at: usize| row.get::<_, Option<i64>>(at).map(|millis| millis.map(time));
        Ok(IssuedId {
            value: ExternalId::stored(row.get(0)?),
            issued_at: time(row.get(1)?),
            proven_at: maybe(2)?,
            retire_at: maybe(3)?,
            retired_at: maybe(4)?,
        })
    };
    let rows = statement.query_map([id], read).map_err(table.failed())?;
    rows.collect::<Result<_, _>>().map_err(table.failed())
}

fn last_proof(table: &Table<'_>, id: &str) -> Result<Option<String>, Error> {
    let query = "SELECT proof FROM proofs WHERE integration = ?1 ORDER BY number DESC LIMIT 1";
    table.transaction.query_row(query, [id], |row| row.get(0)).optional().map_err(table.failed())
}

/// Out of range only in a file that was tampered with; a time before all others then does the least harm: nothing counts
/// as proven lately.
fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MIN)
}
