use rusqlite::params;

use super::{ControlPlane, Refusal};
use crate::Caller;

/// What is known of a request that carries an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recalled {
    /// Nothing: it is to be done now, and [`ControlPlane::keep_answer`] or [`ControlPlane::forget_request`] follows.
    New,
    /// It was done, and this was the answer.
    Answer(String),
}

/// RFC draft `idempotency-key-header`: a client makes one of 255 characters at most.
const LONGEST: usize = 255;

impl ControlPlane {
    /// Looks whether a request was made before; `request` is a hash of all that it asks for. It is remembered for 24 hours.
    ///
    /// # Errors
    /// The key was used for another request ([`Refusal::Flawed`]), or its request is still being done
    /// ([`Refusal::Busy`]).
    pub async fn recall(&self, caller: &Caller, key: &str, request: [u8; 32]) -> Result<Recalled, Refusal> {
        let flawed = |rule: &str| Refusal::Flawed {
            field: "Idempotency-Key".to_owned(),
            value: key.chars().take(80).collect(),
            rule: rule.to_owned(),
        };
        if key.is_empty() || key.len() > LONGEST || key.chars().any(char::is_control) {
            return Err(flawed("must have 1 to 255 characters, none of them a control character"));
        }
        let other = flawed("was used for another request in the last 24 hours: make a new one");
        let (principal, key, now) = (caller.principal.to_string(), key.to_owned(), self.now());
        self.0
            .store
            .with(move |table| {
                let query = "SELECT request, answer FROM idempotency WHERE principal = ?1 AND key = ?2 AND at > ?3";
                let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<String>>(1)?));
                match table.first(query, params![principal, key, now - DAY], read)? {
                    Some((before, _)) if before != request => Err(other),
                    Some((_, Some(answer))) => Ok(Recalled::Answer(answer)),
                    Some((_, None)) => {
                        Err(Refusal::Busy { kind: "request", id: key, doing: "the same one is being answered" })
                    }
                    None => {
                        let query =
                            "INSERT OR REPLACE INTO idempotency (principal, key, request, at) VALUES (?1, ?2, ?3, ?4)";
                        table.write(query, params![principal, key, request, now])?;
                        Ok(Recalled::New)
                    }
                }
            })
            .await
    }

    /// Keeps the answer to a request that [`ControlPlane::recall`] called new. It must hold no secret that is shown once.
    pub async fn keep_answer(&self, caller: &Caller, key: &str, answer: &str) -> Result<(), Refusal> {
        let (principal, key, answer) = (caller.principal.to_string(), key.to_owned(), answer.to_owned());
        let query = "UPDATE idempotency SET answer = ?3 WHERE principal = ?1 AND key = ?2 AND answer IS NULL";
        self.0.store.with(move |table| Ok(table.write(query, [principal, key, answer]).map(drop)?)).await
    }

    /// Forgets a request that was not done: it may be made again with the same key.
    pub async fn forget_request(&self, caller: &Caller, key: &str) -> Result<(), Refusal> {
        let (principal, key) = (caller.principal.to_string(), key.to_owned());
        let query = "DELETE FROM idempotency WHERE principal = ?1 AND key = ?2 AND answer IS NULL";
        self.0.store.with(move |table| Ok(table.write(query, [principal, key]).map(drop)?)).await
    }
}

pub(crate) const DAY: i64 = 24 * 3_600_000;
