//! Certificates for a broker with TLS: an authority of its own, a server's certificate for loopback, and a second
//! authority that has signed nothing, for tests.

use std::path::Path;

use anyhow::Context;

use crate::line::Line;
use crate::process::{self, Output, Process};

/// Password of the server's key store, which is as secret as the folder it lies in.
pub(super) const STORE_PASSWORD: &str = "changeit";

/// Makes `ca.crt`, `server.p12` and `other-ca.crt`.
pub(super) fn make(folder: &Path) -> anyhow::Result<()> {
    for (name, subject) in [("ca", "/CN=kafkaspider test authority"), ("other-ca", "/CN=another authority")] {
        let files = ["-keyout", &format!("{name}.key"), "-out", &format!("{name}.crt")].map(str::to_owned);
        let request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", subject];
        openssl(folder, &request, &files)?;
    }
    let extensions = folder.join("server.ext");
    std::fs::write(&extensions, "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        .with_context(|| format!("cannot write {}", extensions.display()))?;
    let request = ["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"];
    openssl(folder, &request, &["-keyout".into(), "server.key".into(), "-out".into(), "server.csr".into()])?;
    let sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
    let out = ["-days", "3650", "-extfile", "server.ext", "-out", "server.crt"].map(str::to_owned);
    openssl(folder, &sign, &out)?;
    let export = ["pkcs12", "-export", "-in", "server.crt", "-inkey", "server.key", "-out", "server.p12"];
    openssl(folder, &export, &["-passout".into(), format!("pass:{STORE_PASSWORD}")])
}

fn openssl(folder: &Path, args: &[&str], more: &[String]) -> anyhow::Result<()> {
    let log = folder.join("openssl.log");
    let file = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let line = Line::new("openssl").args(args).args(more).dir(folder);
    let status =
        Process::start(&line, Output::File(file)).context("openssl is needed: apt-get install openssl")?.wait()?;
    anyhow::ensure!(status.success(), "`{line}` failed: {}; see {}", process::told(status), log.display());
    Ok(())
}
