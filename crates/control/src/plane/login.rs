use jiff::Timestamp;
use rusqlite::params;
use world::Secret;

use super::accounts::read_user;
use super::gate::{Deed, line};
use super::settings::Openness;
use super::tokens::{drawn, is_same, login_token, print_of};
use super::{ControlPlane, Refusal, User};
use crate::{Caller, ClusterId, Credentials, Origin, Principal, UserId};

/// A login.
#[derive(Debug, Clone)]
pub struct Login {
    /// Three parts of base64url as a JWT has, with `exp`; we look it up, and believe nothing that it says.
    pub token: Secret,
    /// Gets the next one.
    pub refresh_token: Secret,
    /// Who.
    pub user: User,
    /// When the token ends.
    pub expires_at: Timestamp,
}

/// A token lives as long as a role's session does by default.
const TOKEN: i64 = 3_600_000;
/// A working day; then the password is asked for again.
const LOGIN: i64 = 8 * 3_600_000;
/// Of one user at once; the oldest go. Nobody has so many clients.
const LOGINS: i64 = 100;

impl ControlPlane {
    /// Who shows `credentials`. Takes the same time whether the user exists or not.
    pub async fn authenticate(&self, credentials: Credentials, origin: Origin) -> Result<Caller, Refusal> {
        match credentials {
            Credentials::None => self.nobody(origin).await,
            Credentials::Bearer(token) => self.by_token(&token, origin).await,
            Credentials::Basic { user, password } if is_key(&user) => self.by_key(user, &password, origin).await,
            Credentials::Basic { user, password } => {
                let found = self.by_password(&user, &password, &origin).await?;
                Ok(Caller { principal: Principal::User(found.id), only_cluster: None, origin })
            }
        }
    }

    /// Whoever shows nothing.
    async fn nobody(&self, origin: Origin) -> Result<Caller, Refusal> {
        let is_open = match self.0.settings.open {
            Openness::Closed => false,
            Openness::Always => true,
            Openness::WhileEmpty => self.0.store.read(is_empty).await?,
        };
        let caller = Caller { principal: Principal::Operator, only_cluster: None, origin };
        if is_open { Ok(caller) } else { Err(Refusal::Unauthenticated) }
    }

    async fn by_token(&self, token: &Secret, origin: Origin) -> Result<Caller, Refusal> {
        let (print, now) = (print_of(token.expose()), self.now());
        let query = "SELECT user FROM logins WHERE token = ?1 AND expires_at > ?2";
        let read = move |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        let found = self.0.store.read(move |table| table.first(query, params![print, now], read)).await?;
        let user: UserId = found.and_then(|id| id.parse().ok()).ok_or(Refusal::Unauthenticated)?;
        Ok(Caller { principal: Principal::User(user), only_cluster: None, origin })
    }

    async fn by_key(&self, id: String, secret: &Secret, origin: Origin) -> Result<Caller, Refusal> {
        let query = "SELECT secret, owner, cluster FROM api_keys WHERE id = ?1";
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
        };
        let found = self.0.store.read(move |table| table.first(query, [id], read)).await?;
        let given = print_of(secret.expose());
        // A key that is not there is compared, too.
        let stored = found.as_ref().map_or_else(|| vec![0; 32], |(stored, ..)| stored.clone());
        let is_right = is_same(&stored, &given);
        let (_, owner, cluster) = found.filter(|_| is_right).ok_or(Refusal::Unauthenticated)?;
        let principal = owner.parse().map_err(|_| Refusal::Unauthenticated)?;
        let only_cluster: Option<ClusterId> =
            cluster.map(|id| id.parse()).transpose().map_err(|_| Refusal::Unauthenticated)?;
        Ok(Caller { principal, only_cluster, origin })
    }

    /// The user of that address, if the password is theirs.
    async fn by_password(&self, email: &str, password: &Secret, origin: &Origin) -> Result<User, Refusal> {
        let login = email.trim().to_lowercase();
        if let Some(wait) = self.0.attempts.wait(&login, origin.address) {
            tracing::debug!(wait = wait.as_secs(), "a login is told to wait");
            return Err(Refusal::Busy {
                kind: "login",
                id: "of this account".to_owned(),
                doing: "it has failed too often, and is tried again in a minute at most",
            });
        }
        let key = login.clone();
        let query = "SELECT id, number, email, full_name, created_at, password FROM users WHERE login = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((read_user(row)?, row.get::<_, String>(5)?));
        let found = self.0.store.read(move |table| table.first(query, [key], read)).await?;
        let hash = found.as_ref().map(|(_, hash)| hash.as_str());
        let is_right = self.0.passwords.check(hash, password).await?;
        if let Some((user, _)) = found.filter(|_| is_right) {
            self.0.attempts.succeeded(&login, origin.address);
            return Ok(user);
        }
        self.0.attempts.failed(&login, origin.address);
        self.note_login("login.fail", &login, "control.unauthenticated", origin).await?;
        Err(Refusal::Unauthenticated)
    }

    async fn note_login(
        &self,
        action: &'static str,
        who: &str,
        code: &'static str,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let (deed, origin, now) = (Deed::new(action, format!("user {who}")), origin.clone(), self.now());
        let address = origin.address.map(|address| address.to_string());
        self.0
            .store
            .with(move |table| {
                Ok(line(table, now, "nobody", &deed, address.as_deref(), origin.surface, &origin.request_id, code)?)
            })
            .await
    }

    /// Logs a person in.
    pub async fn login(&self, email: &str, password: &Secret, origin: Origin) -> Result<Login, Refusal> {
        let user = self.by_password(email, password, &origin).await?;
        let now = self.now();
        let (made, token) = Made::new(user, now);
        let caller = Caller { principal: Principal::User(made.user.id.clone()), only_cluster: None, origin };
        let deed = Deed::new("login.create", format!("user {}", made.user.email));
        let user = made.user.id.clone();
        self.change(&caller, deed, move |at, _| {
            // They may have been shut out while the password was checked.
            if !at.table.has("SELECT 1 FROM users WHERE id = ?1", [user.as_str()])? {
                return Err(Refusal::Unauthenticated);
            }
            let query = "INSERT INTO logins (user, token, refresh, expires_at, ends_at) VALUES (?1, ?2, ?3, ?4, ?5)";
            at.table.write(query, params![user.as_str(), token.0, token.1, now + TOKEN, now + LOGIN])?;
            let query = "DELETE FROM logins WHERE user = ?1 AND (ends_at <= ?2 OR number <= (
                            SELECT number FROM logins WHERE user = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?3))";
            at.table.write(query, params![user.as_str(), now, LOGINS])?;
            Ok(())
        })
        .await?;
        Ok(made)
    }

    /// The next token for a refresh token, which is used up. One that is shown twice was stolen: its login ends.
    pub async fn refresh(&self, refresh_token: &Secret, origin: Origin) -> Result<Login, Refusal> {
        let (print, now) = (print_of(refresh_token.expose()), self.now());
        let query = "SELECT l.number, l.ends_at, u.id, u.number, u.email, u.full_name, u.created_at
                     FROM logins l JOIN users u ON u.id = l.user WHERE l.refresh = ?1 AND l.ends_at > ?2";
        let find = move |table: &crate::store::Table<'_>| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, super::accounts::read_user_at(row, 2)?))
            };
            table.first(query, params![print, now], read)
        };
        let origin_of = origin.clone();
        let refreshed = self.0.store.with(move |table| {
            let Some((number, ends_at, user)) = find(table)? else {
                if table.write("DELETE FROM logins WHERE used = ?1", [print])? > 0 {
                    let deed = Deed::new("login.delete", "a login whose refresh token was shown twice");
                    let address = origin_of.address.map(|address| address.to_string());
                    let (surface, id) = (origin_of.surface, &origin_of.request_id);
                    line(table, now, "Tidegate", &deed, address.as_deref(), surface, id, "done")?;
                }
                return Ok::<_, Refusal>(None);
            };
            let (made, token) = Made::new(user, now);
            let expires_at = (now + TOKEN).min(ends_at);
            let query = "UPDATE logins SET token = ?2, refresh = ?3, used = ?4, expires_at = ?5 WHERE number = ?1";
            table.write(query, params![number, token.0, token.1, print, expires_at])?;
            Ok(Some(made))
        });
        refreshed.await?.ok_or(Refusal::Unauthenticated)
    }

    /// Ends the login of `token`.
    pub async fn logout(&self, token: &Secret, origin: Origin) -> Result<(), Refusal> {
        let caller = self.by_token(token, origin).await?;
        let print = print_of(token.expose());
        let deed = Deed::new("login.delete", caller.principal.to_string());
        self.change(&caller, deed, move |at, _| {
            Ok(at.table.write("DELETE FROM logins WHERE token = ?1", [print]).map(drop)?)
        })
        .await
    }
}

struct Made;

impl Made {
    #[expect(clippy::new_ret_no_self, reason = "a login, and what is kept of it")]
    fn new(user: User, now: i64) -> (Login, ([u8; 32], [u8; 32])) {
        let token = login_token(user.id.as_str(), now, now + TOKEN);
        let refresh_token = Secret::new(format!("v1.{}", drawn::<32>()));
        let prints = (print_of(token.expose()), print_of(refresh_token.expose()));
        let expires_at = super::time(now + TOKEN);
        (Login { token, refresh_token, user, expires_at }, prints)
    }
}

/// Whether it has the form of an API key. Addresses have an `@`.
fn is_key(user: &str) -> bool {
    user.len() == 16 && user.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Whether nobody can show any credentials yet.
pub(crate) fn is_empty(table: &crate::store::Table<'_>) -> Result<bool, Refusal> {
    Ok(!table.has("SELECT 1 FROM users UNION ALL SELECT 1 FROM api_keys LIMIT 1", [])?)
}
