use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use world::Environment;

/// Tells the service manager how far we are, if one asked for it (sd_notify(3), `Type=notify`).
#[derive(Debug, Clone)]
pub(crate) struct Notify(Option<SocketAddr>);

impl Notify {
    /// Whoever `NOTIFY_SOCKET` names.
    pub(crate) fn of(environment: &Environment) -> Self {
        let address = environment.get("NOTIFY_SOCKET").and_then(|name| {
            let address = match name.strip_prefix('@') {
                Some(name) => SocketAddr::from_abstract_name(name),
                None => SocketAddr::from_pathname(name),
            };
            address.inspect_err(|error| tracing::warn!(%error, "NOTIFY_SOCKET names no socket")).ok()
        });
        Self(address)
    }

    /// Says `state`, as in `READY=1`.
    pub(crate) fn say(&self, state: &str) {
        let Some(address) = &self.0 else { return };
        let said = UnixDatagram::unbound().and_then(|socket| socket.send_to_addr(state.as_bytes(), address).map(drop));
        if let Err(error) = said {
            tracing::warn!(%error, state, "the service manager was not told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_manager_hears_when_we_are_ready_and_nobody_must_listen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let environment = Environment::of([("NOTIFY_SOCKET", path.to_str().unwrap())]);
        Notify::of(&environment).say("READY=1");
        let mut heard = [0; 16];
        let length = manager.recv(&mut heard).unwrap();
        assert_eq!(&heard[..length], b"READY=1");
        Notify::of(&Environment::of::<String, String>([])).say("READY=1");
        drop((manager, dir));
        Notify::of(&environment).say("STOPPING=1");
    }
}
