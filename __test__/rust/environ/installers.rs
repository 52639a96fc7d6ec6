//! Which installer works, with what, and without a network.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use synapse::environ::{Installer, Surroundings, prepare};
use synapse::error::{ErrorCode, Failure};

use crate::environ::support::{
    BOTH, Sandbox, Steps, With, has_sample, program, python, run_in, uv,
};

fn stamped_installer(sandbox: &Sandbox) -> String {
    let text = fs::read_to_string(sandbox.venv().join(".synapse-stamp.json")).unwrap();
    let stamp: serde_json::Value = serde_json::from_str(&text).unwrap();
    stamp["installer"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn uv_is_taken_where_it_is_and_pip_otherwise_or_by_choice() {
    for (with, installer, expected) in [
        (With::Pip, Installer::Auto, "pip"),
        (With::Uv, Installer::Auto, "uv"),
        (With::Uv, Installer::Uv, "uv"),
        (With::Uv, Installer::Pip, "pip"),
    ] {
        let sandbox = Sandbox::new(with);
        sandbox.require("sample==1.0");
        let mut spec = sandbox.spec();
        spec.installer = installer;
        assert!(has_sample(&prepare(&spec, &|_| {}).await.unwrap(), "1.0"));
        assert_eq!(stamped_installer(&sandbox), expected);
    }
}

#[tokio::test]
async fn uv_that_is_asked_for_but_not_there_is_an_error() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("sample==1.0");
    let mut spec = sandbox.spec();
    spec.installer = Installer::Uv;
    let failure = Failure::from(prepare(&spec, &|_| {}).await.unwrap_err());
    assert_eq!(failure.code, ErrorCode::InstallFailed);
    assert!(
        failure.message.contains("uv is in no folder of PATH"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn a_planted_uv_is_not_run() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("sample==1.0");
    let ran = sandbox.folder().join("ran");
    let planted = sandbox.folder().join("planted");
    program(&planted.join("uv"), &format!("touch '{}'", ran.display()));
    fs::set_permissions(&planted, PermissionsExt::from_mode(0o777)).unwrap();
    let mut spec = sandbox.spec();
    let path = spec
        .surroundings
        .variables
        .get("PATH")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    spec.surroundings
        .variables
        .set("PATH", format!("{}:{path}", planted.display()));
    assert!(has_sample(&prepare(&spec, &|_| {}).await.unwrap(), "1.0"));
    assert!(!ran.exists());
    assert_eq!(stamped_installer(&sandbox), "pip");
}

#[tokio::test]
async fn an_interpreter_without_pip_gets_one_into_the_environment() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("sample==1.0");
    // A wrapper that says it is an interpreter without pip.
    let wrapper = sandbox.folder().join("bin/python3");
    let real = python().display();
    let edit = format!(
        "sed -e 's,\"pip\": \"[^\"]*\",\"pip\": null,' \
         -e 's,\"base_executable\": \"[^\"]*\",\"base_executable\": \"{}\",'",
        wrapper.display()
    );
    program(
        &wrapper,
        &format!(
            "case \"$*\" in *synapse_probe*) '{real}' \"$@\" | {edit};; *) exec '{real}' \"$@\";; esac"
        ),
    );
    let steps = Steps::default();
    let made = prepare(&sandbox.spec(), &steps.take()).await.unwrap();
    assert!(steps.mention("putting pip into the environment"));
    assert!(has_sample(&made, "1.0"));
    assert_eq!(
        run_in(&made, "import pip, sys; print(sys.prefix in pip.__file__)"),
        "True"
    );
}

#[tokio::test]
async fn an_environment_that_we_make_holds_no_pip() {
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        sandbox.require("sample==1.0");
        let made = sandbox.prepare().await.unwrap();
        let names: Vec<String> = made
            .packages()
            .into_iter()
            .map(|package| package.name)
            .collect();
        assert_eq!(names, ["sample"]);
    }
}

#[tokio::test]
async fn without_a_network_local_packages_do_and_the_error_says_what_is_missing() {
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        let wheels = sandbox.folder().join("wheels");
        sandbox.write("requirements.txt", "sample==2.0\n");
        let mut spec = sandbox.spec();
        spec.offline = true;
        let failure = Failure::from(prepare(&spec, &|_| {}).await.unwrap_err());
        assert_eq!(failure.code, ErrorCode::InstallFailed);
        assert!(
            failure.details["hint"]
                .as_str()
                .unwrap()
                .starts_with("offline is set")
        );
        spec.surroundings.variables.set("PIP_FIND_LINKS", wheels);
        assert!(
            has_sample(&prepare(&spec, &|_| {}).await.unwrap(), "2.0"),
            "{with:?}"
        );
    }
}

#[tokio::test]
async fn pip_steps_in_where_uv_cannot_reach_the_packages() {
    let sandbox = Sandbox::new(With::Uv);
    sandbox.write("requirements.txt", "sample==1.0\n");
    // A mirror that only pip's own configuration knows; uv is pointed at a port where nobody is.
    let file = sandbox.folder().join("pip.conf");
    let wheels = sandbox.folder().join("wheels");
    fs::write(
        &file,
        format!(
            "[global]\nno-index = true\nfind-links = {}\n",
            wheels.display()
        ),
    )
    .unwrap();
    let mut spec = sandbox.spec();
    spec.surroundings.variables.set("PIP_CONFIG_FILE", file);
    spec.surroundings
        .variables
        .set("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple");
    spec.surroundings.variables.set("UV_HTTP_RETRIES", "0");
    let steps = Steps::default();
    let made = prepare(&spec, &steps.take()).await.unwrap();
    assert!(steps.mention("uv cannot reach the packages; trying pip"));
    assert!(has_sample(&made, "1.0"));
    assert_eq!(stamped_installer(&sandbox), "pip");
}

#[tokio::test]
async fn packages_come_from_the_registry_with_the_settings_of_the_machine() {
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        sandbox.write("requirements.txt", "msgpack\n");
        let mut spec = sandbox.spec();
        spec.surroundings = Surroundings::of_process();
        if with == With::Uv {
            let path = spec
                .surroundings
                .variables
                .get("PATH")
                .unwrap()
                .to_str()
                .unwrap();
            let path = format!("{}:{path}", uv().parent().unwrap().display());
            spec.surroundings.variables.set("PATH", path);
        } else {
            spec.installer = Installer::Pip;
        }
        let steps = Steps::default();
        let made = prepare(&spec, &steps.take()).await.unwrap();
        assert_eq!(
            run_in(&made, "import msgpack; print(msgpack.packb(1).hex())"),
            "01"
        );
        assert_eq!(
            stamped_installer(&sandbox),
            format!("{with:?}").to_lowercase()
        );
        let packages = made.packages();
        assert_eq!(
            packages.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
            ["msgpack"]
        );
        assert!(steps.mention(&packages[0].version));
    }
}
