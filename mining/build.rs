//! Links `mine` to a fixed address on Linux.
//!
//! Polars brings some hundred thousand addresses of functions, which a position-independent executable fills in at each start:
//! half of what starting takes, and a query starts twice (docs/mine-2026-11-23.md). What is given up is the random place of the
//! program's own code and tables; stack, heap and libraries keep theirs.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
