//! Links `mine` to a fixed address on Linux with the GNU C library.
//!
//! Polars brings some hundred thousand addresses of functions, which a position-independent executable fills in at each start:
//! half of what starting takes, and a query starts twice (docs/mine-2026-11-23.md). What is given up is the random place of the
//! program's own code and tables; stack, heap and libraries keep theirs.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, wanted: &str| std::env::var(name).is_ok_and(|value| value == wanted);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
