//! What a module demands by `pyproject.toml`, or by the block of inline metadata (PEP 723) in its
//! entry file.

use serde::Deserialize;

use crate::environ::version::Constraint;

/// What is demanded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Demands {
    /// Requirements, as PEP 508 writes them.
    pub(crate) dependencies: Vec<String>,
    pub(crate) requires_python: Option<Constraint>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Project {
    dependencies: Vec<String>,
    requires_python: Option<String>,
    dynamic: Vec<String>,
}

#[derive(Deserialize)]
struct Pyproject {
    project: Option<Project>,
    tool: Option<Tool>,
}

#[derive(Deserialize)]
struct Tool {
    poetry: Option<toml::Table>,
}

/// Reads `pyproject.toml`: the dependencies of the project, not the project itself, which runs from
/// where it lies. `Err` says in words what cannot be read.
pub(crate) fn pyproject(text: &str) -> Result<Demands, String> {
    let parsed: Pyproject = toml::from_str(text).map_err(|error| describe(&error))?;
    let in_poetry_only = parsed.project.is_none()
        && parsed
            .tool
            .and_then(|tool| tool.poetry)
            .is_some_and(|t| t.contains_key("dependencies"));
    if in_poetry_only {
        return Err(
            "lists its dependencies under [tool.poetry], which only poetry reads".to_owned(),
        );
    }
    let project = parsed.project.unwrap_or_default();
    if project.dynamic.iter().any(|field| field == "dependencies") {
        return Err("has dynamic dependencies, known only to its build backend".to_owned());
    }
    demands(project)
}

/// Reads the `# /// script` block of a Python file; nothing if it has none.
pub(crate) fn script(source: &str) -> Result<Option<Demands>, String> {
    let Some(block) = script_block(source)? else {
        return Ok(None);
    };
    let project: Project = toml::from_str(&block).map_err(|error| describe(&error))?;
    demands(project).map(Some)
}

fn demands(project: Project) -> Result<Demands, String> {
    if let Some(wrong) = project
        .dependencies
        .iter()
        .find(|text| !is_requirement(text))
    {
        return Err(format!(
            "lists the dependency {wrong:?}, which is no requirement"
        ));
    }
    let requires_python = match project
        .requires_python
        .as_deref()
        .filter(|text| !text.is_empty())
    {
        None => None,
        Some(text) => Some(
            Constraint::parse(text)
                .ok_or_else(|| format!("has requires-python {text:?}, which is not understood"))?,
        ),
    };
    Ok(Demands {
        dependencies: project.dependencies,
        requires_python,
    })
}

/// A requirement begins with a name. Anything else could be taken for an option by the installer.
pub(crate) fn is_requirement(text: &str) -> bool {
    text.trim_start()
        .starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn describe(error: &toml::de::Error) -> String {
    format!("is not valid TOML: {}", error.message())
}

/// The content of the block, without the comment marks, as PEP 723 cuts it: from `# /// script` to
/// the last `# ///` that only comment lines part from it.
fn script_block(source: &str) -> Result<Option<String>, String> {
    let mut blocks = Vec::new();
    let mut lines = source.lines().map(str::trim_end).peekable();
    while let Some(line) = lines.next() {
        if line != "# /// script" {
            continue;
        }
        let mut content: Vec<&str> = Vec::new();
        let mut end = None;
        while let Some(comment) = lines.next_if(|line| *line == "#" || line.starts_with("# ")) {
            if comment == "# ///" {
                end = Some(content.len());
            }
            content.push(comment.get(2..).unwrap_or_default());
        }
        if let Some(end) = end {
            content.truncate(end);
            blocks.push(content.join("\n"));
        }
    }
    match blocks.len() {
        0 | 1 => Ok(blocks.pop()),
        _ => Err("has more than one \"# /// script\" block".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "#!/usr/bin/env python\n\
        # /// script\n\
        # requires-python = \">=3.10\"\n\
        # dependencies = [\n\
        #   \"msgpack\",\n\
        #\n\
        #   \"rich>=13\",\n\
        # ]\n\
        # ///\n\
        import msgpack\n";

    #[test]
    fn a_script_block_is_read() {
        let demands = script(SCRIPT).unwrap().unwrap();
        assert_eq!(demands.dependencies, ["msgpack", "rich>=13"]);
        assert_eq!(demands.requires_python, Constraint::parse(">=3.10"));
        assert_eq!(
            script(&SCRIPT.replace('\n', "\r\n")).unwrap().unwrap(),
            demands
        );
    }

    #[test]
    fn a_script_without_a_whole_block_has_none() {
        assert_eq!(script("import os\n").unwrap(), None);
        assert_eq!(
            script("# /// script\n# dependencies = []\nimport os\n").unwrap(),
            None
        );
        assert_eq!(script("# /// other\n# x = 1\n# ///\n").unwrap(), None);
    }

    #[test]
    fn a_wrong_block_is_an_error() {
        assert!(script("# /// script\n# dependencies = [\n# ///\n").is_err());
        assert!(script("# /// script\n# ///\n\n# /// script\n# ///\n").is_err());
        assert!(script("# /// script\n# dependencies = ['-e .']\n# ///\n").is_err());
    }

    #[test]
    fn a_pyproject_is_read() {
        let demands = pyproject(
            "[build-system]\nrequires = ['hatchling']\n[project]\nname = 'x'\n\
             requires-python = '>=3.9'\ndependencies = ['msgpack>=1']\n[tool.ruff]\nline-length = 9",
        )
        .unwrap();
        assert_eq!(demands.dependencies, ["msgpack>=1"]);
        assert_eq!(demands.requires_python, Constraint::parse(">=3.9"));
        assert_eq!(pyproject("[tool.ruff]\n").unwrap(), Demands::default());
    }

    #[test]
    fn a_pyproject_whose_dependencies_cannot_be_known_is_an_error() {
        assert!(pyproject("[project]\nname = 'x'\ndynamic = ['dependencies']").is_err());
        assert!(pyproject("[tool.poetry.dependencies]\npython = '^3.9'").is_err());
        assert!(pyproject("[project").is_err());
    }
}
