//! Where integrations are kept, and who Tidegate is when it takes on their roles.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use connectors::ConfigFaults;
use control::{AwsSts, Error, Integrations, Prover, principal_of, unfenced};
use identity::{ConnectionFaults, ConnectionSpec, Connections, KeyRule, Purpose};
use serde_json::json;
use world::{Clock, Environment};

use super::{Failure, IntegrationArguments, StoreArguments, StsArguments};
use crate::args::Exit;
use crate::place::explain;

/// Opens the store that is named by a flag, by the environment, or by custom, if it is there.
pub(crate) async fn open(
    arguments: &StoreArguments,
    environment: &Environment,
    clock: Clock,
) -> Result<Integrations, Error> {
    Integrations::open_existing(store_path(arguments, environment), clock).await
}

pub(crate) fn store_path(arguments: &StoreArguments, environment: &Environment) -> PathBuf {
    arguments.store.clone().unwrap_or_else(|| state_dir(environment).join("tidegate.db"))
}

/// Where what is kept is kept, if nobody says otherwise.
pub(crate) fn state_dir(environment: &Environment) -> PathBuf {
    // Relative ones are to be ignored (XDG Base Directory Specification). Without a home: beside whoever called.
    let state = environment.get("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || environment.get("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    state.or_else(home).unwrap_or_default().join("tidegate")
}

/// Who Tidegate is before it takes on any customer's role: a connection of the file, or the default chain.
pub(crate) fn ours(
    arguments: &StoreArguments,
    sts: Option<&StsArguments>,
    connections: Option<&Path>,
    keys: KeyRule,
    environment: &Environment,
) -> Result<Arc<ConnectionSpec>, String> {
    let told = |faults: ConnectionFaults| ConfigFaults::from(faults).to_string();
    if let Some(name) = &arguments.as_connection {
        let Some(file) = connections else {
            return Err(format!("--as {name} names a connection, and no file of them is given (--connections)"));
        };
        let connections = Connections::load(file, environment, keys).map_err(told)?;
        let unknown = || format!("--as {name} is no connection of {}", file.display());
        return connections.get(name).cloned().ok_or_else(unknown);
    }
    let first = |names: &[&str]| names.iter().find_map(|name| environment.get(name));
    let region = sts.and_then(|sts| sts.region.clone()).or_else(|| first(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
    let asked = sts.and_then(|sts| sts.sts_endpoint.clone());
    let mut endpoints = serde_json::Map::new();
    let sts = asked.or_else(|| first(&["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"]));
    for (service, url) in [("sts", sts), ("s3", first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]))] {
        endpoints.extend(url.map(|url| (service.to_owned(), json!(url))));
    }
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    let table = json!({ "kind": "default-chain", "region": region, "endpoints": endpoints });
    let text = json!({ "connections": { "tidegate": table } }).to_string();
    let connections = Connections::read("flags and environment", &text, environment, keys).map_err(told)?;
    Ok(connections.get("tidegate").cloned().expect("it was just written down"))
}

/// Tries roles as who Tidegate is.
pub(super) fn prover(
    arguments: &IntegrationArguments,
    sts: &StsArguments,
    environment: &Environment,
    clock: Clock,
) -> Result<Prover, Failure> {
    let refused = |text| Failure { exit: Exit::Usage, text };
    let keys = arguments.keys();
    let ours = ours(&arguments.store, Some(sts), arguments.connections.as_deref(), keys, environment);
    let connection = unfenced(&*ours.map_err(refused)?).bind("tidegate", Purpose::S3);
    let clients = aws::Clients::with_keys(clock.clone(), environment.clone(), keys);
    let asked = AwsSts::new(&clients, &connection).map_err(|error| refused(explain(&error)))?;
    Ok(Prover::new(Arc::new(asked), clock))
}

/// Who AWS says that Tidegate is.
pub(super) async fn our_principal(
    arguments: &IntegrationArguments,
    sts: &StsArguments,
    environment: &Environment,
    clock: Clock,
) -> Result<String, Failure> {
    let failed = |text| Failure { exit: Exit::Failed, text };
    let hint = "or say who Tidegate is with --principal ARN";
    let caller = prover(arguments, sts, environment, clock)?.caller().await;
    let caller = caller.map_err(|error| failed(format!("{}; {hint}", explain(&error))))?;
    let principal = principal_of(&caller.arn);
    let principal = principal.ok_or_else(|| failed(format!("{} is neither a role nor a user; {hint}", caller.arn)))?;
    Ok(principal.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_where_a_flag_the_environment_or_custom_says() {
        let path = |store: Option<&str>, variables: &[(&str, &str)]| {
            let arguments = StoreArguments { store: store.map(PathBuf::from), as_connection: None };
            store_path(&arguments, &Environment::of(variables.iter().copied())).display().to_string()
        };
        let home = ("HOME", "/home/ana");
        assert_eq!(path(Some("x.db"), &[home]), "x.db");
        assert_eq!(path(None, &[home]), "/home/ana/.local/state/tidegate/tidegate.db");
        assert_eq!(path(None, &[home, ("XDG_STATE_HOME", "/var/state")]), "/var/state/tidegate/tidegate.db");
        assert_eq!(path(None, &[home, ("XDG_STATE_HOME", "state")]), "/home/ana/.local/state/tidegate/tidegate.db");
    }
}
