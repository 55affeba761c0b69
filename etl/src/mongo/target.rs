//! Where to upload to: a `mongodb://` URL, whose password comes from a file or the environment and is never shown.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mongodb::options::{ClientOptions, ServerAddress};
use program::{Misuse, Shutdown, redact};
use sha2::{Digest, Sha256};

use super::Mongo;
use crate::size;

/// Environment variable with the password.
const PASSWORD: &str = "KAFKASPIDER_MONGODB_PASSWORD";
/// How long somebody waits who only looks.
const QUICK: Duration = Duration::from_secs(5);
/// Database where the URL names none.
const DATABASE: &str = "kafkaspider";

/// Which server, and how patient to be with it
#[derive(Debug, Clone, clap::Args)]
pub struct Server {
    /// MongoDB or FerretDB: mongodb://[user@]host:port/database; a password comes from KAFKASPIDER_MONGODB_PASSWORD or
    /// --mongodb-password-file
    #[arg(long, value_name = "URL", value_parser = url)]
    pub mongodb: Option<String>,
    /// File whose first line is the password of the server
    #[arg(long, value_name = "FILE")]
    pub mongodb_password_file: Option<PathBuf>,
    /// Try so long to reach a server that is away
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = size::duration)]
    pub retry_for: Duration,
    /// Give an operation up, and try it on another connection, when it takes longer
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = size::duration)]
    pub timeout: Duration,
}

impl Server {
    /// The target, when one is named.
    pub fn target(&self) -> Result<Option<Target>> {
        self.mongodb.as_deref().map(|url| Target::new(url, self.mongodb_password_file.as_deref())).transpose()
    }

    /// The target; that none is named is wrong usage.
    pub fn need(&self, flag: &str) -> Result<Target> {
        match self.target()? {
            Some(target) => Ok(target),
            None => Err(Misuse::new(format!(
                "no server is named: give {flag} mongodb://host:port/database, or set KAFKASPIDER_MONGODB"
            ))
            .into()),
        }
    }

    /// The same with little patience, for who only looks and does not wait for ten minutes.
    pub fn quick(&self) -> Server {
        Server { retry_for: self.retry_for.min(QUICK), timeout: self.timeout.min(QUICK), ..self.clone() }
    }

    /// Connects.
    pub fn connect(&self, target: &Target, shutdown: &Shutdown) -> Result<Mongo> {
        Mongo::connect(target, self.retry_for, self.timeout, shutdown)
    }
}

/// Takes what looks like a URL of a server.
pub fn url(text: &str) -> Result<String, String> {
    if text.starts_with("mongodb+srv://") {
        return Err(
            "mongodb+srv:// addresses are not taken; name the hosts as mongodb://host:port,host:port/database".into()
        );
    }
    match text.strip_prefix("mongodb://") {
        Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
        _ => Err("a server is written as mongodb://host:port/database".into()),
    }
}

/// A server and a database on it.
#[derive(Debug, Clone)]
pub struct Target {
    url: Secret,
    password: Option<Secret>,
    database: String,
    shown: String,
}

/// Text that is never printed.
#[derive(Clone)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Target {
    /// Reads a URL, and the password from the file or the environment.
    pub fn new(url: &str, password_file: Option<&Path>) -> Result<Target> {
        refuse_on_command_line()?;
        let rest = url.strip_prefix("mongodb://").unwrap_or(url);
        let (authority, tail) = rest.split_once('/').unwrap_or((rest, ""));
        let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
        let named = tail.split('?').next().unwrap_or_default();
        let database = if named.is_empty() { DATABASE.to_owned() } else { named.to_owned() };
        if hosts.is_empty() || database.contains(['.', ' ', '$', '"', '\\', '/']) || database.len() > 63 {
            bail!(Misuse::new(format!("{} is no mongodb://host:port/database", redact(url))));
        }
        let password = match password_file {
            Some(file) => {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read the password file {}", file.display()))?;
                Some(text.lines().next().unwrap_or_default().to_owned())
            }
            None => std::env::var(PASSWORD).ok().filter(|password| !password.is_empty()),
        };
        Ok(Target {
            url: Secret(url.to_owned()),
            password: password.map(Secret),
            shown: format!("mongodb://{hosts}/{database}"),
            database,
        })
    }

    /// Server and database, without user, password and options: it names the target in the ledger.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Short name for files: 8 hexadecimal digits of a hash of [`Target::shown`].
    pub fn key(&self) -> String {
        hex::encode(&Sha256::digest(self.shown.as_bytes())[..4])
    }

    /// Options of the driver.
    pub(super) async fn options(&self, timeout: Duration) -> Result<ClientOptions> {
        let parsed = ClientOptions::parse(&self.url.0).await;
        // the driver's words quote the URL
        let mut options = parsed.map_err(|error| {
            Misuse::new(format!("{} is not understood: {}", self.shown, redact(&error.kind.to_string())))
        })?;
        if let Some(password) = &self.password {
            match &mut options.credential {
                Some(credential) => credential.password = Some(password.0.clone()),
                // one in the environment may be meant for another server
                None if std::env::var(PASSWORD).is_ok() => {}
                None => bail!(Misuse::new(format!(
                    "a password is given, but {} names no user: write mongodb://user@host:port/database",
                    self.shown
                ))),
            }
        }
        options.app_name.get_or_insert_with(|| "kafkaspider etl".into());
        options.connect_timeout.get_or_insert(timeout.min(Duration::from_secs(10)));
        options.server_selection_timeout.get_or_insert(timeout.min(Duration::from_secs(5)));
        options.max_pool_size.get_or_insert(64);
        // we try again ourselves, and know what was sent
        options.retry_writes = Some(false);
        let one = options.hosts.len() == 1 && options.repl_set_name.is_none();
        if one && matches!(options.hosts[0], ServerAddress::Tcp { .. }) {
            options.direct_connection.get_or_insert(true);
        }
        Ok(options)
    }
}

/// A command line can be read by every user of the machine.
fn refuse_on_command_line() -> Result<()> {
    let has_password = |arg: &str| arg.contains("mongodb://") && redact(arg) != arg;
    if std::env::args().any(|arg| has_password(&arg)) {
        bail!(Misuse::new(format!(
            "others can read the command line: leave the password out of the URL, and set {PASSWORD} or give --mongodb-password-file"
        )));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_target_shows_neither_user_nor_password_nor_options() {
        let target = Target::new("mongodb://ann:secret@db:27017,db2/crawl?authSource=admin", None).unwrap();
        assert_eq!((target.shown(), target.database()), ("mongodb://db:27017,db2/crawl", "crawl"));
        assert!(!format!("{target:?}").contains("secret"));
        assert_eq!(target.key().len(), 8);
        assert_eq!(Target::new("mongodb://db", None).unwrap().shown(), "mongodb://db/kafkaspider");
        assert!(Target::new("mongodb:///x", None).is_err());
        assert!(Target::new("mongodb://h/a.b", None).is_err());
    }

    #[test]
    fn only_urls_of_servers_are_taken() {
        assert!(url("mongodb://h:1/x").is_ok());
        for text in ["", "h:1", "http://h", "mongodb://", "mongodb+srv://h"] {
            assert!(url(text).is_err(), "{text}");
        }
    }
}
