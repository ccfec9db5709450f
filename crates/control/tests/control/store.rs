//! What the store keeps, and for whom.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use ::world::{Clock, Environment};
use control::{Error, Integrations, NewIntegration, State};

use crate::world::bounded;

fn new(name: &str) -> NewIntegration {
    NewIntegration {
        display_name: name.to_owned(),
        environment: "env-1".to_owned(),
        principal: "arn:aws:iam::222222222222:role/tidegate".to_owned(),
        role: None,
    }
}

async fn open(path: &Path) -> Integrations {
    Integrations::open(path, Clock::system()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_create_at_once_get_names_and_ids_of_their_own() {
    bounded(async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/tidegate.db");
        // Several processes' worth of connections to one file, made at the same moment.
        let mut opening = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let path = path.clone();
            opening.spawn(async move { open(&path).await });
        }
        let mut opened = opening.join_all().await;
        let (first, second) = (opened.pop().unwrap(), opened.pop().unwrap());
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..64 {
            let integrations = if number % 2 == 0 { first.clone() } else { second.clone() };
            tasks.spawn(async move { integrations.create(new("same name")).await.unwrap() });
        }
        let made = tasks.join_all().await;
        let ids: BTreeSet<_> = made.iter().map(|made| made.id.clone()).collect();
        let external: BTreeSet<_> = made.iter().map(|made| made.external_ids[0].value.clone()).collect();
        assert_eq!((ids.len(), external.len()), (64, 64));
        assert_eq!(first.list(None).await.unwrap().len(), 64);
        assert_eq!(first.list(Some("env-2")).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidegate.db");
    let made = open(&path).await.create(new("orders")).await.unwrap();
    assert_eq!((made.state, made.role.clone(), made.external_ids.len()), (State::Pending, None, 1));
    assert_eq!(open(&path).await.get(&made.id).await.unwrap(), made);
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let bits = entry.metadata().unwrap().permissions().mode();
        assert_eq!(bits & 0o777, 0o600, "{:?}", entry.path());
    }
}

#[tokio::test]
async fn a_role_is_held_once_in_an_environment_and_a_new_one_has_to_be_proven() {
    let integrations = Integrations::in_memory(Clock::system()).await.unwrap();
    let role = "arn:aws:iam::111111111111:role/orders";
    let first = integrations.create(NewIntegration { role: Some(role.into()), ..new("first") }).await.unwrap();
    let error = integrations.create(NewIntegration { role: Some(role.into()), ..new("second") }).await.unwrap_err();
    assert!(matches!(&error, Error::RoleTaken { by, .. } if *by == first.id), "{error}");
    let second = integrations.create(new("second")).await.unwrap();
    let error = integrations.set_role(&second.id, role).await.unwrap_err();
    assert!(matches!(error, Error::RoleTaken { .. }), "{error}");
    let elsewhere = NewIntegration { role: Some(role.into()), environment: "env-2".into(), ..new("third") };
    assert!(integrations.create(elsewhere).await.is_ok());
    integrations.delete(&first.id).await.unwrap();
    assert!(matches!(integrations.get(&first.id).await.unwrap_err(), Error::Unknown { .. }));
    assert!(matches!(integrations.delete(&first.id).await.unwrap_err(), Error::Unknown { .. }));
    assert!(integrations.set_role(&second.id, role).await.is_ok(), "it is free again");
}

#[tokio::test]
async fn what_cannot_be_an_integration_is_refused() {
    let integrations = Integrations::in_memory(Clock::system()).await.unwrap();
    for (field, wrong) in [
        ("name", NewIntegration { display_name: " ".into(), ..new("") }),
        ("name", NewIntegration { display_name: "x".repeat(61), ..new("") }),
        ("name", NewIntegration { display_name: "a\nb".into(), ..new("") }),
        ("environment", NewIntegration { environment: "a b".into(), ..new("x") }),
        ("principal ARN", NewIntegration { principal: "tidegate".into(), ..new("x") }),
        ("principal ARN", NewIntegration { principal: "arn:aws:iam::222222222222:root".into(), ..new("x") }),
        ("principal ARN", NewIntegration { principal: "arn:aws:iam::222222222222:role/a\n".into(), ..new("x") }),
        (
            "principal ARN",
            NewIntegration { principal: "arn:aws:sts::222222222222:assumed-role/a/b".into(), ..new("x") },
        ),
        ("role ARN", NewIntegration { role: Some("arn:aws:iam::111111111111:user/x".into()), ..new("x") }),
        ("role ARN", NewIntegration { role: Some("arn:aws:iam::111111111111:role/x ".into()), ..new("x") }),
    ] {
        let error = integrations.create(wrong.clone()).await.unwrap_err();
        assert!(matches!(&error, Error::Flawed { flaws } if flaws[0].field == field), "{wrong:?}: {error}");
    }
    let all = NewIntegration {
        display_name: String::new(),
        environment: "a b".into(),
        principal: "tidegate".into(),
        role: Some("theirs".into()),
    };
    let fields: Vec<_> = all.flaws().iter().map(|flaw| flaw.field).collect();
    assert_eq!(fields, ["name", "environment", "principal ARN", "role ARN"], "all at once");
}

#[tokio::test]
async fn a_role_of_another_partition_than_ours_is_refused() {
    let integrations = Integrations::in_memory(Clock::system()).await.unwrap();
    let role = "arn:aws-cn:iam::111111111111:role/orders";
    let error = integrations.create(NewIntegration { role: Some(role.into()), ..new("orders") }).await.unwrap_err();
    assert!(error.to_string().contains("is in partition aws-cn, and our principal"), "{error}");
    let made = integrations.create(new("orders")).await.unwrap();
    assert!(matches!(integrations.set_role(&made.id, role).await.unwrap_err(), Error::Flawed { .. }));
    assert_eq!(integrations.get(&made.id).await.unwrap().role, None);
}

#[tokio::test]
async fn looking_makes_no_store_and_waits_for_no_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidegate.db");
    let look = async || Integrations::open_existing(&path, Clock::system()).await;
    assert!(matches!(look().await.unwrap_err(), Error::NoStore { .. }));
    assert!(!path.exists());
    let made = open(&path).await.create(new("orders")).await.unwrap();
    let mut writer = rusqlite::Connection::open(&path).unwrap();
    let transaction = writer.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    assert_eq!(look().await.unwrap().list(None).await.unwrap(), [made]);
    drop(transaction);
    // Killed before the first page was written.
    std::fs::write(&path, "").unwrap();
    assert!(matches!(look().await.unwrap_err(), Error::NoStore { .. }));
}

#[tokio::test]
async fn a_file_of_something_else_or_of_a_later_release_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let refused = async |path: &Path| Integrations::open(path, Clock::system()).await.unwrap_err();

    let foreign = dir.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    assert!(matches!(refused(&foreign).await, Error::Foreign { .. }));

    let newer = dir.path().join("newer.db");
    drop(open(&newer).await);
    rusqlite::Connection::open(&newer).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert!(matches!(refused(&newer).await, Error::Newer { found: 99, .. }));

    let text = dir.path().join("text.db");
    std::fs::write(
        &text,
        "this is no database, and it is longer than a header of one would be, by a good deal, so there",
    )
    .unwrap();
    assert!(matches!(refused(&text).await, Error::Store { .. }));
    assert!(std::fs::read_to_string(&text).unwrap().starts_with("this is no database"));

    let nowhere = text.join("under-a-file.db");
    assert!(matches!(refused(&nowhere).await, Error::File { .. }));
}

/// Not a test of its own: what `an_integration_that_was_told_of_survives_a_kill` runs and kills.
#[tokio::test]
#[ignore = "started by another test"]
async fn creates_until_it_is_killed() {
    let Some(path) = Environment::process().get("TIDEGATE_TEST_STORE") else { return };
    let integrations = open(Path::new(&path)).await;
    loop {
        let made = integrations.create(new("orders")).await.unwrap();
        // stderr: stdout is the harness's.
        writeln!(std::io::stderr(), "made {} {}", made.id, made.external_ids[0].value).unwrap();
    }
}

#[tokio::test]
async fn an_integration_that_was_told_of_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidegate.db");
    let mut told = Vec::new();
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "store::creates_until_it_is_killed", "--nocapture"])
            .env("TIDEGATE_TEST_STORE", &path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let made = lines.map_while(Result::ok).filter_map(|line| {
            let mut words = line.strip_prefix("made ")?.split(' ').map(str::to_owned);
            Some((words.next()?, words.next()?))
        });
        told.extend(made.take(20));
        // SIGKILL, in the middle of whatever it does.
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(told.len(), 60);
    let integrations = open(&path).await;
    for (id, external_id) in told {
        let kept = integrations.get(&id.parse().unwrap()).await.unwrap();
        assert_eq!(kept.external_ids[0].value.as_str(), external_id);
    }
}

#[tokio::test]
async fn a_store_that_others_may_read_is_closed_to_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidegate.db");
    // As a copy or a restored backup has it.
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let integrations = Integrations::open(&path, Clock::system()).await.unwrap();
    integrations.list(None).await.unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o007, 0, "{} has {mode:o}", entry.path().display());
    }
}
