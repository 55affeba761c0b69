//! nginx on loopback over a folder, on a free port, in the foreground, stopped by its pid.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A running nginx.
pub struct Nginx {
    child: Child,
    port: u16,
}

impl Nginx {
    /// Serves `root`, with its logs and its configuration under `work`.
    pub fn start(root: &Path, work: &Path) -> Result<Nginx> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let w = work.display();
        let conf = work.join("nginx.conf");
        let text = format!(
            "daemon off; master_process off; worker_processes 1; pid {w}/nginx.pid; error_log {w}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; keepalive_requests 100000; include /etc/nginx/mime.types;\n\
             client_body_temp_path {w}/b; proxy_temp_path {w}/p; fastcgi_temp_path {w}/f; uwsgi_temp_path {w}/u; scgi_temp_path {w}/s;\n\
             server {{ listen 127.0.0.1:{port}; root {root}; index index.html; }} }}\n",
            root = root.display()
        );
        std::fs::write(&conf, text).with_context(|| format!("write {}", conf.display()))?;
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&conf)
            .arg("-e")
            .arg(work.join("start.log"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start nginx (Debian package nginx-light)")?;
        let mut nginx = Nginx { child, port };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = nginx.child.try_wait()? {
                bail!("nginx ended with {status}; see {w}/start.log");
            }
            if Instant::now() > deadline {
                bail!("nginx does not answer on port {port}");
            }
            std::thread::yield_now();
        }
        Ok(nginx)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
