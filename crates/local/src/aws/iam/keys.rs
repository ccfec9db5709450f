use super::call::Call;
use super::page::Page;
use super::print::date;
use super::users::{find, missing, named};
use crate::aws::api_error::ApiError;
use crate::aws::directory::Directory;
use crate::aws::entity::AccessKey;
use crate::aws::reply::Reply;
use crate::aws::session::{key_id, random_secret};
use crate::aws::store::timestamp;

/// The most keys of a user.
const MAX_KEYS: usize = 2;

pub(super) async fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let name = named(call)?;
    call.shared
        .change(|directory| {
            let mut user = find(call, directory, &name)?.clone();
            if user.keys.len() >= MAX_KEYS {
                return Err(ApiError::of("LimitExceeded")
                    .saying(format!("Cannot exceed quota for AccessKeysPerUser: {MAX_KEYS}")));
            }
            let key = AccessKey {
                id: key_id("AKIA", call.account()),
                secret: random_secret(),
                active: true,
                created: timestamp(call.facts.now),
            };
            user.keys.push(key.clone());
            directory.put_user(call.account(), &name, user);
            Ok(call.answer(|xml| {
                xml.within("AccessKey", |xml| {
                    xml.field("UserName", &name).field("AccessKeyId", &key.id).field("Status", "Active");
                    xml.field("SecretAccessKey", key.secret.expose()).field("CreateDate", date(key.created));
                });
            }))
        })
        .await
}

pub(super) fn list(call: &Call<'_>) -> Result<Reply, ApiError> {
    let name = named(call)?;
    let directory = call.shared.directory();
    let user = find(call, &directory, &name)?;
    let mut keys: Vec<&AccessKey> = user.keys.iter().collect();
    keys.sort_by(|a, b| a.id.cmp(&b.id));
    let page = Page::cut(call, keys.into_iter().map(|key| (&*key.id, key)))?;
    Ok(call.answer(|xml| {
        page.write(xml, "AccessKeyMetadata", |xml, key| {
            xml.field("UserName", &name).field("AccessKeyId", &key.id);
            xml.field("Status", if key.active { "Active" } else { "Inactive" }).field("CreateDate", date(key.created));
        });
    }))
}

pub(super) async fn update(call: &Call<'_>) -> Result<Reply, ApiError> {
    let active = match call.need("Status")? {
        "Active" => true,
        "Inactive" => false,
        other => {
            return Err(ApiError::of("ValidationError").saying(format!(
                "1 validation error detected: Value '{other}' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]"
            )));
        }
    };
    edit(call, |keys, at| keys[at].active = active).await
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, ApiError> {
    edit(call, |keys, at| drop(keys.remove(at))).await
}

/// Edits the key that a call names.
async fn edit(call: &Call<'_>, edit: impl FnOnce(&mut Vec<AccessKey>, usize)) -> Result<Reply, ApiError> {
    let (name, id) = (named(call)?, call.need("AccessKeyId")?);
    call.shared
        .change(|directory: &mut Directory| {
            let mut user = find(call, directory, &name)?.clone();
            let at = user.keys.iter().position(|key| key.id == id).ok_or_else(|| {
                ApiError::of("NoSuchEntity").saying(format!("The Access Key with id {id} cannot be found."))
            })?;
            edit(&mut user.keys, at);
            // The index of keys is made anew with the user.
            directory.remove_user(call.account(), &name);
            directory.put_user(call.account(), &name, user);
            directory.user(call.account(), &name).map(|_| call.done()).ok_or_else(|| missing(&name))
        })
        .await
}
