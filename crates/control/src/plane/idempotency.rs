use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rusqlite::params;
use world::Secret;

use super::{ControlPlane, Refusal};
use crate::Caller;

/// What is known of a request that carries an idempotency key.
#[derive(Debug)]
pub enum Recalled {
    /// Nothing: it is to be done now, and [`ControlPlane::keep_answer`] follows.
    New,
    /// It was done, and this was the answer.
    Answer(Secret),
    /// The key was used for another request.
    Other,
}

/// How many answers are kept, and how long one may be: what clients send cannot fill the disk.
const MOST: u32 = 4096;
const LONGEST: usize = 64 << 10;

impl ControlPlane {
    /// How long an answer is kept: longer than any client goes on trying.
    pub const ANSWERS_KEPT: Duration = Duration::from_hours(1);

    /// Looks whether a request was answered before; `request` is a hash of all that it asks for.
    ///
    /// # Errors
    /// The store fails.
    pub async fn recall(&self, caller: &Caller, key: &str, request: [u8; 32]) -> Result<Recalled, Refusal> {
        let (principal, key) = name(caller, key);
        let place = place(&principal, &key);
        let since = self.now() - KEPT;
        let kept = self.0.store.read(move |table| {
            let query = "SELECT request, answer FROM idempotency WHERE principal = ?1 AND key = ?2 AND at > ?3";
            let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<String>>(1)?));
            Ok::<_, Refusal>(table.first(query, params![principal, key, since], read)?)
        });
        let Some((before, Some(answer))) = kept.await? else { return Ok(Recalled::New) };
        let open = |sealed: &str| self.0.vault.unseal(&place, sealed);
        let before = std::str::from_utf8(&before).ok().and_then(open);
        // What cannot be opened was sealed with a key that is gone, and helps nobody.
        let (Some(before), Some(answer)) = (before, open(&answer)) else { return Ok(Recalled::New) };
        let is_same = before.expose() == BASE64_STANDARD.encode(request);
        Ok(if is_same { Recalled::Answer(answer) } else { Recalled::Other })
    }

    /// Keeps the answer to a request that [`ControlPlane::recall`] called new; one that is very long is not. Both are
    /// sealed, for the hash of a request with a password in it would tell whoever has the store when they guess it.
    ///
    /// # Errors
    /// The store fails.
    pub async fn keep_answer(
        &self,
        caller: &Caller,
        key: &str,
        request: [u8; 32],
        answer: &str,
    ) -> Result<(), Refusal> {
        if answer.len() > LONGEST {
            return Ok(());
        }
        let ((principal, key), now) = (name(caller, key), self.now());
        let place = place(&principal, &key);
        let request = self.0.vault.seal(&place, &BASE64_STANDARD.encode(request)).into_bytes();
        let answer = self.0.vault.seal(&place, answer);
        self.0
            .store
            .with(move |table| {
                let query =
                    "INSERT OR REPLACE INTO idempotency (principal, key, request, answer, at) VALUES (?1, ?2, ?3, ?4, ?5)";
                table.write(query, params![principal, key, request, answer, now])?;
                let query = "DELETE FROM idempotency WHERE (principal, key) IN
                    (SELECT principal, key FROM idempotency ORDER BY at DESC LIMIT -1 OFFSET ?1)";
                Ok(table.write(query, [MOST]).map(drop)?)
            })
            .await
    }
}

/// Whose key it is, and the key: others' keys are other keys, and so are those of a caller who sees another cluster.
fn name(caller: &Caller, key: &str) -> (String, String) {
    let cluster = caller.only_cluster.as_ref().map_or("", |cluster| cluster.as_str());
    (caller.principal.to_string(), format!("{cluster} {key}"))
}

fn place(principal: &str, key: &str) -> String {
    format!("idempotency/{principal}/{key}")
}

/// [`ControlPlane::ANSWERS_KEPT`], as the store has it.
pub(crate) const KEPT: i64 = 3_600_000;
