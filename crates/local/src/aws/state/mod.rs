//! Accounts as a readable file, so that `tidegate local --dir` survives a restart and can be set up with an editor.

mod entities;
mod keys;

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use iam::AccountId;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::directory::Directory;
use super::error::AwsError;
use entities::EntitiesState;

/// The file's name in the directory.
const FILE: &str = "aws.json";

/// Takes the directory for this process, until the file is dropped; the lock goes with a process that dies.
pub(super) fn lock(dir: &Path) -> Result<File, AwsError> {
    let path = dir.join("lock");
    let open = std::fs::create_dir_all(dir).and_then(|()| File::create(&path));
    let file = open.map_err(|source| AwsError::File { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AwsError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(AwsError::File { path, source }),
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// Signs session tokens, in hex. Made when absent.
    session_key: Option<String>,
    #[serde(default)]
    accounts: BTreeMap<String, EntitiesState>,
}

/// Reads the file; what it leaves out (ids, keys) is made. Without a file: nobody, and a new key.
pub(super) fn load(dir: &Path) -> Result<(Directory, [u8; 32]), AwsError> {
    let path = dir.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "{}".to_owned(),
        Err(source) => return Err(AwsError::File { path, source }),
    };
    let damaged = |reason: String| AwsError::State { path: path.clone(), reason };
    let state: State = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
    let key = match &state.session_key {
        None => new_key(),
        Some(key) => {
            let mut bytes = [0; 32];
            hex::decode_to_slice(key, &mut bytes).map_err(|error| damaged(format!("session_key: {error}")))?;
            bytes
        }
    };
    let mut directory = Directory::default();
    // Everything first, then what names something else: a role may trust one that stands below it.
    let mut unfinished = Vec::new();
    for (account, entities) in state.accounts {
        let account: AccountId = account.parse().map_err(|error: iam::ArnError| damaged(error.to_string()))?;
        unfinished.push((account, entities.read(account, &mut directory).map_err(|e| damaged(chain(&e)))?));
    }
    for (account, rest) in unfinished {
        rest.finish(account, &mut directory).map_err(|e| damaged(chain(&e)))?;
    }
    Ok((directory, key))
}

/// Whether one account's users, roles and so on read; what is wrong with them, if not.
pub(super) fn check(entities: &Value) -> Result<(), String> {
    EntitiesState::deserialize(entities).map(drop).map_err(|error| error.to_string())
}

/// Everybody in these accounts, which are written as in the file. Of what does not fit, the first of each account is told.
pub(super) fn fill(accounts: BTreeMap<AccountId, Value>) -> Result<Directory, Vec<(AccountId, AwsError)>> {
    let mut directory = Directory::default();
    let (mut unfinished, mut refused) = (Vec::new(), Vec::new());
    for (account, entities) in accounts {
        // An account may be empty, and is there all the same.
        directory.entities_mut(account);
        let path = std::path::PathBuf::from(FILE);
        let state =
            EntitiesState::deserialize(entities).map_err(|error| AwsError::State { path, reason: error.to_string() });
        match state.and_then(|state| state.read(account, &mut directory)) {
            Ok(rest) => unfinished.push((account, rest)),
            Err(error) => refused.push((account, error)),
        }
    }
    for (account, rest) in unfinished {
        if let Err(error) = rest.finish(account, &mut directory) {
            refused.push((account, error));
        }
    }
    if refused.is_empty() { Ok(directory) } else { Err(refused) }
}

/// A key for session tokens.
pub(super) fn new_key() -> [u8; 32] {
    rand::rng().random()
}

/// The file's text for what there is now.
pub(super) fn print(directory: &Directory, session_key: &[u8; 32]) -> String {
    let accounts =
        directory.accounts.iter().map(|(account, entities)| (account.to_string(), EntitiesState::print(entities)));
    let state = State { session_key: Some(hex::encode(session_key)), accounts: accounts.collect() };
    serde_json::to_string_pretty(&state).expect("the state is plain data") + "\n"
}

/// Replaces the file, whole or not at all. It holds keys: only its owner may read it.
pub(super) fn write(dir: &Path, text: &str) -> Result<(), AwsError> {
    let (path, temporary) = (dir.join(FILE), dir.join(format!("{FILE}.new")));
    let replace = || {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)?;
        // The new name is on the disk with its directory.
        File::open(dir)?.sync_all()
    };
    replace().map_err(|source| AwsError::File { path: path.clone(), source })
}

fn chain(error: &AwsError) -> String {
    fault::Chain(error).to_string()
}
