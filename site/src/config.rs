//! `site.toml`: what a folder says about how it is to be served.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Error, Rule};

/// The file; all keys are optional, unknown ones are refused.
///
/// ```toml
/// gzip = true          # compress text when the client accepts it
/// fill_in = true       # in text files {{name}} becomes http://ADDRESS:PORT of the host of that name
///
/// [[host]]             # the first is the main one, 127.0.0.1; the next is 127.0.0.2 …, on the same port
/// name = "main"
/// folder = "main"      # relative to this file
///
/// [[rule]]             # see Rule
/// path = "/old"
/// does.redirect = { to = "/new" }
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) gzip: bool,
    #[serde(default)]
    pub(crate) fill_in: bool,
    #[serde(default, rename = "host")]
    pub(crate) hosts: Vec<HostConfig>,
    #[serde(default, rename = "rule")]
    pub(crate) rules: Vec<Rule>,
}

/// One host of the site.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostConfig {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
}

impl Config {
    /// Reads `site.toml` in `folder`; `None` when there is none.
    pub(crate) fn read(folder: &Path) -> Result<Option<Config>, Error> {
        let path = folder.join("site.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Io { path, source }),
        };
        let config: Config =
            toml::from_str(&text).map_err(|e| Error::Malformed { path: path.clone(), why: e.to_string() })?;
        let names: Vec<&str> = config.hosts.iter().map(|host| host.name.as_str()).collect();
        for name in config.rules.iter().filter_map(|rule| rule.host.as_deref()) {
            if !names.contains(&name) {
                return Err(Error::Malformed { path, why: format!("a rule names host {name:?}, which is not listed") });
            }
        }
        Ok(Some(config))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_mistake_in_site_toml_is_told_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Config::read(folder.path()).unwrap().is_none());
        for wrong in ["gzipp = true", "[[rule]]\nhost = \"b\"\npath = \"/\"\ndoes = \"hang\"", "[["] {
            std::fs::write(folder.path().join("site.toml"), wrong).unwrap();
            let error = Config::read(folder.path()).unwrap_err().to_string();
            assert!(error.contains("site.toml"), "{error}");
        }
    }
}
