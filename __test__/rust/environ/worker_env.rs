//! The variables of a worker, seen from inside one.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use synapse::environ::{Inherit, Variables, WorkerEnv, worker_env};

use crate::environ::support::{Sandbox, With, output};

struct Case {
    host: Variables,
    inherit: Inherit,
    wished: BTreeMap<String, Option<String>>,
}

impl Case {
    fn new(host: &[(&str, &str)]) -> Self {
        Self {
            host: host.iter().copied().collect(),
            inherit: Inherit::All,
            wished: BTreeMap::new(),
        }
    }

    fn wish(mut self, name: &str, value: Option<&str>) -> Self {
        self.wished
            .insert(name.to_owned(), value.map(str::to_owned));
        self
    }

    fn inherit(mut self, inherit: Inherit) -> Self {
        self.inherit = inherit;
        self
    }

    fn variables(&self, venv: Option<&Path>) -> Variables {
        let Self {
            host,
            inherit,
            wished,
        } = self;
        worker_env(&WorkerEnv {
            host,
            venv,
            inherit,
            wished,
            threads: 1,
        })
    }

    fn get(&self, name: &str) -> Option<String> {
        Some(self.variables(None).get(name)?.to_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn a_worker_sees_its_environment_and_nothing_that_shadows_it() {
    let sandbox = Sandbox::new(With::Pip);
    sandbox.require("");
    let made = sandbox.prepare().await.unwrap();
    let venv = made.venv.as_deref().unwrap();
    let case = Case::new(&[
        ("PATH", "/usr/bin:/bin"),
        ("PYTHONPATH", "/planted"),
        ("PYTHONHOME", "/planted"),
        ("MINE", "ja"),
    ])
    .wish("YOURS", Some("ä"));
    let code = "import json, os, site, sys\n\
        print(json.dumps({'env': dict(os.environ), 'user': site.ENABLE_USER_SITE, 'path': sys.path,\
        'encoding': sys.stdout.encoding}))";
    let mut command = Command::new(&made.python);
    command
        .args(["-c", code])
        .env_clear()
        .envs(case.variables(Some(venv)).iter());
    let seen: Value = serde_json::from_str(&output(&mut command)).unwrap();
    let env = &seen["env"];
    for name in ["OMP", "OPENBLAS", "MKL", "NUMEXPR"] {
        assert_eq!(env[format!("{name}_NUM_THREADS")], "1");
    }
    assert_eq!(env["VIRTUAL_ENV"], venv.to_str().unwrap());
    assert_eq!(env["PATH"], format!("{}/bin:/usr/bin:/bin", venv.display()));
    assert_eq!((&env["MINE"], &env["YOURS"]), (&"ja".into(), &"ä".into()));
    assert_eq!(env.get("PYTHONPATH").or(env.get("PYTHONHOME")), None);
    assert_eq!(seen["user"], false);
    assert_eq!(seen["encoding"], "utf-8");
    assert!(!seen["path"].to_string().contains("planted"));
}

#[test]
fn the_user_has_the_last_word() {
    let case = Case::new(&[
        ("OMP_NUM_THREADS", "8"),
        ("A", "1"),
        ("PYTHONIOENCODING", "latin-1"),
    ])
    .wish("PYTHONPATH", Some("/wished"))
    .wish("MKL_NUM_THREADS", Some("4"))
    .wish("A", None);
    assert_eq!(case.get("OMP_NUM_THREADS").as_deref(), Some("8"));
    assert_eq!(case.get("MKL_NUM_THREADS").as_deref(), Some("4"));
    assert_eq!(case.get("OPENBLAS_NUM_THREADS").as_deref(), Some("1"));
    assert_eq!(case.get("PYTHONPATH").as_deref(), Some("/wished"));
    assert_eq!(case.get("PYTHONIOENCODING").as_deref(), Some("latin-1"));
    assert_eq!(case.get("A"), None);
}

#[test]
fn only_what_is_needed_or_named_is_inherited() {
    let host = [
        ("PATH", "/bin"),
        ("HOME", "/home/me"),
        ("LC_ALL", "C.UTF-8"),
        ("SSL_CERT_FILE", "/ca"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("MODEL_DIR", "/models"),
        ("MODEL_NAME", "big"),
        ("PYTHONPATH", "/lib"),
    ];
    let needed = Case::new(&host).inherit(Inherit::Needed);
    for name in ["PATH", "HOME", "LC_ALL", "SSL_CERT_FILE"] {
        assert!(needed.get(name).is_some(), "{name}");
    }
    for name in ["AWS_SECRET_ACCESS_KEY", "MODEL_DIR", "PYTHONPATH"] {
        assert_eq!(needed.get(name), None, "{name}");
    }
    let listed = ["MODEL_*", "PYTHONPATH"].map(str::to_owned).to_vec();
    let named = Case::new(&host).inherit(Inherit::Named(listed));
    for name in ["PATH", "MODEL_DIR", "MODEL_NAME", "PYTHONPATH"] {
        assert!(named.get(name).is_some(), "{name}");
    }
    assert_eq!(named.get("AWS_SECRET_ACCESS_KEY"), None);
}
