//! A site as described, and a site that runs.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::log::{Log, lock};
use crate::{Behaviour, Connection, Error, Event, Page, Request, Rule, connection};

/// A site to be: hosts with their folders and pages, rules, log.
#[derive(Debug)]
pub struct Site {
    hosts: Vec<HostPlan>,
    rules: Vec<Rule>,
    pages: Pages,
    gzip: bool,
    fill_in: bool,
    listing: bool,
    log: Option<PathBuf>,
}

#[derive(Debug)]
struct HostPlan {
    name: String,
    folder: Option<PathBuf>,
    address: Option<SocketAddr>,
}

/// Pages in memory, by host name and path.
pub(crate) type Pages = BTreeMap<(String, String), Page>;

impl Site {
    /// A site of one host, `main`, that serves what `folder` holds; with a `site.toml` in it, what that says.
    pub fn folder(folder: impl AsRef<Path>) -> Result<Site, Error> {
        let folder = folder.as_ref();
        if let Err(source) = std::fs::read_dir(folder) {
            return Err(Error::Io { path: folder.to_path_buf(), source });
        }
        let config = Config::read(folder)?.unwrap_or_default();
        let mut site = Site::empty();
        if config.hosts.is_empty() {
            site.hosts[0].folder = Some(folder.to_path_buf());
        } else {
            site.hosts.clear();
            for host in config.hosts {
                let folder = folder.join(host.folder);
                site.hosts.push(HostPlan { name: host.name, folder: Some(folder), address: None });
            }
        }
        Ok(Site { rules: config.rules, gzip: config.gzip, fill_in: config.fill_in, ..site })
    }

    /// A site of one host, `main`, with nothing on it.
    pub fn empty() -> Site {
        Site {
            hosts: vec![HostPlan { name: "main".into(), folder: None, address: None }],
            rules: Vec::new(),
            pages: Pages::new(),
            gzip: false,
            fill_in: false,
            listing: false,
            log: None,
        }
    }

    /// Where the main host listens; 127.0.0.1 and a free port unless said. Other hosts take the same port.
    pub fn address(mut self, address: SocketAddr) -> Site {
        self.hosts[0].address = Some(address);
        self
    }

    /// One host more, at the next loopback address and the same port, with a folder or only pages.
    pub fn host(mut self, name: &str, folder: Option<&Path>) -> Site {
        self.hosts.push(HostPlan { name: name.into(), folder: folder.map(Path::to_path_buf), address: None });
        self
    }

    /// One host more, at an address of its own choice (port 0: a free one).
    pub fn host_at(mut self, name: &str, address: SocketAddr, folder: Option<&Path>) -> Site {
        let folder = folder.map(Path::to_path_buf);
        self.hosts.push(HostPlan { name: name.into(), folder, address: Some(address) });
        self
    }

    /// A page in memory on the main host; goes before a file of that path. The path may have a query.
    pub fn page(self, path: &str, page: Page) -> Site {
        let host = self.hosts[0].name.clone();
        self.page_on(&host, path, page)
    }

    /// A page in memory on the host of that name.
    pub fn page_on(mut self, host: &str, path: &str, page: Page) -> Site {
        self.pages.insert((host.to_string(), path.to_string()), page);
        self
    }

    /// A rule; those of `site.toml` come first.
    pub fn rule(mut self, rule: Rule) -> Site {
        self.rules.push(rule);
        self
    }

    /// Shorthand for a rule that always holds.
    pub fn misbehave(self, path: &str, does: Behaviour) -> Site {
        self.rule(Rule::new(path, does))
    }

    /// Whether text is compressed for clients that accept it; off unless `site.toml` says so.
    pub fn gzip(mut self, on: bool) -> Site {
        self.gzip = on;
        self
    }

    /// Whether `{{name}}` in pages and files becomes the URL of that host; off unless `site.toml` says so.
    pub fn fill_in(mut self, on: bool) -> Site {
        self.fill_in = on;
        self
    }

    /// Whether a folder without `index.html` is answered with a page that links to what is in it.
    pub fn listing(mut self, on: bool) -> Site {
        self.listing = on;
        self
    }

    /// File that gets a line of JSON ([`Event`]) for each request and connection; appended to, written at once.
    pub fn log(mut self, file: impl Into<PathBuf>) -> Site {
        self.log = Some(file.into());
        self
    }

    /// Listens and serves, until the result is dropped.
    pub fn start(self) -> Result<Running, Error> {
        let log = Arc::new(Log::open(self.log.as_deref())?);
        let listeners = self.listen()?;
        let mut hosts = Vec::new();
        for (plan, listener) in self.hosts.iter().zip(&listeners) {
            let address = listener.local_addr().map_err(Error::Threads)?;
            hosts.push(Host { name: plan.name.clone(), folder: plan.folder.clone(), address });
        }
        let shared = Arc::new(Shared {
            hosts,
            rules: self.rules,
            pages: Mutex::new(self.pages),
            gzip: self.gzip,
            fill_in: self.fill_in,
            listing: self.listing,
            log,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("site")
            .enable_all()
            .build()
            .map_err(Error::Threads)?;
        for (host, listener) in listeners.into_iter().enumerate() {
            listener.set_nonblocking(true).map_err(Error::Threads)?;
            runtime.spawn(connection::accept(listener, host, shared.clone()));
        }
        Ok(Running { shared, runtime: Some(runtime) })
    }

    /// Binds all hosts. Those without an address of their own share the main one's port, so when the main port is
    /// free to choose and taken elsewhere, another one is tried.
    fn listen(&self) -> Result<Vec<TcpListener>, Error> {
        let main = self.hosts[0].address.unwrap_or(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0));
        let mut tries = 20;
        loop {
            match self.listen_from(main) {
                Err(Error::Bind { address, .. }) if main.port() == 0 && address.port() != 0 && tries > 0 => tries -= 1,
                other => return other,
            }
        }
    }

    fn listen_from(&self, main: SocketAddr) -> Result<Vec<TcpListener>, Error> {
        let first = bind(main)?;
        let port = first.local_addr().map_err(Error::Threads)?.port();
        let mut listeners = vec![first];
        for (number, host) in (2u8..).zip(&self.hosts[1..]) {
            let next = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, number)), port);
            listeners.push(bind(host.address.unwrap_or(next))?);
        }
        Ok(listeners)
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback(address));
    }
    TcpListener::bind(address).map_err(|source| Error::Bind { address, source })
}

/// What all connections of a running site share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hosts: Vec<Host>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) pages: Mutex<Pages>,
    pub(crate) gzip: bool,
    pub(crate) fill_in: bool,
    pub(crate) listing: bool,
    pub(crate) log: Arc<Log>,
}

/// One host of a running site.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) address: SocketAddr,
}

impl Shared {
    /// The text with `{{name}}` replaced by that host's URL.
    pub(crate) fn filled(&self, text: &str) -> String {
        self.hosts.iter().fold(text.to_string(), |text, host| {
            text.replace(&format!("{{{{{}}}}}", host.name), &format!("http://{}", host.address))
        })
    }
}

/// A site that is being served. It stops when this is dropped; requests under way are cut off.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Running {
    /// Address of the main host.
    pub fn addr(&self) -> SocketAddr {
        self.shared.hosts[0].address
    }

    /// URL of a path on the main host.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr())
    }

    /// URL of a path on the host of that name, when there is one.
    pub fn url_on(&self, host: &str, path: &str) -> Option<String> {
        let host = self.shared.hosts.iter().find(|known| known.name == host)?;
        Some(format!("http://{}{path}", host.address))
    }

    /// Puts a page on the main host, or replaces it, while the site runs.
    pub fn put(&self, path: &str, page: Page) {
        let host = self.shared.hosts[0].name.clone();
        lock(&self.shared.pages).insert((host, path.to_string()), page);
    }

    /// Everything noted so far: requests when their answer ended, connections when they closed.
    pub fn events(&self) -> Vec<Event> {
        self.shared.log.events()
    }

    /// The requests noted so far, by the time their answer ended.
    pub fn requests(&self) -> Vec<Request> {
        let requests = self.events().into_iter();
        requests.filter_map(|event| if let Event::Request(it) = event { Some(it) } else { None }).collect()
    }

    /// How many requests were noted so far.
    pub fn request_count(&self) -> usize {
        self.shared.log.requests()
    }

    /// Microseconds since the site started: the time base of requests and connections.
    pub fn now_us(&self) -> u64 {
        self.shared.log.now_us()
    }

    /// The connections that closed so far.
    pub fn connections(&self) -> Vec<Connection> {
        let connections = self.events().into_iter();
        connections.filter_map(|event| if let Event::Connection(it) = event { Some(it) } else { None }).collect()
    }

    /// Forgets what was noted in memory; the log file stays.
    pub fn forget(&self) {
        self.shared.log.clear();
    }

    /// Waits until the requests satisfy `enough`; false when they did not within `limit`.
    pub fn wait(&self, limit: Duration, enough: impl Fn(&[Request]) -> bool) -> bool {
        let until = Instant::now() + limit;
        loop {
            if enough(&self.requests()) {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            // polls the condition; this is no synchronisation by time
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Stops: nobody listens any more when this returns. Dropping does the same.
    pub fn stop(self) {}
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // on a thread of its own, since a runtime must not be awaited from within another one
            let stop = move || runtime.shutdown_timeout(Duration::from_secs(2));
            let _ = std::thread::spawn(stop).join();
        }
    }
}
