//! Fault 47: many at once, and one that dies while it holds the lock.

use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

use synapse::environ::{EnvironSpec, Lookup, Target, prepare};

use crate::environ::support::{BOTH, Sandbox, Steps, With, builder, has_ended, has_sample, until};

/// The module's directory, for the process that [`helper`] is.
const DIRECTORY: &str = "SYNAPSE_TEST_ENVIRON_DIRECTORY";

/// Prepares the module in a process of its own, when it is started as one by [`process`]; says on
/// the last line whether it built anything, or what went wrong.
#[test]
fn helper() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let directory = directory.to_str().unwrap();
    let target = Target::check(directory, "main", Lookup::Default).unwrap();
    let spec = EnvironSpec {
        directory: target.directory,
        dependencies: target.dependencies,
        python: None,
        installer: synapse::environ::Installer::Auto,
        offline: false,
        base_requirements: Vec::new(),
        sdk_version: "2.0.0".to_owned(),
        surroundings: synapse::environ::Surroundings::of_process(),
    };
    let outcome = match block_on(&spec) {
        Ok(environment) => format!("built: {}", environment.built),
        Err(error) => format!("error: {error}"),
    };
    println!("\n{outcome}");
}

fn block_on(
    spec: &EnvironSpec,
) -> Result<synapse::environ::Environment, synapse::environ::EnvironError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(prepare(spec, &|_| {}))
}

/// A command that runs [`helper`] in the sandbox's machine.
pub(crate) fn process(sandbox: &Sandbox, program: &std::path::Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--exact", "environ::races::helper", "--nocapture"])
        .env_clear()
        .envs(sandbox.variables().iter())
        .env(DIRECTORY, &sandbox.module)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// The outcome that a helper printed.
pub(crate) fn outcome(mut child: Child) -> String {
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    child.wait().unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("built: ") || line.starts_with("error: "));
    line.unwrap_or_else(|| panic!("no outcome in {text}"))
        .to_owned()
}

#[test]
fn ten_threads_and_two_processes_make_one_environment() {
    let this = std::env::current_exe().unwrap();
    for with in BOTH {
        let sandbox = Arc::new(Sandbox::new(with));
        sandbox.require("sample==1.0");
        let processes: Vec<Child> = (0..2)
            .map(|_| process(&sandbox, &this).spawn().unwrap())
            .collect();
        let threads: Vec<_> = (0..10)
            .map(|_| {
                let sandbox = Arc::clone(&sandbox);
                thread::spawn(move || block_on(&sandbox.spec()).unwrap())
            })
            .collect();
        let environments: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        let outcomes: Vec<String> = processes.into_iter().map(outcome).collect();
        assert!(
            outcomes.iter().all(|o| o.starts_with("built: ")),
            "{outcomes:?}"
        );
        let builds = environments
            .iter()
            .filter(|environment| environment.built)
            .count()
            + outcomes
                .iter()
                .filter(|outcome| *outcome == "built: true")
                .count();
        assert_eq!(builds, 1, "{with:?}");
        assert!(has_sample(&environments[0], "1.0"));
    }
}

#[tokio::test]
async fn the_lock_of_a_killed_holder_lasts_until_its_installer_is_gone_too() {
    let this = std::env::current_exe().unwrap();
    let sandbox = Sandbox::new(With::Pip);
    let slow = sandbox.slow_package();
    sandbox.require("sample==1.0\n./slow");
    let mut holder = process(&sandbox, &this).spawn().unwrap();
    let build = builder(&slow).await;
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(!has_ended(build), "the installer lives on");

    let spec = sandbox.spec();
    let steps = Steps::default();
    let take = steps.take();
    let (made, ()) = tokio::join!(prepare(&spec, &take), async {
        until("the next one waits", || {
            steps.mention("waiting for whoever")
        })
        .await;
        // Nobody builds beside the stray installer.
        assert!(!steps.mention("making"));
        fs::write(slow.join("go"), "").unwrap();
    });
    let made = made.unwrap();
    assert!(made.built && has_sample(&made, "1.0"));
    assert!(steps.mention("its preparation was cut off"));
    until("the build has ended", || has_ended(build)).await;
}

#[tokio::test]
async fn killed_at_any_moment_it_is_made_whole_by_the_next() {
    let this = std::env::current_exe().unwrap();
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        sandbox.require("sample==1.0");
        for round in 0..4_u64 {
            let mut child = process(&sandbox, &this).spawn().unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(20 + 150 * round)).await;
            child.kill().unwrap();
            child.wait().unwrap();
            let made = sandbox.prepare().await.unwrap();
            assert!(has_sample(&made, "1.0"), "{with:?} {round}");
            fs::remove_dir_all(sandbox.venv()).unwrap();
        }
    }
}

#[tokio::test]
async fn a_lock_file_that_nobody_holds_means_nothing() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("");
    sandbox.write(".venv/.synapse-lock", "");
    let steps = Steps::default();
    assert!(prepare(&sandbox.spec(), &steps.take()).await.unwrap().built);
    assert!(!steps.mention("waiting"));
}
