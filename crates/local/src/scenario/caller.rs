use iam::AccountId;

use super::reader::Reader;
use super::variable;
use crate::aws::WhoStock;

/// The name of the session that a caller has who is a role and names none.
const SESSION_NAME: &str = "scenario";

pub(super) fn read(scenario: &mut Reader<'_>) -> Option<WhoStock> {
    let mut caller = scenario.child("caller")?;
    caller.only(&["ended", "global_endpoint", "role", "root", "session", "session_name", "user"]);
    let said: Vec<&str> = ["user", "role", "root"].into_iter().filter(|key| caller.has(key)).collect();
    if said.len() != 1 {
        caller.fault("", "must have one of user, role and root");
        return None;
    }
    for (key, only) in [("session", "user"), ("session_name", "role"), ("ended", "role"), ("global_endpoint", "role")] {
        if caller.has(key) && said != [only] {
            caller.fault(key, format!("is for a {only}"));
        }
    }
    let session = caller.flag("session").unwrap_or(false);
    let ended = caller.flag("ended").unwrap_or(false);
    let is_global = caller.flag("global_endpoint").unwrap_or(false);
    let session_name = caller.text("session_name").unwrap_or(SESSION_NAME).to_owned();
    match said[0] {
        "user" => entity(&mut caller, "user").map(|(account, name)| WhoStock::User { account, name, session }),
        "role" => entity(&mut caller, "role").map(|(account, name)| WhoStock::Role {
            account,
            name,
            session_name,
            ended,
            is_global,
        }),
        _ => Some(WhoStock::Root { account: caller.parsed("root")? }),
    }
}

/// The variables that there are for who we are.
pub(super) fn variables(who: Option<&WhoStock>) -> impl Iterator<Item = &'static str> {
    let is_session = matches!(who, Some(WhoStock::Role { .. } | WhoStock::User { session: true, .. }));
    let always = who.map(|_| ["caller.arn", "caller.access_key_id", "caller.secret_access_key"]);
    always.into_iter().flatten().chain(is_session.then_some("caller.session_token"))
}

/// `222222222222/vendor`: an account, and a user or role in it.
pub(super) fn entity(reader: &mut Reader<'_>, key: &str) -> Option<(AccountId, String)> {
    let text = reader.text(key)?;
    let Some((account, name)) = text.split_once('/').filter(|(_, name)| !name.is_empty()) else {
        if !variable::stands_in(text) {
            reader.fault(key, format!("must be an account and a name, as in 222222222222/vendor, and is {text:?}"));
        }
        return None;
    };
    Some((reader.parse(key, account)?, name.to_owned()))
}
