use std::fmt::Write as _;

use crate::args::{Exit, LocalArguments};
use crate::place::{BUCKET, PARTITIONS, Place, REGION, TOPIC};
use crate::run::Signals;
use crate::screen::Screen;
use crate::stdout::say;

/// The external ID of the role that `local` makes: always the same, so that a connector file goes on working.
const EXTERNAL_ID: &str = "local-external-id";

/// `tidegate local`: the embedded broker and the embedded AWS, until stopped.
pub(crate) async fn local(arguments: &LocalArguments, screen: &Screen) -> Exit {
    match serve(arguments, screen).await {
        Ok(()) => Exit::Done,
        Err(text) => {
            screen.print(format!("error: {text}\n").as_bytes());
            Exit::Failed
        }
    }
}

async fn serve(arguments: &LocalArguments, screen: &Screen) -> Result<(), String> {
    let mut signals = Signals::new().map_err(|error| format!("could not listen for signals: {error}"))?;
    let dir = arguments.dir.as_deref();
    let place = Place::start(arguments.kafka_listen, arguments.aws_listen, dir, EXTERNAL_ID.to_owned()).await?;
    match place.broker.create_topic(TOPIC, PARTITIONS, &[]).await {
        Ok(()) => {}
        // It was there already: the directory has kept it.
        Err(error) if error.is_existing_topic() => {}
        Err(error) => return Err(fault::Chain(&error).to_string()),
    }
    let mut text = String::new();
    let kafka = place.broker.bootstrap();
    let connector = format!("{:#}", place.connector("orders-to-s3"));
    write!(
        text,
        "# Kafka\nexport TIDEGATE_BOOTSTRAP_SERVERS={kafka}\n\n\
         # AWS: a user who may do nothing but take on the role below\n\
         export AWS_ENDPOINT_URL={endpoint}\n",
        endpoint = place.aws.endpoint(),
    )
    .expect("writing to a string does not fail");
    for (name, value) in place.variables() {
        writeln!(text, "export {name}={value}").expect("writing to a string does not fail");
    }
    write!(
        text,
        "\n# bucket {BUCKET} in {REGION}, role {role}, external ID {external_id}\n\
         # who may do everything in that account: AWS_ACCESS_KEY_ID={admin} AWS_SECRET_ACCESS_KEY={secret}\n\
         # topic {TOPIC} with {PARTITIONS} partitions\n\
         # a connector for it, to be written to orders.json and run with: tidegate run orders.json\n",
        role = place.role,
        external_id = place.external_id,
        admin = place.admin.access_key_id,
        secret = place.admin.secret_access_key.expose(),
    )
    .expect("writing to a string does not fail");
    for line in connector.lines() {
        writeln!(text, "#   {line}").expect("writing to a string does not fail");
    }
    let connection = connection(&place);
    text += "# the same as a connection, to be written to connections.toml, for a connector that says tidegate.connection=local\n";
    for line in connection.lines() {
        writeln!(text, "#   {line}").expect("writing to a string does not fail");
    }
    text += &crate::keyless::open(&place, dir, arguments.trust_anchor.as_deref()).await?;
    say(&text)?;
    if let Some(dir) = dir {
        let path = dir.join("orders.json");
        std::fs::write(&path, connector + "\n")
            .map_err(|error| format!("could not write {}: {error}", path.display()))?;
        screen.print(format!("the connector is in {}\n", path.display()).as_bytes());
    }
    screen.print(b"up until stopped (SIGINT, SIGTERM)\n");
    signals.next().await;
    place.stop().await
}

/// A connection to the role. Whoever we are at first, the environment says: what is printed is to be exported.
fn connection(place: &Place) -> String {
    let endpoint = place.aws.endpoint();
    format!(
        "[connections.local]\n\
         kind = \"default-chain\"\n\
         region = \"{REGION}\"\n\
         bucket = \"{BUCKET}\"\n\
         endpoints = {{ s3 = \"{endpoint}\", sts = \"{endpoint}\", rolesanywhere = \"{endpoint}\" }}\n\
         [[connections.local.roles]]\n\
         arn = \"{role}\"\n\
         external_id = \"{external_id}\"\n",
        role = place.role,
        external_id = place.external_id,
    )
}
