//! A MongoDB server as etl talks to it: one connection pool, commands that are tried again while the server is away, and
//! errors that say which of three things happened.
//!
//! Every command here can be sent twice without harm: an insert that had succeeded comes back as a duplicate (11000) and is
//! compared, a replacement writes the same again, a look-up changes nothing. So a command whose answer was lost, because a
//! connection was cut or stalled, is just sent again.

pub mod bson;
pub mod document;
mod pool;
pub mod target;

use std::future::{Future, IntoFuture};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mongodb::Database;
use mongodb::bson::raw::{RawDocument, RawDocumentBuf};
use mongodb::bson::{Document, doc};
use mongodb::error::{Error, ErrorKind};
use program::{Shutdown, redact};
use tokio::runtime::Runtime;

use pool::Pool;
pub use target::{Server, Target};

/// First pause before a command is tried again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why a command did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// The server could not be reached for as long as we try.
    #[error("{target} was away for {}: {why}", program::human::duration(*.tried))]
    Away {
        /// Server and database, without secrets.
        target: String,
        /// How long it was tried.
        tried: Duration,
        /// The last error.
        why: String,
    },
    /// The server answered, and said no; sending the same again would not help.
    #[error("{target} refused: {message} (code {code})")]
    Refused {
        /// Server and database, without secrets.
        target: String,
        /// MongoDB's code; 0 where it gave none.
        code: i32,
        /// Its words.
        message: String,
    },
    /// A signal came while the server was away.
    #[error("interrupted")]
    Interrupted,
}

/// Codes with which a server says that it does not know us, or that we may not: no document of ours is at fault.
const UNWELCOME: [i32; 4] = [13, 18, 31, 8000];
/// Codes that pass by themselves: stepping down, shutting down, being elected, network errors between servers.
const PASSING: [i32; 17] = [6, 7, 63, 64, 89, 91, 133, 150, 189, 234, 262, 9001, 10107, 11600, 11602, 13435, 13436];

impl Failure {
    /// The server does not let us in at all.
    pub fn is_unwelcome(&self) -> bool {
        matches!(self, Failure::Refused { code, .. } if UNWELCOME.contains(code))
    }
}

/// Why one attempt broke off.
enum Broken {
    Error(Error),
    Slow,
    Interrupted,
}

/// Since when something is tried, and how long to wait before the next time.
struct Patience {
    began: Instant,
    pause: Duration,
}

impl Patience {
    fn new() -> Patience {
        Patience { began: Instant::now(), pause: FIRST_PAUSE }
    }
}

/// A server and the database on it.
pub struct Mongo {
    runtime: Runtime,
    link: Link,
}

/// What tasks share; cheap to clone.
#[derive(Clone)]
pub struct Link {
    pool: Arc<Pool>,
    target: String,
    /// True for FerretDB, which finds documents by `_id` only when it is asked for one at a time.
    one_by_one: bool,
    retry_for: Duration,
    timeout: Duration,
    well: Arc<Mutex<Instant>>,
    shutdown: Shutdown,
}

impl Mongo {
    /// Connects; the server has answered when this returns.
    pub fn connect(target: &Target, retry_for: Duration, timeout: Duration, shutdown: &Shutdown) -> Result<Mongo> {
        // one thread is enough for what only waits
        let threads =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("mongo").enable_all().build();
        let runtime = threads.context("cannot start threads")?;
        let options = runtime.block_on(target.options(timeout))?;
        // the pool's own tasks start here
        let guard = runtime.enter();
        let pool = Pool::new(options, target.database()).with_context(|| format!("cannot use {}", target.shown()))?;
        drop(guard);
        let mut link = Link {
            pool: Arc::new(pool),
            target: target.shown().to_owned(),
            one_by_one: false,
            retry_for,
            timeout,
            well: Arc::new(Mutex::new(Instant::now())),
            shutdown: shutdown.clone(),
        };
        let build = runtime.block_on(link.command(doc! { "buildInfo": 1 }))?;
        link.one_by_one = build.keys().any(|key| key.to_ascii_lowercase().starts_with("ferretdb"));
        Ok(Mongo { runtime, link })
    }

    /// What tasks share.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Waits for something on the server.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Starts a task on the connection's threads.
    pub fn spawn<T: Send + 'static>(
        &self,
        tasks: &mut tokio::task::JoinSet<T>,
        future: impl Future<Output = T> + Send + 'static,
    ) {
        tasks.spawn_on(future, self.runtime.handle());
    }
}

impl Link {
    /// Server and database, without secrets.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// True when documents are to be looked up one by one.
    pub fn one_by_one(&self) -> bool {
        self.one_by_one
    }

    /// Runs a command.
    pub async fn command(&self, command: Document) -> Result<Document, Failure> {
        let attempt = |db: Database| {
            let command = command.clone();
            async move { db.run_command(command).await }
        };
        self.again(attempt).await
    }

    /// Runs a command that is bytes already, and made anew for each try.
    pub async fn raw(&self, make: impl Fn() -> Result<RawDocumentBuf, Error>) -> Result<Document, Failure> {
        let attempt = |db: Database| {
            let command = make();
            async move { db.run_raw_command(command?).await }
        };
        self.again(attempt).await
    }

    /// Does something that may be done twice until it succeeds, the server refuses, or it was away for too long.
    async fn again<T, F>(&self, attempt: impl Fn(Database) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut patience = Patience::new();
        loop {
            let (generation, db) = self.pool.get();
            match self.in_time(generation, attempt(db)).await {
                Ok(done) => return Ok(done),
                Err(broken) => self.bear(&mut patience, broken).await?,
            }
        }
    }

    /// Reads all documents that fit a filter, once; a pass that breaks off begins again with a new `state`.
    pub async fn pass<S>(
        &self,
        collection: &str,
        filter: Document,
        fields: Document,
        state: impl Fn() -> S,
        mut each: impl FnMut(&mut S, &RawDocument),
    ) -> Result<S, Failure> {
        let mut patience = Patience::new();
        loop {
            match self.pass_once(collection, filter.clone(), fields.clone(), state(), &mut each).await {
                Ok(state) => return Ok(state),
                Err(broken) => self.bear(&mut patience, broken).await?,
            }
        }
    }

    async fn pass_once<S>(
        &self,
        collection: &str,
        filter: Document,
        fields: Document,
        mut state: S,
        each: &mut impl FnMut(&mut S, &RawDocument),
    ) -> Result<S, Broken> {
        let (generation, db) = self.pool.get();
        let documents = db.collection::<RawDocumentBuf>(collection);
        let find = documents.find(filter).projection(fields).batch_size(1_000);
        let mut cursor = self.in_time(generation, find.into_future()).await?;
        while self.in_time(generation, cursor.advance()).await? {
            if self.shutdown.requested() {
                return Err(Broken::Interrupted);
            }
            each(&mut state, cursor.current());
        }
        Ok(state)
    }

    /// Waits for an attempt that uses the pool of this generation, but not for longer than the timeout.
    async fn in_time<T>(&self, generation: u64, attempt: impl Future<Output = Result<T, Error>>) -> Result<T, Broken> {
        match tokio::time::timeout(self.timeout, attempt).await {
            Ok(Ok(done)) => {
                self.set_well();
                Ok(done)
            }
            Ok(Err(error)) => Err(Broken::Error(error)),
            Err(_) => {
                if let Err(error) = self.pool.renew(generation) {
                    return Err(Broken::Error(error));
                }
                Err(Broken::Slow)
            }
        }
    }

    /// Waits until it is time to try again; an error when trying again is of no use.
    async fn bear(&self, patience: &mut Patience, broken: Broken) -> Result<(), Failure> {
        let why = match broken {
            Broken::Interrupted => return Err(Failure::Interrupted),
            Broken::Slow => format!("no answer within {}", program::human::duration(self.timeout)),
            Broken::Error(error) => match self.refusal(&error) {
                Some(refused) => {
                    self.set_well();
                    return Err(refused);
                }
                None => told(&error),
            },
        };
        // the server is away since it last answered anybody, or since we ask, whichever is later
        let since = self.well().max(patience.began);
        if since.elapsed() >= self.retry_for {
            return Err(Failure::Away { target: self.target.clone(), tried: since.elapsed(), why });
        }
        if patience.pause > FIRST_PAUSE {
            tracing::warn!("{} does not answer ({why}); trying again", self.target);
        }
        if self.pause(patience.pause.min(self.retry_for.saturating_sub(since.elapsed()))).await {
            return Err(Failure::Interrupted);
        }
        patience.pause = (patience.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }

    /// True when a signal came.
    async fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while Instant::now() < until && !self.shutdown.requested() {
            let left = until.saturating_duration_since(Instant::now());
            tokio::time::sleep(left.min(Duration::from_millis(50))).await;
        }
        self.shutdown.requested()
    }

    fn well(&self) -> Instant {
        *self.well.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn set_well(&self) {
        *self.well.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Instant::now();
    }

    /// What the server refused for good; none when trying again may help.
    fn refusal(&self, error: &Error) -> Option<Failure> {
        let refused = |code, message: &str| Failure::Refused {
            target: self.target.clone(),
            code,
            message: redact(message).into_owned(),
        };
        if error.contains_label("RetryableWriteError") || error.contains_label("NetworkError") {
            return None;
        }
        match &*error.kind {
            ErrorKind::Command(error) if PASSING.contains(&error.code) => None,
            ErrorKind::Command(error) => Some(refused(error.code, &error.message)),
            ErrorKind::Authentication { message, .. } => Some(refused(18, message)),
            ErrorKind::Io(_)
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::ServerSelection { .. }
            | ErrorKind::DnsResolve { .. }
            // an answer that was cut
            | ErrorKind::InvalidResponse { .. }
            | ErrorKind::BsonDeserialization(_)
            | ErrorKind::Bson(_) => None,
            other => Some(refused(0, &other.to_string())),
        }
    }
}

/// An error of the driver in one line, without secrets.
fn told(error: &Error) -> String {
    let text = redact(&error.kind.to_string()).replace('\n', " ");
    // the driver's picture of the whole deployment says nothing more
    let short: String = text.chars().take(300).collect();
    program::human::clean(&short).into_owned()
}
