use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::{APPLICATION, failed};
use crate::Error;

/// The steps from nothing to the tables of today; each is applied once, and none is ever changed. The file's
/// `user_version` counts those that were.
const STEPS: [&str; 2] = [
    // 1: integrations, their external IDs, their proofs.
    // Nothing is deleted: a name or an external ID that was handed out is never handed out again.
    "CREATE TABLE integrations (
        id           TEXT    NOT NULL PRIMARY KEY,
        environment  TEXT    NOT NULL,
        display_name TEXT    NOT NULL,
        principal    TEXT    NOT NULL,
        role         TEXT,
        state        TEXT    NOT NULL,
        created_at   INTEGER NOT NULL, -- times are milliseconds since 1970 in UTC
        proven_at    INTEGER,
        deleted_at   INTEGER,
        revision     INTEGER NOT NULL
     ) STRICT;
     CREATE UNIQUE INDEX one_role_each ON integrations (environment, role)
        WHERE role IS NOT NULL AND deleted_at IS NULL;
     CREATE TABLE external_ids (
        value       TEXT    NOT NULL PRIMARY KEY COLLATE NOCASE,
        integration TEXT    NOT NULL REFERENCES integrations (id),
        number      INTEGER NOT NULL, -- from 1 in the order of issue
        issued_at   INTEGER NOT NULL,
        proven_at   INTEGER,
        retire_at   INTEGER,
        retired_at  INTEGER,
        UNIQUE (integration, number)
     ) STRICT;
     CREATE TABLE proofs (
        number      INTEGER PRIMARY KEY,
        integration TEXT    NOT NULL REFERENCES integrations (id),
        ended_at    INTEGER NOT NULL,
        proof       TEXT    NOT NULL -- JSON
     ) STRICT;
     CREATE INDEX proofs_by_integration ON proofs (integration, number);",
    include_str!("step2.sql"),
];

fn is_current(connection: &Connection) -> rusqlite::Result<bool> {
    let number = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0));
    Ok((number("PRAGMA application_id")?, number("PRAGMA user_version")?) == (APPLICATION, STEPS.len() as i64))
}

/// Brings the tables up to date.
pub(super) fn migrate(path: &Path, connection: &mut Connection) -> Result<(), Error> {
    let told = |source| failed(path, &source);
    // Nothing to do as a rule: then it may as well be a file that cannot be written to.
    if is_current(connection).map_err(told)? {
        return Ok(());
    }
    // Another process may be about to do the same.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(told)?;
    let number = |query: &str| transaction.query_row(query, [], |row| row.get::<_, i64>(0)).map_err(told);
    let (application, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if application != APPLICATION && (application != 0 || version != 0 || tables != 0) {
        return Err(Error::Foreign { path: path.to_owned() });
    }
    let known = STEPS.len() as i64;
    if version > known {
        return Err(Error::Newer { path: path.to_owned(), found: version, known });
    }
    if version == known {
        return Ok(());
    }
    for step in STEPS.iter().skip(version as usize) {
        transaction.execute_batch(step).map_err(told)?;
    }
    transaction
        .execute_batch(&format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {known};"))
        .map_err(told)?;
    transaction.commit().map_err(told)
}
