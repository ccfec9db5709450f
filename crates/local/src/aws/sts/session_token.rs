use std::time::Duration;

use super::{answer, credentials};
use crate::aws::api_error::ApiError;
use crate::aws::authorize::{Facts, Who};
use crate::aws::connection::Door;
use crate::aws::reply::Reply;
use crate::aws::session::{Mint, Session};
use crate::aws::sigv4::Verified;
use crate::aws::uri::Query;
use crate::aws::validate::Faults;

/// How long a session lasts that asks for no length: half a day.
const DEFAULT: Duration = Duration::from_hours(12);

/// A session for a user, with all that he may. It needs no permission, and no policy can deny it.
pub(super) fn get_session_token(
    mint: &Mint,
    verified: &Verified,
    facts: &Facts,
    form: &Query,
    request_id: &str,
) -> Result<Reply, ApiError> {
    let name = match &verified.requester.who {
        Who::User { name, session: None } => name,
        Who::User { session: Some(_), .. } | Who::Session(_) => {
            return Err(ApiError::of("AccessDenied").saying("Cannot call GetSessionToken with session credentials"));
        }
        Who::Root => {
            let text = "the embedded AWS makes no sessions for root users";
            return Err(ApiError::of("NotImplemented").saying(text));
        }
    };
    let mut faults = Faults::default();
    let duration = match form.get("DurationSeconds") {
        None => DEFAULT,
        Some(text) => faults.seconds("durationSeconds", text, 900..=129_600),
    };
    faults.result()?;
    if let Some(name) = ["SerialNumber", "TokenCode"].into_iter().find(|name| form.has(name)) {
        return Err(ApiError::of("NotImplemented").saying(format!("the embedded AWS does not know {name} yet")));
    }
    let requester = &verified.requester;
    let session = Session {
        account: requester.account.to_string(),
        user: Some(name.clone()),
        role_id: requester.user_id.clone(),
        is_global: facts.door == Door::GlobalSts,
        ..Session::default()
    };
    let minted = mint.mint(session, requester.account, facts.now, duration);
    Ok(answer("GetSessionToken", request_id, |xml| credentials(xml, &minted)))
}
