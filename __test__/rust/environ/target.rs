//! The checks of `spawn`: their order and their texts are the contract.

use std::path::Path;

use synapse::environ::{DependencySource, Entry, EnvironError, Lookup, Target};
use synapse::error::{ErrorCode, Failure};
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn check(folder: &TempDir, entry: &str) -> Result<Target, EnvironError> {
    Target::check(folder.path().to_str().unwrap(), entry, Lookup::Default)
}

fn failure(result: Result<Target, EnvironError>) -> (ErrorCode, String) {
    let failure = Failure::from(result.unwrap_err());
    assert!(
        failure.details["hint"]
            .as_str()
            .is_some_and(|hint| !hint.is_empty())
    );
    (failure.code, failure.message)
}

#[test]
fn each_missing_piece_is_told_in_the_words_and_the_order_of_1_4() {
    let missing = Target::check("./no/such", "main", Lookup::Default);
    let expected = (
        ErrorCode::DirectoryNotFound,
        "Directory \"./no/such\" does not exist.".into(),
    );
    assert_eq!(failure(missing), expected);

    let empty = folder(&[]);
    for entry in ["main", "main.py"] {
        let expected = (
            ErrorCode::EntrypointNotFound,
            "Entrypoint \"main.py\" does not exist.".into(),
        );
        assert_eq!(failure(check(&empty, entry)), expected);
    }

    let bare = folder(&[("main.py", "")]);
    let expected = (
        ErrorCode::RequirementsNotFound,
        "\"requirements.txt\" file is missing.".into(),
    );
    assert_eq!(failure(check(&bare, "main")), expected);
}

#[test]
fn a_file_is_no_directory_and_a_directory_no_entry() {
    let folder = folder(&[("main.py/x", ""), ("file", "")]);
    let file = folder.path().join("file");
    let result = Target::check(file.to_str().unwrap(), "main", Lookup::Default);
    assert_eq!(failure(result).0, ErrorCode::DirectoryNotFound);
    assert_eq!(
        failure(check(&folder, "main")).0,
        ErrorCode::EntrypointNotFound
    );
}

#[test]
fn the_entry_is_found_with_and_without_its_ending_and_in_folders() {
    let folder = folder(&[("main.py", ""), ("a b/ü.py", ""), ("requirements.txt", "")]);
    for (entry, file) in [
        ("main", "main.py"),
        ("main.py", "main.py"),
        ("./a b/ü", "a b/ü.py"),
    ] {
        let target = check(&folder, entry).unwrap();
        assert_eq!(target.entry, Entry::File(folder.path().join(file)));
        assert_eq!(target.directory, folder.path());
    }
}

#[test]
fn a_relative_directory_becomes_absolute() {
    let target = Target::check(
        "__test__/../src",
        "../__test__/rust/environ/package",
        Lookup::Optional,
    );
    let target = target.unwrap();
    assert_eq!(
        target.directory,
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
    );
}

#[test]
fn a_function_of_a_module_is_named_with_a_colon() {
    let folder = folder(&[
        ("pkg/__init__.py", ""),
        ("pkg/mod.py", ""),
        ("requirements.txt", ""),
    ]);
    for (entry, file) in [
        ("pkg.mod:run", Some("pkg/mod.py")),
        ("pkg:Class.method", Some("pkg/__init__.py")),
        ("json:dumps", None),
    ] {
        let target = check(&folder, entry).unwrap();
        assert_eq!(
            target.entry.file(),
            file.map(|file| folder.path().join(file)).as_deref()
        );
        assert!(matches!(target.entry, Entry::Function { .. }));
    }
    assert_eq!(
        failure(check(&folder, "pkg:")).0,
        ErrorCode::EntrypointNotFound
    );
}

#[test]
fn requirements_a_script_block_and_a_pyproject_each_satisfy_the_check() {
    let script = "# /// script\n# dependencies = []\n# ///\n";
    let requirements = folder(&[
        ("main.py", ""),
        ("requirements.txt", ""),
        ("pyproject.toml", ""),
    ]);
    let path = requirements.path().join("requirements.txt");
    let found = check(&requirements, "main").unwrap().dependencies;
    assert_eq!(found, [DependencySource::Requirements(path)]);

    let block = folder(&[("main.py", script), ("pyproject.toml", "")]);
    let path = block.path().join("main.py");
    let found = check(&block, "main").unwrap().dependencies;
    assert_eq!(found, [DependencySource::Script(path)]);

    let project = folder(&[("main.py", ""), ("pyproject.toml", "")]);
    let path = project.path().join("pyproject.toml");
    let found = check(&project, "main").unwrap().dependencies;
    assert_eq!(found, [DependencySource::Project(path)]);

    let both = folder(&[("main.py", script), ("requirements.txt", "")]);
    assert_eq!(check(&both, "main").unwrap().dependencies.len(), 2);
}

#[test]
fn a_named_requirements_file_is_the_one_that_counts() {
    let folder = folder(&[("main.py", ""), ("deps/prod.txt", ""), ("other.toml", "")]);
    let directory = folder.path().to_str().unwrap();
    let named = |file| Target::check(directory, "main", Lookup::File(Path::new(file)));
    let path = folder.path().join("deps/prod.txt");
    let found = named("deps/prod.txt").unwrap().dependencies;
    assert_eq!(found, [DependencySource::Requirements(path)]);
    let found = named("other.toml").unwrap().dependencies;
    assert_eq!(
        found,
        [DependencySource::Project(folder.path().join("other.toml"))]
    );
    let expected = (
        ErrorCode::RequirementsNotFound,
        "\"dev.txt\" file is missing.".into(),
    );
    assert_eq!(failure(named("dev.txt")), expected);
}
