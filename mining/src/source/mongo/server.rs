//! Which server: a `mongodb://` URL, whose password comes from a file or the environment and is never shown.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mongodb::options::ClientOptions;
use program::{Misuse, redact};

/// Environment variable with the password, the same as etl's.
const PASSWORD: &str = "KAFKASPIDER_MONGODB_PASSWORD";
/// Database where the URL names none.
const DATABASE: &str = "kafkaspider";

/// A server and a database on it.
#[derive(Clone)]
pub struct Server {
    url: String,
    password: Option<String>,
    database: String,
    shown: String,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.shown)
    }
}

impl Server {
    /// Reads a URL, and the password from the file or the environment.
    pub fn new(url: &str, password_file: Option<&Path>) -> Result<Server, Misuse> {
        let wrong = || Misuse::new(format!("--source {}: give a folder or mongodb://host:port/database", redact(url)));
        // A command line can be read by every user of the machine.
        if std::env::args().any(|arg| arg.contains("mongodb://") && redact(&arg) != arg) {
            return Err(Misuse::new(format!(
                "others can read the command line: leave the password out of the URL, and set {PASSWORD} or give \
                 --mongodb-password-file"
            )));
        }
        let rest = url.strip_prefix("mongodb://").ok_or_else(wrong)?;
        let (authority, tail) = rest.split_once('/').unwrap_or((rest, ""));
        let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
        let named = tail.split('?').next().unwrap_or_default();
        let database = if named.is_empty() { DATABASE } else { named };
        if hosts.is_empty() || database.contains(['.', ' ', '$', '"', '\\', '/']) || database.len() > 63 {
            return Err(wrong());
        }
        let password = match password_file {
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|error| {
                    Misuse::new(format!("cannot read the password file {}: {error}", file.display()))
                })?;
                Some(text.lines().next().unwrap_or_default().to_owned())
            }
            None => std::env::var(PASSWORD).ok().filter(|password| !password.is_empty()),
        };
        Ok(Server {
            url: url.to_owned(),
            password,
            shown: format!("mongodb://{hosts}/{database}"),
            database: database.to_owned(),
        })
    }

    /// Server and database, without user, password and options.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Options of the driver.
    pub(super) async fn options(&self) -> Result<ClientOptions> {
        let parsed = ClientOptions::parse(&self.url).await;
        // The driver's words quote the URL.
        let mut options =
            parsed.map_err(|error| Misuse::new(format!("{}: {}", self.shown, redact(&error.kind.to_string()))))?;
        match (&mut options.credential, &self.password) {
            (Some(credential), Some(password)) => credential.password = Some(password.clone()),
            (Some(_), None) => bail!(Misuse::new(format!(
                "{} is asked for as a user, and no password is given: set {PASSWORD} or give --mongodb-password-file",
                self.shown
            ))),
            // A password in the environment may be meant for another server.
            (None, _) => {}
        }
        options.app_name.get_or_insert_with(|| "kafkaspider mine".into());
        options.connect_timeout.get_or_insert(Duration::from_secs(10));
        options.server_selection_timeout.get_or_insert(Duration::from_secs(10));
        if options.hosts.len() == 1 && options.repl_set_name.is_none() {
            options.direct_connection.get_or_insert(true);
        }
        options.hosts.first().context("the URL names no host")?;
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_server_shows_neither_user_nor_options() {
        let server = Server::new("mongodb://ann@db:27017,db2/crawl?authSource=admin", None).unwrap();
        assert_eq!((server.shown(), server.database()), ("mongodb://db:27017,db2/crawl", "crawl"));
        assert_eq!(Server::new("mongodb://db", None).unwrap().shown(), "mongodb://db/kafkaspider");
        for wrong in ["mongodb:///x", "mongodb://h/a.b", "http://h/x", "mongodb+srv://h/x"] {
            assert!(Server::new(wrong, None).is_err(), "{wrong}");
        }
    }
}
