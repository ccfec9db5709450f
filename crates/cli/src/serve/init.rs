use std::io::{IsTerminal as _, Read as _};
use std::path::Path;
use std::sync::Arc;

use control::{Caller, ControlPlane, NewUser, Origin, Principal};
use rand::seq::IndexedRandom as _;
use world::Secret;

use super::args::InitArguments;
use super::{Ending, refused};
use crate::args::Exit;
use crate::stdout::say;

/// Letters and digits that nobody takes for another one.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// 24 of 57: 139 bits.
const LENGTH: usize = 24;
/// No password is longer, and no file of one.
const LONGEST: u64 = 4096;

/// The process itself.
pub(super) fn operator() -> Caller {
    let origin = Origin { address: None, request_id: Arc::from("serve"), surface: "cli" };
    Caller { principal: Principal::Operator, only_cluster: None, origin }
}

/// The first user's password, and whether it is still to be told.
pub(super) struct Password {
    secret: Secret,
    is_drawn: bool,
}

impl Password {
    /// Reads or draws it: before anything is made, so that nothing is there if that fails.
    pub(super) fn of(arguments: &InitArguments) -> Result<Self, Ending> {
        if let Some(path) = &arguments.password_file {
            let secret = read(path).map_err(|error| {
                Ending::new(Exit::Usage, format!("could not read the password from {}: {error}", path.display()))
            })?;
            return Ok(Self { secret, is_drawn: false });
        }
        if !std::io::stdout().is_terminal() {
            let text = "a password that is drawn is shown on a terminal alone, and stdout is none";
            return Err(Ending::new(Exit::Usage, text).with_hint("give one with --password-file FILE, or - for stdin"));
        }
        let mut rng = rand::rng();
        let drawn: String =
            (0..LENGTH).filter_map(|_| ALPHABET.choose(&mut rng)).map(|letter| char::from(*letter)).collect();
        Ok(Self { secret: drawn.into(), is_drawn: true })
    }
}

fn read(path: &Path) -> std::io::Result<Secret> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(LONGEST).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    }
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

/// Makes the first user, and tells the password that was drawn.
pub(super) async fn init(plane: &ControlPlane, arguments: &InitArguments, password: Password) -> Result<(), Ending> {
    let caller = operator();
    let users = plane.users(&caller).await.map_err(|refusal| refused(&refusal))?;
    if let Some(first) = users.first() {
        let text = format!("there is a user already: {}", first.email);
        let hint = "log in as one who may, and make others with: tidegate user create";
        return Err(Ending::new(Exit::Refused, text).with_hint(hint));
    }
    let Password { secret, is_drawn } = password;
    let email = arguments.init_email.clone();
    let new = NewUser { email: email.clone(), full_name: String::new(), password: secret.clone() };
    let user = plane.create_user(&caller, new).await.map_err(|refusal| refused(&refusal))?;
    tracing::info!(user = %user.id, email, "made the first user, who may do everything");
    if is_drawn {
        let text = format!("user      {email}\npassword  {}\nIt is not shown again.\n", secret.expose());
        say(&text).map_err(|why| Ending::new(Exit::Failed, why))?;
    }
    Ok(())
}
