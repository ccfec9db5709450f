use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use iam::AccountId;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use world::Secret;

/// What a session token says. The token carries it all, signed by us, so that sessions need no table and outlive a
/// restart.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) key_id: String,
    /// The role's account, name and unique id.
    pub(super) account: String,
    pub(super) role: String,
    pub(super) role_id: String,
    pub(super) name: String,
    /// The user whose session it is (GetSessionToken); `role` is empty then, and `role_id` is the user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    /// The account of who took the role on, if it is another one: a region that this one has not opted in to does not take
    /// the session either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) taken_by: Option<String>,
    /// Whether the global endpoint of STS gave it out: then it is a token of version 1, which regions that one has to opt in
    /// to do not take.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_global: bool,
    /// Seconds since 1970.
    pub(super) issued: u64,
    pub(super) expires: u64,
    /// The session policy's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<String>,
    /// ARNs of managed policies that are session policies too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) policy_arns: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) tags: BTreeMap<String, String>,
    /// Which of the tags go on to the next session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) transitive: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source_identity: Option<String>,
}

impl Session {
    pub(super) fn issued_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.issued)
    }

    pub(super) fn expires_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.expires)
    }
}

/// A session as STS hands it out.
#[derive(Debug)]
pub(super) struct Minted {
    pub(super) session: Session,
    pub(super) secret: Secret,
    pub(super) token: Secret,
}

/// Makes sessions and reads their tokens.
pub(super) struct Mint {
    key: [u8; 32],
    /// Sessions that the fault plane ended early, until they would have ended by themselves.
    revoked: Mutex<HashMap<String, SystemTime>>,
}

impl Mint {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self { key, revoked: Mutex::default() }
    }

    /// Makes a session that ends after `duration`; whole seconds, as AWS's do. The key id and the times in `session`
    /// are set here.
    pub(super) fn mint(&self, session: Session, account: AccountId, now: SystemTime, duration: Duration) -> Minted {
        let issued = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let session =
            Session { key_id: key_id("ASIA", account), issued, expires: issued + duration.as_secs(), ..session };
        let body = serde_json::to_vec(&session).expect("a session is plain data");
        let token = format!("{}.{}", URL_SAFE_NO_PAD.encode(&body), URL_SAFE_NO_PAD.encode(self.mac(b"token", &body)));
        let secret = self.secret_of(&session.key_id);
        Minted { secret, token: Secret::new(token), session }
    }

    /// Reads a token that this mint has made; `None` for any other. Whether it has expired is not looked at.
    pub(super) fn read(&self, token: &str) -> Option<Session> {
        let (body, mac) = token.split_once('.')?;
        let (body, mac) = (URL_SAFE_NO_PAD.decode(body).ok()?, URL_SAFE_NO_PAD.decode(mac).ok()?);
        self.start_mac(b"token", &body).verify_slice(&mac).ok()?;
        serde_json::from_slice(&body).ok()
    }

    /// The secret key of a session; 40 characters, as AWS's are.
    pub(super) fn secret_of(&self, key_id: &str) -> Secret {
        Secret::new(&STANDARD.encode(self.mac(b"secret", key_id.as_bytes()))[..40])
    }

    /// Ends a session now.
    pub(super) fn revoke(&self, session: &Session, now: SystemTime) {
        let mut revoked = self.revoked.lock().expect("no thread panics while it holds this lock");
        revoked.retain(|_, expires| *expires > now);
        revoked.insert(session.key_id.clone(), session.expires_at());
    }

    pub(super) fn has_ended(&self, session: &Session, now: SystemTime) -> bool {
        let revoked = || self.revoked.lock().expect("no thread panics while it holds this lock");
        session.expires_at() <= now || revoked().contains_key(&session.key_id)
    }

    fn mac(&self, purpose: &[u8], data: &[u8]) -> [u8; 32] {
        self.start_mac(purpose, data).finalize().into_bytes().into()
    }

    fn start_mac(&self, purpose: &[u8], data: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(purpose);
        mac.update(&[0]);
        mac.update(data);
        mac
    }
}

impl std::fmt::Debug for Mint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mint")
    }
}

/// An id as AWS makes them: a prefix that tells the kind, then capital letters and the digits 2 to 7.
pub(super) fn random_id(prefix: &str, length: usize) -> String {
    let mut rng = rand::rng();
    let tail = (0..length).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]));
    prefix.chars().chain(tail).collect()
}

/// The alphabet of AWS's ids: that of base32.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The id of an access key. As in AWS's since 2019, the account stands in it: in base32, the first bit is one, then come
/// the account's number in 40 bits and 39 bits by chance.
pub(super) fn key_id(prefix: &str, account: AccountId) -> String {
    let number = account.as_str().parse::<u128>().expect("an account id is twelve digits");
    let bits = 1 << 79 | number << 39 | rand::rng().random_range(0..1u128 << 39);
    let letters = (0..16).rev().map(|at| char::from(ALPHABET[(bits >> (at * 5) & 31) as usize]));
    prefix.chars().chain(letters).collect()
}

/// The account that stands in the id of an access key; `None` for what is no such id.
pub(super) fn account_of_key(id: &str) -> Option<AccountId> {
    let letters = id.get(4..).filter(|letters| letters.len() == 16)?;
    let digit = |b: u8| ALPHABET.iter().position(|letter| *letter == b);
    let bits = letters.bytes().try_fold(0u128, |sum, b| Some(sum << 5 | digit(b)? as u128))?;
    format!("{:012}", bits >> 39 & ((1 << 40) - 1)).parse().ok()
}

/// A long-term secret key: 40 characters of base64.
pub(super) fn random_secret() -> Secret {
    Secret::new(STANDARD.encode(rand::rng().random::<[u8; 30]>()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use iam::AccountId;

    use super::{Mint, Session, account_of_key, key_id};

    fn account() -> AccountId {
        "111122223333".parse().unwrap()
    }

    #[test]
    fn an_account_stands_in_the_ids_of_its_keys() {
        for number in ["000000000000", "111122223333", "999999999999"] {
            let account: AccountId = number.parse().unwrap();
            let id = key_id("AKIA", account);
            assert_eq!((id.len(), account_of_key(&id)), (20, Some(account)));
        }
        // As others have worked it out of a key of AWS's.
        assert_eq!(account_of_key("ASIAQNZGKIQY56JQ7WML"), "029608264753".parse().ok());
        assert_eq!((account_of_key("AKIA"), account_of_key("AKIA0000000000000000")), (None, None));
    }

    fn session() -> Session {
        Session {
            account: "111122223333".to_owned(),
            role: "orders".to_owned(),
            name: "task-0".to_owned(),
            ..Session::default()
        }
    }

    #[test]
    fn a_token_is_read_only_by_the_mint_that_made_it_and_only_unchanged() {
        let mint = Mint::new([7; 32]);
        let minted = mint.mint(session(), account(), UNIX_EPOCH + Duration::from_secs(1000), Duration::from_mins(15));
        let token = minted.token.expose();
        assert_eq!(mint.read(token).unwrap().key_id, minted.session.key_id);
        assert!(Mint::new([8; 32]).read(token).is_none());
        for at in 0..token.len() {
            let mut changed = token.as_bytes().to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(mint.read(std::str::from_utf8(&changed).unwrap()).is_none_or(|s| s.name == "task-0"), "at {at}");
        }
    }

    #[test]
    fn a_session_ends_on_time_or_when_it_is_revoked() {
        let mint = Mint::new([7; 32]);
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        let minted = mint.mint(session(), account(), now, Duration::from_mins(15));
        assert!(!mint.has_ended(&minted.session, now + Duration::from_secs(899)));
        assert!(mint.has_ended(&minted.session, now + Duration::from_mins(15)));
        mint.revoke(&minted.session, now);
        assert!(mint.has_ended(&minted.session, now));
    }
}
