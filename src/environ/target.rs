//! What `spawn` is given, checked in the order of the public contract: the directory, the entry,
//! the file that says what to install.

use std::path::{Path, PathBuf};

use crate::environ::dependencies::DependencySource;
use crate::environ::error::EnvironError;
use crate::environ::{layout, metadata};

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file, run as `__main__`.
    File(PathBuf),
    /// A function of a module, named `module:function`. Whether they exist is found out by the
    /// worker: the module may be one that is installed.
    Function {
        /// Dotted name.
        module: String,
        /// Name in the module; dotted for a method.
        function: String,
        /// The module's file, if it lies in the directory.
        file: Option<PathBuf>,
    },
}

impl Entry {
    /// The file that is run or holds the function, where it is known.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file),
            Self::Function { file, .. } => file.as_deref(),
        }
    }
}

/// A module that passed the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Absolute; a symbolic link in it stays.
    pub directory: PathBuf,
    /// What is run.
    pub entry: Entry,
    /// What says what to install; empty only if nothing was required.
    pub dependencies: Vec<DependencySource>,
}

/// How the dependency file is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// `requirements.txt`, and the entry's `# /// script` block; where there is neither,
    /// `pyproject.toml`.
    Default,
    /// The file that the option `requirements` names, relative to the directory: a requirements
    /// file, or a `*.toml` like `pyproject.toml`.
    File(&'a Path),
    /// As by default, but none need be there: nothing is installed.
    Optional,
}

impl Target {
    /// Checks what `spawn` was given.
    ///
    /// # Errors
    /// [`EnvironError::DirectoryNotFound`], [`EnvironError::EntrypointNotFound`] or
    /// [`EnvironError::RequirementsNotFound`], whichever comes first.
    pub fn check(directory: &str, entry: &str, lookup: Lookup<'_>) -> Result<Self, EnvironError> {
        let absolute = layout::resolve(Path::new(directory));
        if directory.is_empty() || !absolute.is_dir() {
            return Err(EnvironError::DirectoryNotFound {
                directory: directory.to_owned(),
            });
        }
        let entry = find_entry(&absolute, entry)?;
        let dependencies = find_dependencies(&absolute, &entry, lookup)?;
        Ok(Self {
            directory: absolute,
            entry,
            dependencies,
        })
    }
}

fn find_entry(directory: &Path, entry: &str) -> Result<Entry, EnvironError> {
    if let Some((module, function)) = entry.split_once(':')
        && is_dotted_name(module)
        && is_dotted_name(function)
    {
        let path = directory.join(module.replace('.', "/"));
        let file = [path.with_extension("py"), path.join("__init__.py")];
        return Ok(Entry::Function {
            module: module.to_owned(),
            function: function.to_owned(),
            file: file.into_iter().find(|file| file.is_file()),
        });
    }
    let has_extension = Path::new(entry)
        .extension()
        .is_some_and(|extension| extension == "py");
    let name = if has_extension {
        entry.to_owned()
    } else {
        format!("{entry}.py")
    };
    let file = layout::resolve(&directory.join(&name));
    if entry.is_empty() || !file.is_file() {
        return Err(EnvironError::EntrypointNotFound { entrypoint: name });
    }
    Ok(Entry::File(file))
}

fn is_dotted_name(text: &str) -> bool {
    text.split('.').all(|part| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

fn find_dependencies(
    directory: &Path,
    entry: &Entry,
    lookup: Lookup<'_>,
) -> Result<Vec<DependencySource>, EnvironError> {
    if let Lookup::File(given) = lookup {
        let path = layout::resolve(&directory.join(given));
        if !path.is_file() {
            let file = given.to_string_lossy().into_owned();
            return Err(EnvironError::RequirementsNotFound { file });
        }
        let is_toml = path
            .extension()
            .is_some_and(|extension| extension == "toml");
        return Ok(vec![if is_toml {
            DependencySource::Project(path)
        } else {
            DependencySource::Requirements(path)
        }]);
    }
    let mut found = Vec::new();
    let requirements = directory.join("requirements.txt");
    if requirements.is_file() {
        found.push(DependencySource::Requirements(requirements));
    }
    if let Some(file) = entry.file()
        && has_script_block(file)
    {
        found.push(DependencySource::Script(file.to_path_buf()));
    }
    let project = directory.join("pyproject.toml");
    if found.is_empty() && project.is_file() {
        found.push(DependencySource::Project(project));
    }
    if found.is_empty() && lookup != Lookup::Optional {
        return Err(EnvironError::RequirementsNotFound {
            file: "requirements.txt".to_owned(),
        });
    }
    Ok(found)
}

/// Whether there is a block, even a wrong one: that it is wrong is told when it is read.
fn has_script_block(file: &Path) -> bool {
    std::fs::read(file)
        .is_ok_and(|bytes| !matches!(metadata::script(&String::from_utf8_lossy(&bytes)), Ok(None)))
}
