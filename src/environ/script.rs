//! What `spawn` is given for a worker that is not Python: the directory, then the entry. Nothing is
//! installed.

use std::path::{Path, PathBuf};

use crate::environ::error::EnvironError;
use crate::environ::layout;

/// Extensions of the files that Node runs, in the order in which they are looked for.
const NODE_EXTENSIONS: [&str; 3] = ["js", "mjs", "cjs"];

/// A program that passed the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Absolute; a symbolic link in it stays.
    pub directory: PathBuf,
    /// The entry file, absolute.
    pub entry: PathBuf,
    /// Whether the command names the entry itself.
    pub named: bool,
}

impl Script {
    /// Checks what a worker in Node is made of: `worker` stands for `worker.js`, `.mjs` or `.cjs`.
    ///
    /// # Errors
    /// [`EnvironError::DirectoryNotFound`] or [`EnvironError::EntrypointNotFound`].
    pub fn check_node(directory: &str, entry: &str) -> Result<Self, EnvironError> {
        let directory = check_directory(directory)?;
        let candidates = std::iter::once(entry.to_owned()).chain(
            NODE_EXTENSIONS
                .iter()
                .map(|extension| format!("{entry}.{extension}")),
        );
        for candidate in candidates {
            if let Some(entry) = find(&directory, &candidate) {
                return Ok(Self {
                    directory,
                    entry,
                    named: false,
                });
            }
        }
        let has_extension = Path::new(entry)
            .extension()
            .is_some_and(|extension| NODE_EXTENSIONS.iter().any(|known| extension == *known));
        Err(EnvironError::EntrypointNotFound {
            entrypoint: if has_extension {
                entry.to_owned()
            } else {
                format!("{entry}.js")
            },
        })
    }

    /// Checks what a command runs. The entry is a file of the directory; it may be written without
    /// its extension if the command names it with one.
    ///
    /// # Errors
    /// [`EnvironError::DirectoryNotFound`] or [`EnvironError::EntrypointNotFound`].
    pub fn check_command(
        directory: &str,
        entry: &str,
        command: &[String],
    ) -> Result<Self, EnvironError> {
        let directory = check_directory(directory)?;
        let wanted = layout::resolve(&directory.join(entry));
        let named = command
            .iter()
            .filter_map(|word| find(&directory, word))
            .find(|file| {
                !entry.is_empty() && (*file == wanted || file.with_extension("") == wanted)
            });
        if let Some(entry) = named {
            return Ok(Self {
                directory,
                entry,
                named: true,
            });
        }
        match find(&directory, entry) {
            Some(entry) => Ok(Self {
                directory,
                entry,
                named: false,
            }),
            None => Err(EnvironError::EntrypointNotFound {
                entrypoint: entry.to_owned(),
            }),
        }
    }
}

fn check_directory(directory: &str) -> Result<PathBuf, EnvironError> {
    let absolute = layout::resolve(Path::new(directory));
    if directory.is_empty() || !absolute.is_dir() {
        return Err(EnvironError::DirectoryNotFound {
            directory: directory.to_owned(),
        });
    }
    Ok(absolute)
}

fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    let file = layout::resolve(&directory.join(name));
    (!name.is_empty() && file.is_file()).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        folder
    }

    fn command(folder: &Path, entry: &str, words: &[&str]) -> Result<(String, bool), String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Script::check_command(folder.to_str().unwrap(), entry, &words)
            .map(|script| {
                let name = script.entry.file_name().unwrap().to_string_lossy();
                (name.into_owned(), script.named)
            })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_may_name_the_entry_or_leave_it_to_be_appended() {
        let folder = folder(&["worker.rb", "other.rb"]);
        let named = Ok(("worker.rb".to_owned(), true));
        let appended = Ok(("worker.rb".to_owned(), false));
        for (entry, words, expected) in [
            ("worker.rb", vec!["ruby", "worker.rb"], &named),
            ("worker.rb", vec!["ruby", "./worker.rb"], &named),
            ("worker", vec!["ruby", "worker.rb"], &named),
            ("worker.rb", vec!["ruby"], &appended),
            ("worker.rb", vec!["ruby", "other.rb"], &appended),
        ] {
            assert_eq!(
                command(folder.path(), entry, &words),
                *expected,
                "{words:?}"
            );
        }
    }

    #[test]
    fn an_entry_that_is_no_file_of_the_directory_is_refused() {
        let folder = folder(&["worker.rb"]);
        for (entry, words) in [
            ("missing.rb", vec!["ruby"]),
            ("", vec!["ruby", "worker.rb"]),
        ] {
            let refusal = format!("Entrypoint \"{entry}\" does not exist.");
            assert_eq!(command(folder.path(), entry, &words), Err(refusal));
        }
    }

    #[test]
    fn node_finds_its_extensions_in_order() {
        let folder = folder(&["a.mjs", "a.cjs", "b.cjs", "c.js", "c.mjs"]);
        let find = |entry: &str| {
            Script::check_node(folder.path().to_str().unwrap(), entry)
                .map(|script| {
                    script
                        .entry
                        .file_name()
                        .unwrap()
                        .to_string_lossy()
                        .into_owned()
                })
                .map_err(|error| error.to_string())
        };
        assert_eq!(find("a").unwrap(), "a.mjs");
        assert_eq!(find("a.cjs").unwrap(), "a.cjs");
        assert_eq!(find("b").unwrap(), "b.cjs");
        assert_eq!(find("c").unwrap(), "c.js");
        assert_eq!(
            find("d").unwrap_err(),
            "Entrypoint \"d.js\" does not exist."
        );
        assert_eq!(
            find("d.mjs").unwrap_err(),
            "Entrypoint \"d.mjs\" does not exist."
        );
    }
}
