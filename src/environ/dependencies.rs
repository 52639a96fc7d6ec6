//! What is to be installed, and the hash by which it is known whether it has been.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::environ::error::EnvironError;
use crate::environ::metadata::{self, Demands};
use crate::environ::version::Constraint;

/// A file that says what to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DependencySource {
    /// A requirements file.
    Requirements(PathBuf),
    /// A `pyproject.toml`, whose `project.dependencies` count.
    Project(PathBuf),
    /// A Python file with a `# /// script` block (PEP 723).
    Script(PathBuf),
}

/// One thing to hand to the installer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// `-r file`.
    File(PathBuf),
    /// A requirement.
    Requirement(String),
}

/// All that is to be installed.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// What the user asks for.
    pub(crate) items: Vec<Item>,
    /// What the worker likes to have besides; not what the user names already.
    pub(crate) base: Vec<String>,
    pub(crate) requires_python: Option<Constraint>,
    /// Hash over the content of all files, in hexadecimal.
    pub(crate) digest: String,
}

impl Wanted {
    /// Reads the files. Small and local: a millisecond is far too long for it.
    pub(crate) fn read(
        sources: &[DependencySource],
        base: &[String],
    ) -> Result<Self, EnvironError> {
        let mut reader = Reader::default();
        let mut items = Vec::new();
        let mut requires_python: Option<Constraint> = None;
        for source in sources {
            let demands = match source {
                DependencySource::Requirements(path) => {
                    Reader::text(path)?;
                    reader.requirements(path);
                    items.push(Item::File(path.clone()));
                    continue;
                }
                DependencySource::Project(path) => metadata::pyproject(&Reader::text(path)?)
                    .map_err(|reason| wrong(path, &reason))?,
                DependencySource::Script(path) => metadata::script(&Reader::text(path)?)
                    .map_err(|reason| wrong(path, &reason))?
                    .unwrap_or_default(),
            };
            reader.demands(&demands);
            if let Some(constraint) = demands.requires_python {
                requires_python = Some(requires_python.unwrap_or_default().and(&constraint));
            }
            items.extend(demands.dependencies.into_iter().map(Item::Requirement));
        }
        let base = base
            .iter()
            .map(|line| uncommented(line).trim().to_owned())
            .filter(|line| metadata::is_requirement(line))
            .filter(|line| !reader.named.contains(&name(line)))
            .collect::<Vec<_>>();
        for line in &base {
            reader.hash("base", line.as_bytes());
        }
        Ok(Self {
            items,
            base,
            requires_python,
            digest: hex(&reader.hasher.finalize()),
        })
    }
}

/// Collects what counts while files are read.
#[derive(Default)]
struct Reader {
    hasher: Sha256,
    /// Normalised names of the distributions that the user names.
    named: BTreeSet<String>,
    /// Requirements files that have been read: they may include one another in a circle.
    seen: BTreeSet<PathBuf>,
}

impl Reader {
    /// Parts are told apart by their length, so that no two lists hash alike.
    fn hash(&mut self, kind: &str, content: &[u8]) {
        self.hasher.update(format!("{kind} {}\n", content.len()));
        self.hasher.update(content);
    }

    fn text(path: &Path) -> Result<String, EnvironError> {
        let bytes = fs::read(path).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                return EnvironError::RequirementsNotFound {
                    file: file_name(path),
                };
            }
            wrong(path, &format!("cannot be read: {error}"))
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn demands(&mut self, demands: &Demands) {
        for requirement in &demands.dependencies {
            self.named.insert(name(requirement));
            self.hash("requirement", requirement.as_bytes());
        }
        if let Some(constraint) = &demands.requires_python {
            self.hash("python", constraint.to_string().as_bytes());
        }
    }

    /// Takes in a requirements file and the files that it includes. One that is missing is left to
    /// the installer, whose message says more.
    fn requirements(&mut self, path: &Path) {
        if !self.seen.insert(path.to_path_buf()) {
            return;
        }
        let Ok(bytes) = fs::read(path) else {
            self.hash("missing", path.to_string_lossy().as_bytes());
            return;
        };
        self.hash("file", &bytes);
        let text = String::from_utf8_lossy(&bytes)
            .replace("\\\r\n", "")
            .replace("\\\n", "");
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        for line in text.lines().map(|line| uncommented(line).trim()) {
            if let Some(file) = option(line, &["-r", "--requirement", "-c", "--constraint"]) {
                if !file.contains("://") {
                    self.requirements(&folder.join(file));
                }
            } else if let Some(local) = option(line, &["-e", "--editable"]) {
                self.local(&folder.join(local));
            } else if line.starts_with(['.', '/']) {
                self.local(&folder.join(line));
            } else if metadata::is_requirement(line) {
                self.named.insert(name(line));
            }
        }
    }

    /// A package on this machine: what decides its dependencies, or that it has been built anew.
    fn local(&mut self, path: &Path) {
        if path.is_dir() {
            for file in ["pyproject.toml", "setup.cfg", "setup.py"] {
                if let Ok(bytes) = fs::read(path.join(file)) {
                    self.hash(file, &bytes);
                }
            }
        } else if let Ok(metadata) = fs::metadata(path) {
            self.hash(
                "local",
                format!("{} {:?}", metadata.len(), metadata.modified().ok()).as_bytes(),
            );
        }
    }
}

/// The value of an option of a requirements file: `-r x`, `-rx`, `--requirement x`,
/// `--requirement=x`.
fn option<'a>(line: &'a str, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| {
        let rest = line.strip_prefix(name)?;
        let joined = rest.starts_with(['=', ' ', '\t']) || !name.starts_with("--");
        let value = rest.trim_start_matches(['=', ' ', '\t']);
        (joined && !value.is_empty()).then_some(value)
    })
}

/// A line without its comment.
fn uncommented(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    line.split(" #").next().unwrap_or_default()
}

/// The name of the distribution that a requirement names, as it is written there, in lower case.
pub(crate) fn written_name(requirement: &str) -> String {
    let end = requirement
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
        .unwrap_or(requirement.len());
    requirement
        .get(..end)
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// The same, normalised.
fn name(requirement: &str) -> String {
    written_name(requirement)
        .split(['-', '_', '.'])
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

fn wrong(path: &Path, reason: &str) -> EnvironError {
    EnvironError::Install {
        reason: format!("{} {reason}", path.display()),
        output: String::new(),
        hint: "list the dependencies in a requirements.txt, or in [project] dependencies"
            .to_owned(),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(digit.into(), 16));
            }
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(folder: &Path, base: &[&str]) -> Wanted {
        let base: Vec<String> = base.iter().map(ToString::to_string).collect();
        let source = DependencySource::Requirements(folder.join("requirements.txt"));
        Wanted::read(&[source], &base).unwrap()
    }

    #[test]
    fn the_digest_follows_every_included_file() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "requirements.txt",
            "-r more.txt\n--constraint=limits.txt\nmsgpack\n-e ./own\n",
        );
        write("more.txt", "-r requirements.txt\n");
        write("limits.txt", "msgpack<2\n");
        fs::create_dir(folder.path().join("own")).unwrap();
        write("own/setup.py", "1");
        let mut digests = vec![read(folder.path(), &[]).digest];
        assert_eq!(read(folder.path(), &[]).digest, digests[0]);
        write("limits.txt", "msgpack<3\n");
        digests.push(read(folder.path(), &[]).digest);
        write("more.txt", "-r requirements.txt\nrich\n");
        digests.push(read(folder.path(), &[]).digest);
        write("own/setup.py", "2");
        digests.push(read(folder.path(), &[]).digest);
        digests.push(read(folder.path(), &["msgspec"]).digest);
        digests.dedup();
        assert_eq!(digests.len(), 5);
    }

    #[test]
    fn what_the_user_names_is_not_wished_for_besides() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("requirements.txt"),
            "Msg_Pack[c] == 0.5 # old\n",
        )
        .unwrap();
        let base = [
            "# comment",
            "msg.pack>=1",
            "msgspec>=0.18 ; python_version<'3.14'  # fast",
            "",
        ];
        assert_eq!(
            read(folder.path(), &base).base,
            ["msgspec>=0.18 ; python_version<'3.14'"]
        );
    }
}
