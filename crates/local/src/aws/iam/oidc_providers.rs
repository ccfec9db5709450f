use super::call::Call;
use super::print::date;
use crate::aws::api_error::ApiError;
use crate::aws::directory::Directory;
use crate::aws::entity::OidcProvider;
use crate::aws::reply::Reply;
use crate::aws::store::timestamp;
use crate::aws::validate::members;

/// The most audiences of a provider.
const MAX_CLIENTS: usize = 100;

/// The most thumbprints of a provider.
const MAX_THUMBPRINTS: usize = 5;

pub(super) async fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let url = call.need("Url")?;
    // An issuer on this machine has no certificate.
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://127.0.0.1"));
    let bare = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).filter(|_| host.is_some());
    let bare = bare.filter(|bare| !bare.is_empty() && bare.len() <= 255 && !bare.contains(['?', '#', ' ']));
    let bare = bare.ok_or_else(|| ApiError::of("ValidationError").saying("Invalid Open ID Connect Provider URL"))?;
    let bare = bare.trim_end_matches('/').to_owned();
    let arn = OidcProvider::arn_of(call.place().0, call.account(), &bare)?;
    let client_ids = clients(call)?;
    let thumbprints = thumbprints(call)?;
    call.refuse(&["Tags.member.1.Key"])?;
    call.shared
        .change(|directory| {
            call.may(directory, arn.as_str())?;
            let providers = &mut call.entities(directory).oidc_providers;
            if providers.contains_key(&bare) {
                return Err(
                    ApiError::of("EntityAlreadyExists").saying(format!("Provider with url {url} already exists."))
                );
            }
            let reply = call.answer(|xml| {
                xml.field("OpenIDConnectProviderArn", &arn);
            });
            let created = timestamp(call.facts.now);
            providers.insert(bare, OidcProvider { arn, created, client_ids, thumbprints });
            Ok(reply)
        })
        .await
}

fn clients(call: &Call<'_>) -> Result<Vec<String>, ApiError> {
    let clients: Vec<String> = members(call.form, "ClientIDList", "").map(str::to_owned).collect();
    check_clients(&clients)?;
    Ok(clients)
}

fn check_clients(clients: &[String]) -> Result<(), ApiError> {
    if clients.len() > MAX_CLIENTS {
        return Err(ApiError::of("LimitExceeded")
            .saying(format!("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {MAX_CLIENTS}")));
    }
    Ok(())
}

fn thumbprints(call: &Call<'_>) -> Result<Vec<String>, ApiError> {
    let thumbprints: Vec<String> = members(call.form, "ThumbprintList", "").map(str::to_owned).collect();
    let is_one = |text: &String| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if thumbprints.len() > MAX_THUMBPRINTS || !thumbprints.iter().all(is_one) {
        return Err(ApiError::of("InvalidInput").saying("Thumbprint list must contain at most 5 SHA-1 hashes."));
    }
    Ok(thumbprints)
}

/// Finds the provider that a call names, for a caller who may do what the call says with it; by its key.
fn find<'d>(call: &Call<'_>, directory: &'d Directory) -> Result<(&'d str, &'d OidcProvider), ApiError> {
    let arn = call.need("OpenIDConnectProviderArn")?;
    call.may(directory, arn)?;
    let providers = directory.entities(call.account()).into_iter().flat_map(|entities| &entities.oidc_providers);
    let found = providers.map(|(url, provider)| (&**url, provider)).find(|(_, provider)| provider.arn.as_str() == arn);
    let text = || format!("OpenIDConnect Provider not found for arn {arn}");
    found.ok_or_else(|| ApiError::of("NoSuchEntity").saying(text()))
}

pub(super) fn get(call: &Call<'_>) -> Result<Reply, ApiError> {
    let directory = call.shared.directory();
    let (url, provider) = find(call, &directory)?;
    Ok(call.answer(|xml| {
        xml.field("Url", url).field("CreateDate", date(provider.created));
        for (name, values) in [("ClientIDList", &provider.client_ids), ("ThumbprintList", &provider.thumbprints)] {
            xml.within(name, |xml| {
                for value in values {
                    xml.field("member", value);
                }
            });
        }
    }))
}

pub(super) fn list(call: &Call<'_>) -> Result<Reply, ApiError> {
    let directory = call.shared.directory();
    call.may(&directory, &call.arn("oidc-provider/*"))?;
    let providers =
        directory.entities(call.account()).into_iter().flat_map(|entities| entities.oidc_providers.values());
    Ok(call.answer(|xml| {
        xml.within("OpenIDConnectProviderList", |xml| {
            for provider in providers {
                xml.within("member", |xml| {
                    xml.field("Arn", &provider.arn);
                });
            }
        });
    }))
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, ApiError> {
    call.shared
        .change(|directory| {
            let url = find(call, directory)?.0.to_owned();
            call.entities(directory).oidc_providers.remove(&url);
            Ok::<_, ApiError>(call.done())
        })
        .await
}

pub(super) async fn add_client(call: &Call<'_>) -> Result<Reply, ApiError> {
    let client = call.need("ClientID")?;
    edit(call, |provider| {
        if !provider.client_ids.iter().any(|known| known == client) {
            provider.client_ids.push(client.to_owned());
        }
        check_clients(&provider.client_ids)
    })
    .await
}

pub(super) async fn remove_client(call: &Call<'_>) -> Result<Reply, ApiError> {
    let client = call.need("ClientID")?;
    edit(call, |provider| {
        provider.client_ids.retain(|known| known != client);
        Ok(())
    })
    .await
}

pub(super) async fn update_thumbprints(call: &Call<'_>) -> Result<Reply, ApiError> {
    let thumbprints = thumbprints(call)?;
    edit(call, |provider| {
        provider.thumbprints = thumbprints;
        Ok(())
    })
    .await
}

async fn edit(
    call: &Call<'_>,
    edit: impl FnOnce(&mut OidcProvider) -> Result<(), ApiError>,
) -> Result<Reply, ApiError> {
    call.shared
        .change(|directory| {
            let (url, provider) = find(call, directory)?;
            let (url, mut provider) = (url.to_owned(), provider.clone());
            edit(&mut provider)?;
            call.entities(directory).oidc_providers.insert(url, provider);
            Ok(call.done())
        })
        .await
}
