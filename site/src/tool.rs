//! Tools that a test needs and a machine may lack.

use std::path::{Path, PathBuf};

/// Path of the tool `name`, for the test `test`, looked for in PATH, /usr/sbin and /sbin. Where it is missing, a line
/// `not run: <test>: <reason>` goes to standard error and the test shall return; with `CI=true` it fails instead.
///
/// ```no_run
/// let Some(nginx) = site::need_tool("archived_urls_equal_the_walk", "nginx") else { return };
/// ```
///
/// # Panics
/// When the tool is missing and the environment has `CI=true`.
pub fn need_tool(test: &str, name: &str) -> Option<PathBuf> {
    let found = find(name, &std::env::var_os("PATH").unwrap_or_default());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{test}: {name} is not installed, and CI=true");
        eprintln!("not run: {test}: {name} is not installed");
    }
    found
}

fn find(name: &str, path: &std::ffi::OsStr) -> Option<PathBuf> {
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(path).chain(more).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn only_an_executable_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("plain-file"), "").unwrap();
        assert_eq!(find("plain-file", folder.path().as_os_str()), None);
        assert!(find("sh", std::ffi::OsStr::new("/bin")).is_some());
    }
}
