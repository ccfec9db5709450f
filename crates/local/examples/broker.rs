//! The embedded broker by itself: `cargo run -p local --example broker -- [ADDRESS [DIRECTORY]]`. Prints the address it
//! listens on, and stops at SIGINT or SIGTERM.

use std::error::Error;

use local::broker::{Broker, BrokerOptions};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the address is what a caller reads")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let mut arguments = std::env::args().skip(1);
    let mut options = BrokerOptions::default();
    if let Some(address) = arguments.next() {
        options.listen = address.parse()?;
    }
    options.dir = arguments.next().map(Into::into);
    let broker = Broker::start(options).await?;
    println!("{}", broker.bootstrap());
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    broker.shutdown().await?;
    Ok(())
}
