//! Threat S3: files that shadow the standard library or the installer.

use std::fs;

use synapse::environ::prepare;

use crate::environ::support::{BOTH, Sandbox, has_sample};

#[tokio::test]
async fn planted_modules_beside_the_script_and_on_pythonpath_are_not_run() {
    for with in BOTH {
        let sandbox = Sandbox::new(with);
        sandbox.require("sample==1.0");
        let ran = sandbox.folder().join("ran");
        let planted = format!(
            "open({:?}, 'w')\nraise SystemExit('planted')\n",
            ran.to_str().unwrap()
        );
        let folder = sandbox.folder().join("planted");
        fs::create_dir(&folder).unwrap();
        for name in [
            "json",
            "os",
            "pip",
            "venv",
            "ensurepip",
            "encodings",
            "sitecustomize",
        ] {
            sandbox.write(&format!("{name}.py"), &planted);
            fs::write(folder.join(format!("{name}.py")), &planted).unwrap();
        }
        let mut spec = sandbox.spec();
        spec.surroundings.variables.set("PYTHONPATH", &folder);
        spec.surroundings.variables.set("PYTHONHOME", "/no/such");
        let made = prepare(&spec, &|_| {}).await.unwrap();
        assert!(has_sample(&made, "1.0"));
        assert!(!ran.exists());
    }
}
